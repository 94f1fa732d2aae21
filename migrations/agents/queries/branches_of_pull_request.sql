-- a pull request: its branches
-- :pr_number  integer, from git_state.pr_number
-- :pr_status  text, from git_state.pr_status
SELECT state_id, agent_id, branch_name, commit_hash
FROM git_state
WHERE pr_number = :pr_number AND pr_status = :pr_status;
