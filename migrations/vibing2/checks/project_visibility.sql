-- projects that are neither PRIVATE nor PUBLIC
SELECT id, visibility
FROM projects
WHERE visibility NOT IN ('PRIVATE', 'PUBLIC');
