//! No query of the program runs what a database's owner has put in the server's place: whatever the search path is that
//! `ALTER DATABASE … SET` chooses, each verb does its work, and no shadow of an operator or a function is called.

use crate::support::program::{ask, database, describe as told, execute, try_ask, whimbrel, with};
use sqlx::{Connection as _, Executor as _, PgConnection};
use std::path::Path;
use whimbrel::provision::Database;

const SCHEMA: &str = "
    CREATE DOMAIN public.share AS numeric CHECK (VALUE >= 0);
    CREATE TYPE public.state AS ENUM ('new', 'paid');
    CREATE TABLE public.users (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, email text NOT NULL UNIQUE,
        name varchar(40) CHECK (name <> ''), zip char(5), seen timestamptz, place inet);
    CREATE TABLE public.orders (id serial PRIMARY KEY, user_id bigint NOT NULL REFERENCES public.users,
        state public.state NOT NULL, total numeric(10,2) NOT NULL CHECK (total >= 0), part public.share,
        doubled numeric GENERATED ALWAYS AS (total * 2) STORED, tags text[], body jsonb);
    CREATE UNIQUE INDEX ON public.orders (user_id, lower(id::text));
    CREATE TABLE public.hen (id integer PRIMARY KEY, first_egg integer, name text);
    CREATE TABLE public.egg (id integer PRIMARY KEY, hen integer NOT NULL REFERENCES public.hen);
    ALTER TABLE public.hen ADD FOREIGN KEY (first_egg) REFERENCES public.egg;
    CREATE TABLE public.log (id bigint, day date NOT NULL) PARTITION BY RANGE (day);
    CREATE TABLE public.log_old PARTITION OF public.log FOR VALUES FROM ('2000-01-01') TO ('2020-01-01');
    CREATE TABLE public.log_new PARTITION OF public.log FOR VALUES FROM ('2020-01-01') TO ('2040-01-01') ;
    CREATE VIEW public.paid AS SELECT id, total FROM public.orders WHERE state = 'paid';
    CREATE MATERIALIZED VIEW public.totals AS SELECT count(*) AS n FROM public.orders;";

/// What the server's own catalog and types are called, as a view and as a domain.
const NAMES: &str = "
    CREATE FUNCTION {schema}.trap() RETURNS integer LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''a shadow ran''; END';
    DO $names$
    DECLARE name text;
    BEGIN
        FOREACH name IN ARRAY ARRAY['pg_class', 'pg_namespace', 'pg_attribute', 'pg_type', 'pg_settings', 'pg_proc',
            'pg_locks', 'pg_constraint', 'pg_index', 'pg_depend', 'pg_database', 'pg_stat_activity', 'pg_partition_tree'] LOOP
            EXECUTE format('CREATE VIEW {schema}.%I AS SELECT {schema}.trap() AS oid', name);
        END LOOP;
        FOREACH name IN ARRAY ARRAY['regclass', 'regtype', 'oid', 'name', 'json', 'jsonb', 'timestamptz', 'text'] LOOP
            EXECUTE format('CREATE DOMAIN {schema}.%I AS pg_catalog.int4', name);
        END LOOP;
    END $names$;";

/// A database whose owner has shadowed everything, with the path that leads to it; calls of functions are counted.
fn shadowed(schema: &str, path: Option<&str>) -> Database {
    let database = database(SCHEMA);
    let url = database.url();
    execute(&url, &format!("CREATE SCHEMA IF NOT EXISTS {schema}"));
    execute(&url, &include_str!("shadows.sql").replace("{schema}", schema));
    let name = database.name();
    if let Some(path) = path {
        execute(&url, &NAMES.replace("{schema}", schema));
        execute(&url, &format!("ALTER DATABASE {name} SET search_path = {path}"));
    }
    execute(&url, &format!("ALTER DATABASE {name} SET track_functions = 'all'"));
    database
}

