-- The server's version, the process of this session, the limit on waiting for locks that this client asked for in
-- milliseconds, and whether the server can be told to read no view; with every relation of a user schema that this role may read, and how it is held: by LOCK
-- TABLE, or opened where the role may not lock it (it may read some columns only) or nobody can (a materialized view, a
-- foreign table). One row without a relation where there is none. A partitioned table is locked with its partitions,
-- whose own privileges then do not count; where it is opened, each partition is opened beside it, for which no privilege
-- counts either. Understood by versions that are too old as well, so that they can be told so.
WITH RECURSIVE relation AS (
    SELECT t.oid, t.relkind,
           CASE t.relkind WHEN 'r' THEN 'ONLY ' ELSE '' END
               || pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(t.relname) AS name,
           pg_catalog.has_schema_privilege(n.oid, 'USAGE') AS is_reachable,
           pg_catalog.has_any_column_privilege(t.oid, 'SELECT') AS is_readable,
           pg_catalog.has_table_privilege(t.oid, 'SELECT') AS is_lockable
    FROM pg_catalog.pg_class t
    JOIN pg_catalog.pg_namespace n
      ON n.oid = t.relnamespace AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', '_whimbrel')
    WHERE t.relkind IN ('r', 'p', 'm', 'f')
      -- Extensions keep their own tables, which are not carried.
      AND NOT EXISTS (
          SELECT FROM pg_catalog.pg_depend e
          WHERE e.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND e.objid = t.oid AND e.deptype = 'e')
),
-- Each partition with each partitioned table above it.
above (oid, ancestor) AS (
    SELECT i.inhrelid, i.inhparent
    FROM pg_catalog.pg_inherits i
    JOIN pg_catalog.pg_class p ON p.oid = i.inhparent AND p.relkind = 'p'
    UNION
    SELECT above.oid, i.inhparent FROM above JOIN pg_catalog.pg_inherits i ON i.inhrelid = above.ancestor
),
opened AS (
    SELECT DISTINCT above.oid
    FROM above
    JOIN relation a ON a.oid = above.ancestor AND a.is_reachable AND a.is_readable AND NOT a.is_lockable
),
hold AS (
    SELECT t.name, CASE WHEN t.relkind IN ('m', 'f') OR NOT t.is_lockable THEN 'open' ELSE 'lock' END AS means
    FROM relation t
    LEFT JOIN opened o ON o.oid = t.oid
    WHERE t.is_reachable AND (t.is_readable AND t.relkind <> 'f' OR o.oid IS NOT NULL)
)
SELECT pg_catalog.current_setting('server_version_num'), pg_catalog.pg_backend_pid()::text,
       coalesce((SELECT setting FROM pg_catalog.pg_settings WHERE name = 'lock_timeout' AND source = 'client'), ''),
       (SELECT pg_catalog.count(*)::text FROM pg_catalog.pg_settings WHERE name = 'restrict_nonsystem_relation_kind'),
       h.means, h.name
FROM (SELECT 1) AS one
LEFT JOIN hold h ON true
ORDER BY 5, 6
