-- a session: how many events and snapshots it has
-- :session_id  text, from usage_snapshots.session_id
SELECT (SELECT count(*) FROM events WHERE session_id = :session_id) AS events,
       (SELECT count(*) FROM usage_snapshots WHERE session_id = :session_id) AS snapshots;
