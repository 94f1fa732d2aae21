-- usage of a session: its snapshots since a time, the newest first
-- :session_id  text, from usage_snapshots.session_id
-- :since       integer, from usage_snapshots.timestamp; milliseconds since 1970-01-01
SELECT id, snapshot_data, snapshot_type, timestamp
FROM usage_snapshots
WHERE session_id = :session_id AND timestamp >= :since
ORDER BY timestamp DESC
LIMIT 100;
