-- Which of these roles the server has; the search path may be somebody else's.
SELECT pg_catalog.array_agg(rolname::pg_catalog.text) FROM pg_catalog.pg_roles
WHERE rolname::pg_catalog.text OPERATOR(pg_catalog.=) ANY ($1)
