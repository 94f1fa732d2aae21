//! The hint of a migration that failed helps: each is followed here, and the migration runs.

use std::time::Duration;

use rusqlite::{Connection, OpenFlags};
use whimbrel::error::Kind;
use whimbrel::schema::{Migrations, Runner, RunnerOptions, To};

use crate::support::runner::{Postgres, Project};

/// The files fail with that hint on a new server database, which `prepare` has made; with others of the same names, and
/// what `meanwhile` does, they run.
fn postgres(prepare: &str, files: &[(&str, &str)], hint: &str, meanwhile: &str, better: &[(&str, &str)]) {
    let (project, postgres) = (Project::new(files), Postgres::new());
    postgres.execute(prepare);
    let error = project.runner_for(&postgres.url).up(To::Newest).unwrap_err();
    assert!(error.way_out().is_some_and(|told| told.contains(hint)), "{error}: {:?}", error.way_out());
    postgres.execute(meanwhile);
    better.iter().for_each(|(name, text)| project.write(name, text));
    project.runner_for(&postgres.url).up(To::Newest).unwrap();
}

fn sqlite(first: &str, files: &[(&str, &str)], hint: &str, better: &[(&str, &str)]) {
    let project = Project::new(files);
    project.execute(first);
    let error = project.runner().up(To::Newest).unwrap_err();
    assert!(error.way_out().is_some_and(|told| told.contains(hint)), "{error}: {:?}", error.way_out());
    better.iter().for_each(|(name, text)| project.write(name, text));
    project.runner().up(To::Newest).unwrap();
}

#[test]
fn a_new_value_of_an_enum_is_used_in_the_next_migration() {
    postgres(
        "CREATE TYPE mood AS ENUM ('low'); CREATE TABLE a(b mood)",
        &[("1_a.up.sql", "ALTER TYPE mood ADD VALUE 'high';\nINSERT INTO a VALUES ('high');")],
        "put `ALTER TYPE … ADD VALUE` into a migration of its own, before",
        "",
        &[("1_a.up.sql", "ALTER TYPE mood ADD VALUE 'high';"), ("2_b.up.sql", "INSERT INTO a VALUES ('high');")],
    );
}

#[test]
fn what_was_put_off_is_checked_before_a_table_is_altered() {
    let prepare = "CREATE TABLE p(id int PRIMARY KEY);
        CREATE TABLE c(p int REFERENCES p DEFERRABLE INITIALLY DEFERRED)";
    let rows = "INSERT INTO c VALUES (1);\nINSERT INTO p VALUES (1);\n";
    let alter = "ALTER TABLE c ADD COLUMN d int;";
    let hint = "write `SET CONSTRAINTS ALL IMMEDIATE;` before this statement";
    let wrong = format!("{rows}{alter}");
    postgres(
        prepare,
        &[("1_a.up.sql", &wrong)],
        hint,
        "",
        &[("1_a.up.sql", &format!("{rows}SET CONSTRAINTS ALL IMMEDIATE;\n{alter}"))],
    );
    postgres(prepare, &[("1_a.up.sql", &wrong)], hint, "", &[("1_a.up.sql", rows), ("2_b.up.sql", alter)]);
}

#[test]
fn what_cannot_be_in_a_transaction_is_put_outside_one() {
    let hint = "`-- whimbrel: no-transaction` in the header";
    for (prepare, sql) in [
        ("CREATE TABLE a(b int)", "CREATE INDEX CONCURRENTLY i ON a(b);"),
        ("CREATE TABLE a(b int); CREATE INDEX i ON a(b)", "DROP INDEX CONCURRENTLY i;"),
        ("CREATE TABLE a(b int)", "VACUUM a;"),
        ("CREATE TABLE a(b int)", "REINDEX TABLE CONCURRENTLY a;"),
        // By the server's own word.
        ("SELECT 1", "CLUSTER;"),
        ("CREATE PROCEDURE p() LANGUAGE plpgsql AS 'BEGIN COMMIT; END'", "CALL p();"),
    ] {
        let better = format!("-- whimbrel: no-transaction\n{sql}");
        postgres(prepare, &[("1_a.up.sql", sql)], hint, "", &[("1_a.up.sql", &better)]);
    }
    // What would reach beyond the test's own database is not followed to its end.
    for sql in ["ALTER SYSTEM SET work_mem = '8MB';", "CREATE DATABASE other;"] {
        let project = Project::new(&[("1_a.up.sql", sql)]);
        let error = project.runner_for(&Postgres::new().url).up(To::Newest).unwrap_err();
        assert!(error.way_out().unwrap().contains(hint), "{error}");
    }
    for sql in ["VACUUM;", "PRAGMA journal_mode = WAL;"] {
        sqlite("", &[("1_a.up.sql", sql)], hint, &[("1_a.up.sql", &format!("-- whimbrel: no-transaction\n{sql}"))]);
    }
}

