-- dashboard: projects in a status
-- :status  text, from projects.status
SELECT project_id, name, target_completion
FROM projects
WHERE status = :status
LIMIT 100;
