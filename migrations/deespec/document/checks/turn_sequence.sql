-- Turns of a task that are not 1, 2, 3 and so on: the document's rule TurnSequenceRule. Steps of one turn share its number.
SELECT sbi_id, turn FROM (
    SELECT DISTINCT sbi_id, turn, dense_rank() OVER (PARTITION BY sbi_id ORDER BY turn) AS expected FROM execution)
WHERE turn <> expected;
