-- filter: the sessions to choose from
SELECT DISTINCT session_id
FROM events
ORDER BY session_id DESC
LIMIT 100;
