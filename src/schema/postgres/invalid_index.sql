-- The invalid index of a name, as the search path finds it, which the script has chosen: nothing here is found by it.
SELECT c.oid::pg_catalog.regclass::pg_catalog.text, pg_catalog.format('%I.%I', n.nspname, c.relname)
FROM pg_catalog.pg_index i
JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) i.indexrelid
JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
WHERE NOT i.indisvalid AND c.relname OPERATOR(pg_catalog.=) $1 AND pg_catalog.pg_table_is_visible(c.oid)
