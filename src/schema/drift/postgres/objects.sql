-- Every object of the schema as (kind, name, definition), the definitions as the server prints them.
-- $1, $2: schema and table of the migration history, $3: the names of other tools' histories, $4: how the names of this program's own tables begin; all are left out.
WITH namespaces AS (
    SELECT oid, nspname
    FROM pg_catalog.pg_namespace
    WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'
),
extension_members AS (
    SELECT classid, objid FROM pg_catalog.pg_depend WHERE deptype = 'e'
),
bookkeeping AS (
    SELECT c.oid
    FROM pg_catalog.pg_class c
    JOIN namespaces n ON n.oid = c.relnamespace
    WHERE (n.nspname = $1 AND c.relname = $2) OR pg_catalog.starts_with(c.relname::text, $4) OR c.relname = ANY ($3)
),
relations AS (
    SELECT c.oid, c.relname, c.relkind, n.nspname, n.nspname || '.' || c.relname AS name, c.reloptions, c.relpersistence,
           c.relrowsecurity, c.relforcerowsecurity, c.relpartbound, c.relreplident
    FROM pg_catalog.pg_class c
    JOIN namespaces n ON n.oid = c.relnamespace
    WHERE c.oid NOT IN (SELECT oid FROM bookkeeping)
      -- Nor the sequences of such a table.
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                      WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.deptype IN ('a', 'i')
                        AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid IN (SELECT oid FROM bookkeeping)
                        AND c.relkind = 'S')
      AND NOT EXISTS (SELECT FROM extension_members e WHERE e.classid = 'pg_catalog.pg_class'::regclass AND e.objid = c.oid)
)
SELECT 'schema', nspname::text, ''
FROM namespaces
UNION ALL
SELECT 'extension', extname::text, ''
FROM pg_catalog.pg_extension
UNION ALL
SELECT 'table', name, relkind::text || relpersistence::text || coalesce(' ' || reloptions::text, '')
       || coalesce(' ' || pg_catalog.pg_get_partkeydef(oid), '')
       || coalesce(' ' || pg_catalog.pg_get_expr(relpartbound, oid), '')
       || coalesce((SELECT ' of ' || string_agg(i.inhparent::regclass::text, ', ' ORDER BY i.inhseqno)
                    FROM pg_catalog.pg_inherits i WHERE i.inhrelid = oid), '')
       || coalesce((SELECT ' server ' || s.srvname || coalesce(' ' || f.ftoptions::text, '')
                    FROM pg_catalog.pg_foreign_table f
                    JOIN pg_catalog.pg_foreign_server s ON s.oid = f.ftserver WHERE f.ftrelid = relations.oid), '')
       || CASE WHEN relrowsecurity THEN ' row level security' ELSE '' END
       || CASE WHEN relforcerowsecurity THEN ' forced' ELSE '' END
       || CASE relreplident WHEN 'd' THEN '' ELSE ' replica identity ' || relreplident::text END
FROM relations
WHERE relkind IN ('r', 'p', 'f')
UNION ALL
SELECT 'column order', r.name, string_agg(a.attname::text, ', ' ORDER BY a.attnum)
FROM relations r
JOIN pg_catalog.pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE r.relkind IN ('r', 'p', 'f')
GROUP BY r.name
UNION ALL
SELECT 'composite type', r.name, string_agg(
           a.attname || ' ' || pg_catalog.format_type(a.atttypid, a.atttypmod)
           || CASE WHEN a.attcollation <> t.typcollation THEN ' COLLATE ' || a.attcollation::regcollation::text ELSE '' END,
           ', ' ORDER BY a.attnum)
FROM relations r
LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
WHERE r.relkind = 'c'
GROUP BY r.name
UNION ALL
SELECT 'column', r.name || '.' || a.attname,
       pg_catalog.format_type(a.atttypid, a.atttypmod)
       || CASE WHEN a.attcollation <> t.typcollation THEN ' COLLATE ' || a.attcollation::regcollation::text ELSE '' END
       || CASE WHEN a.attnotnull THEN ' NOT NULL' ELSE '' END
       || CASE a.attidentity WHEN '' THEN '' ELSE ' IDENTITY ' || a.attidentity::text END
       || CASE a.attgenerated WHEN '' THEN ' DEFAULT ' ELSE ' GENERATED ' END
       || coalesce(pg_catalog.pg_get_expr(d.adbin, d.adrelid), '')
