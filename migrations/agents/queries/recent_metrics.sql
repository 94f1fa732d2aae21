-- dashboard: the metrics since a time, the newest first
-- :since  text, from performance_metrics.recorded_at; UTC
SELECT metric_id, agent_id, task_id, metric_type, value, unit, recorded_at
FROM performance_metrics
WHERE recorded_at >= :since
ORDER BY recorded_at DESC
LIMIT 100;
