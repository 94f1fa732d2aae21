-- editor: one file of a project
-- :project_id  text
-- :path        text
SELECT id, content, language, updated_at
FROM project_files
WHERE project_id = :project_id AND path = :path;
