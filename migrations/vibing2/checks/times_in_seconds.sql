-- times outside the years 1 to 9999, as milliseconds in the place of seconds would be
-- 253,402,300,799 seconds end the year 9999; as many milliseconds end in January 1978, before any row was written.
WITH times (place, row, value) AS (
    SELECT 'users.email_verified', id, email_verified FROM users
    UNION ALL SELECT 'users.created_at', id, created_at FROM users
    UNION ALL SELECT 'users.updated_at', id, updated_at FROM users
    UNION ALL SELECT 'projects.created_at', id, created_at FROM projects
    UNION ALL SELECT 'projects.updated_at', id, updated_at FROM projects
    UNION ALL SELECT 'project_files.created_at', id, created_at FROM project_files
    UNION ALL SELECT 'project_files.updated_at', id, updated_at FROM project_files
    UNION ALL SELECT 'messages.created_at', id, created_at FROM messages
    UNION ALL SELECT 'token_usage.timestamp', id, timestamp FROM token_usage
    UNION ALL SELECT 'sessions.expires', user_id, expires FROM sessions
    UNION ALL SELECT 'sessions.created_at', user_id, created_at FROM sessions
    UNION ALL SELECT 'sessions.updated_at', user_id, updated_at FROM sessions
    UNION ALL SELECT 'accounts.created_at', user_id, created_at FROM accounts
    UNION ALL SELECT 'accounts.updated_at', user_id, updated_at FROM accounts
    UNION ALL SELECT 'project_collaborators.created_at', id, created_at FROM project_collaborators
    UNION ALL SELECT 'collaboration_invites.created_at', id, created_at FROM collaboration_invites
    UNION ALL SELECT 'collaboration_invites.updated_at', id, updated_at FROM collaboration_invites
)
SELECT place, row, value
FROM times
WHERE value NOT BETWEEN -62135596800 AND 253402300799;
