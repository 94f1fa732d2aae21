-- messages with an unknown role
SELECT id, role
FROM messages
WHERE role NOT IN ('user', 'assistant', 'system');
