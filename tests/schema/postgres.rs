//! PostgreSQL: locks, concurrent indexes, drift.

use std::time::{Duration, Instant};

use whimbrel::schema::{Event, Runner, RunnerOptions, State, To};

use crate::support::runner::{Postgres, Project};

fn two() -> Project {
    Project::new(&[
        ("1_a.up.sql", "CREATE TABLE a(b int PRIMARY KEY, c text);\nINSERT INTO a VALUES (1), (2);"),
        ("1_a.down.sql", "-- whimbrel: lossy\nDROP TABLE a;"),
        (
            "2_f.up.sql",
            "CREATE FUNCTION f() RETURNS int AS $$ BEGIN RETURN 1; END $$ LANGUAGE plpgsql;\nCREATE TYPE mood AS ENUM ('a', 'b');",
        ),
        ("2_f.down.sql", "-- whimbrel: lossless\nDROP TYPE mood;\nDROP FUNCTION f();"),
    ])
}

#[test]
fn up_down_up_is_the_identity() {
    let (project, postgres) = (two(), Postgres::new());
    let mut runner = project.runner_for(&postgres.url);
    let empty = runner.objects().unwrap();
    runner.up(To::Newest).unwrap();
    let objects = runner.objects().unwrap();
    assert!(objects.iter().any(|object| object.kind == "enum" && object.name == "public.mood"));
    runner.down(To::Version(0)).unwrap();
    assert_eq!(runner.objects().unwrap(), empty);
    runner.up(To::Newest).unwrap();
    assert_eq!(runner.objects().unwrap(), objects);
    runner.redo().unwrap();
    let findings = runner.validate().unwrap();
    assert!(findings.is_clean(), "{:?}", findings.problems());
}

#[test]
fn a_failure_rolls_back_with_its_history_row_and_a_dry_run_with_everything() {
    let (project, postgres) = (two(), Postgres::new());
    let dry = RunnerOptions { dry_run: true, ..RunnerOptions::default() };
    let report = Runner::open_with(&postgres.url, project.migrations(), dry).unwrap().up(To::Newest).unwrap();
    assert_eq!(report.steps.len(), 2);
    assert!(project.runner_for(&postgres.url).history().unwrap().is_empty());
    project.write("3_bad.up.sql", "CREATE TABLE z(a int);\nINSERT INTO z VALUES ('x');");
    let error = project.runner_for(&postgres.url).up(To::Newest).unwrap_err();
    assert!(
        error.to_string().starts_with("run migration `3_bad.up.sql` line 2: statement 2 of 2 failed: invalid input"),
        "{error}"
    );
    assert_eq!(postgres.number("SELECT count(*) FROM pg_tables WHERE tablename = 'z'"), 0);
    assert_eq!(project.runner_for(&postgres.url).status().unwrap().version, 2);
}

#[test]
fn what_a_script_sets_does_not_reach_the_next_or_the_history() {
    let postgres = Postgres::new();
    let project = Project::new(&[
        (
            "1_dump.sql",
            "SELECT pg_catalog.set_config('search_path', '', false);\nSET statement_timeout = 1;\nSET statement_timeout = 0;\nCREATE TABLE public.a(b int);",
        ),
        ("2_next.sql", "ALTER TABLE a ADD COLUMN c int;"),
    ]);
    project.runner_for(&postgres.url).up(To::Newest).unwrap();
    assert_eq!(postgres.number("SELECT count(*) FROM public.schema_migrations"), 2);
}

/// Each of these left the session so that a statement of the runner's own failed, waited, or was not found.
const SETTINGS: [&str; 30] = [
    "SET ROLE pg_monitor;",
    "SET LOCAL ROLE pg_monitor;",
    "SET SESSION AUTHORIZATION pg_monitor;",
    "SET LOCAL SESSION AUTHORIZATION pg_monitor;",
    "RESET SESSION AUTHORIZATION;",
    "SET statement_timeout = '30ms';",
    "SET LOCAL statement_timeout = '30ms';",
    "SET lock_timeout = 1;",
    "SET idle_in_transaction_session_timeout = '30ms';",
    "SET LOCAL idle_in_transaction_session_timeout = '30ms';",
    "SET search_path = '';",
    "SET LOCAL search_path = pg_temp;",
    "SELECT pg_catalog.set_config('search_path', 'nowhere', false);",
    "RESET ALL;",
    "DEALLOCATE ALL;",
    "CLOSE ALL;",
    "DISCARD PLANS;",
    "DISCARD SEQUENCES;",
    "UNLISTEN *;",
    "SET default_transaction_read_only = on;",
    "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY, ISOLATION LEVEL SERIALIZABLE;",
    "SET client_encoding = 'LATIN1';",
    "SET standard_conforming_strings = off;",
    "SET quote_all_identifiers = on;",
    "SET datestyle = 'SQL, DMY';",
    "SET timezone = 'Pacific/Apia';",
    "SET row_security = on;",
    "SET default_tablespace = pg_default;",
    "SET session_replication_role = replica;",
    "SET bytea_output = 'escape';",
];

