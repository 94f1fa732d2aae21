-- whimbrel: lossy
-- Every table goes, children before parents, and every row with them.

DROP TABLE audit_log;
DROP TABLE config;
DROP TABLE execution;
DROP TABLE sbi;
DROP TABLE schema_info;
