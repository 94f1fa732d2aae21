-- Two global values for one key.
SELECT category, key, count(*) AS rows FROM configurations
WHERE agent_id IS NULL GROUP BY category, key HAVING count(*) > 1;
