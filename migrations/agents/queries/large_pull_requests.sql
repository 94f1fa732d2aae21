-- quality gate: pull requests above a size, the largest first
-- :size_lines  integer, from pull_requests.size_lines
SELECT pr_id, title, size_lines, test_coverage
FROM pull_requests
WHERE size_lines >= :size_lines
ORDER BY size_lines DESC
LIMIT 50;
