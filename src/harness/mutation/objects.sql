-- The objects of a kind, SQLite's own and the program's left out.
SELECT name, sql FROM sqlite_schema
WHERE type = ?1 AND sql IS NOT NULL AND name NOT LIKE 'sqlite\_%' ESCAPE '\' AND {not_own}
ORDER BY name
