-- The columns of every table, materialized view and view of a user schema; partitions are read with their root.
SELECT row_to_json(x)::text FROM (
    SELECT t.oid::bigint AS relation,
           a.attname AS name,
           a.atttypid::bigint AS type,
           a.atttypmod AS modifier,
           format_type(a.atttypid, a.atttypmod) AS spelling,
           -- Since version 18 NOT NULL may be NOT VALID: then it proves nothing about the rows.
           a.attnotnull AND NOT EXISTS (
               SELECT FROM pg_constraint k
               WHERE k.conrelid = t.oid AND k.contype = 'n' AND NOT k.convalidated AND k.conkey[1] = a.attnum
           ) AS not_null,
           -- A column without a default of its own has that of its domain.
           -- Only a generated column's names others; told of the table, the server first lists all its columns.
           coalesce(pg_get_expr(f.adbin, CASE WHEN a.attgenerated = '' THEN 0 ELSE f.adrelid END),
                    CASE WHEN y.typtype = 'd' THEN pg_get_expr(y.typdefaultbin, 0) END) AS expression,
           a.attidentity AS identity,
           a.attgenerated AS generated,
           -- A domain may have one of its own; below all domains there is the database's (100), and that of `name`.
           CASE WHEN a.attcollation NOT IN (0, CASE WHEN y.typtype = 'd' THEN 100 ELSE y.typcollation END) THEN cn.nspname || '.' || c.collname END AS collation,
           col_description(t.oid, a.attnum) AS comment,
           s.schema AS sequence_schema,
           s.name AS sequence_name
    FROM pg_attribute a
    JOIN pg_class t ON t.oid = a.attrelid
    JOIN pg_namespace n ON n.oid = t.relnamespace
    JOIN pg_type y ON y.oid = a.atttypid
    LEFT JOIN pg_attrdef f ON f.adrelid = a.attrelid AND f.adnum = a.attnum
    LEFT JOIN pg_collation c ON c.oid = a.attcollation
    LEFT JOIN pg_namespace cn ON cn.oid = c.collnamespace
    -- The sequence of an identity (internal), or an owned one (automatic) that the default reads.
    LEFT JOIN LATERAL (
        SELECT qn.nspname AS schema, q.relname AS name
        FROM pg_depend d
        JOIN pg_class q ON q.oid = d.objid AND q.relkind = 'S'
        JOIN pg_namespace qn ON qn.oid = q.relnamespace
        WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass
          AND d.refobjid = a.attrelid AND d.refobjsubid = a.attnum
          AND (d.deptype = 'i' AND a.attidentity <> ''
               OR d.deptype = 'a' AND EXISTS (
                   SELECT FROM pg_depend u
                   WHERE u.classid = 'pg_attrdef'::regclass AND u.objid = f.oid
                     AND u.refclassid = 'pg_class'::regclass AND u.refobjid = q.oid))
        ORDER BY q.oid
        LIMIT 1
    ) s ON true
    WHERE t.relkind IN ('r', 'p', 'm', 'v') AND NOT t.relispartition
      AND t.relpersistence <> 't'
      AND a.attnum > 0 AND NOT a.attisdropped
      AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', '_whimbrel')
      AND NOT EXISTS (
          SELECT FROM pg_depend e
          WHERE e.classid = 'pg_class'::regclass AND e.objid = t.oid AND e.deptype = 'e')
    ORDER BY t.oid, a.attnum
) x
