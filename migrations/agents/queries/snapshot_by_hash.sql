-- before storing: the snapshot with the same content
-- :content_hash  text, from memory_snapshots.content_hash
SELECT snapshot_id, session_id, content_path
FROM memory_snapshots
WHERE content_hash = :content_hash;
