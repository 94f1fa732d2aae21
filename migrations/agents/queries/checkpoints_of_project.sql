-- a project: its checkpoints, the newest first
-- :project_id  text, from checkpoints.project_id
SELECT checkpoint_id, name, git_tag, quality_score, passed, created_at
FROM checkpoints
WHERE project_id = :project_id
ORDER BY created_at DESC;
