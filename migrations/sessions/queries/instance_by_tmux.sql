-- the instance behind a terminal
-- :tmux_session_id  text, from instances.tmux_session_id
-- target: P95 < 3 ms
SELECT instances.session_id, instances.instance_id, instances.status, sessions.task
FROM instances
JOIN sessions ON sessions.id = instances.session_id
WHERE instances.tmux_session_id = :tmux_session_id;
