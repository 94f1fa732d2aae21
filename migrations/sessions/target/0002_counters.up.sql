-- How many instances and messages a session has, kept by triggers, so that a list of sessions needs no join.

ALTER TABLE sessions ADD COLUMN instance_count INTEGER NOT NULL DEFAULT 0 CHECK (instance_count >= 0);
ALTER TABLE sessions ADD COLUMN message_count INTEGER NOT NULL DEFAULT 0 CHECK (message_count >= 0);

UPDATE sessions SET
    instance_count = (SELECT count(*) FROM instances WHERE instances.session_id = sessions.id),
    message_count = (SELECT count(*) FROM chat_messages WHERE chat_messages.session_id = sessions.id);

CREATE TRIGGER update_instance_count_insert AFTER INSERT ON instances BEGIN
    UPDATE sessions SET instance_count = instance_count + 1 WHERE id = NEW.session_id;
END;

CREATE TRIGGER update_instance_count_delete AFTER DELETE ON instances BEGIN
    UPDATE sessions SET instance_count = instance_count - 1 WHERE id = OLD.session_id;
END;

-- A row that changes its session leaves one and joins the other. A session that changes its id takes its rows along:
-- by then no session has the old id, and the new one has counted them already.
CREATE TRIGGER update_instance_count_move AFTER UPDATE OF session_id ON instances
WHEN NEW.session_id <> OLD.session_id AND EXISTS (SELECT 1 FROM sessions WHERE id = OLD.session_id)
BEGIN
    UPDATE sessions SET instance_count = instance_count - 1 WHERE id = OLD.session_id;
    UPDATE sessions SET instance_count = instance_count + 1 WHERE id = NEW.session_id;
END;

CREATE TRIGGER update_message_count_insert AFTER INSERT ON chat_messages BEGIN
    UPDATE sessions SET message_count = message_count + 1 WHERE id = NEW.session_id;
END;

CREATE TRIGGER update_message_count_delete AFTER DELETE ON chat_messages BEGIN
    UPDATE sessions SET message_count = message_count - 1 WHERE id = OLD.session_id;
END;

CREATE TRIGGER update_message_count_move AFTER UPDATE OF session_id ON chat_messages
WHEN NEW.session_id <> OLD.session_id AND EXISTS (SELECT 1 FROM sessions WHERE id = OLD.session_id)
BEGIN
    UPDATE sessions SET message_count = message_count - 1 WHERE id = OLD.session_id;
    UPDATE sessions SET message_count = message_count + 1 WHERE id = NEW.session_id;
END;