FROM relations r
JOIN pg_catalog.pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE r.relkind IN ('r', 'p', 'f')
UNION ALL
SELECT 'constraint', r.name || '.' || k.conname, pg_catalog.pg_get_constraintdef(k.oid)
FROM relations r
JOIN pg_catalog.pg_constraint k ON k.conrelid = r.oid
WHERE k.contype <> 'n'
UNION ALL
SELECT 'index', r.nspname || '.' || r.relname,
       pg_catalog.pg_get_indexdef(r.oid) || CASE WHEN i.indisclustered THEN ' clustered' ELSE '' END
       || CASE WHEN i.indisreplident THEN ' replica identity' ELSE '' END
FROM relations r
JOIN pg_catalog.pg_index i ON i.indexrelid = r.oid
JOIN relations t ON t.oid = i.indrelid
UNION ALL
SELECT CASE relkind WHEN 'v' THEN 'view' ELSE 'materialized view' END, name,
       pg_catalog.pg_get_viewdef(oid) || coalesce(' ' || reloptions::text, '')
FROM relations
WHERE relkind IN ('v', 'm')
UNION ALL
SELECT 'sequence', r.name,
       format('%s start %s min %s max %s by %s%s%s', s.seqtypid::regtype, s.seqstart, s.seqmin, s.seqmax, s.seqincrement,
              CASE WHEN s.seqcycle THEN ' cycle' ELSE '' END,
              (SELECT ' owned by ' || d.refobjid::regclass::text || '.' || a.attname
               FROM pg_catalog.pg_depend d
               JOIN pg_catalog.pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
               WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = r.oid AND d.deptype IN ('a', 'i')
                 AND d.refclassid = 'pg_catalog.pg_class'::regclass))
FROM relations r
JOIN pg_catalog.pg_sequence s ON s.seqrelid = r.oid
UNION ALL
SELECT 'trigger', r.name || '.' || t.tgname, pg_catalog.pg_get_triggerdef(t.oid) || ' ' || t.tgenabled::text
FROM relations r
JOIN pg_catalog.pg_trigger t ON t.tgrelid = r.oid
WHERE NOT t.tgisinternal
UNION ALL
SELECT 'rule', r.name || '.' || w.rulename, pg_catalog.pg_get_ruledef(w.oid) || ' ' || w.ev_enabled::text
FROM relations r
JOIN pg_catalog.pg_rewrite w ON w.ev_class = r.oid
WHERE w.rulename <> '_RETURN'
UNION ALL
SELECT 'policy', r.name || '.' || p.polname,
       format('%s %s %s using %s check %s', p.polcmd, p.polpermissive, p.polroles::regrole[],
              pg_catalog.pg_get_expr(p.polqual, p.polrelid), pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid))
FROM relations r
JOIN pg_catalog.pg_policy p ON p.polrelid = r.oid
UNION ALL
SELECT 'function', n.nspname || '.' || p.proname || '(' || pg_catalog.pg_get_function_identity_arguments(p.oid) || ')',
       CASE p.prokind WHEN 'a' THEN pg_catalog.pg_get_function_result(p.oid) ELSE pg_catalog.pg_get_functiondef(p.oid) END
FROM pg_catalog.pg_proc p
JOIN namespaces n ON n.oid = p.pronamespace
WHERE NOT EXISTS (SELECT FROM extension_members e WHERE e.classid = 'pg_catalog.pg_proc'::regclass AND e.objid = p.oid)
UNION ALL
SELECT 'enum', n.nspname || '.' || t.typname,
       (SELECT string_agg(quote_literal(v.enumlabel), ', ' ORDER BY v.enumsortorder)
        FROM pg_catalog.pg_enum v WHERE v.enumtypid = t.oid)
