-- every request: the user behind a session that has not expired
-- :session_token  text, from sessions.session_token
-- :now            integer, from sessions.expires - 1; seconds since 1970-01-01
SELECT users.id, users.name, users.email, users.plan, sessions.expires
FROM sessions
JOIN users ON users.id = sessions.user_id
WHERE sessions.session_token = :session_token AND sessions.expires > :now;
