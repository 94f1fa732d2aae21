-- a task: its metrics of a type
-- :task_id      text, from performance_metrics.task_id
-- :metric_type  text, from performance_metrics.metric_type
SELECT metric_id, value, unit, recorded_at
FROM performance_metrics
WHERE task_id = :task_id AND metric_type = :metric_type;
