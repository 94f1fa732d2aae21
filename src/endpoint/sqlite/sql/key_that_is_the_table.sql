-- The key of a table without rowids: it has a name, and no tree beside the table's.
SELECT name FROM pragma_index_list(?1) AS own
WHERE origin = 'pk' AND NOT EXISTS (SELECT 1 FROM sqlite_schema AS there WHERE there.name = own.name)
