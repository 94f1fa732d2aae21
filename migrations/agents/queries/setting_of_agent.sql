-- every start of an agent: one of its settings
-- :agent_id  text, from configurations.agent_id
-- :category  text, from configurations.category
-- :key       text, from configurations.key
SELECT value, updated_at
FROM configurations
WHERE agent_id = :agent_id AND category = :category AND key = :key;
