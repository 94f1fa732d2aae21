-- the list of all workspaces, filtered: the newest sessions of a type
-- :session_type  text, from sessions.session_type
-- target: P95 < 1 ms
SELECT id, workspace_hash, task, status, created_at
FROM sessions
WHERE session_type = :session_type
ORDER BY created_at DESC
LIMIT 100;
