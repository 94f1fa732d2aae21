-- Times that are no RFC 3339: SQLite's own "YYYY-MM-DD HH:MM:SS" among them.
WITH times (kind, id, time) AS (
    SELECT 'workspaces.last_accessed', hash, last_accessed FROM workspaces
    UNION ALL SELECT 'sessions.created_at', id, created_at FROM sessions
    UNION ALL SELECT 'sessions.updated_at', id, updated_at FROM sessions
    UNION ALL SELECT 'sessions.completed_at', id, completed_at FROM sessions
    UNION ALL SELECT 'instances.start_time', session_id || '/' || instance_id, start_time FROM instances
    UNION ALL SELECT 'instances.end_time', session_id || '/' || instance_id, end_time FROM instances
    UNION ALL SELECT 'chat_messages.timestamp', id, timestamp FROM chat_messages
)
SELECT kind, id, time FROM times
WHERE time IS NOT NULL AND (time NOT LIKE '____-__-__T__:__:__%' OR julianday(time) IS NULL);
