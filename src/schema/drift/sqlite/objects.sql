-- Every object but SQLite's own, this program's, and the history.
SELECT type, name, sql, tbl_name FROM main.sqlite_schema
WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite\_%' ESCAPE '\'
  AND {not_own} AND tbl_name <> ?1 COLLATE NOCASE
ORDER BY type, name
