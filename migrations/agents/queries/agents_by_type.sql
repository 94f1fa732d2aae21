-- who can do it: agents of a type
-- :agent_type  text, from agents.agent_type
SELECT agent_id, status, last_activity
FROM agents
WHERE agent_type = :agent_type
LIMIT 100;
