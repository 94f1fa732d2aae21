-- whimbrel: lossy
-- Every table goes, children before parents, and every row with them.

DROP TABLE chat_messages;
DROP TABLE instances;
DROP TABLE sessions;
DROP TABLE workspaces;
