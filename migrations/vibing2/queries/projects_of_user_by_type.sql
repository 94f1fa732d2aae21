-- home page, filtered: a user's projects of one type
-- :user_id       text, from projects.user_id
-- :project_type  text, from projects.project_type
SELECT id, name, updated_at
FROM projects
WHERE user_id = :user_id AND project_type = :project_type;
