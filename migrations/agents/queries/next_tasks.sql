-- the queue: tasks of a priority, the oldest first
-- :priority  text, from tasks.priority
SELECT task_id, title, agent_id, status, created_at
FROM tasks
WHERE priority = :priority
ORDER BY created_at
LIMIT 20;
