-- conversation: the messages of a project in their order
-- :project_id  text, from messages.project_id
SELECT id, role, content, created_at
FROM messages
WHERE project_id = :project_id
ORDER BY created_at, rowid -- within one second as they were stored
LIMIT 200;
