-- What stands under the history's name, and everything that hangs on it: nothing there may change a row, run code of
-- somebody's when one is written, or hide one.
-- $1, $2: schema and table. Every operator and function is named with its schema: the search path may be a script's.
SELECT pg_catalog.concat_ws(' ', c.oid, pg_catalog.pg_relation_filenode(c.oid), c.relowner) AS identity,
       c.relkind::pg_catalog.text AS kind,
       c.relpersistence::pg_catalog.text AS persistence,
       c.relrowsecurity OR c.relforcerowsecurity AS row_security,
       ARRAY(SELECT pg_catalog.format('%s %s %s%s%s', a.attname, a.atttypid, a.attnotnull, a.attgenerated, a.attidentity)
             FROM pg_catalog.pg_attribute a
             WHERE a.attrelid OPERATOR(pg_catalog.=) c.oid AND a.attnum OPERATOR(pg_catalog.>) 0 AND NOT a.attisdropped
             ORDER BY a.attnum) AS columns,
       ARRAY(SELECT pg_catalog.format('the trigger `%s`', t.tgname)
             FROM pg_catalog.pg_trigger t
             WHERE t.tgrelid OPERATOR(pg_catalog.=) c.oid AND NOT t.tgisinternal
             UNION ALL
             SELECT pg_catalog.format('the rule `%s`', r.rulename)
             FROM pg_catalog.pg_rewrite r
             WHERE r.ev_class OPERATOR(pg_catalog.=) c.oid
             UNION ALL
             -- A rule of another table that reads or writes this one; what a view reads is a rule, too, of kind 1.
             SELECT pg_catalog.format('the rule `%s` of `%s`', r.rulename, r.ev_class::pg_catalog.regclass)
             FROM pg_catalog.pg_rewrite r
             WHERE r.ev_class OPERATOR(pg_catalog.<>) c.oid AND r.ev_type OPERATOR(pg_catalog.<>) '1'::pg_catalog."char"
               AND r.oid OPERATOR(pg_catalog.=) ANY (
                   SELECT d.objid FROM pg_catalog.pg_depend d
                   WHERE d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass
                     AND d.refobjid OPERATOR(pg_catalog.=) c.oid
                     AND d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_rewrite'::pg_catalog.regclass)
             UNION ALL
             SELECT pg_catalog.format('the policy `%s`', p.polname)
             FROM pg_catalog.pg_policy p
             WHERE p.polrelid OPERATOR(pg_catalog.=) c.oid
             UNION ALL
             SELECT pg_catalog.format('the constraint `%s`', k.conname)
             FROM pg_catalog.pg_constraint k
             WHERE k.confrelid OPERATOR(pg_catalog.=) c.oid
                OR (k.conrelid OPERATOR(pg_catalog.=) c.oid
                    AND (k.contype OPERATOR(pg_catalog.=) ANY ('{f,x,t,u}'::pg_catalog."char"[])
                         -- One that needs a function, an operator or a type which is not the server's own.
                         OR EXISTS (SELECT FROM pg_catalog.pg_depend d
                                    WHERE d.objid OPERATOR(pg_catalog.=) k.oid
                                      AND d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_constraint'::pg_catalog.regclass
                                      AND d.refclassid OPERATOR(pg_catalog.<>) 'pg_catalog.pg_class'::pg_catalog.regclass)))
             UNION ALL
             SELECT pg_catalog.format('the index `%s`', i.indexrelid::pg_catalog.regclass)
             FROM pg_catalog.pg_index i
             WHERE i.indrelid OPERATOR(pg_catalog.=) c.oid AND NOT i.indisprimary
             UNION ALL
             SELECT pg_catalog.format('the child table `%s`', h.inhrelid::pg_catalog.regclass)
             FROM pg_catalog.pg_inherits h
             WHERE h.inhparent OPERATOR(pg_catalog.=) c.oid
             UNION ALL
             SELECT pg_catalog.format('the parent table `%s`', h.inhparent::pg_catalog.regclass)
             FROM pg_catalog.pg_inherits h
             WHERE h.inhrelid OPERATOR(pg_catalog.=) c.oid) AS hangs_on
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
WHERE n.nspname OPERATOR(pg_catalog.=) $1::pg_catalog.name AND c.relname OPERATOR(pg_catalog.=) $2::pg_catalog.name
