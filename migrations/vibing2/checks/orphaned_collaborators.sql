-- collaborators whose project or user is missing
SELECT id, project_id, user_id
FROM project_collaborators
WHERE NOT EXISTS (SELECT 1 FROM projects WHERE projects.id = project_collaborators.project_id)
   OR NOT EXISTS (SELECT 1 FROM users WHERE users.id = project_collaborators.user_id);
