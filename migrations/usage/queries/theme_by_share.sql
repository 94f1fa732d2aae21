-- a shared link: its theme
-- :share_token  text, from theme_shares.shareToken
SELECT themes.id, themes.name, themes.colors, theme_shares.expiresAt, theme_shares.allowedUsers
FROM theme_shares
JOIN themes ON themes.id = theme_shares.themeId
WHERE theme_shares.shareToken = :share_token;
