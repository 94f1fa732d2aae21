-- A table: its name and definition, whether it is STRICT, WITHOUT ROWID, and has a primary key.
SELECT s.name, s.sql, t.strict, t.wr, EXISTS (SELECT 1 FROM pragma_table_info(s.name, 'main') WHERE pk > 0)
FROM main.sqlite_schema AS s
JOIN pragma_table_list(s.name) AS t ON t.schema = 'main' AND t.type = 'table'
WHERE s.type = 'table' AND s.name = ?1 COLLATE NOCASE
