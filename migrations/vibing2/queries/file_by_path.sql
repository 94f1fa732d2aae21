-- editor: one file of a project
-- :project_id  text, from project_files.project_id
-- :path        text, from project_files.path
SELECT id, content, language, updated_at
FROM project_files
WHERE project_id = :project_id AND path = :path;
