SELECT d.datname::text
FROM pg_catalog.pg_database AS d
WHERE d.datname ~ '^whimbrel_drift_[0-9]+_[0-9]+$'
  AND d.datdba = (SELECT r.oid FROM pg_catalog.pg_roles AS r WHERE r.rolname = current_user)
  AND NOT EXISTS (
    SELECT 1 FROM pg_catalog.pg_stat_activity AS a
    WHERE a.datname = d.datname OR a.application_name = d.datname::text
  )
ORDER BY d.datname
