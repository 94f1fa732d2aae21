-- usage page, filtered: snapshots of a type
-- :snapshot_type  text, from usage_snapshots.snapshot_type
SELECT id, session_id, timestamp
FROM usage_snapshots
WHERE snapshot_type = :snapshot_type
ORDER BY id DESC
LIMIT 100;
