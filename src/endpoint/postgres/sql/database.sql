-- The database itself, and the number of its large objects (whose contents only their owners may see).
SELECT row_to_json(x)::text FROM (
    SELECT current_setting('server_version') AS server_version,
           d.datname AS name,
           pg_encoding_to_char(d.encoding) AS encoding,
           (SELECT count(*) FROM pg_largeobject_metadata) AS large_objects
    FROM pg_database d
    WHERE d.datname = current_database()
) x
