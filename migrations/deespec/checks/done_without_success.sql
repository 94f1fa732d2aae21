-- Tasks that are done though no run of theirs succeeded, nor was it forced through after the last attempt.
SELECT sbi.id, sbi.status FROM sbi
WHERE sbi.status = 'DONE'
  AND NOT EXISTS (
    SELECT 1 FROM execution
    WHERE execution.sbi_id = sbi.id
      AND (execution.decision IN ('SUCCEEDED', 'OK') OR execution.status = 'REVIEW&WIP'));
