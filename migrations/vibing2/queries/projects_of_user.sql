-- home page: a user's projects, the last changed first
-- :user_id  text, from projects.user_id
SELECT id, name, description, project_type, visibility, likes, forks, updated_at
FROM projects
WHERE user_id = :user_id
ORDER BY updated_at DESC
LIMIT 20;