/// The functions of that schema that were called, also in what was rolled back, with the number of calls.
fn calls(database: &Database, schema: &str) -> Vec<String> {
    // What a session counts, the server knows when that session has ended.
    std::thread::sleep(std::time::Duration::from_millis(300));
    ask(
        &with(&database.url(), "options=-c%20search_path%3Dpg_catalog"),
        &format!(
            "SELECT pg_catalog.concat(funcname, ' ', calls) FROM pg_catalog.pg_stat_user_functions
             WHERE schemaname OPERATOR(pg_catalog.=) '{schema}'"
        ),
    )
}

fn every_verb_works(database: &Database, schema: &str) {
    let url = database.url();
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("app.db");
    let migrations = folder.path().join("migrations");
    write_migrations(&migrations);
    let (target, migrations) = (target.to_str().unwrap(), migrations.to_str().unwrap());
    let run = |codes: &[i32], words: &[&str]| {
        let output = whimbrel(words);
        let text = told(&output);
        assert!(output.status.code().is_some_and(|code| codes.contains(&code)), "{words:?}: {text}");
        assert!(!text.contains("a shadow ran"), "{words:?}: {text}");
        text
    };
    run(&[0], &["generate", &url, "--rows", "60", "--seed", "3"]);
    execute(&with(&url, "options=-c%20search_path%3Dpg_catalog"), "REFRESH MATERIALIZED VIEW public.totals");
    run(&[0], &["plan", &url]);
    run(&[0], &["migrate", &url, target]);
    run(&[0], &["verify", &url, target]);
    run(&[0], &["generate", &url, "--rows", "20", "--seed", "4", "--append"]);
    for (codes, words) in [
        (&[0][..], &["status"][..]),
        (&[3][..], &["up"]),
        (&[0, 1, 3][..], &["validate"]),
        (&[0][..], &["up", "--resume"]),
        (&[0][..], &["up"]),
        (&[0][..], &["status"]),
        (&[0][..], &["up", "--dry-run"]),
        (&[0][..], &["down", "--steps", "1"]),
        (&[0][..], &["redo"]),
        (&[0, 1][..], &["validate", "--allow-pending"]),
        (&[0, 2, 3][..], &["adopt"]),
    ] {
        let (verb, options) = words.split_first().unwrap();
        if words == ["up", "--resume"] {
            // What stood in the unique index's way is put out of it.
            execute(&with(&url, "options=-c%20search_path%3Dpg_catalog"), &format!("DELETE FROM {schema}.a"));
        }
        run(codes, &[&["schema", verb, &url, migrations], options].concat());
    }
    std::fs::write(Path::new(migrations).join("0001_a.down.sql"), "-- whimbrel: lossy\nDROP TABLE IF EXISTS a;")
        .unwrap();
    run(&[0], &["schema", "repair", "1", &url, migrations]);

    // Who holds the lock that is waited for is asked after the snapshot's transaction is over.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let holder = runtime.block_on(async {
        let mut holder = PgConnection::connect(&url).await.unwrap();
        holder.execute("BEGIN; LOCK TABLE public.users").await.unwrap();
        holder
    });
    let text = run(&[3], &["plan", &with(&url, "options=-c%20lock_timeout%3D300")]);
    assert!(text.contains("stayed locked by another session for 0.3 s: table `public.users`: process"), "{text}");
    drop(holder);
}

fn write_migrations(folder: &Path) {
    std::fs::create_dir(folder).unwrap();
    for (name, text) in [
        (
            "0001_a.up.sql",
            "CREATE TABLE a (b pg_catalog.int4, c pg_catalog.int4);\nINSERT INTO a VALUES (1, 1), (1, 1);",
        ),
        ("0001_a.down.sql", "-- whimbrel: lossy\nDROP TABLE a;"),
        (
            "0002_i.up.sql",
            "-- whimbrel: no-transaction\nCREATE INDEX CONCURRENTLY a_c ON a (c);\nCREATE UNIQUE INDEX CONCURRENTLY a_b ON a (b);",
        ),
        ("0002_i.down.sql", "-- whimbrel: lossless\nDROP INDEX a_b;\nDROP INDEX a_c;"),
        ("0003_n.up.sql", "CREATE TABLE n (b pg_catalog.int4);"),
        ("0003_n.down.sql", "-- whimbrel: lossy\nDROP TABLE n;"),
    ] {
        std::fs::write(folder.join(name), text).unwrap();
    }
}

