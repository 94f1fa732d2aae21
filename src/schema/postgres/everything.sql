-- Every object but the server's own that a DROP of its own removes: what DROP calls its kind, and its name as DROP takes it.
-- What goes with another one (a row type, the sequence of an identity column, a member of an extension) is left out.
WITH schemas AS (
    SELECT oid FROM pg_catalog.pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'
),
objects (class, oid) AS (
    SELECT 'pg_catalog.pg_namespace'::regclass, oid FROM schemas
    UNION ALL SELECT 'pg_catalog.pg_class'::regclass, c.oid FROM pg_catalog.pg_class c
    WHERE c.relnamespace IN (SELECT oid FROM schemas) AND c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f', 'c')
    UNION ALL SELECT 'pg_catalog.pg_proc'::regclass, p.oid FROM pg_catalog.pg_proc p
    WHERE p.pronamespace IN (SELECT oid FROM schemas)
    UNION ALL SELECT 'pg_catalog.pg_type'::regclass, t.oid FROM pg_catalog.pg_type t
    WHERE t.typnamespace IN (SELECT oid FROM schemas) AND t.typtype <> 'c'
    UNION ALL SELECT 'pg_catalog.pg_operator'::regclass, o.oid FROM pg_catalog.pg_operator o
    WHERE o.oprnamespace IN (SELECT oid FROM schemas)
    UNION ALL SELECT 'pg_catalog.pg_opclass'::regclass, o.oid FROM pg_catalog.pg_opclass o
    WHERE o.opcnamespace IN (SELECT oid FROM schemas)
    UNION ALL SELECT 'pg_catalog.pg_opfamily'::regclass, o.oid FROM pg_catalog.pg_opfamily o
    WHERE o.opfnamespace IN (SELECT oid FROM schemas)
    UNION ALL SELECT 'pg_catalog.pg_collation'::regclass, c.oid FROM pg_catalog.pg_collation c
    WHERE c.collnamespace IN (SELECT oid FROM schemas)
    UNION ALL SELECT 'pg_catalog.pg_ts_config'::regclass, c.oid FROM pg_catalog.pg_ts_config c
    WHERE c.cfgnamespace IN (SELECT oid FROM schemas)
    UNION ALL SELECT 'pg_catalog.pg_ts_dict'::regclass, d.oid FROM pg_catalog.pg_ts_dict d
    WHERE d.dictnamespace IN (SELECT oid FROM schemas)
    UNION ALL SELECT 'pg_catalog.pg_extension'::regclass, oid FROM pg_catalog.pg_extension
    UNION ALL SELECT 'pg_catalog.pg_event_trigger'::regclass, oid FROM pg_catalog.pg_event_trigger
    UNION ALL SELECT 'pg_catalog.pg_publication'::regclass, oid FROM pg_catalog.pg_publication
    UNION ALL SELECT 'pg_catalog.pg_foreign_data_wrapper'::regclass, oid FROM pg_catalog.pg_foreign_data_wrapper
    UNION ALL SELECT 'pg_catalog.pg_foreign_server'::regclass, oid FROM pg_catalog.pg_foreign_server
    UNION ALL SELECT 'pg_catalog.pg_cast'::regclass, c.oid FROM pg_catalog.pg_cast c WHERE c.oid >= 16384
    UNION ALL SELECT 'pg_catalog.pg_language'::regclass, l.oid FROM pg_catalog.pg_language l WHERE l.oid >= 16384
)
SELECT CASE WHEN named.type = 'composite type' THEN 'TYPE' ELSE upper(named.type) END, named.identity
FROM objects, pg_catalog.pg_identify_object(objects.class, objects.oid, 0) AS named
WHERE named.identity IS NOT NULL
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                  WHERE d.classid = objects.class AND d.objid = objects.oid AND d.deptype IN ('e', 'i'))