#[test]
fn whatever_a_script_does_to_its_session_its_row_is_written_and_the_next_begins_anew() {
    let postgres = Postgres::new();
    let mut version = 0_i64;
    let project = Project::new(&[]);
    // Outside of a transaction the server takes one more.
    let whole = SETTINGS.iter().map(|sql| ("", *sql));
    let alone = SETTINGS.iter().chain(&["DISCARD ALL;"]).map(|sql| ("-- whimbrel: no-transaction\n", *sql));
    for (header, sql) in whole.chain(alone) {
        let table = format!("t{version}");
        project.write(&format!("{}_set.sql", version + 1), &format!("{header}{sql}\nSELECT 'done';"));
        project.write(&format!("{}_next.sql", version + 2), &format!("CREATE TABLE {table}(a timestamptz);"));
        version += 2;
        let mut runner = project.runner_for(&postgres.url);
        let ran = runner.up(To::Newest).unwrap_or_else(|error| panic!("{header}{sql}: {error:?}"));
        assert_eq!(ran.steps.len(), 2, "{header}{sql}");
        let there = format!("SELECT count(*) FROM pg_tables WHERE schemaname = 'public' AND tablename = '{table}'");
        assert_eq!(postgres.number(&there), 1, "{header}{sql}");
        assert_eq!(runner.status().unwrap().count(State::Applied), usize::try_from(version).unwrap(), "{header}{sql}");
    }
    let odd = "SELECT count(*) FROM schema_migrations WHERE applied_at NOT BETWEEN now() - interval '1 hour' AND now()";
    assert_eq!(postgres.number(odd), 0);
}

#[test]
fn rows_that_row_level_security_hides_stop_a_script_instead_of_being_left_out() {
    let postgres = Postgres::new();
    let name = postgres.text("SELECT pg_catalog.current_database()::text");
    let owner = format!("{name}_owner");
    postgres.execute(&format!(
        "CREATE ROLE {owner} LOGIN PASSWORD 'open'; ALTER SCHEMA public OWNER TO {owner}; SET ROLE {owner};
         CREATE TABLE t(id int, who text); INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, '{owner}');
         ALTER TABLE t ENABLE ROW LEVEL SECURITY; ALTER TABLE t FORCE ROW LEVEL SECURITY;
         CREATE POLICY own ON t USING (who = current_user)"
    ));
    let (_, rest) = postgres.url.split_once("://").unwrap();
    let (_, host) = rest.rsplit_once('@').unwrap_or(("", rest));
    let url = format!("postgres://{owner}:open@{host}");
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let project = Project::new(&[]);
        for header in ["", "-- whimbrel: no-transaction\n"] {
            for sql in [
                "UPDATE t SET id = id + 10;",
                "DELETE FROM t;",
                "CREATE TABLE copy AS SELECT * FROM t;",
                "RESET ALL;\nUPDATE t SET id = id + 10;",
                "DO $$ BEGIN UPDATE t SET id = id + 10; END $$;",
            ] {
                let project = Project::new(&[("1_a.sql", &format!("{header}{sql}"))]);
                let error = project.runner_for(&url).up(To::Newest).unwrap_err();
                assert!(error.cause().contains("row-level security policy for table \"t\""), "{header}{sql}: {error}");
                let hint = error.way_out().unwrap();
                assert!(hint.contains("NO FORCE ROW LEVEL SECURITY"), "{hint}");
                assert_eq!(postgres.number("SELECT sum(id) FROM t"), 6);
                postgres.execute("DROP TABLE IF EXISTS schema_migrations");
            }
        }
        // Who says so gets what the policies show; who takes the force away for the while gets everything.
        project.write("1_some.sql", "SET LOCAL row_security = on;\nUPDATE t SET id = id + 10;");
        project.write(
            "2_all.sql",
            "ALTER TABLE t NO FORCE ROW LEVEL SECURITY;\nCREATE TABLE copy AS SELECT * FROM t;\nALTER TABLE t FORCE ROW LEVEL SECURITY;",
        );
        project.runner_for(&url).up(To::Newest).unwrap();
        assert_eq!(postgres.number("SELECT sum(id) FROM t"), 16);
        assert_eq!(postgres.number("SELECT count(*) FROM copy"), 3);
    }));
    postgres.execute(&format!("ALTER SCHEMA public OWNER TO CURRENT_USER; DROP OWNED BY {owner}; DROP ROLE {owner}"));
    if let Err(panic) = outcome {
        std::panic::resume_unwind(panic);
    }
}

