-- the list, filtered: sessions of a workspace in a status
-- :workspace_hash  text, from sessions.workspace_hash
-- :status          text, from sessions.status
SELECT id, session_type, task, created_at, updated_at
FROM sessions
WHERE workspace_hash = :workspace_hash AND status = :status;
