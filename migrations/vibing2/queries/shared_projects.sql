-- home page: projects of others in which a user takes part
-- :user_id  text, from project_collaborators.user_id
SELECT projects.id, projects.name, project_collaborators.role
FROM project_collaborators
JOIN projects ON projects.id = project_collaborators.project_id
WHERE project_collaborators.user_id = :user_id;
