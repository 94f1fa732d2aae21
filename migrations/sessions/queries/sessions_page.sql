-- the list, page by page: the next sessions of a workspace, the newest first
-- :workspace_hash  text, from sessions.workspace_hash
-- :created_at      text, from sessions.created_at; the last row of the page before
-- :id              text, always '~'; its id, or behind every id to begin with that moment
-- target: P95 < 2 ms
SELECT id, session_type, task, status, created_at, instance_count, message_count
FROM sessions
WHERE workspace_hash = :workspace_hash AND created_at <= :created_at AND (created_at, id) < (:created_at, :id)
ORDER BY created_at DESC, id DESC
LIMIT 20;
