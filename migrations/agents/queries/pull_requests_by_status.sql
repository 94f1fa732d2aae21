-- dashboard: pull requests in a status, the newest first
-- :status  text, from pull_requests.status
SELECT pr_id, pr_number, title, author_agent, size_lines, created_at
FROM pull_requests
WHERE status = :status
ORDER BY created_at DESC
LIMIT 50;
