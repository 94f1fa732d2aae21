-- The indexes of a file that a statement has made, this program's own left out.
SELECT own.name, owner.name, own."unique"
FROM sqlite_schema AS owner, pragma_index_list(owner.name) AS own
WHERE owner.type = 'table' AND own.origin = 'c' AND {not_own}
ORDER BY owner.name, own.name
