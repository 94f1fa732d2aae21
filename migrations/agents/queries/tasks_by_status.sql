-- dashboard: tasks in a status
-- :status  text, from tasks.status
SELECT task_id, agent_id, title, priority
FROM tasks
WHERE status = :status
LIMIT 100;