fn assert_nothing_was_called(database: &Database, schema: &str) {
    let called = calls(database, schema);
    assert!(called.is_empty(), "{called:?}");
    // It would have been counted.
    let left = format!("SELECT 1::pg_catalog.oid OPERATOR({schema}.=) 'pg_class'::pg_catalog.regclass");
    assert!(try_ask(&database.url(), &left).unwrap_err().to_string().contains("a shadow ran"));
    assert_eq!(calls(database, schema).len(), 1);
}

#[test]
fn a_path_that_leads_to_shadows_first_changes_nothing() {
    let database = shadowed("trapdoor", Some("trapdoor, public, pg_catalog"));
    every_verb_works(&database, "trapdoor");
    assert_nothing_was_called(&database, "trapdoor");
}

#[test]
fn an_operator_that_fits_better_than_the_servers_own_is_not_taken() {
    let database = shadowed("public", None);
    every_verb_works(&database, "public");
    assert_nothing_was_called(&database, "public");
}

#[test]
fn a_test_of_a_schema_with_shadows_calls_none() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("source.sql");
    std::fs::write(&file, format!("{SCHEMA}\n{}", include_str!("shadows.sql").replace("{schema}", "public"))).unwrap();
    let output = whimbrel(&["test", file.to_str().unwrap(), "--cases", "2", "--seed", "5"]);
    let text = told(&output);
    assert!(!text.contains("a shadow ran"), "{text}");
    assert_eq!(output.status.code(), Some(0), "{text}");
}

#[test]
fn a_script_runs_by_the_path_that_was_chosen_and_the_next_one_too() {
    let database = database("CREATE SCHEMA app; CREATE SCHEMA other");
    let (url, name) = (database.url(), database.name().to_owned());
    execute(&url, &format!("ALTER DATABASE {name} SET search_path = app, public"));
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [
        // A trigger that is put off until COMMIT finds its table by the path of the script.
        (
            "0001_a.up.sql",
            "CREATE TABLE a (b int);\nCREATE TABLE seen (b int);\n\
             CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO seen VALUES (NEW.b); RETURN NEW; END';\n\
             CREATE CONSTRAINT TRIGGER late AFTER INSERT ON a DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION note();\n\
             INSERT INTO a VALUES (7);",
        ),
        ("0002_o.up.sql", "SET search_path = other;\nCREATE TABLE o (b int);"),
        ("0003_n.up.sql", "CREATE TABLE n (b int);"),
        ("0004_s.up.sql", "-- whimbrel: no-transaction\nSET search_path = other;\nCREATE TABLE s (b int);"),
        ("0005_l.up.sql", "-- whimbrel: no-transaction\nCREATE TABLE l (b int);"),
    ] {
        std::fs::write(folder.path().join(name), format!("{text}\n")).unwrap();
    }
    let output = whimbrel(&["schema", "up", &url, folder.path().to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0), "{}", told(&output));
    let tables = ask(
        &url,
        "SELECT pg_catalog.concat(schemaname, '.', tablename) FROM pg_catalog.pg_tables
         WHERE schemaname IN ('app', 'other', 'public') ORDER BY 1",
    );
    assert_eq!(tables, ["app.a", "app.l", "app.n", "app.schema_migrations", "app.seen", "other.o", "other.s"]);
    assert_eq!(ask(&url, "SELECT b::text FROM app.seen"), ["7"]);
}
