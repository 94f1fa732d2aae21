-- Three more indexes, for the filters of the project list, of conversations and of the file tree.
-- Statistics are gathered when a migration finishes, and by `whimbrel optimize`.

CREATE INDEX idx_projects_user_type ON projects (user_id, project_type);
CREATE INDEX idx_messages_role ON messages (role);
CREATE INDEX idx_project_files_language ON project_files (language);
