-- whimbrel: lossless
DROP TABLE notes_fts;
