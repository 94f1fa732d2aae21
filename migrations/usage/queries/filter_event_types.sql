-- filter: the types of events to choose from, each looked up behind the one before
WITH RECURSIVE types (name) AS (
    SELECT min(hook_event_type) FROM events
    UNION ALL
    SELECT (SELECT min(hook_event_type) FROM events WHERE hook_event_type > types.name) FROM types
    WHERE types.name IS NOT NULL
)
SELECT name FROM types WHERE name IS NOT NULL LIMIT 100;
