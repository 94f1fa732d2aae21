-- Statuses that the application does not know.
SELECT 'session' AS kind, id, status FROM sessions
WHERE status NOT IN ('running', 'completed', 'failed', 'paused')
UNION ALL
SELECT 'instance', session_id || '/' || instance_id, status FROM instances
WHERE status NOT IN ('idle', 'running', 'completed', 'failed', 'paused', 'archived');
