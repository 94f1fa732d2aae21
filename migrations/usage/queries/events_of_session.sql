-- a session: its events in their order
-- :session_id  text, from events.session_id
SELECT id, source_app, hook_event_type, payload, chat, summary, timestamp
FROM events
WHERE session_id = :session_id
ORDER BY timestamp;
