-- files whose project is missing
SELECT id, path, project_id
FROM project_files
WHERE NOT EXISTS (SELECT 1 FROM projects WHERE projects.id = project_files.project_id);
