-- dashboard: the newest messages of a priority
-- :priority  integer, from agent_messages.priority
SELECT message_id, from_agent, to_agent, message_type, content, sent_at
FROM agent_messages
WHERE priority = :priority
ORDER BY sent_at DESC
LIMIT 50;
