SELECT pg_catalog.set_config(s.name, '1s', false) FROM pg_catalog.pg_settings AS s
WHERE s.name OPERATOR(pg_catalog.=) 'client_connection_check_interval'
