-- The tables of a file, SQLite's own and the program's left out.
SELECT name FROM pragma_table_list
WHERE schema = 'main' AND type = 'table' AND name NOT LIKE 'sqlite\_%' ESCAPE '\' AND {not_own}
ORDER BY name
