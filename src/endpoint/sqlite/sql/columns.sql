-- The columns of a table in their order; a generated one is hidden in some way.
SELECT name, type, "notnull", dflt_value, pk, hidden FROM pragma_table_xinfo(?1)
ORDER BY cid
