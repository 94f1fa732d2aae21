-- an agent: the average of one of its metrics
-- :agent_id     text, from performance_metrics.agent_id
-- :metric_type  text, from performance_metrics.metric_type
SELECT count(*) AS measured, avg(value) AS average, min(value) AS least, max(value) AS most
FROM performance_metrics
WHERE agent_id = :agent_id AND metric_type = :metric_type;
