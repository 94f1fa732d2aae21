-- Objects of kinds that no table, index or view carries: each with a telling name, and its definition where the
-- server gives one. Members of extensions and what the server itself brings (object ids below 16384) are left out.
WITH space AS (
    SELECT oid, nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname NOT IN ('information_schema', '_whimbrel')
), member AS (
    SELECT classid, objid FROM pg_depend WHERE deptype = 'e'
), relation AS (
    SELECT t.oid, t.relkind, t.relispartition, t.relrowsecurity, t.relforcerowsecurity,
           n.nspname || '.' || t.relname AS name,
           format('%I.%I', n.nspname, t.relname) AS quoted
    FROM pg_class t
    JOIN space n ON n.oid = t.relnamespace
    WHERE t.relkind IN ('r', 'p', 'v', 'm', 'f') AND t.relpersistence <> 't'
      AND NOT EXISTS (SELECT FROM member e WHERE e.classid = 'pg_class'::regclass AND e.objid = t.oid)
), object (kind, name, definition, classid, oid) AS (
    SELECT 'trigger', g.tgname || ' on ' || t.name, pg_get_triggerdef(g.oid), 'pg_trigger'::regclass, g.oid
    FROM pg_trigger g JOIN relation t ON t.oid = g.tgrelid
    WHERE NOT g.tgisinternal AND g.tgparentid = 0
    UNION ALL
    SELECT CASE f.prokind WHEN 'p' THEN 'procedure' WHEN 'a' THEN 'aggregate' ELSE 'function' END,
           format('%s.%s(%s)', n.nspname, f.proname, pg_get_function_identity_arguments(f.oid)),
           CASE WHEN f.prokind <> 'a' THEN pg_get_functiondef(f.oid) END, 'pg_proc'::regclass, f.oid
    FROM pg_proc f JOIN space n ON n.oid = f.pronamespace
    -- The constructors of a range type belong to the type.
    WHERE NOT EXISTS (
        SELECT FROM pg_depend d
        WHERE d.classid = 'pg_proc'::regclass AND d.objid = f.oid
          AND d.refclassid = 'pg_type'::regclass AND d.deptype = 'i')
    UNION ALL
    SELECT 'policy', p.polname || ' on ' || t.name,
           format('CREATE POLICY %I ON %s AS %s FOR %s TO %s%s%s', p.polname, t.quoted,
                  CASE WHEN p.polpermissive THEN 'PERMISSIVE' ELSE 'RESTRICTIVE' END,
                  CASE p.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE'
                                WHEN 'd' THEN 'DELETE' ELSE 'ALL' END,
                  (SELECT string_agg(CASE r WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(r)) END, ', ')
                   FROM unnest(p.polroles) r),
                  ' USING (' || pg_get_expr(p.polqual, p.polrelid) || ')',
                  ' WITH CHECK (' || pg_get_expr(p.polwithcheck, p.polrelid) || ')'),
           'pg_policy'::regclass, p.oid
    FROM pg_policy p JOIN relation t ON t.oid = p.polrelid
    UNION ALL
    SELECT 'row level security', t.name,
           format('ALTER TABLE %s %s ROW LEVEL SECURITY', t.quoted,
                  CASE WHEN t.relforcerowsecurity THEN 'ENABLE, FORCE' ELSE 'ENABLE' END),
           'pg_class'::regclass, t.oid
    FROM relation t WHERE t.relrowsecurity
    UNION ALL
    SELECT 'rule', w.rulename || ' on ' || t.name, pg_get_ruledef(w.oid), 'pg_rewrite'::regclass, w.oid
    FROM pg_rewrite w JOIN relation t ON t.oid = w.ev_class WHERE w.rulename <> '_RETURN'
    UNION ALL
    SELECT 'extension', e.extname || ' ' || e.extversion, format('CREATE EXTENSION %I', e.extname), NULL, e.oid
    FROM pg_extension e WHERE e.extname <> 'plpgsql'
    UNION ALL
    -- The rows of a foreign partition are read with its root.
    SELECT 'foreign table', t.name, NULL, 'pg_class'::regclass, t.oid
    FROM relation t WHERE t.relkind = 'f' AND NOT t.relispartition
    UNION ALL
    SELECT 'foreign server', s.srvname, NULL, 'pg_foreign_server'::regclass, s.oid FROM pg_foreign_server s
    UNION ALL
    SELECT 'foreign data wrapper', w.fdwname, NULL, 'pg_foreign_data_wrapper'::regclass, w.oid
    FROM pg_foreign_data_wrapper w
    UNION ALL
    SELECT 'event trigger', g.evtname, NULL, 'pg_event_trigger'::regclass, g.oid FROM pg_event_trigger g
    UNION ALL
    SELECT 'publication', p.pubname, NULL, 'pg_publication'::regclass, p.oid FROM pg_publication p
    UNION ALL
    -- Ordinary roles may read these two columns only.
    SELECT 'subscription', s.subname, NULL, NULL, NULL FROM pg_subscription s
    WHERE s.subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())
    UNION ALL
    SELECT 'statistics', n.nspname || '.' || s.stxname, pg_get_statisticsobjdef(s.oid),
           'pg_statistic_ext'::regclass, s.oid
    FROM pg_statistic_ext s JOIN space n ON n.oid = s.stxnamespace
    UNION ALL
    SELECT 'text search configuration', n.nspname || '.' || c.cfgname, NULL, 'pg_ts_config'::regclass, c.oid
    FROM pg_ts_config c JOIN space n ON n.oid = c.cfgnamespace
    UNION ALL
    SELECT 'text search dictionary', n.nspname || '.' || d.dictname, NULL, 'pg_ts_dict'::regclass, d.oid
    FROM pg_ts_dict d JOIN space n ON n.oid = d.dictnamespace
    UNION ALL
    SELECT 'text search parser', n.nspname || '.' || p.prsname, NULL, 'pg_ts_parser'::regclass, p.oid
    FROM pg_ts_parser p JOIN space n ON n.oid = p.prsnamespace
    UNION ALL
    SELECT 'text search template', n.nspname || '.' || p.tmplname, NULL, 'pg_ts_template'::regclass, p.oid
    FROM pg_ts_template p JOIN space n ON n.oid = p.tmplnamespace
    UNION ALL
    SELECT 'operator', o.oid::regoperator::text, NULL, 'pg_operator'::regclass, o.oid
    FROM pg_operator o JOIN space n ON n.oid = o.oprnamespace
    UNION ALL
    SELECT 'operator class', format('%s.%s using %s', n.nspname, o.opcname, m.amname), NULL,
           'pg_opclass'::regclass, o.oid
    FROM pg_opclass o JOIN space n ON n.oid = o.opcnamespace JOIN pg_am m ON m.oid = o.opcmethod
    UNION ALL
    SELECT 'operator family', format('%s.%s using %s', n.nspname, o.opfname, m.amname), NULL,
           'pg_opfamily'::regclass, o.oid
    FROM pg_opfamily o JOIN space n ON n.oid = o.opfnamespace JOIN pg_am m ON m.oid = o.opfmethod
    UNION ALL
    SELECT 'cast', format('%s as %s', format_type(c.castsource, NULL), format_type(c.casttarget, NULL)), NULL,
           'pg_cast'::regclass, c.oid
    FROM pg_cast c
    -- A range type brings the cast to its multirange.
    WHERE c.oid >= 16384 AND NOT EXISTS (
        SELECT FROM pg_depend d
        WHERE d.classid = 'pg_cast'::regclass AND d.objid = c.oid
          AND d.refclassid = 'pg_type'::regclass AND d.deptype = 'i')
    UNION ALL
    SELECT 'collation', n.nspname || '.' || c.collname, NULL, 'pg_collation'::regclass, c.oid
    FROM pg_collation c JOIN space n ON n.oid = c.collnamespace
    UNION ALL
    SELECT 'conversion', n.nspname || '.' || c.conname, NULL, 'pg_conversion'::regclass, c.oid
    FROM pg_conversion c JOIN space n ON n.oid = c.connamespace
    UNION ALL
    SELECT 'language', l.lanname, NULL, 'pg_language'::regclass, l.oid FROM pg_language l WHERE l.oid >= 16384
    UNION ALL
    SELECT 'access method', m.amname, NULL, 'pg_am'::regclass, m.oid FROM pg_am m WHERE m.oid >= 16384
    UNION ALL
    SELECT 'transform', format('for %s language %s', format_type(t.trftype, NULL), l.lanname), NULL,
           'pg_transform'::regclass, t.oid
    FROM pg_transform t JOIN pg_language l ON l.oid = t.trflang
    UNION ALL
    -- Those on tables, columns and views are counted with them; an extension brings its own.
    SELECT 'comment', count(*) || ' on objects other than tables, columns and views', NULL, NULL, NULL
    FROM pg_description d
    WHERE d.objoid >= 16384 AND d.classoid <> 'pg_extension'::regclass
      AND NOT EXISTS (SELECT FROM relation t WHERE d.classoid = 'pg_class'::regclass AND d.objoid = t.oid)
      AND NOT EXISTS (SELECT FROM member e WHERE e.classid = d.classoid AND e.objid = d.objoid)
    HAVING count(*) > 0
)
SELECT row_to_json(x)::text FROM (
    SELECT o.kind, o.name, o.definition
    FROM object o
    WHERE NOT EXISTS (SELECT FROM member e WHERE e.classid = o.classid AND e.objid = o.oid)
    ORDER BY o.kind COLLATE "C", o.name COLLATE "C"
) x
