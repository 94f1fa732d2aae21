-- A table as it is spelled, and the names of its columns.
SELECT s.name, group_concat(lower(c.name))
FROM main.sqlite_schema AS s JOIN pragma_table_info(s.name, 'main') AS c
WHERE s.type = 'table' AND s.name = ?1 COLLATE NOCASE
GROUP BY s.name
