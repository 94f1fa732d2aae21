-- What PostgreSQL itself knows to be wrong: indexes that a failed CREATE INDEX CONCURRENTLY left, constraints whose
-- old rows nobody has checked.
SELECT format('index `%s.%s` is invalid: a concurrent build did not end; drop it and build it again', n.nspname, c.relname)
FROM pg_catalog.pg_index i
JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE NOT i.indisvalid
  AND n.nspname !~ '^pg_'
UNION ALL
SELECT format('constraint `%s` of `%s.%s` is not validated: rows that were there before it may violate it',
              k.conname, n.nspname, c.relname)
FROM pg_catalog.pg_constraint k
JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE NOT k.convalidated
  AND n.nspname !~ '^pg_'
ORDER BY 1
