-- projects whose active_agents is not a JSON array
SELECT id, active_agents
FROM projects
WHERE CASE WHEN json_valid(active_agents) THEN json_type(active_agents) <> 'array' ELSE 1 END;
