-- The foreign keys of a table of the file; one that names no column means the primary key.
SELECT lower(f."table"), f.id, lower(f."from"),
  lower(coalesce(f."to", (SELECT p.name FROM pragma_table_xinfo(f."table") p WHERE p.pk = f.seq + 1), '')),
  f.on_delete, f.on_update
FROM pragma_foreign_key_list(?1) f
ORDER BY f.id, f."from"
