-- every turn: the task to pick
SELECT id, task_id, priority
FROM sbi
WHERE status = 'READY'
ORDER BY priority, id
LIMIT 1;
