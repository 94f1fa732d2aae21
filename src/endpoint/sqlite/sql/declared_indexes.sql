-- The indexes of a table in the order of their making; a key's has no statement.
SELECT i.name, i."unique", i.origin, s.sql FROM pragma_index_list(?1) AS i
LEFT JOIN sqlite_schema AS s ON s.name = i.name AND s.type = 'index'
ORDER BY i.seq DESC
