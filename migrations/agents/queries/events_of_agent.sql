-- an agent: its last events
-- :agent_id  text, from events.agent_id
SELECT event_id, event_type, severity, message, timestamp
FROM events
WHERE agent_id = :agent_id
ORDER BY timestamp DESC
LIMIT 100;
