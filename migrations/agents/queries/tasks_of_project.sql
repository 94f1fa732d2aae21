-- a project: its tasks
-- :project_id  text, from project_tasks.project_id
SELECT tasks.task_id, tasks.title, tasks.status, tasks.priority
FROM project_tasks
JOIN tasks ON tasks.task_id = project_tasks.task_id
WHERE project_tasks.project_id = :project_id;
