-- Tasks that are their own ancestors.
WITH RECURSIVE ancestors (task_id, ancestor_id) AS (
    SELECT task_id, parent_task_id FROM tasks WHERE parent_task_id IS NOT NULL
    UNION
    SELECT ancestors.task_id, tasks.parent_task_id
    FROM ancestors JOIN tasks ON tasks.task_id = ancestors.ancestor_id
    WHERE tasks.parent_task_id IS NOT NULL
)
SELECT task_id FROM ancestors WHERE ancestor_id = task_id;
