-- Who holds the kind of lock that even a reader has to wait for: the columns of `session_seen.sql` but the first.
SELECT CASE WHEN c.oid IS NOT NULL THEN format('%s.%s', n.nspname, c.relname) END, coalesce(l.pid, 0)::text, h.usename::text, nullif(h.application_name, ''),
       to_char(h.xact_start AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS'), ''
FROM pg_locks AS l
LEFT JOIN pg_class AS c ON c.oid = l.relation
LEFT JOIN pg_namespace AS n ON n.oid = c.relnamespace
LEFT JOIN pg_stat_activity AS h ON h.pid = l.pid
WHERE l.locktype = 'relation' AND l.mode = 'AccessExclusiveLock' AND l.granted
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
ORDER BY 1, 2
