-- Rows whose parent is missing, whatever connection wrote them.
SELECT "table" AS child, rowid AS row_id, parent FROM pragma_foreign_key_check;
