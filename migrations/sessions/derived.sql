-- What triggers keep from here on.
UPDATE sessions SET
    instance_count = (SELECT count(*) FROM instances WHERE instances.session_id = sessions.id),
    message_count = (SELECT count(*) FROM chat_messages WHERE chat_messages.session_id = sessions.id);
