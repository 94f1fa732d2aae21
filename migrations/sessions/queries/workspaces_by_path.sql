-- opening a folder: its workspaces
-- :path  text, from workspaces.path
SELECT hash, last_accessed
FROM workspaces
WHERE path = :path;
