-- The indexes that back no constraint, of tables, partitions and materialized views.
-- A column that this server's catalog lacks is taken from `absent`: names are looked up inside the subquery first.
SELECT row_to_json(x)::text FROM (
    SELECT i.indexrelid::bigint AS oid,
           i.indrelid::bigint AS relation,
           r.relname AS name,
           m.amname AS method,
           i.indisunique AS is_unique,
           i.nulls_not_distinct,
           i.indisvalid AND i.indisready AND i.indislive AS valid,
           (SELECT h.inhparent::bigint FROM pg_inherits h WHERE h.inhrelid = i.indexrelid) AS parent,
           pg_get_expr(i.indpred, i.indrelid) AS predicate,
           pg_get_indexdef(i.indexrelid) AS definition,
           (SELECT json_agg(json_build_object(
                       'column', a.attname,
                       'expression', CASE WHEN a.attname IS NULL THEN pg_get_indexdef(i.indexrelid, p.place, false) END,
                       'descending', i.indoption[p.place - 1] & 1 <> 0,
                       'nulls_first', i.indoption[p.place - 1] & 2 <> 0,
                       -- What some methods keep of a text is no text.
                       'collation', CASE WHEN i.indcollation[p.place - 1]
                                              NOT IN (0, coalesce(a.attcollation, nullif(y.typcollation, 0), 100))
                                         THEN cn.nspname || '.' || c.collname END,
                       'operator_class', CASE WHEN o.opcdefault THEN NULL
                                              WHEN onn.nspname = 'pg_catalog' THEN o.opcname
                                              ELSE onn.nspname || '.' || o.opcname END
                   ) ORDER BY p.place)
            FROM generate_series(1, i.indnkeyatts) AS p (place)
            LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[p.place - 1] AND a.attnum > 0
            JOIN pg_attribute own ON own.attrelid = i.indexrelid AND own.attnum = p.place
            JOIN pg_type y ON y.oid = own.atttypid
            LEFT JOIN pg_collation c ON c.oid = i.indcollation[p.place - 1]
            LEFT JOIN pg_namespace cn ON cn.oid = c.collnamespace
            JOIN pg_opclass o ON o.oid = i.indclass[p.place - 1]
            JOIN pg_namespace onn ON onn.oid = o.opcnamespace) AS parts,
           (SELECT json_agg(a.attname ORDER BY p.place)
            FROM generate_series(i.indnkeyatts + 1, i.indnatts) AS p (place)
            JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[p.place - 1]) AS include
    FROM (SELECT false AS indnullsnotdistinct) AS absent
    CROSS JOIN LATERAL (SELECT k.*, indnullsnotdistinct AS nulls_not_distinct FROM pg_index k) i
    JOIN pg_class r ON r.oid = i.indexrelid
    JOIN pg_am m ON m.oid = r.relam
    JOIN pg_class t ON t.oid = i.indrelid
    JOIN pg_namespace n ON n.oid = t.relnamespace
    WHERE t.relkind IN ('r', 'p', 'm')
      AND t.relpersistence <> 't'
      AND NOT EXISTS (
          SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x'))
      AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', '_whimbrel')
      AND NOT EXISTS (
          SELECT FROM pg_depend e
          WHERE e.classid = 'pg_class'::regclass AND e.objid = t.oid AND e.deptype = 'e')
    ORDER BY t.oid, r.relname
) x
