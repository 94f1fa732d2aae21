-- a task with its specification
-- :id  text, from sbi.id
SELECT id, task_id, label, priority, status, created_at, updated_at, completed_at, metadata, spec
FROM sbi
WHERE id = :id;
