-- an agent: the last state of its branch
-- :agent_id  text, from git_state.agent_id
SELECT branch_name, commit_hash, pr_number, pr_status, updated_at
FROM git_state
WHERE agent_id = :agent_id
ORDER BY updated_at DESC
LIMIT 1;