#[test]
fn the_role_that_a_login_or_a_url_chooses_owns_the_history() {
    let postgres = Postgres::new();
    let name = postgres.text("SELECT pg_catalog.current_database()::text");
    let (owner, login, other) = (format!("{name} \"owner\""), format!("{name}_login"), format!("{name}_other"));
    let quoted = format!("\"{}\"", owner.replace('"', "\"\""));
    postgres.execute(&format!(
        "CREATE ROLE {quoted}; ALTER SCHEMA public OWNER TO {quoted}; \
         CREATE ROLE {login} LOGIN NOINHERIT PASSWORD 'open' IN ROLE {quoted}; ALTER ROLE {login} SET role = {quoted}; \
         CREATE ROLE {other} LOGIN NOINHERIT PASSWORD 'open' IN ROLE {quoted}"
    ));
    let (_, rest) = postgres.url.split_once("://").unwrap();
    let (_, host) = rest.rsplit_once('@').unwrap_or(("", rest));
    let of = |role: &str| format!("postgres://{role}:open@{host}");
    let option = format!("-c%20role%3D{}", owner.replace(' ', "%5C%20").replace('"', "%22"));
    let sign = if host.contains('?') { '&' } else { '?' };
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let project = two();
        project.write("3_n.sql", "-- whimbrel: no-transaction\nCREATE TABLE n(a int);\nVACUUM n;");
        project.write("4_r.up.sql", "SET ROLE NONE;");
        project.write("4_r.down.sql", "-- whimbrel: lossless\nRESET ROLE;\nSET ROLE NONE;");
        project.runner_for(&of(&login)).up(To::Version(2)).unwrap();
        project.runner_for(&format!("{}{sign}options={option}", of(&other))).up(To::Newest).unwrap();
        assert_eq!(
            postgres.text("SELECT tableowner::text FROM pg_tables WHERE tablename = 'schema_migrations'"),
            owner
        );
        project.runner_for(&of(&login)).down(To::Version(3)).unwrap();
        // Without a role of its own a login is nobody here.
        let error = project.runner_for(&of(&other)).up(To::Newest).unwrap_err();
        assert!(error.to_string().contains("permission denied"), "{error}");
    }));
    postgres.execute(&format!(
        "ALTER SCHEMA public OWNER TO CURRENT_USER; DROP OWNED BY {quoted}, {login}, {other}; \
         DROP ROLE {login}, {other}, {quoted}"
    ));
    if let Err(panic) = outcome {
        std::panic::resume_unwind(panic);
    }
}

