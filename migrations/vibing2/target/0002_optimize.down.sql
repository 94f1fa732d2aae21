-- whimbrel: lossless
-- Only indexes go.

DROP INDEX idx_project_files_language;
DROP INDEX idx_messages_role;
DROP INDEX idx_projects_user_type;
