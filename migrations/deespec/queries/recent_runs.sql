-- the last thirty days: the newest runs
SELECT sbi_id, turn, step, status, decision, started_at
FROM recent_executions
ORDER BY julianday(started_at) DESC
LIMIT 100;
