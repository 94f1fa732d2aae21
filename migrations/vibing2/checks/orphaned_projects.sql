-- projects whose user is missing
SELECT id, user_id
FROM projects
WHERE NOT EXISTS (SELECT 1 FROM users WHERE users.id = projects.user_id);
