-- a theme
-- :id  text, from themes.id
SELECT name, displayName, description, colors, authorName, tags, downloadCount, rating, ratingCount
FROM themes
WHERE id = :id;
