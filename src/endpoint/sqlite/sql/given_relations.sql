-- The tables and views of a given schema.
SELECT name, type, wr, strict FROM pragma_table_list
WHERE schema = 'main' AND name NOT LIKE 'sqlite\_%' ESCAPE '\' AND {not_own}
ORDER BY name
