-- every turn of an agent: the contexts that it works in
-- :agent_id  text, from context_sessions.agent_id where is_active = 1
SELECT session_id, context_data, usage_percent, token_count, max_tokens
FROM context_sessions
WHERE agent_id = :agent_id AND is_active = 1;
