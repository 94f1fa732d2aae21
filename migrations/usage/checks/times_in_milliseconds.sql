-- Times of the base tables that look like seconds; those of the usage tables are held by CHECKs.
SELECT 'events' AS kind, CAST(id AS TEXT) AS id, timestamp AS time FROM events WHERE timestamp < 100000000000
UNION ALL SELECT 'themes', id, min(createdAt, updatedAt) FROM themes WHERE min(createdAt, updatedAt) < 100000000000
UNION ALL SELECT 'theme_shares', id, createdAt FROM theme_shares WHERE createdAt < 100000000000
UNION ALL SELECT 'theme_shares', id, expiresAt FROM theme_shares WHERE expiresAt < 100000000000
UNION ALL SELECT 'theme_ratings', id, createdAt FROM theme_ratings WHERE createdAt < 100000000000;
