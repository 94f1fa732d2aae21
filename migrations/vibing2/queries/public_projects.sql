-- gallery: public projects, the last changed first
-- :before  integer, from projects.updated_at + 1 where visibility = 'PUBLIC'; the last row of the page before
SELECT projects.id, projects.name, projects.likes, projects.updated_at, users.name AS owner
FROM projects
JOIN users ON users.id = projects.user_id
WHERE projects.visibility = 'PUBLIC' AND projects.updated_at < :before
ORDER BY projects.updated_at DESC
LIMIT 20;
