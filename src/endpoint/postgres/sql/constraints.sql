-- Primary and unique keys, foreign keys, checks and exclusions of every table, partitions included; since version
-- 18 also NOT NULL constraints that are not validated.
-- A column that this server's catalog lacks is taken from `absent`: names are looked up inside the subquery first.
SELECT row_to_json(x)::text FROM (
    SELECT c.oid::bigint AS oid,
           c.conrelid::bigint AS relation,
           c.conname AS name,
           c.contype AS kind,
           c.conparentid::bigint AS parent,
           c.coninhcount > 0 AS inherited,
           c.condeferrable AS deferrable,
           c.condeferred AS deferred,
           c.convalidated AND c.enforced AS validated,
           (SELECT json_agg(a.attname ORDER BY k.place)
            FROM unnest(c.conkey) WITH ORDINALITY AS k (number, place)
            JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.number) AS columns,
           c.confrelid::bigint AS referenced,
           rn.nspname AS referenced_schema,
           r.relname AS referenced_name,
           (SELECT json_agg(a.attname ORDER BY k.place)
            FROM unnest(c.confkey) WITH ORDINALITY AS k (number, place)
            JOIN pg_attribute a ON a.attrelid = c.confrelid AND a.attnum = k.number) AS referenced_columns,
           c.confdeltype AS on_delete,
           c.confupdtype AS on_update,
           c.confmatchtype AS match,
           (SELECT json_agg(a.attname ORDER BY k.place)
            FROM unnest(c.delete_columns) WITH ORDINALITY AS k (number, place)
            JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.number) AS on_delete_columns,
           s.expression,
           -- As the server writes it, without having it look at all columns of the table once more.
           coalesce('CHECK (' || s.expression || ')' || CASE WHEN c.connoinherit THEN ' NO INHERIT' ELSE '' END
                        || CASE WHEN NOT c.enforced THEN ' NOT ENFORCED'
                                WHEN NOT c.convalidated THEN ' NOT VALID' ELSE '' END,
                    pg_get_constraintdef(c.oid)) AS definition,
           coalesce(i.nulls_not_distinct, false) AS nulls_not_distinct,
           (SELECT json_agg(a.attname ORDER BY p.place)
            FROM generate_series(i.indnkeyatts + 1, i.indnatts) AS p (place)
            JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = i.indkey[p.place - 1]) AS include,
           -- PRIMARY KEY (a, b WITHOUT OVERLAPS) is an exclusion, not an equality, since version 18.
           c.period
    FROM (SELECT NULL::smallint[] AS confdelsetcols, true AS conenforced, false AS conperiod,
                 false AS indnullsnotdistinct) AS absent
    CROSS JOIN LATERAL (
        SELECT k.*, confdelsetcols AS delete_columns, conenforced AS enforced, conperiod AS period
        FROM pg_constraint k
    ) c
    -- OFFSET keeps the server from writing the expression once for each use.
    CROSS JOIN LATERAL (
        SELECT CASE WHEN c.contype = 'c' THEN pg_get_expr(c.conbin, c.conrelid) END AS expression OFFSET 0
    ) s
    JOIN pg_class t ON t.oid = c.conrelid
    JOIN pg_namespace n ON n.oid = t.relnamespace
    LEFT JOIN pg_class r ON r.oid = c.confrelid
    LEFT JOIN pg_namespace rn ON rn.oid = r.relnamespace
    LEFT JOIN LATERAL (
        SELECT x.indnkeyatts, x.indnatts, x.indkey, indnullsnotdistinct AS nulls_not_distinct
        FROM pg_index x
        WHERE x.indexrelid = c.conindid AND c.contype IN ('p', 'u')
    ) i ON true
    WHERE (c.contype IN ('p', 'u', 'f', 'c', 'x') OR c.contype = 'n' AND NOT c.convalidated)
      AND t.relkind IN ('r', 'p', 'f')
      AND t.relpersistence <> 't'
      AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', '_whimbrel')
      AND NOT EXISTS (
          SELECT FROM pg_depend e
          WHERE e.classid = 'pg_class'::regclass AND e.objid = t.oid AND e.deptype = 'e')
    ORDER BY t.oid, c.contype, c.conname
) x
