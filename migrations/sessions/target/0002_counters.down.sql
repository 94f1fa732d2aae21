-- whimbrel: lossless
-- The counters are derived from the rows, and going up counts again.

DROP TRIGGER update_message_count_move;
DROP TRIGGER update_message_count_delete;
DROP TRIGGER update_message_count_insert;
DROP TRIGGER update_instance_count_move;
DROP TRIGGER update_instance_count_delete;
DROP TRIGGER update_instance_count_insert;
ALTER TABLE sessions DROP COLUMN message_count;
ALTER TABLE sessions DROP COLUMN instance_count;
