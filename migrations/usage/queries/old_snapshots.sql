-- clean-up: the oldest snapshots before a time
-- :before  integer, from usage_snapshots.timestamp + 1; milliseconds since 1970-01-01
SELECT id
FROM usage_snapshots
WHERE timestamp < :before
ORDER BY timestamp
LIMIT 500;
