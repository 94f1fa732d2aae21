-- Counters that are not what they count. INSERT OR REPLACE does this: it deletes without firing triggers.
SELECT id, instance_count, message_count FROM sessions
WHERE instance_count <> (SELECT count(*) FROM instances WHERE instances.session_id = sessions.id)
   OR message_count <> (SELECT count(*) FROM chat_messages WHERE chat_messages.session_id = sessions.id);
