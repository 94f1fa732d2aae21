-- There is exactly one active configuration.
SELECT count(*) AS active FROM usage_config WHERE is_active = 1 HAVING count(*) <> 1;
