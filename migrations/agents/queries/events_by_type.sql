-- dashboard: the last events of a type
-- :event_type  text, from events.event_type
SELECT event_id, agent_id, severity, message, timestamp
FROM events
WHERE event_type = :event_type
ORDER BY timestamp DESC
LIMIT 100;
