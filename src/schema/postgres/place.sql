-- The schema of the history: the one in which a new table would be created. One exception: `"$user"` in the search path
-- leads elsewhere as soon as a schema with the name of the role exists. A history further down the path is then still
-- the history; an empty one in the new schema would have every migration run again. The path is the one that was chosen,
-- so nothing here is found by it.
SELECT coalesce(
    (SELECT n.nspname::pg_catalog.text
     FROM pg_catalog.unnest(pg_catalog.current_schemas(false)) WITH ORDINALITY AS path (name, place)
     JOIN pg_catalog.pg_namespace n ON n.nspname OPERATOR(pg_catalog.=) path.name
     JOIN pg_catalog.pg_class c ON c.relnamespace OPERATOR(pg_catalog.=) n.oid AND c.relname OPERATOR(pg_catalog.=) $1
     JOIN pg_catalog.pg_attribute a ON a.attrelid OPERATOR(pg_catalog.=) c.oid
       AND a.attname OPERATOR(pg_catalog.=) 'up_checksum' AND NOT a.attisdropped
     WHERE pg_catalog.current_schema() OPERATOR(pg_catalog.=) CURRENT_USER
       AND pg_catalog.current_setting('search_path') OPERATOR(pg_catalog.~~) '%$user%'
     ORDER BY path.place
     LIMIT 1),
    pg_catalog.current_schema()::pg_catalog.text)
