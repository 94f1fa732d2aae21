-- home page, filtered: a user's projects of one type
-- :user_id       text
-- :project_type  text
SELECT id, name, updated_at
FROM projects
WHERE user_id = :user_id AND project_type = :project_type;
