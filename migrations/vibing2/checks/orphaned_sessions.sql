-- sessions whose user is missing
-- A token is a secret: its start has to do.
SELECT substr(session_token, 1, 4) || '…' AS session_token, user_id
FROM sessions
WHERE NOT EXISTS (SELECT 1 FROM users WHERE users.id = sessions.user_id);