#[test]
fn an_extension_is_made_before_what_it_brings() {
    for (extension, sql) in [
        ("citext", "CREATE TABLE a(b citext);"),
        ("pg_trgm", "CREATE TABLE a(b text);\nCREATE INDEX i ON a USING gin (b gin_trgm_ops);"),
        ("uuid-ossp", "CREATE TABLE a(b uuid DEFAULT uuid_generate_v4());"),
        ("pgcrypto", "CREATE TABLE a AS SELECT gen_random_bytes(4);"),
    ] {
        let postgres_has = format!("SELECT count(*) FROM pg_available_extensions WHERE name = '{extension}'");
        let create = format!("CREATE EXTENSION IF NOT EXISTS \"{extension}\";");
        if Postgres::new().number(&postgres_has) == 0 {
            // This server's packager has left it out; what it has is in the list that the hint names.
            continue;
        }
        postgres("", &[("1_a.up.sql", sql)], &create, "", &[("1_a.up.sql", &format!("{create}\n{sql}"))]);
    }
    // One that this server does not have at all.
    let (project, database) = (Project::new(&[("1_a.up.sql", "CREATE EXTENSION whimbrel_nothing;")]), Postgres::new());
    let error = project.runner_for(&database.url).up(To::Newest).unwrap_err();
    assert!(error.way_out().unwrap().contains("`SELECT name FROM pg_available_extensions` lists"), "{error}");
    let there = database.text("SELECT name::text FROM pg_available_extensions ORDER BY name = 'plpgsql' DESC LIMIT 1");
    project.write("1_a.up.sql", &format!("CREATE EXTENSION IF NOT EXISTS \"{there}\";"));
    project.runner_for(&database.url).up(To::Newest).unwrap();
}

#[test]
fn a_role_is_made_first_and_a_right_is_granted() {
    let role = format!("whimbrel_hint_{}", std::process::id());
    let sql = format!("CREATE TABLE a(b int);\nGRANT SELECT ON a TO {role};\nALTER TABLE a OWNER TO {role};");
    let (project, database) = (Project::new(&[("1_a.up.sql", &sql)]), Postgres::new());
    let error = project.runner_for(&database.url).up(To::Newest).unwrap_err();
    assert!(error.way_out().unwrap().contains("`CREATE ROLE … NOLOGIN`"), "{error}");
    // Or whose rights these are is left out.
    let other = Project::new(&[("1_a.up.sql", "CREATE TABLE a(b int);")]);
    other.runner_for(&Postgres::new().url).up(To::Newest).unwrap();
    database.execute(&format!(
        "CREATE ROLE {role} NOLOGIN; GRANT {role} TO CURRENT_USER; GRANT CREATE ON SCHEMA public TO {role}"
    ));
    let ran = project.runner_for(&database.url).up(To::Newest);
    // As that role, which may do nothing in a schema of somebody else's.
    let database_2 = Postgres::new();
    database_2.execute("CREATE SCHEMA s; CREATE TABLE owned(b int)");
    let url =
        format!("{}{}options=-crole%3D{role}", database_2.url, if database_2.url.contains('?') { '&' } else { '?' });
    let grant = format!("GRANT USAGE, CREATE ON SCHEMA s, public TO {role}");
    let refused = Project::new(&[("1_a.up.sql", "CREATE TABLE s.a(b int);")]);
    let first = refused.runner_for(&url).up(To::Newest).unwrap_err();
    database_2.execute(&grant);
    let second = refused.runner_for(&url).up(To::Newest);
    let not_owner = Project::new(&[("2_a.up.sql", "ALTER TABLE owned ADD COLUMN c int;")]);
    let options = RunnerOptions { history_table: "other_history".to_owned(), ..RunnerOptions::default() };
    let third = Runner::open_with(&url, not_owner.migrations(), options.clone()).unwrap().up(To::Newest).unwrap_err();
    database_2.execute(&format!("ALTER TABLE owned OWNER TO {role}"));
    let fourth = Runner::open_with(&url, not_owner.migrations(), options).unwrap().up(To::Newest);
    let validated = refused.runner_for(&url).validate();
    let scratch = RunnerOptions {
        scratch_url: Some(format!("{}_none", database.url.split('?').next().unwrap())),
        ..RunnerOptions::default()
    };
    let nowhere = Runner::open_with(&database.url, project.migrations(), scratch).unwrap().validate();
    for database in [&database, &database_2] {
        database.execute(&format!("DROP OWNED BY {role}"));
    }
    database.execute(&format!("DROP ROLE {role}"));
    ran.unwrap();
    assert!(first.way_out().unwrap().contains("`GRANT CREATE ON SCHEMA … TO …`"), "{first}");
    for (outcome, hint) in [(validated, "`--scratch URL`"), (nowhere, "check the database's name")] {
        let error = outcome.unwrap_err();
        assert!(error.kind() == Kind::CouldNotRun && error.way_out().unwrap().contains(hint), "{error:?}");
    }
    second.unwrap();
    assert!(third.way_out().unwrap().contains("connect as the role that owns the object"), "{third}");
    fourth.unwrap();
}

