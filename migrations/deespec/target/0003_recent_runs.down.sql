-- whimbrel: lossless
DROP INDEX idx_execution_recent;

UPDATE schema_info SET value = '2' WHERE key = 'version';
