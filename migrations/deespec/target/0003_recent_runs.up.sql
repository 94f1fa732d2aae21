-- The runs of the last thirty days without reading all others: the view compares times as numbers, so the index has
-- numbers.

CREATE INDEX idx_execution_recent ON execution (julianday(started_at));

UPDATE schema_info SET value = '3' WHERE key = 'version';