#[test]
fn a_timeout_is_lifted_for_the_migration_and_rows_are_filled_before_they_are_needed() {
    let sql = "SET LOCAL statement_timeout = '50ms';\nSELECT pg_sleep(0.2);";
    let better = "SET LOCAL statement_timeout = 0;\nSELECT pg_sleep(0.2);";
    let hint = "`SET LOCAL statement_timeout = 0;` at the top";
    postgres("", &[("1_a.up.sql", sql)], hint, "", &[("1_a.up.sql", better)]);
    postgres(
        "CREATE TABLE a(b int); INSERT INTO a VALUES (NULL)",
        &[
            ("1_a.up.sql", "ALTER TABLE a ADD COLUMN c int NOT NULL;"),
            ("2_b.up.sql", "ALTER TABLE a ALTER COLUMN b SET NOT NULL;"),
        ],
        "give the column a DEFAULT",
        "",
        &[
            ("1_a.up.sql", "ALTER TABLE a ADD COLUMN c int NOT NULL DEFAULT 0;"),
            ("2_b.up.sql", "UPDATE a SET b = 1;\nALTER TABLE a ALTER COLUMN b SET NOT NULL;"),
        ],
    );
}

#[test]
fn a_lock_is_waited_for_as_long_as_the_hint_says() {
    let (project, database) = (Project::new(&[("1_a.up.sql", "ALTER TABLE a ADD COLUMN c int;")]), Postgres::new());
    database.execute("CREATE TABLE a(b int)");
    let url = database.url.clone();
    let (locked, is_locked) = std::sync::mpsc::channel();
    let holder = std::thread::spawn(move || {
        crate::support::runner::block_on(async {
            use sqlx::Connection as _;
            let mut connection = sqlx::PgConnection::connect(&url).await.unwrap();
            sqlx::raw_sql("BEGIN; LOCK TABLE a").execute(&mut connection).await.unwrap();
            locked.send(()).unwrap();
            tokio::time::sleep(Duration::from_secs(2)).await;
            connection.close().await.unwrap();
        });
    });
    is_locked.recv().unwrap();
    let with = |seconds: f64| {
        let options = RunnerOptions {
            lock_timeout: Duration::from_secs_f64(seconds),
            lock_retries: 0,
            ..RunnerOptions::default()
        };
        Runner::open_with(&database.url, project.migrations(), options).unwrap().up(To::Newest)
    };
    let error = with(0.05).unwrap_err();
    assert!(error.way_out().unwrap().contains("give more with `--lock-timeout`"), "{error}");
    with(60.0).unwrap();
    holder.join().unwrap();
}

#[test]
fn a_connection_inside_a_transaction_is_said_to_be() {
    let migrations = || Migrations::from_files("test", [("1_a.up.sql", "CREATE TABLE a(b);")]).unwrap();
    let connection = Connection::open_in_memory().unwrap();
    connection.execute_batch("BEGIN").unwrap();
    let mut runner = Runner::on_connection(connection, migrations(), RunnerOptions::default());
    let error = runner.up(To::Newest).unwrap_err();
    assert!(error.way_out().unwrap().contains("commit it or roll it back first"), "{error}: {error:?}");
    let connection = runner.into_connection().unwrap();
    connection.execute_batch("COMMIT").unwrap();
    Runner::on_connection(connection, migrations(), RunnerOptions::default()).up(To::Newest).unwrap();
}

/// What an application defines on its own connection: the collation `odd`.
fn define_collation(connection: &Connection) {
    use std::ffi::{c_int, c_void};
    extern "C" fn by_length(_: *mut c_void, one: c_int, _: *const c_void, other: c_int, _: *const c_void) -> c_int {
        (one > other).into()
    }
    // SAFETY: the handle is open, the name ends with a zero, and the function keeps no pointer.
    let code = unsafe {
        let (handle, utf_8) = (connection.handle(), rusqlite::ffi::SQLITE_UTF8);
        rusqlite::ffi::sqlite3_create_collation_v2(
            handle,
            c"odd".as_ptr(),
            utf_8,
            std::ptr::null_mut(),
            Some(by_length),
            None,
        )
    };
    assert_eq!(code, rusqlite::ffi::SQLITE_OK);
}

