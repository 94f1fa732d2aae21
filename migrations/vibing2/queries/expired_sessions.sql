-- clean-up: sessions that have expired
-- :now  integer, from sessions.expires; seconds since 1970-01-01
SELECT session_token
FROM sessions
WHERE expires <= :now
ORDER BY expires
LIMIT 100;
