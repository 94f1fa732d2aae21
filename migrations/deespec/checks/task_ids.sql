-- Ids that no path of a task has. The document's SBIIDFormatRule wants a ULID; older tasks (`SBI-TX-001`) have none.
SELECT id FROM sbi WHERE id NOT GLOB 'SBI-?*' OR id GLOB '*[^-0-9A-Za-z_.]*';
