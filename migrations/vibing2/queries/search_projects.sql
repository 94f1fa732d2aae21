-- search: a user's projects by words of name and description, the best first
-- :user_id  text, from projects.user_id
-- :words    text, first word of projects.name; an FTS5 expression
SELECT projects.id, projects.name, snippet(projects_fts, -1, '[', ']', '…', 12) AS found
FROM projects_fts
JOIN projects ON projects.search_id = projects_fts.rowid
WHERE projects_fts MATCH :words AND projects.user_id = :user_id
ORDER BY projects_fts.rank
LIMIT 20;
