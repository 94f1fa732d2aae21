-- a theme: what its users say, the newest first
-- :theme_id  text, from theme_ratings.themeId
SELECT userId, rating, comment, createdAt
FROM theme_ratings
WHERE themeId = :theme_id
ORDER BY createdAt DESC;
