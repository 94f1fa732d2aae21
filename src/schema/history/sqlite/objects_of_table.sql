-- A table and what hangs on it, keys left out.
SELECT type, name, sql FROM main.sqlite_schema
WHERE tbl_name = ?1 COLLATE NOCASE AND NOT (type = 'index' AND sql IS NULL)
UNION ALL
SELECT type, name, sql FROM temp.sqlite_schema WHERE type = 'trigger' AND tbl_name = ?1 COLLATE NOCASE
