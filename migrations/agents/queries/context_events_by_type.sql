-- dashboard: the newest events of contexts of a type
-- :event_type  text, from context_events.event_type
SELECT event_id, session_id, details, timestamp
FROM context_events
WHERE event_type = :event_type
ORDER BY timestamp DESC
LIMIT 50;
