-- usage page: the snapshots of all sessions since a time, the newest first
-- :since  integer, from usage_snapshots.timestamp; milliseconds since 1970-01-01
SELECT id, session_id, snapshot_data, snapshot_type, timestamp
FROM usage_snapshots
WHERE timestamp >= :since
ORDER BY timestamp DESC
LIMIT 100;
