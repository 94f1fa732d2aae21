-- Full-text search over the tasks of sessions:
--   SELECT sessions.* FROM sessions_fts JOIN sessions ON search_id = sessions_fts.rowid WHERE sessions_fts MATCH 'word'

CREATE VIRTUAL TABLE sessions_fts USING fts5 (task, content = 'sessions', content_rowid = 'search_id');

INSERT INTO sessions_fts (sessions_fts) VALUES ('rebuild');

CREATE TRIGGER sessions_fts_insert AFTER INSERT ON sessions BEGIN
    INSERT INTO sessions_fts (rowid, task) VALUES (NEW.search_id, NEW.task);
END;

-- An index over external content forgets a row only when it is told the old text.
CREATE TRIGGER sessions_fts_delete AFTER DELETE ON sessions BEGIN
    INSERT INTO sessions_fts (sessions_fts, rowid, task) VALUES ('delete', OLD.search_id, OLD.task);
END;

-- Of these columns alone: the counters change far more often.
CREATE TRIGGER sessions_fts_update AFTER UPDATE OF search_id, task ON sessions BEGIN
    INSERT INTO sessions_fts (sessions_fts, rowid, task) VALUES ('delete', OLD.search_id, OLD.task);
    INSERT INTO sessions_fts (rowid, task) VALUES (NEW.search_id, NEW.task);
END;