#[test]
fn modules_and_functions_are_looked_for_where_they_are() {
    let table = |module: &str| format!("CREATE VIRTUAL TABLE s USING {module}(a);");
    let hint = "`SELECT name FROM pragma_module_list`";
    sqlite("", &[("1_a.up.sql", &table("fts6"))], hint, &[("1_a.up.sql", &table("fts5"))]);
    let names = Connection::open_in_memory().unwrap();
    let built_in: i64 = names
        .query_row(
            "SELECT count(*) FROM pragma_module_list WHERE name IN ('fts3', 'fts4', 'fts5', 'rtree')",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(built_in, 4, "the hint names what is built in");
    let migrations = || {
        Migrations::from_files(
            "test",
            [("1_a.up.sql", "CREATE TABLE a(b COLLATE odd);\nINSERT INTO a VALUES ('x');\nCREATE INDEX i ON a(b);")],
        )
        .unwrap()
    };
    let error = Runner::open(":memory:", migrations()).unwrap().up(To::Newest).unwrap_err();
    assert!(error.way_out().unwrap().contains("by `Runner::on_connection`"), "{error}");
    let connection = Connection::open_in_memory().unwrap();
    define_collation(&connection);
    Runner::on_connection(connection, migrations(), RunnerOptions::default()).up(To::Newest).unwrap();
}

#[test]
fn a_key_that_is_none_gets_an_index() {
    let tables = "CREATE TABLE p(a INTEGER, b INTEGER);\nINSERT INTO p VALUES (1, 2);\n\
                  CREATE TABLE c(a INTEGER REFERENCES p(b));\nINSERT INTO c VALUES (2);\n";
    sqlite(
        "",
        &[("1_a.up.sql", tables)],
        "`CREATE UNIQUE INDEX … ON parent(columns)`",
        &[("1_a.up.sql", &format!("{tables}CREATE UNIQUE INDEX p_b ON p(b);"))],
    );
}

#[test]
fn a_table_that_another_connection_of_the_process_uses_is_let_go_of() {
    let uri = format!("file:whimbrel_hint_{}?mode=memory&cache=shared", std::process::id());
    let open = || {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_URI;
        Connection::open_with_flags(&uri, flags).unwrap()
    };
    let other = open();
    other.execute_batch("CREATE TABLE a(b); INSERT INTO a VALUES (1)").unwrap();
    let migrations = || Migrations::from_files("test", [("1_c.up.sql", "ALTER TABLE a ADD COLUMN c;")]).unwrap();
    other.execute_batch("BEGIN; SELECT b FROM a").unwrap();
    let error = Runner::on_connection(open(), migrations(), RunnerOptions::default()).up(To::Newest).unwrap_err();
    assert!(error.way_out().is_some_and(|hint| hint.contains("shares its cache")), "{error}: {:?}", error.way_out());
    other.execute_batch("COMMIT").unwrap();
    Runner::on_connection(open(), migrations(), RunnerOptions::default()).up(To::Newest).unwrap();
}

#[test]
fn what_alter_table_of_sqlite_cannot_do_is_a_rebuild() {
    let first = "CREATE TABLE a(b INTEGER); INSERT INTO a VALUES (1)";
    let rebuild = |column: &str| {
        format!(
            "CREATE TABLE new_a(b INTEGER, {column});\nINSERT INTO new_a(b) SELECT b FROM a;\nDROP TABLE a;\nALTER TABLE new_a RENAME TO a;"
        )
    };
    for (sql, hint, better) in [
        (
            "ALTER TABLE a ADD COLUMN c TEXT NOT NULL;",
            "give the column a DEFAULT",
            "ALTER TABLE a ADD COLUMN c TEXT NOT NULL DEFAULT '';".to_owned(),
        ),
        (
            "ALTER TABLE a ADD COLUMN c TEXT UNIQUE;",
            "add the column without UNIQUE",
            "ALTER TABLE a ADD COLUMN c TEXT;\nCREATE UNIQUE INDEX a_c ON a(c);".to_owned(),
        ),
        (
            "ALTER TABLE a ADD COLUMN c TEXT DEFAULT (hex(randomblob(4)));",
            "copy the rows",
            rebuild("c TEXT DEFAULT (hex(randomblob(4)))"),
        ),
        ("ALTER TABLE a ADD COLUMN c INTEGER PRIMARY KEY;", "copy the rows", rebuild("c INTEGER PRIMARY KEY")),
        ("ALTER TABLE a ALTER COLUMN b TYPE TEXT;", "rebuild the table", rebuild("c TEXT")),
        ("ALTER TABLE a ADD CONSTRAINT x CHECK (b > 0);", "rebuild the table", rebuild("CHECK (b > 0)")),
    ] {
        sqlite(first, &[("1_a.up.sql", sql)], hint, &[("1_a.up.sql", &better)]);
    }
}
