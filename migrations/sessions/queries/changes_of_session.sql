-- the summary of a session: what its instances changed
-- :id  text, from sessions.id
-- target: P95 < 3 ms
SELECT sessions.id, sessions.task, count(instances.id) AS instances, total(instances.files_changed) AS files_changed,
       total(instances.lines_added) AS lines_added, total(instances.lines_deleted) AS lines_deleted
FROM sessions
LEFT JOIN instances ON instances.session_id = sessions.id
WHERE sessions.id = :id
GROUP BY sessions.id;
