-- a setting for all agents, and those that have their own
-- :category  text, from configurations.category
-- :key       text, from configurations.key
SELECT agent_id, value, updated_at
FROM configurations
WHERE category = :category AND key = :key;
