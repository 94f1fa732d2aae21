-- opening a session: its instances
-- :session_id  text, from instances.session_id
SELECT instance_id, worktree_path, branch, agent_name, status, tmux_session_id, output, start_time, end_time,
       files_changed, lines_added, lines_deleted, runtime, model, runtime_label, extra
FROM instances
WHERE session_id = :session_id
ORDER BY instance_id;
