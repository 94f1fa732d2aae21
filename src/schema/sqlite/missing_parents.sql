-- The tables that a table refers to and that are not there, as SQLite says it.
SELECT 'no such table: main.' || k."table" FROM pragma_foreign_key_list(?1, 'main') AS k
WHERE NOT EXISTS (
  SELECT 1 FROM main.sqlite_schema AS p WHERE p.type = 'table' AND p.name = k."table" COLLATE NOCASE)
