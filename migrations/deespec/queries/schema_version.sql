-- every start: the version that the file was made for
SELECT value
FROM schema_info
WHERE key = 'version';
