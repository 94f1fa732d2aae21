-- collaborators with an unknown role
-- The owner is not among them: a project's owner is its user.
SELECT id, role
FROM project_collaborators
WHERE role NOT IN ('VIEWER', 'EDITOR', 'ADMIN');
