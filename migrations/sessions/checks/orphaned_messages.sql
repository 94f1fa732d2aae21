-- Messages of a session, or from an instance, that is not there.
SELECT id, session_id, instance_id FROM chat_messages
WHERE NOT EXISTS (SELECT 1 FROM sessions WHERE sessions.id = chat_messages.session_id)
   OR (instance_id IS NOT NULL AND NOT EXISTS (
        SELECT 1 FROM instances
        WHERE instances.session_id = chat_messages.session_id
          AND instances.instance_id = chat_messages.instance_id));
