DELETE FROM notes WHERE text = '';
