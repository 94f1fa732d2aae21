-- What the snapshot has to read, and whether it is held: each relation of a user schema that this role may read, by
-- itself or with a partitioned table above it, with its number and those of the partitioned tables above it. A foreign
-- table is read with one above it only; a partition in a schema that the role may not use is held where one above it is
-- locked, and else not by any means. `unlocked`: it came into being behind the list of what to lock.
-- `rewritten`: its rows are in another file than the snapshot knows. pg_locks, the privileges and pg_relation_filenode
-- tell what is now, pg_class and pg_inherits what the snapshot sees; of what is gone by now the privileges are NULL.
WITH RECURSIVE relation AS (
    SELECT t.oid, n.nspname, t.relname, t.relkind, t.relfilenode,
           pg_catalog.has_schema_privilege(n.oid, 'USAGE') IS NOT FALSE AS is_reachable,
           pg_catalog.has_any_column_privilege(t.oid, 'SELECT') IS NOT FALSE AS is_readable,
           pg_catalog.has_table_privilege(t.oid, 'SELECT') IS NOT FALSE AS is_lockable
    FROM pg_catalog.pg_class t
    JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace
    WHERE t.relkind IN ('r', 'p', 'm', 'f')
      AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', '_whimbrel')
      AND t.relpersistence <> 't'
      AND NOT EXISTS (
          SELECT FROM pg_catalog.pg_depend e
          WHERE e.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND e.objid = t.oid AND e.deptype = 'e')
),
above (oid, ancestor) AS (
    SELECT i.inhrelid, i.inhparent
    FROM pg_catalog.pg_inherits i
    JOIN pg_catalog.pg_class p ON p.oid = i.inhparent AND p.relkind = 'p'
    UNION
    SELECT above.oid, i.inhparent FROM above JOIN pg_catalog.pg_inherits i ON i.inhrelid = above.ancestor
),
partition AS (
    SELECT above.oid,
           pg_catalog.string_agg(above.ancestor::text, ',') AS ancestors,
           pg_catalog.bool_or(a.is_reachable AND a.is_readable) AS is_read,
           pg_catalog.bool_or(a.is_reachable AND a.is_lockable) AS is_locked
    FROM above
    JOIN relation a ON a.oid = above.ancestor
    GROUP BY above.oid
)
SELECT t.nspname, t.relname, t.oid::text, t.relkind::text,
       CASE WHEN l.relation IS NULL THEN 'unlocked'
            WHEN pg_catalog.pg_relation_filenode(t.oid) IS DISTINCT FROM nullif(t.relfilenode, 0) THEN 'rewritten'
            ELSE 'held' END,
       coalesce(p.ancestors, '')
FROM relation t
LEFT JOIN partition p ON p.oid = t.oid
LEFT JOIN (
    SELECT DISTINCT k.relation
    FROM pg_catalog.pg_locks k
    WHERE k.pid = pg_catalog.pg_backend_pid() AND k.locktype = 'relation' AND k.granted
      AND k.database = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())
) l ON l.relation = t.oid
WHERE t.is_reachable AND t.is_readable AND t.relkind <> 'f'
   OR p.is_read AND t.is_reachable
   OR p.is_locked
