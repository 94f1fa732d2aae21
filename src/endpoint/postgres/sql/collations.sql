-- How texts compare: the database's own collation first, without a schema, then each that something may refer to.
-- A column that this server's catalog lacks is taken from `absent`: names are looked up inside the subquery first.
SELECT row_to_json(x)::text FROM (
    SELECT d.*
    FROM (SELECT 'c'::"char" AS datlocprovider, NULL::text AS daticulocale, NULL::text AS datlocale) AS absent
    CROSS JOIN LATERAL (
        SELECT NULL::text AS schema,
               coalesce(datlocale, daticulocale, k.datcollate::text) AS name,
               datlocprovider AS provider,
               k.datcollate::text AS collate,
               k.datctype::text AS ctype,
               coalesce(datlocale, daticulocale) AS locale,
               true AS deterministic
        FROM pg_database k WHERE k.datname = current_database()) d
    UNION ALL
    SELECT c.*
    FROM (SELECT NULL::text AS colllocale) AS absent
    CROSS JOIN LATERAL (
        SELECT n.nspname::text AS schema,
               k.collname::text AS name,
               k.collprovider AS provider,
               k.collcollate::text AS collate,
               k.collctype::text AS ctype,
               colllocale AS locale,
               k.collisdeterministic AS deterministic
        FROM pg_collation k
        JOIN pg_namespace n ON n.oid = k.collnamespace
        WHERE k.collencoding IN (-1, (SELECT encoding FROM pg_database WHERE datname = current_database()))
          -- The first thousand are those of every server, on which nothing is recorded to depend.
          AND (k.oid::bigint < 1000 OR k.oid IN (
              SELECT attcollation FROM pg_attribute
              UNION SELECT typcollation FROM pg_type
              UNION SELECT refobjid FROM pg_depend WHERE refclassid = 'pg_collation'::regclass))
        ORDER BY 1, 2) c
) x
