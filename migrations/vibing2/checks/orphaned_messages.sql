-- messages whose project is missing
SELECT id, project_id
FROM messages
WHERE NOT EXISTS (SELECT 1 FROM projects WHERE projects.id = messages.project_id);
