-- The names of all relations, indexes included, and types of user schemas.
SELECT n.nspname || '.' || t.relname
FROM pg_class t
JOIN pg_namespace n ON n.oid = t.relnamespace
WHERE t.relkind IN ('r', 'p', 'v', 'm', 'f', 'S', 'i', 'I') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
UNION
SELECT n.nspname || '.' || t.typname
FROM pg_type t
JOIN pg_namespace n ON n.oid = t.typnamespace
WHERE t.typtype IN ('e', 'd', 'c', 'r', 'b') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
