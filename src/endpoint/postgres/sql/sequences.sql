-- Every sequence of a user schema. Its position is told only to who may use or read it.
SELECT row_to_json(x)::text FROM (
    SELECT n.nspname AS schema,
           t.relname AS name,
           format_type(s.seqtypid, NULL) AS data_type,
           s.seqstart AS start,
           s.seqincrement AS increment,
           s.seqmin AS min_value,
           s.seqmax AS max_value,
           s.seqcache AS cache,
           s.seqcycle AS cycle,
           has_sequence_privilege(t.oid, 'SELECT') AS selectable,
           CASE WHEN p.readable THEN pg_sequence_last_value(s.seqrelid::regclass) END AS last_value,
           own.schema AS owner_schema,
           own.name AS owner_name,
           own.column_name AS owner_column
    FROM pg_sequence s
    JOIN pg_class t ON t.oid = s.seqrelid
    JOIN pg_namespace n ON n.oid = t.relnamespace
    CROSS JOIN LATERAL (SELECT has_sequence_privilege(t.oid, 'SELECT, USAGE') AS readable) p
    LEFT JOIN LATERAL (
        SELECT rn.nspname AS schema, r.relname AS name, a.attname AS column_name
        FROM pg_depend d
        JOIN pg_class r ON r.oid = d.refobjid
        JOIN pg_namespace rn ON rn.oid = r.relnamespace
        JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
        WHERE d.classid = 'pg_class'::regclass AND d.objid = t.oid
          AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
        LIMIT 1
    ) own ON true
    WHERE t.relpersistence <> 't'
      AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', '_whimbrel')
      AND NOT EXISTS (
          SELECT FROM pg_depend e
          WHERE e.classid = 'pg_class'::regclass AND e.objid = t.oid AND e.deptype = 'e')
    ORDER BY n.nspname, t.relname
) x
