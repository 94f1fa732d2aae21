-- What hangs on tables.
SELECT type, name, tbl_name, sql FROM main.sqlite_schema
WHERE type IN ('index', 'trigger', 'view') AND sql IS NOT NULL
