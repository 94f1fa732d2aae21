-- The columns of a table that nothing is made of while a row is written: none is in a key, and the table has row numbers and neither
-- checks nor computed columns.
SELECT own.name
FROM pragma_table_xinfo(?1) AS own
WHERE own.pk = 0
  AND own.hidden = 0
  AND NOT EXISTS (
    SELECT 1 FROM pragma_index_list(?1) AS indexes, pragma_index_xinfo(indexes.name) AS parts
    WHERE parts.cid = own.cid OR parts.cid = -2 OR indexes.partial)
  AND NOT EXISTS (SELECT 1 FROM pragma_table_xinfo(?1) WHERE hidden IN (2, 3))
  AND NOT EXISTS (
    SELECT 1 FROM sqlite_schema
    WHERE (type = 'trigger' AND tbl_name = ?1 COLLATE NOCASE)
      OR (type = 'table' AND name = ?1 COLLATE NOCASE AND (sql LIKE '%CHECK%' OR sql LIKE '%WITHOUT%ROWID%')))
