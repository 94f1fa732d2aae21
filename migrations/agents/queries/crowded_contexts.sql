-- clean-up: the fullest contexts above a share
-- :usage_percent  real, from context_sessions.usage_percent - 1
SELECT session_id, agent_id, usage_percent, token_count
FROM context_sessions
WHERE usage_percent > :usage_percent
ORDER BY usage_percent DESC
LIMIT 50;
