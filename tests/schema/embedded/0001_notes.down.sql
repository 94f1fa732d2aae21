-- whimbrel: lossy
DROP TABLE notes;
