-- token usage whose user is missing
SELECT id, user_id
FROM token_usage
WHERE NOT EXISTS (SELECT 1 FROM users WHERE users.id = token_usage.user_id);
