-- Whether a table is there that has a column `version`.
SELECT EXISTS (
  SELECT FROM pg_catalog.pg_attribute AS a
  JOIN pg_catalog.pg_class AS c ON c.oid = a.attrelid
  JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
  WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind = 'r'
    AND a.attname = 'version' AND a.attnum > 0 AND NOT a.attisdropped)
