-- Who holds the kind of lock that even a reader has to wait for, one sentence.
SELECT string_agg(DISTINCT format('process %s (%s) holds %s', l.pid, coalesce(nullif(a.application_name, ''), 'unnamed'),
                                  l.relation::regclass), ', ')
FROM pg_locks AS l
LEFT JOIN pg_stat_activity AS a ON a.pid = l.pid
WHERE l.locktype = 'relation' AND l.mode = 'AccessExclusiveLock' AND l.granted
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
