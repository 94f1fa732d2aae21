-- file tree: the files of a project
-- :project_id  text, from project_files.project_id
SELECT id, path, language, length(content) AS characters, updated_at
FROM project_files
WHERE project_id = :project_id
ORDER BY path;
