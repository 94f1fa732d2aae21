-- The columns of every unique index over all rows of a table, with their collations.
SELECT x.name, x.coll, l.name
FROM pragma_index_list(?1, 'main') AS l, pragma_index_xinfo(l.name, 'main') AS x
WHERE l."unique" AND NOT l.partial AND x.key
ORDER BY l.seq, x.seqno
