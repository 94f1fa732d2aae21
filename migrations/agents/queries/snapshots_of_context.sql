-- waking up: snapshots of a context of one type
-- :session_id   text, from memory_snapshots.session_id
-- :memory_type  text, from memory_snapshots.memory_type
SELECT snapshot_id, content, content_path, importance_score, created_at
FROM memory_snapshots
WHERE session_id = :session_id AND memory_type = :memory_type;