#[test]
fn a_lock_that_the_application_holds_is_waited_for_in_short_tries() {
    let (project, postgres) = (two(), Postgres::new());
    project.runner_for(&postgres.url).up(To::Newest).unwrap();
    project.write("3_c.up.sql", "ALTER TABLE a ADD COLUMN d int;");
    let url = postgres.url.clone();
    let (ready, wait) = std::sync::mpsc::channel();
    // It lets go when the runner has tried in vain, however long that takes on a busy machine.
    let (release, released) = std::sync::mpsc::channel();
    let application = std::thread::spawn(move || {
        crate::support::runner::block_on(async {
            use sqlx::Connection;
            let mut connection = sqlx::PgConnection::connect(&url).await.unwrap();
            sqlx::raw_sql("BEGIN; SELECT * FROM a;").execute(&mut connection).await.unwrap();
            ready.send(()).unwrap();
            released.recv_timeout(Duration::from_secs(60)).unwrap();
            sqlx::raw_sql("COMMIT").execute(&mut connection).await.unwrap();
        });
    });
    wait.recv().unwrap();
    let options =
        RunnerOptions { lock_timeout: Duration::from_millis(100), lock_retries: 100, ..RunnerOptions::default() };
    let (sender, events) = std::sync::mpsc::channel();
    let mut runner =
        Runner::open_with(&postgres.url, project.migrations(), options.clone()).unwrap().on_event(move |event| {
            if matches!(event, Event::Retrying { .. }) {
                let _ = release.send(());
            }
            sender.send(event.clone()).unwrap();
        });
    runner.up(To::Newest).unwrap();
    application.join().unwrap();
    assert!(events.try_iter().filter(|event| matches!(event, Event::Retrying { version: 3, .. })).count() >= 1);
}

#[test]
fn a_concurrent_index_does_not_deadlock_with_a_waiting_runner() {
    let postgres = Postgres::new();
    let project = Project::new(&[
        ("1_a.up.sql", "CREATE TABLE a(b int);\nINSERT INTO a SELECT generate_series(1, 200000);"),
        (
            "2_i.up.sql",
            "-- whimbrel: no-transaction\nCREATE INDEX CONCURRENTLY a_b ON a(b);\nCREATE INDEX CONCURRENTLY a_b2 ON a(b);",
        ),
        (
            "2_i.down.sql",
            "-- whimbrel: lossless\n-- whimbrel: no-transaction\nDROP INDEX CONCURRENTLY a_b2;\nDROP INDEX CONCURRENTLY a_b;",
        ),
    ]);
    let start = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| project.runner_for(&postgres.url).up(To::Newest).unwrap());
        }
    });
    assert!(start.elapsed() < Duration::from_secs(30));
    assert_eq!(postgres.number("SELECT count(*) FROM pg_index i JOIN pg_class c ON c.oid = indexrelid WHERE indisvalid AND relname ~ '^a_b'"), 2);
    project.runner_for(&postgres.url).down(To::Version(1)).unwrap();
}

#[test]
fn a_failed_concurrent_index_is_named_and_resumed() {
    let postgres = Postgres::new();
    let project = Project::new(&[
        ("1_a.up.sql", "CREATE TABLE a(b int);"),
        (
            "2_i.up.sql",
            "-- whimbrel: no-transaction\nCREATE TABLE before(a int);\nCREATE UNIQUE INDEX CONCURRENTLY a_b ON a(b);",
        ),
    ]);
    project.runner_for(&postgres.url).up(To::Version(1)).unwrap();
    postgres.execute("INSERT INTO a VALUES (1), (1)");
    let error = project.runner_for(&postgres.url).up(To::Newest).unwrap_err();
    assert!(error.cause().contains("1 of 2 statements are done and stay; it left the invalid index `a_b`"), "{error}");
    assert_eq!(project.runner_for(&postgres.url).status().unwrap().count(State::Interrupted), 1);
    let problems = project.runner_for(&postgres.url).validate().unwrap().problems();
    assert!(problems.iter().any(|problem| problem.contains("index `public.a_b` is invalid")), "{problems:?}");
    postgres.execute("DELETE FROM a WHERE ctid = (SELECT min(ctid) FROM a)");
    project.runner_for(&postgres.url).resume().unwrap();
    assert!(project.runner_for(&postgres.url).validate().unwrap().is_clean());
}

#[test]
fn a_runner_that_works_too_long_is_not_waited_for_for_ever() {
    let (project, postgres) = (two(), Postgres::new());
    let slow = Project::new(&[("1_slow.sql", "SELECT pg_sleep(1);")]);
    std::thread::scope(|scope| {
        let (started, wait) = std::sync::mpsc::channel();
        let mut first = slow.runner_for(&postgres.url).on_event(move |_| started.send(()).unwrap_or_default());
        scope.spawn(move || first.up(To::Newest).unwrap());
        wait.recv().unwrap();
        let options = RunnerOptions { runner_timeout: Duration::from_millis(100), ..RunnerOptions::default() };
        let error =
            Runner::open_with(&postgres.url, project.migrations(), options).unwrap().up(To::Newest).unwrap_err();
        assert!(error.cause().contains("another runner has held it"), "{error}");
    });
}

