-- consolidation: the most important snapshots
SELECT snapshot_id, session_id, memory_type, importance_score
FROM memory_snapshots
ORDER BY importance_score DESC
LIMIT 50;
