-- whimbrel: lossless

UPDATE schema_info SET value = '1' WHERE key = 'version';
DROP VIEW recent_executions;
DROP INDEX idx_sbi_list;
