-- Instances of a session that is not there.
SELECT id, session_id, instance_id FROM instances
WHERE NOT EXISTS (SELECT 1 FROM sessions WHERE sessions.id = instances.session_id);
