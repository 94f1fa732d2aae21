-- dashboard: agents in a status
-- :status  text, from agents.status
SELECT agent_id, agent_type, branch_name, last_activity
FROM agents
WHERE status = :status
LIMIT 100;
