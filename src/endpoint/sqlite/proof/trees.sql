-- Every tree of a file: tables and indexes, with their first pages.
SELECT name, type, rootpage, sql FROM main.sqlite_schema WHERE type IN ('table', 'index') ORDER BY rowid