FROM pg_catalog.pg_type t
JOIN namespaces n ON n.oid = t.typnamespace
WHERE t.typtype = 'e'
  AND NOT EXISTS (SELECT FROM extension_members e WHERE e.classid = 'pg_catalog.pg_type'::regclass AND e.objid = t.oid)
UNION ALL
SELECT 'domain', n.nspname || '.' || t.typname,
       pg_catalog.format_type(t.typbasetype, t.typtypmod) || CASE WHEN t.typnotnull THEN ' NOT NULL' ELSE '' END
       || coalesce(' DEFAULT ' || t.typdefault, '')
       || coalesce((SELECT string_agg(' ' || pg_catalog.pg_get_constraintdef(k.oid), '' ORDER BY k.conname)
                    FROM pg_catalog.pg_constraint k WHERE k.contypid = t.oid AND k.contype <> 'n'), '')
FROM pg_catalog.pg_type t
JOIN namespaces n ON n.oid = t.typnamespace
WHERE t.typtype = 'd'
  AND NOT EXISTS (SELECT FROM extension_members e WHERE e.classid = 'pg_catalog.pg_type'::regclass AND e.objid = t.oid)
UNION ALL
SELECT 'range type', n.nspname || '.' || t.typname,
       pg_catalog.format('of %s%s%s%s', r.rngsubtype::regtype,
              CASE r.rngcollation WHEN 0 THEN '' ELSE ' COLLATE ' || r.rngcollation::regcollation::text END,
              CASE r.rngcanonical::oid WHEN 0 THEN '' ELSE ' canonical ' || r.rngcanonical::text END,
              CASE r.rngsubdiff::oid WHEN 0 THEN '' ELSE ' subtype_diff ' || r.rngsubdiff::text END)
FROM pg_catalog.pg_range r
JOIN pg_catalog.pg_type t ON t.oid = r.rngtypid
JOIN namespaces n ON n.oid = t.typnamespace
WHERE NOT EXISTS (SELECT FROM extension_members e WHERE e.classid = 'pg_catalog.pg_type'::regclass AND e.objid = t.oid)
UNION ALL
SELECT 'collation', n.nspname || '.' || c.collname,
       pg_catalog.concat_ws(' ', c.collprovider, CASE WHEN c.collisdeterministic THEN '' ELSE 'nondeterministic' END,
                            pg_catalog.to_jsonb(c) ->> 'collcollate', pg_catalog.to_jsonb(c) ->> 'collctype',
                            pg_catalog.to_jsonb(c) ->> 'colliculocale', pg_catalog.to_jsonb(c) ->> 'colllocale')
FROM pg_catalog.pg_collation c
JOIN namespaces n ON n.oid = c.collnamespace
WHERE NOT EXISTS (SELECT FROM extension_members e WHERE e.classid = 'pg_catalog.pg_collation'::regclass AND e.objid = c.oid)
UNION ALL
SELECT 'statistics', n.nspname || '.' || x.stxname, pg_catalog.pg_get_statisticsobjdef(x.oid)
FROM pg_catalog.pg_statistic_ext x
JOIN namespaces n ON n.oid = x.stxnamespace
UNION ALL
SELECT 'event trigger', e.evtname::text, format('%s %s %s %s', e.evtevent, e.evtfoid::regproc, e.evtenabled, e.evttags)
FROM pg_catalog.pg_event_trigger e
WHERE NOT EXISTS (SELECT FROM extension_members m WHERE m.classid = 'pg_catalog.pg_event_trigger'::regclass AND m.objid = e.oid)
UNION ALL
SELECT 'comment', r.name || coalesce('.' || a.attname, ''), c.description
FROM relations r
JOIN pg_catalog.pg_description c ON c.objoid = r.oid AND c.classoid = 'pg_catalog.pg_class'::regclass
LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = r.oid AND a.attnum = c.objsubid AND c.objsubid > 0
ORDER BY 1, 2
