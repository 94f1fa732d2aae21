-- invites whose project, sender or receiver is missing
SELECT id, project_id, from_user_id, to_user_id
FROM collaboration_invites
WHERE NOT EXISTS (SELECT 1 FROM projects WHERE projects.id = collaboration_invites.project_id)
   OR NOT EXISTS (SELECT 1 FROM users WHERE users.id = collaboration_invites.from_user_id)
   OR NOT EXISTS (SELECT 1 FROM users WHERE users.id = collaboration_invites.to_user_id);
