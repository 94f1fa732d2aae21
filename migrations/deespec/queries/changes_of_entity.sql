-- who changed it: the log of one task or setting
-- :entity_type  text, from audit_log.entity_type
-- :entity_id    text, from audit_log.entity_id
SELECT timestamp, action, old_value, new_value, user
FROM audit_log
WHERE entity_type = :entity_type AND entity_id = :entity_id
ORDER BY timestamp;
