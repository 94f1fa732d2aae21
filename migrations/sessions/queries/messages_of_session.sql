-- opening a session: its chat
-- :session_id  text, from chat_messages.session_id
SELECT id, instance_id, role, content, timestamp, extra
FROM chat_messages
WHERE session_id = :session_id
ORDER BY timestamp;