#[test]
fn validate_names_the_objects_that_drifted() {
    let (project, postgres) = (two(), Postgres::new());
    project.runner_for(&postgres.url).up(To::Newest).unwrap();
    postgres.execute("ALTER TABLE a ALTER COLUMN c TYPE varchar(10); CREATE INDEX stray ON a(c); DROP TYPE mood;");
    let problems = project.runner_for(&postgres.url).validate().unwrap().problems();
    assert_eq!(problems.len(), 3, "{problems:?}");
    assert!(problems.iter().any(|p| p == "enum `public.mood` is missing"), "{problems:?}");
    assert!(problems.iter().any(|p| p == "index `public.stray` is there, and no migration creates it"), "{problems:?}");
    assert!(problems.iter().any(|p| p.starts_with("column `public.a.c` differs")), "{problems:?}");
    // Other tests validate meanwhile, each with a database of its own that goes away.
    let start = Instant::now();
    while postgres.number("SELECT count(*) FROM pg_database WHERE datname ~ '^whimbrel_drift'") > 0 {
        assert!(start.elapsed() < Duration::from_secs(20), "a scratch database is left behind");
    }
}

#[test]
fn a_password_is_in_no_message() {
    let migrations = two().migrations();
    let mut runner = Runner::open("postgres://someone:hunter2@127.0.0.1:1/none", migrations.clone()).unwrap();
    let error = runner.up(To::Newest).unwrap_err();
    assert!(
        !format!("{error:?}").contains("hunter2") && error.object().contains("someone:***@127.0.0.1:1/none"),
        "{error:?}"
    );
    let error = Runner::open("postgres://someone:hunter2@:x:y", migrations).err().unwrap();
    assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
}

#[test]
fn a_connection_that_is_cut_leaves_nothing_behind() {
    let (project, postgres) = (two(), Postgres::new());
    project.write("3_cut.sql", "CREATE TABLE z(a int);\nSELECT pg_terminate_backend(pg_backend_pid());");
    let mut runner = project.runner_for(&postgres.url);
    let error = runner.up(To::Newest).unwrap_err();
    assert!(
        error.to_string().starts_with("run migration `3_cut.sql` line 2: statement 2 of 2 failed: terminating"),
        "{error}"
    );
    assert_eq!(runner.status().unwrap().version, 2, "the same runner connects again");
    project.write("3_cut.sql", "CREATE TABLE z(a int);");
    assert_eq!(project.runner_for(&postgres.url).up(To::Newest).unwrap().steps.len(), 1);
}

#[test]
fn a_schema_of_the_name_of_the_role_does_not_hide_the_history() {
    let postgres = Postgres::new();
    let project =
        Project::new(&[("1_a.sql", "CREATE SCHEMA AUTHORIZATION CURRENT_USER;\nCREATE TABLE public.a(b int);")]);
    project.runner_for(&postgres.url).up(To::Newest).unwrap();
    let status = project.runner_for(&postgres.url).status().unwrap();
    assert_eq!((status.version, status.count(State::Applied)), (1, 1));
    assert!(project.runner_for(&postgres.url).up(To::Newest).unwrap().steps.is_empty());
}

#[test]
fn a_session_that_a_script_gave_away_is_taken_back() {
    let postgres = Postgres::new();
    // `pg_monitor` is there in every server. Whom the history is open to can write the row.
    let project = Project::new(&[
        ("1_a.sql", "CREATE TABLE a(b int);"),
        ("2_b.sql", "GRANT ALL ON schema_migrations TO pg_monitor;\nSET SESSION AUTHORIZATION pg_monitor;"),
        ("3_c.sql", "CREATE SCHEMA c;"),
    ]);
    project.runner_for(&postgres.url).up(To::Newest).unwrap();
    assert_eq!(postgres.number("SELECT count(*) FROM pg_namespace WHERE nspname = 'c'"), 1);
}

