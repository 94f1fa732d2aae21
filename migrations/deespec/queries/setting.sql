-- every start: one setting
-- :key  text, from config.key
SELECT value, updated_at
FROM config
WHERE key = :key;
