-- The schema of the history: the one in which a new table would be created. One exception: `"$user"` in the search path
-- leads elsewhere as soon as a schema with the name of the role exists. A history further down the path is then still
-- the history; an empty one in the new schema would have every migration run again.
SELECT coalesce(
    (SELECT n.nspname::text
     FROM pg_catalog.unnest(pg_catalog.current_schemas(false)) WITH ORDINALITY AS path (name, place)
     JOIN pg_catalog.pg_namespace n ON n.nspname = path.name
     JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = $1
     JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attname = 'up_checksum' AND NOT a.attisdropped
     WHERE pg_catalog.current_schema() = CURRENT_USER
       AND pg_catalog.current_setting('search_path') LIKE '%$user%'
     ORDER BY path.place
     LIMIT 1),
    pg_catalog.current_schema()::text)
