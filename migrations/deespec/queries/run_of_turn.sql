-- a task: what happened in a turn
-- :sbi_id  text, from execution.sbi_id
-- :turn    integer, from execution.turn
SELECT step, status, decision, attempt, content
FROM execution
WHERE sbi_id = :sbi_id AND turn = :turn;
