-- The server's version, the limit on waiting for locks that this client asked for in milliseconds, and whether the server
-- can be told to read no view; with every relation of a user schema that this role may read, and how it is held: by LOCK
-- TABLE, or opened where the role may not lock it (it may read some columns only) or nobody can (a materialized view).
-- One row without a relation where there is none. A partitioned table is locked with its partitions, whose own
-- privileges then do not count. Understood by versions that are too old as well, so that they can be told so.
SELECT pg_catalog.current_setting('server_version_num'),
       coalesce((SELECT setting FROM pg_catalog.pg_settings WHERE name = 'lock_timeout' AND source = 'client'), ''),
       (SELECT pg_catalog.count(*)::text FROM pg_catalog.pg_settings WHERE name = 'restrict_nonsystem_relation_kind'),
       CASE WHEN t.relkind = 'm' OR NOT pg_catalog.has_table_privilege(t.oid, 'SELECT') THEN 'open' ELSE 'lock' END,
       (SELECT CASE t.relkind WHEN 'r' THEN 'ONLY ' ELSE '' END || pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(t.relname))
FROM (SELECT 1) AS one
LEFT JOIN (
    pg_catalog.pg_class t
    JOIN pg_catalog.pg_namespace n
      ON n.oid = t.relnamespace AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
) ON t.relkind IN ('r', 'p', 'm')
 AND pg_catalog.has_schema_privilege(n.oid, 'USAGE')
 AND pg_catalog.has_any_column_privilege(t.oid, 'SELECT')
 -- Extensions keep their own tables, which are not carried.
 AND NOT EXISTS (
     SELECT FROM pg_catalog.pg_depend e
     WHERE e.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND e.objid = t.oid AND e.deptype = 'e')
ORDER BY 4, 5
