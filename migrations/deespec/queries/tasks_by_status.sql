-- the list: tasks in a status, the newest first, from the index alone
-- :status  text, from sbi.status
SELECT id, task_id, label, created_at
FROM sbi
WHERE status = :status
ORDER BY created_at DESC
LIMIT 100;
