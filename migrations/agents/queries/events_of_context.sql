-- a context: what happened to it, the newest first
-- :session_id  text, from context_events.session_id
SELECT event_id, event_type, details, timestamp
FROM context_events
WHERE session_id = :session_id
ORDER BY timestamp DESC;
