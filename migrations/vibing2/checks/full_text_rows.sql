-- projects that full-text search does not know, or knows although they are gone
SELECT search_id, 'not in the full text' AS finding
FROM projects
WHERE search_id NOT IN (SELECT id FROM projects_fts_docsize)
UNION ALL
SELECT id, 'gone, but in the full text'
FROM projects_fts_docsize
WHERE id NOT IN (SELECT search_id FROM projects);
