-- the list: all sessions of a workspace, the last changed first
-- :workspace_hash  text, from sessions.workspace_hash
-- target: P95 < 2 ms
SELECT id, session_type, task, status, created_at, updated_at, instance_count, message_count
FROM sessions
WHERE workspace_hash = :workspace_hash
ORDER BY updated_at DESC;
