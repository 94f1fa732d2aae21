CREATE VIRTUAL TABLE notes_fts USING fts5(text, content = 'notes', content_rowid = 'id');
