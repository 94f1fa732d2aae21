-- The tables of a file in the order of their making, SQLite's own left out.
SELECT l.name, l.type, s.sql, l.strict FROM pragma_table_list AS l
JOIN sqlite_schema AS s ON s.name = l.name AND s.type = 'table'
WHERE l.schema = 'main' AND l.name NOT LIKE 'sqlite\_%' ESCAPE '\'
ORDER BY s.rowid
