-- What is bound to the tables and views of the first names, and to the tables with an index or a trigger of the second
-- (all in lower case): its kind in the words of a header, its name there, what it is on, and what it is without its name.
WITH RECURSIVE named AS (
    SELECT c.oid, c.relkind, format('%I.%I', n.nspname, c.relname) AS name
    FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE (lower(c.relname) = ANY ($1)
           OR EXISTS (SELECT FROM pg_trigger g WHERE g.tgrelid = c.oid AND lower(g.tgname) = ANY ($2))
           OR EXISTS (SELECT FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid
                      WHERE x.indrelid = c.oid AND lower(i.relname) = ANY ($2)))
      AND c.relkind IN ('r', 'p', 'f', 'v', 'm')
      AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(toast|temp)'
), reads AS (
    SELECT named.oid FROM named
    UNION
    SELECT r.ev_class
    FROM reads
    JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = reads.oid AND d.classid = 'pg_rewrite'::regclass
    JOIN pg_rewrite r ON r.oid = d.objid
)
SELECT 'index', i.relname::text, t.name,
       (CASE WHEN x.indisunique THEN 'unique ' ELSE '' END)
       || substr(pg_get_indexdef(x.indexrelid), strpos(pg_get_indexdef(x.indexrelid), ' USING '))
FROM named t
JOIN pg_index x ON x.indrelid = t.oid AND NOT x.indisprimary
JOIN pg_class i ON i.oid = x.indexrelid
UNION ALL
SELECT 'primary key', c.relname::text, t.name, ''
FROM named t JOIN pg_class c ON c.oid = t.oid
WHERE EXISTS (SELECT FROM pg_index x WHERE x.indrelid = t.oid AND x.indisprimary)
UNION ALL
SELECT 'trigger', g.tgname::text, t.name,
       substr(pg_get_triggerdef(g.oid), strpos(pg_get_triggerdef(g.oid), quote_ident(g.tgname)) + length(quote_ident(g.tgname)))
FROM named t
JOIN pg_trigger g ON g.tgrelid = t.oid AND NOT g.tgisinternal
UNION ALL
-- Of others that refer to it, which DROP … CASCADE takes along; and those of the tables of the second names.
SELECT 'foreign key', c.relname::text, format('%I.%I', n.nspname, c.relname),
       split_part(pg_get_constraintdef(k.oid), ' REFERENCES ', 1)
FROM pg_constraint k
JOIN pg_class c ON c.oid = k.conrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE k.contype = 'f' AND k.conparentid = 0
  AND (lower(c.relname) = ANY ($2) OR (k.conrelid <> k.confrelid AND k.confrelid IN (SELECT oid FROM named)))
UNION ALL
SELECT 'view', c.relname::text, format('%I.%I', n.nspname, c.relname), ''
FROM reads
JOIN pg_class c ON c.oid = reads.oid AND c.relkind IN ('v', 'm')
JOIN pg_namespace n ON n.oid = c.relnamespace
ORDER BY 1, 3, 2
