-- The foreign keys of a table, one row for each column.
SELECT id, "table", "from", "to" FROM pragma_foreign_key_list(?1, 'main') ORDER BY id, seq
