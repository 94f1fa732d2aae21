-- The foreign keys of a table of a given schema, one row for each column.
SELECT id, "table", "from", on_delete, on_update FROM pragma_foreign_key_list(?1)
ORDER BY id, seq
