-- alarm: events of a severity since a time
-- :severity  text, from events.severity
-- :since     text, from events.timestamp; UTC
SELECT event_id, agent_id, event_type, message, timestamp
FROM events
WHERE severity = :severity AND timestamp >= :since
ORDER BY timestamp DESC
LIMIT 100;
