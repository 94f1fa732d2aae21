-- opening a session
-- :id  text, from sessions.id
SELECT id, workspace_hash, session_type, task, status, created_at, updated_at, completed_at, model, timeout_seconds,
       preserve_worktrees, winner_id, runtime_mix, total_duration, instance_count, message_count, extra
FROM sessions
WHERE id = :id;
