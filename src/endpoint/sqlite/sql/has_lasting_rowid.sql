-- The rowid alias is the only primary key for which SQLite keeps no index.
SELECT (SELECT count(*) FROM pragma_table_info(?1) WHERE pk > 0 AND type LIKE 'INTEGER') = 1
  AND (SELECT count(*) FROM pragma_table_info(?1) WHERE pk > 0) = 1
  AND NOT EXISTS (SELECT 1 FROM pragma_index_list(?1) WHERE origin = 'pk')
