-- The same attempt at the same step of the same turn, twice. One turn with two steps is how a run works.
SELECT sbi_id, turn, step, attempt, count(*) AS rows FROM execution
GROUP BY sbi_id, turn, step, attempt
HAVING count(*) > 1;