#[test]
fn a_commit_that_the_scanner_does_not_see_is_noticed() {
    let postgres = Postgres::new();
    let project = Project::new(&[
        (
            "1_hidden.up.sql",
            "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1 AS case; END; COMMIT; BEGIN; SELECT 1;",
        ),
        ("1_hidden.down.sql", "-- whimbrel: lossy\nDROP FUNCTION f();"),
    ]);
    let error = project.runner_for(&postgres.url).up(To::Newest).unwrap_err();
    // Refused by the scanner or noticed afterwards: it is never told as applied.
    assert!(error.to_string().contains("COMMIT") || error.to_string().contains("ended the transaction"), "{error}");
}

/// A table with what a rebuild can lose, a child, a view over a view.
const REBUILT: &str = "CREATE TABLE t(id int PRIMARY KEY, a text UNIQUE, n int);
CREATE TABLE child(t int REFERENCES t(id), other int);
CREATE INDEX \"T_n\" ON t (n DESC) WHERE n > 0;
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
CREATE TRIGGER t_touch BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION touch();
CREATE VIEW v AS SELECT id FROM t;
CREATE VIEW over AS SELECT id FROM v;
INSERT INTO t VALUES (1, 'x', 1);";

const REBUILD: &str = "CREATE TABLE n(id int PRIMARY KEY, a text, n bigint);
INSERT INTO n SELECT * FROM t;
DROP TABLE t CASCADE;
ALTER TABLE n RENAME TO t;";

const BROUGHT_BACK: [&str; 5] = [
    "CREATE UNIQUE INDEX t_a ON t (a);",
    "CREATE INDEX another_name ON t (n DESC) WHERE n > 0;",
    "CREATE TRIGGER t_touch BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION touch();",
    "ALTER TABLE child ADD FOREIGN KEY (t) REFERENCES t(id) ON DELETE CASCADE;",
    "CREATE VIEW v AS SELECT id FROM t; CREATE VIEW over AS SELECT id FROM v;",
];

#[test]
fn a_rebuild_that_loses_what_belonged_to_the_table_stops_with_its_name() {
    let rebuild = |header: &str, back: &[&str]| {
        let second = format!("{header}\n{REBUILD}\n{}", back.join("\n"));
        let (project, postgres) =
            (Project::new(&[("1_base.up.sql", REBUILT), ("2_next.up.sql", &second)]), Postgres::new());
        project.runner_for(&postgres.url).up(To::Newest).map(|_| ())
    };
    rebuild("", &BROUGHT_BACK).unwrap();
    for (left_out, told, declares) in [
        (0, "the index `t_a_key` of `public.t`", "index t_a_key"),
        (1, "the index `T_n` of `public.t`", "index T_n"),
        (2, "the trigger `t_touch` of `public.t`", "trigger t_touch"),
        (3, "the foreign key of `public.child`: FOREIGN KEY (t)", "foreign key child"),
        (4, "the view `public.over`, the view `public.v`", "view over, view v"),
    ] {
        let back: Vec<&str> = (0..).zip(BROUGHT_BACK).filter(|(n, _)| *n != left_out).map(|(_, sql)| sql).collect();
        let error = rebuild("", &back).unwrap_err();
        assert!(error.cause().ends_with(&format!("not back: {told}")), "{error}");
        let hint = error.way_out().unwrap();
        assert!(hint.contains(&format!("`-- whimbrel: loses {declares}`")), "{hint}");
        rebuild(&format!("-- whimbrel: loses {declares}"), &back).unwrap();
        // An index that is back under another name has gone by its own, as declared.
        if left_out > 1 {
            let error = rebuild(&format!("-- whimbrel: loses {declares}"), &BROUGHT_BACK).unwrap_err();
            assert!(error.cause().ends_with("goes, and it stays"), "{error}");
        }
        let error = rebuild("-- whimbrel: no-transaction", &back).unwrap_err();
        assert!(error.cause().contains(told) && error.cause().contains("statements are done and stay"), "{error}");
    }
    let error = rebuild("-- whimbrel: loses index nothing", &BROUGHT_BACK).unwrap_err();
    assert!(error.cause().ends_with("goes, and there was none"), "{error}");
    // Without a rebuild, to drop is what was meant.
    let (project, postgres) = (
        Project::new(&[("1_base.up.sql", REBUILT), ("2_next.up.sql", "DROP INDEX \"T_n\"; DROP TABLE t CASCADE;")]),
        Postgres::new(),
    );
    project.runner_for(&postgres.url).up(To::Newest).unwrap();
}
