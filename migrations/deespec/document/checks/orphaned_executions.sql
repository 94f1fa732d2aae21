-- Runs of a task that is not there.
SELECT execution.id, execution.sbi_id FROM execution
LEFT JOIN sbi ON sbi.id = execution.sbi_id
WHERE sbi.id IS NULL;
