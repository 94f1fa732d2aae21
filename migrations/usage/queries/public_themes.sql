-- gallery: public themes, the newest first
SELECT id, name, displayName, downloadCount, rating
FROM themes
WHERE isPublic = 1
ORDER BY createdAt DESC
LIMIT 50;
