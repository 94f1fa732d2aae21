, domain (column_of, number, type, base, not_null) AS (
  SELECT a.attrelid, a.attnum, y.oid, y.typbasetype, y.typnotnull
  FROM t JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
  JOIN pg_type y ON y.oid = a.atttypid AND y.typtype = 'd'
  UNION ALL
  SELECT d.column_of, d.number, y.oid, y.typbasetype, y.typnotnull
  FROM domain d JOIN pg_type y ON y.oid = d.base AND y.typtype = 'd')
SELECT t.schema, t.name, k.kind, a.attname, '[]', '', '', '[]', ''
FROM t JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
CROSS JOIN LATERAL (
  SELECT 'column' AS kind
  UNION ALL SELECT 'not null' WHERE a.attnotnull AND NOT EXISTS (
    SELECT FROM pg_constraint c
    WHERE c.conrelid = t.oid AND c.contype = 'n' AND NOT c.convalidated AND c.conkey[1] = a.attnum)
    OR EXISTS (SELECT FROM domain d WHERE (d.column_of, d.number) = (t.oid, a.attnum) AND d.not_null)
  UNION ALL SELECT 'identity' WHERE a.attidentity <> ''
  UNION ALL SELECT 'generated column' WHERE a.attgenerated <> ''
  UNION ALL SELECT CASE WHEN v.value ~ '^nextval\(' THEN 'counting default' ELSE 'default' END
    FROM (SELECT coalesce((SELECT pg_get_expr(d.adbin, d.adrelid) FROM pg_attrdef d
                           WHERE d.adrelid = t.oid AND d.adnum = a.attnum),
                          (SELECT pg_get_expr(y.typdefaultbin, 0) FROM pg_type y
                           WHERE y.oid = a.atttypid AND y.typtype = 'd')) AS value) v
    WHERE a.attgenerated = '' AND a.attidentity = '' AND v.value !~ '^NULL(::|$)') k
UNION ALL
SELECT t.schema, t.name, 'domain check', a.attname, to_json(ARRAY[c.conname])::text, n.nspname, y.typname, '[]', ''
FROM t JOIN domain d ON d.column_of = t.oid JOIN pg_attribute a ON (a.attrelid, a.attnum) = (t.oid, d.number)
JOIN pg_type y ON y.oid = d.type JOIN pg_namespace n ON n.oid = y.typnamespace
JOIN pg_constraint c ON c.contypid = d.type AND c.contype = 'c'
UNION ALL
SELECT t.schema, t.name, x.kind, x.name, '[]', '', '', '[]', ''
FROM t CROSS JOIN LATERAL (
  SELECT 'trigger' AS kind, g.tgname AS name FROM pg_trigger g
    WHERE g.tgrelid = t.oid AND NOT g.tgisinternal AND g.tgparentid = 0
  UNION ALL SELECT 'policy', p.polname FROM pg_policy p WHERE p.polrelid = t.oid
  UNION ALL SELECT 'rule', w.rulename FROM pg_rewrite w WHERE w.ev_class = t.oid AND w.rulename <> '_RETURN'
  UNION ALL SELECT 'exclusion constraint', c.conname FROM pg_constraint c
    WHERE c.conrelid = t.oid AND c.contype = 'x' AND c.conparentid = 0) x
UNION ALL
SELECT t.schema, t.name, 'check', c.conname, '[]', '', '', '[]', ''
FROM t JOIN pg_constraint c ON c.conrelid = t.oid AND c.contype = 'c'
UNION ALL
SELECT t.schema, t.name, CASE c.contype WHEN 'f' THEN 'foreign key' ELSE 'key' END, c.conname,
       (SELECT json_agg(a.attname ORDER BY k.place) FROM unnest(c.conkey) WITH ORDINALITY k(number, place)
        JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.number)::text,
       coalesce(n.nspname, ''), coalesce(r.relname, ''),
       coalesce((SELECT json_agg(a.attname ORDER BY k.place) FROM unnest(c.confkey) WITH ORDINALITY k(number, place)
        JOIN pg_attribute a ON a.attrelid = c.confrelid AND a.attnum = k.number)::text, '[]'),
       CASE WHEN to_jsonb(c) ->> 'confdelsetcols' IS NULL THEN c.confdeltype::text ELSE '?' END || c.confupdtype::text
FROM t JOIN pg_constraint c ON c.conrelid = t.oid AND c.contype IN ('p', 'u', 'f') AND c.conparentid = 0
LEFT JOIN pg_class r ON r.oid = c.confrelid LEFT JOIN pg_namespace n ON n.oid = r.relnamespace
UNION ALL
SELECT t.schema, t.name, CASE WHEN i.indisunique THEN 'unique index' ELSE 'index' END, x.relname,
       (SELECT json_agg(a.attname ORDER BY k.place) FROM unnest(i.indkey) WITH ORDINALITY k(number, place)
        LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number AND k.number > 0
        WHERE k.place <= i.indnkeyatts)::text, '', '', '[]', ''
FROM t JOIN pg_index i ON i.indrelid = t.oid JOIN pg_class x ON x.oid = i.indexrelid
WHERE NOT EXISTS (SELECT FROM pg_constraint c WHERE c.conindid = i.indexrelid AND c.contype IN ('p', 'u', 'x'))
ORDER BY 1, 2, 3, 4
