-- Whether a session is at work (it does not wait for its client), and who keeps it from going on: the relation, process,
-- user, application, since when in a transaction, and for which processes that one waits. No row: it is not there.
SELECT s.wait_event_type IS DISTINCT FROM 'Client',
       CASE WHEN c.oid IS NOT NULL THEN format('%s.%s', n.nspname, c.relname) END, b.pid::text, h.usename::text, nullif(h.application_name, ''),
       to_char(h.xact_start AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS'),
       array_to_string(pg_blocking_pids(b.pid), ' ')
FROM pg_stat_activity AS s
LEFT JOIN pg_locks AS l ON l.pid = s.pid AND NOT l.granted
LEFT JOIN pg_database AS d ON d.oid = l.database AND d.datname = current_database()
LEFT JOIN pg_class AS c ON c.oid = l.relation AND d.oid IS NOT NULL
LEFT JOIN pg_namespace AS n ON n.oid = c.relnamespace
LEFT JOIN LATERAL unnest(pg_blocking_pids(s.pid)) AS b(pid) ON true
LEFT JOIN pg_stat_activity AS h ON h.pid = b.pid
WHERE s.pid = {process}
ORDER BY 2, 3
