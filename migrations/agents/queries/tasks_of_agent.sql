-- every turn of an agent: its tasks in a status
-- :agent_id  text, from tasks.agent_id
-- :status    text, from tasks.status
SELECT task_id, title, description, priority, created_at
FROM tasks
WHERE agent_id = :agent_id AND status = :status;
