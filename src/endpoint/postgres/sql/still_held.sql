-- Whether the name still leads to the relation, whether every partition of now is one in the snapshot, too, or a relation
-- that is younger and has no row there, whether the rows of it and of its partitions are in the files that the snapshot
-- knows, whether it is an ordinary table without generated columns, and whether a planner would find expressions. to_regclass, pg_partition_tree and
-- pg_relation_filenode tell what is now, the catalogs what the snapshot sees.
SELECT coalesce(pg_catalog.to_regclass('{name}')::oid = {oid}::oid, false),
       NOT EXISTS (
           SELECT FROM pg_catalog.pg_partition_tree({oid}) p
           WHERE EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = p.relid) AND p.parentrelid IS NOT NULL
             AND NOT EXISTS (
                 SELECT FROM pg_catalog.pg_inherits i WHERE i.inhrelid = p.relid AND i.inhparent = p.parentrelid)),
       NOT EXISTS (
           SELECT FROM (SELECT {oid}::oid AS oid UNION SELECT p.relid::oid FROM pg_catalog.pg_partition_tree({oid}) p) r
           JOIN pg_catalog.pg_class c ON c.oid = r.oid
           WHERE pg_catalog.pg_relation_filenode(c.oid) IS DISTINCT FROM nullif(c.relfilenode, 0)),
       t.relkind = 'r' AND NOT EXISTS (
           SELECT FROM pg_catalog.pg_attribute a
           WHERE a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated <> ''),
       EXISTS (
           SELECT FROM pg_catalog.pg_index i
           WHERE i.indrelid = t.oid AND (i.indexprs IS NOT NULL OR i.indpred IS NOT NULL))
         OR EXISTS (SELECT FROM pg_catalog.pg_statistic_ext s WHERE s.stxrelid = t.oid)
FROM pg_catalog.pg_class t
WHERE t.oid = {oid}::oid
