-- start page: the workspaces that were opened last
SELECT hash, path, last_accessed
FROM workspaces
ORDER BY last_accessed DESC
LIMIT 20;
