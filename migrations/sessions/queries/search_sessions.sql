-- search: sessions by words of their task, the best first
-- :words  text, first word of sessions.task; an FTS5 expression
-- target: P95 < 5 ms
SELECT sessions.id, sessions.workspace_hash, sessions.status, snippet(sessions_fts, -1, '[', ']', '…', 12) AS found
FROM sessions_fts
JOIN sessions ON sessions.search_id = sessions_fts.rowid
WHERE sessions_fts MATCH :words
ORDER BY sessions_fts.rank
LIMIT 20;
