-- Every type but the row types of system catalogs: what it is made of, in terms of other types.
SELECT row_to_json(x)::text FROM (
    SELECT t.oid::bigint AS oid,
           n.nspname AS schema,
           t.typname AS name,
           t.typtype AS kind,
           format_type(t.oid, NULL) AS spelling,
           -- A true array is the one that its element names; int2vector and the like are not.
           CASE WHEN e.typarray = t.oid THEN e.oid::bigint END AS element,
           CASE WHEN e.typarray = t.oid THEN e.typdelim END AS delimiter,
           CASE WHEN t.typtype = 'e' THEN
               (SELECT json_agg(l.enumlabel ORDER BY l.enumsortorder) FROM pg_enum l WHERE l.enumtypid = t.oid)
           END AS labels,
           CASE WHEN t.typtype = 'd' THEN t.typbasetype::bigint END AS base,
           CASE WHEN t.typtype = 'd' THEN t.typtypmod END AS base_modifier,
           CASE WHEN t.typtype = 'd' THEN format_type(t.typbasetype, t.typtypmod) END AS base_spelling,
           t.typnotnull AS not_null,
           CASE WHEN t.typtype = 'd' THEN
               (SELECT cn.nspname || '.' || c.collname FROM pg_collation c JOIN pg_namespace cn ON cn.oid = c.collnamespace
                WHERE c.oid = t.typcollation AND c.oid::bigint <> 100)
           END AS collation,
           CASE WHEN t.typtype = 'd' THEN pg_get_expr(t.typdefaultbin, 0) END AS "default",
           CASE WHEN t.typtype = 'd' THEN
               (SELECT json_agg(json_build_object(
                           'name', c.conname,
                           'expression', pg_get_expr(c.conbin, 0),
                           'validated', c.convalidated) ORDER BY c.conname)
                FROM pg_constraint c WHERE c.contypid = t.oid AND c.contype = 'c')
           END AS checks,
           CASE WHEN t.typtype = 'c' THEN
               (SELECT json_agg(json_build_object(
                           'name', a.attname,
                           'type', a.atttypid::bigint,
                           'modifier', a.atttypmod,
                           'spelling', format_type(a.atttypid, a.atttypmod)) ORDER BY a.attnum)
                FROM pg_attribute a WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped)
           END AS fields,
           x.extname AS extension,
           -- Types that a user made by themselves, not the row type of a table nor the companion of another type.
           n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', '_whimbrel') AND x.extname IS NULL
               AND t.typisdefined AND e.typarray IS DISTINCT FROM t.oid AND t.typtype <> 'm'
               AND (t.typtype <> 'c' OR r.relkind = 'c') AS of_user
    FROM pg_type t
    JOIN pg_namespace n ON n.oid = t.typnamespace
    LEFT JOIN pg_type e ON e.oid = t.typelem
    LEFT JOIN pg_class r ON r.oid = t.typrelid
    LEFT JOIN pg_depend d ON d.classid = 'pg_type'::regclass AND d.objid = t.oid AND d.deptype = 'e'
    LEFT JOIN pg_extension x ON d.refclassid = 'pg_extension'::regclass AND x.oid = d.refobjid
    WHERE t.typtype <> 'p'
      AND NOT (n.nspname IN ('pg_catalog', 'information_schema') AND t.typtype = 'c')
      AND n.nspname !~ '^pg_(temp|toast)'
) x
