-- Every relation with rows and every view of a user schema, partitions included, members of extensions left out.
SELECT row_to_json(x)::text FROM (
    SELECT t.oid::bigint AS oid,
           n.nspname AS schema,
           t.relname AS name,
           t.relkind AS kind,
           t.relispartition AS is_partition,
           t.relispopulated AS populated,
           obj_description(t.oid, 'pg_class') AS comment,
           -- Before version 14 a table that was never counted says 0 pages and 0 rows.
           CASE WHEN t.relpages = 0 AND t.reltuples = 0 AND s.bytes > 0 THEN -1
                ELSE t.reltuples::bigint END AS row_estimate,
           coalesce(s.bytes, 0) AS size_bytes,
           CASE WHEN t.relkind = 'p' THEN pg_get_partkeydef(t.oid) END AS partition_key,
           -- NULL where a part of the key is an expression.
           (SELECT json_agg(a.attname)
            FROM pg_partitioned_table p
            CROSS JOIN unnest(p.partattrs) AS key (number)
            LEFT JOIN pg_attribute a ON a.attrelid = p.partrelid AND a.attnum = key.number AND key.number > 0
            WHERE p.partrelid = t.oid
            HAVING bool_and(a.attname IS NOT NULL)) AS partition_columns,
           CASE WHEN t.relispartition THEN pg_get_expr(t.relpartbound, t.oid) END AS partition_bound,
           CASE WHEN t.relispartition AND t.relkind <> 'p' THEN pg_get_partition_constraintdef(t.oid) END
               AS partition_condition,
           CASE WHEN t.relkind IN ('v', 'm') THEN pg_get_viewdef(t.oid) END AS definition,
           (SELECT json_agg(i.inhparent::bigint ORDER BY i.inhseqno) FROM pg_inherits i WHERE i.inhrelid = t.oid)
               AS parents,
           -- The views and materialized views that a view reads.
           CASE WHEN t.relkind IN ('v', 'm') THEN
               (SELECT json_agg(DISTINCT d.refobjid::bigint)
                FROM pg_rewrite w
                JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid
                                AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> t.oid
                WHERE w.ev_class = t.oid AND w.rulename = '_RETURN')
           END AS reads,
           CASE WHEN t.relkind = 'v' THEN pg_relation_is_updatable(t.oid, false) <> 0 ELSE false END AS takes_writes,
           coalesce(t.relkind = 'v' AND array_to_string(t.reloptions, ',') LIKE '%check_option%', false) AS checks_writes,
           -- The tables with row-level security behind a view.
           CASE WHEN t.relkind = 'v' THEN
               (WITH RECURSIVE behind (oid) AS (
                    SELECT t.oid
                    UNION
                    SELECT d.refobjid
                    FROM behind b
                    JOIN pg_rewrite w ON w.ev_class = b.oid AND w.rulename = '_RETURN'
                    JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid
                                    AND d.refclassid = 'pg_class'::regclass)
                SELECT json_agg(c.relname ORDER BY c.relname)
                FROM behind b
                JOIN pg_class c ON c.oid = b.oid
                WHERE c.relrowsecurity)
           END AS secured
    FROM pg_class t
    JOIN pg_namespace n ON n.oid = t.relnamespace
    CROSS JOIN LATERAL (SELECT CASE WHEN t.relkind IN ('r', 'm') THEN pg_table_size(t.oid) ELSE 0 END AS bytes) s
    WHERE t.relkind IN ('r', 'p', 'm', 'v', 'f')
      AND t.relpersistence <> 't'
      AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', '_whimbrel')
      AND NOT EXISTS (
          SELECT FROM pg_depend e
          WHERE e.classid = 'pg_class'::regclass AND e.objid = t.oid AND e.deptype = 'e')
    ORDER BY n.nspname, t.relname
) x
