-- notifications: invites that a user has not answered
-- :user_id  text, from collaboration_invites.to_user_id where status = 'PENDING'
SELECT collaboration_invites.id, projects.name AS project, users.name AS sender
FROM collaboration_invites
JOIN projects ON projects.id = collaboration_invites.project_id
JOIN users ON users.id = collaboration_invites.from_user_id
WHERE collaboration_invites.to_user_id = :user_id AND collaboration_invites.status = 'PENDING';
