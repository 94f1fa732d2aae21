-- a task: its parts
-- :task_id  text, from tasks.parent_task_id
SELECT task_id, title, status, confidence_score
FROM tasks
WHERE parent_task_id = :task_id;
