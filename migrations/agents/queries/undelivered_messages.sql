-- every turn of an agent: messages that it has not got yet
-- :to_agent  text, from agent_messages.to_agent where delivered_at IS NULL
SELECT message_id, from_agent, message_type, content, priority, sent_at
FROM agent_messages
WHERE to_agent = :to_agent AND delivered_at IS NULL
ORDER BY priority, sent_at;
