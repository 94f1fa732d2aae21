-- Whether a table holds rows of its own; of virtual tables, those that keep what was inserted.
SELECT EXISTS (
  SELECT 1 FROM pragma_table_list(?1)
  WHERE schema = 'main' AND (type = 'table'
    OR (type = 'shadow' AND (name LIKE '%\_content' ESCAPE '\' OR name LIKE '%\_rowid' ESCAPE '\'))))
