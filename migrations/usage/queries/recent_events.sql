-- start page and every new listener: the newest events
SELECT id, source_app, session_id, hook_event_type, payload, summary, timestamp
FROM events
ORDER BY timestamp DESC
LIMIT 100;
