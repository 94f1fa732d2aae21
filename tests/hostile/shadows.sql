-- Everything that the server's own schema has under the names that a query may use, once more in a schema of the
-- database's owner: each function, aggregate and operator with the same types, and operators over pairs of types that the
-- server has to convert for its own, which fit better than these. Each ends in an error when it is called, and is counted.
DO $shadows$
DECLARE
    made integer := 0;
    entry record;
    number integer := 0;
    body text := 'BEGIN RAISE EXCEPTION ''a shadow ran''; END';
    names text[] := ARRAY['oid', 'regclass', 'regtype', 'regproc', 'name', 'text', 'varchar', '"char"', 'int2', 'int4', 'int8', 'xid'];
BEGIN
    -- What is made here must not be taken by what makes it.
    PERFORM pg_catalog.set_config('search_path', 'pg_catalog', true);
    FOR entry IN
        SELECT p.proname, p.proretset, format_type(p.prorettype, NULL) AS result,
               array_to_string(ARRAY(SELECT replace(format_type(a.type, NULL), '"any"', 'anyelement')
                                     FROM unnest(p.proargtypes) WITH ORDINALITY AS a (type, place) ORDER BY a.place), ', ') AS arguments
        FROM pg_proc p
        WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.prokind IN ('f', 'a') AND p.provariadic = 0
    LOOP
        BEGIN
            EXECUTE format('CREATE FUNCTION {schema}.%I(%s) RETURNS %s%s LANGUAGE plpgsql AS %L', entry.proname,
                           entry.arguments, CASE WHEN entry.proretset THEN 'SETOF ' ELSE '' END, entry.result, body);
            made := made + 1;
        EXCEPTION WHEN OTHERS THEN NULL; -- a type that no PL/pgSQL function may take or give
        END;
    END LOOP;
    FOR entry IN
        SELECT f.name, array_to_string(array_fill(t.name, ARRAY[n]), ', ') AS arguments
        FROM unnest(ARRAY['format', 'concat', 'concat_ws', 'num_nulls', 'num_nonnulls', 'json_build_object']) AS f (name),
             unnest(ARRAY['text', 'name']) AS t (name), generate_series(1, 6) AS n
    LOOP
        BEGIN
            EXECUTE format('CREATE FUNCTION {schema}.%I(%s) RETURNS text LANGUAGE plpgsql AS %L', entry.name, entry.arguments, body);
            made := made + 1;
        EXCEPTION WHEN duplicate_function THEN NULL; -- it is there already
        END;
    END LOOP;
    FOR entry IN
        SELECT o.oprname AS name, nullif(o.oprleft, 0) AS left_type, o.oprright AS right_type, o.oprresult AS result
        FROM pg_operator o
        WHERE o.oprnamespace = 'pg_catalog'::regnamespace AND o.oprright <> 0
        UNION ALL
        SELECT n.name, l.name::regtype, r.name::regtype, CASE n.name WHEN '||' THEN 'text' ELSE 'bool' END::regtype
        FROM unnest(ARRAY['=', '<>', '<', '>', '<=', '>=', '||', '~', '!~', '~~']) AS n (name), unnest(names) AS l (name), unnest(names) AS r (name)
        WHERE NOT EXISTS (
            SELECT FROM pg_operator o
            WHERE o.oprnamespace = 'pg_catalog'::regnamespace AND o.oprname = n.name
              AND o.oprleft = l.name::regtype AND o.oprright = r.name::regtype)
    LOOP
        number := number + 1;
        BEGIN
            EXECUTE format('CREATE FUNCTION {schema}.shadow_%s(%s) RETURNS %s LANGUAGE plpgsql AS %L', number,
                           concat_ws(', ', format_type(entry.left_type, NULL), format_type(entry.right_type, NULL)),
                           format_type(entry.result, NULL), body);
            EXECUTE format('CREATE OPERATOR {schema}.%s (FUNCTION = {schema}.shadow_%s, %s RIGHTARG = %s)', entry.name, number,
                           'LEFTARG = ' || format_type(entry.left_type, NULL) || ',', format_type(entry.right_type, NULL));
            made := made + 1;
        EXCEPTION WHEN OTHERS THEN NULL; -- as above
        END;
    END LOOP;
    IF made < 3000 THEN
        RAISE EXCEPTION 'only % shadows could be made', made;
    END IF;
END $shadows$;
