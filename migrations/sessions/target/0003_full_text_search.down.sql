-- whimbrel: lossless
-- The index is derived from the sessions, and going up builds it again.

DROP TRIGGER sessions_fts_update;
DROP TRIGGER sessions_fts_delete;
DROP TRIGGER sessions_fts_insert;
DROP TABLE sessions_fts;
