-- The list of tasks without reading the tasks, and the runs of the last thirty days.

-- SQLite has no INCLUDE: what is to be read from the index is one of its columns.
CREATE INDEX idx_sbi_list ON sbi (status, created_at, id, task_id, label);

-- Compared as numbers: as text, "2025-01-01T…" is later than any time of that day which datetime() writes.
CREATE VIEW recent_executions AS
SELECT id, sbi_id, turn, step, status, decision, attempt, started_at, completed_at, lease_expires_at, content
FROM execution
WHERE julianday(started_at) > julianday('now', '-30 days');

UPDATE schema_info SET value = '2' WHERE key = 'version';
