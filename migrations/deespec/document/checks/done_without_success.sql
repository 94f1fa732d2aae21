-- Tasks that are done and have no run that is: in this form no file tells a decision, so the report of the step `done` is what there is.
SELECT sbi.id, sbi.status FROM sbi
WHERE sbi.status = 'DONE'
  AND NOT EXISTS (
    SELECT 1 FROM execution
    WHERE execution.sbi_id = sbi.id
      AND (execution.decision IN ('SUCCEEDED', 'OK') OR execution.status = 'REVIEW&WIP' OR execution.step = 'done'));
