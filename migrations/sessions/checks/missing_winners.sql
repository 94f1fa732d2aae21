-- Sessions whose winner is none of their instances.
SELECT id, winner_id FROM sessions
WHERE winner_id IS NOT NULL AND NOT EXISTS (
    SELECT 1 FROM instances WHERE instances.session_id = sessions.id AND instances.instance_id = sessions.winner_id);
