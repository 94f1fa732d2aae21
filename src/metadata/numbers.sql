-- The numbers that keys count on from. A program may have written several rows for one table, or other things than numbers.
SELECT quote(name), group_concat(quote(seq), ', ')
FROM (SELECT name, seq FROM sqlite_sequence ORDER BY rowid)
GROUP BY 1
