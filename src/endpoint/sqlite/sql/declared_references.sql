-- The foreign keys of a table in the order of their making, one row for each column.
SELECT id, "table", "from", "to", on_delete, on_update FROM pragma_foreign_key_list(?1)
ORDER BY id DESC, seq
