-- account page: tokens of a user by day
-- :user_id  text, from token_usage.user_id
-- :since    integer, from token_usage.timestamp; seconds since 1970-01-01
SELECT date(timestamp, 'unixepoch') AS day, sum(tokens_used) AS tokens_used, sum(saved_tokens) AS saved_tokens
FROM token_usage
WHERE user_id = :user_id AND timestamp >= :since
GROUP BY day
ORDER BY day;
