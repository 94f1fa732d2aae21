-- the log since a time, the oldest first
-- :since  text, from audit_log.timestamp
SELECT id, timestamp, entity_type, entity_id, action, user
FROM audit_log
WHERE timestamp >= :since
ORDER BY timestamp
LIMIT 100;
