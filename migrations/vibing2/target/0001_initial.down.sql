-- whimbrel: lossy
-- Every table goes, children before parents, and every row with them. Their indexes go along.

DROP TRIGGER projects_fts_delete;
DROP TRIGGER projects_fts_update;
DROP TRIGGER projects_fts_insert;
DROP TABLE projects_fts;
DROP TABLE collaboration_invites;
DROP TABLE project_collaborators;
DROP TABLE accounts;
DROP TABLE sessions;
DROP TABLE token_usage;
DROP TABLE messages;
DROP TABLE project_files;
DROP TABLE projects;
DROP TABLE users;
