-- gallery: public projects, the last changed first
-- :before  integer, seconds since 1970-01-01: the last row of the page before
SELECT projects.id, projects.name, projects.likes, projects.updated_at, users.name AS owner
FROM projects
JOIN users ON users.id = projects.user_id
WHERE projects.visibility = 'PUBLIC' AND projects.updated_at < :before
ORDER BY projects.updated_at DESC
LIMIT 20;
