-- Ids that are not `SBI-` and 26 characters of a ULID: the document's rule SBIIDFormatRule, with the digits that such an id has.
SELECT id FROM sbi
WHERE length(id) <> 30 OR id NOT GLOB 'SBI-*' OR substr(id, 5) GLOB '*[^0-9A-HJKMNP-TV-Z]*';
