-- filter: the applications to choose from, each looked up behind the one before
WITH RECURSIVE apps (name) AS (
    SELECT min(source_app) FROM events
    UNION ALL
    SELECT (SELECT min(source_app) FROM events WHERE source_app > apps.name) FROM apps WHERE apps.name IS NOT NULL
)
SELECT name FROM apps WHERE name IS NOT NULL LIMIT 100;
