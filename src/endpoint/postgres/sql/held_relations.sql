-- What the snapshot has to read, and whether it is held: each relation of a user schema that this role may read, by
-- itself or with its partition root, with its number. `unlocked`: it came into being behind the list of what to lock.
-- `rewritten`: its rows are in another file than the snapshot knows. pg_locks, the privileges and pg_relation_filenode
-- tell what is now, pg_class what the snapshot sees; of what is gone by now the privileges are NULL.
SELECT n.nspname, t.relname, t.oid::text, t.relkind::text,
       CASE WHEN l.relation IS NULL THEN 'unlocked'
            WHEN pg_catalog.pg_relation_filenode(t.oid) IS DISTINCT FROM nullif(t.relfilenode, 0) THEN 'rewritten'
            ELSE 'held' END
FROM pg_catalog.pg_class t
JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace
LEFT JOIN (
    SELECT DISTINCT k.relation
    FROM pg_catalog.pg_locks k
    WHERE k.pid = pg_catalog.pg_backend_pid() AND k.locktype = 'relation' AND k.granted
      AND k.database = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())
) l ON l.relation = t.oid
WHERE (t.relkind IN ('r', 'p', 'm') OR t.relkind = 'f' AND t.relispartition)
  AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND t.relpersistence <> 't'
  AND pg_catalog.has_schema_privilege(n.oid, 'USAGE') IS NOT FALSE
  AND (pg_catalog.has_any_column_privilege(t.oid, 'SELECT') IS NOT FALSE
       OR t.relispartition
          AND pg_catalog.has_any_column_privilege(pg_catalog.pg_partition_root(t.oid), 'SELECT') IS NOT FALSE)
  AND NOT EXISTS (
      SELECT FROM pg_catalog.pg_depend e
      WHERE e.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND e.objid = t.oid AND e.deptype = 'e')
