-- a task: its runs in their order
-- :sbi_id  text, from execution.sbi_id
SELECT turn, step, status, decision, attempt, started_at, completed_at
FROM execution
WHERE sbi_id = :sbi_id
ORDER BY turn, step, attempt;
