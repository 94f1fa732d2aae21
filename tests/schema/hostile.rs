//! Scripts and schemas that would change the history, or lose rows through it: each is refused by name and changes
//! nothing, or it harms nothing.

use whimbrel::Error;
use whimbrel::error::Kind;
use whimbrel::schema::{Runner, RunnerOptions, To};

use crate::support::runner::{Postgres, Project};

/// The schema that every hostile script finds: two migrations, three rows, a child.
const BASE: [(&str, &str); 3] = [
    (
        "1_a.up.sql",
        "CREATE TABLE a(id INTEGER PRIMARY KEY, b INTEGER);\nINSERT INTO a VALUES (1, 1), (2, 2), (3, 3);\n\
         CREATE TABLE c(a INTEGER);\nINSERT INTO c VALUES (1), (2);",
    ),
    ("1_a.down.sql", "-- whimbrel: lossy\nDROP TABLE c;\nDROP TABLE a;"),
    ("2_b.up.sql", "CREATE TABLE b(c INTEGER);"),
];

/// What has to become of a script.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Fate {
    /// It is refused, in a sentence that has these words.
    Refused(&'static str),
    /// It runs, and history and rows are complete.
    Harmless,
}
use Fate::{Harmless, Refused};

/// How a hostile script is run.
#[derive(Clone, Copy, Debug)]
enum Way {
    Up,
    Down,
    UpByStatement,
    DownByStatement,
}

const WAYS: [Way; 4] = [Way::Up, Way::Down, Way::UpByStatement, Way::DownByStatement];

impl Way {
    fn is_up(self) -> bool {
        matches!(self, Way::Up | Way::UpByStatement)
    }

    fn header(self) -> &'static str {
        match self {
            Way::Up => "",
            Way::Down => "-- whimbrel: lossless\n",
            Way::UpByStatement => "-- whimbrel: no-transaction\n",
            Way::DownByStatement => "-- whimbrel: lossless\n-- whimbrel: no-transaction\n",
        }
    }

    /// The project with the hostile script as its third migration.
    fn project(self, script: &str) -> Project {
        let project = Project::new(&BASE);
        let hostile = format!("{}{script}", self.header());
        let (up, down) = match self.is_up() {
            true => (hostile.as_str(), "-- whimbrel: lossless\nSELECT 1;"),
            false => ("SELECT 1;", hostile.as_str()),
        };
        project.write("3_hostile.up.sql", up);
        project.write("3_hostile.down.sql", down);
        project
    }
}

/// What can be seen of the history and the rows.
type Seen = (Vec<(i64, String, String, String)>, Vec<i64>);

fn seen(runner: &mut Runner, count: impl Fn(&str) -> i64) -> Seen {
    let history = runner.history().unwrap_or_else(|error| panic!("the history cannot be read any more: {error}"));
    let rows = history.into_iter().map(|entry| (entry.version, entry.up_checksum, entry.applied_at, entry.remarks));
    (rows.collect(), vec![count("SELECT count(*) FROM a"), count("SELECT count(*) FROM c")])
}

/// Runs a hostile script one way; `run` is what opens a runner, `count` asks the database.
fn try_one(way: Way, script: &str, fate: Fate, open: impl Fn() -> Runner, count: impl Fn(&str) -> i64) {
    let told = |what: &str| format!("{way:?} {script:?}: {what}");
    open().up(To::Version(2)).unwrap();
    // A way back that could not be run is refused on the way up.
    let way_up = if way.is_up() { None } else { open().up(To::Newest).err() };
    let before = seen(&mut open(), &count);
    let applied = before.0.iter().any(|row| row.0 == 3);
    let result = match way_up {
        Some(error) => Err(error),
        None if way.is_up() => open().up(To::Newest),
        None => open().down(To::Steps(1)),
    };
    match (fate, &result) {
        (Refused(words), Err(error)) => {
            let all = format!("{error}; {}", error.way_out().unwrap_or_default());
            assert!(all.contains(words), "{}", told(&format!("`{words}` is not in `{all}`")));
        }
        (Refused(_), Ok(_)) => panic!("{}", told("it succeeded")),
        (Harmless, Err(error)) => panic!("{}", told(&error.to_string())),
        (Harmless, Ok(_)) => {}
    }
    let after = seen(&mut open(), &count);
    assert_eq!(after.1, before.1, "{}", told("rows"));
    let without = |seen: &Seen| -> Vec<_> { seen.0.iter().filter(|row| row.0 != 3).cloned().collect() };
    assert_eq!(without(&after), without(&before), "{}", told("other rows of the history"));
    let has_third = after.0.iter().any(|row| row.0 == 3);
    match (fate, way) {
        (Harmless, _) => assert_eq!(has_third, way.is_up(), "{}", told("its own row")),
        // Without a transaction the row stays, interrupted, and says how far the script came.
        (Refused(_), Way::UpByStatement) => {}
        (Refused(_), _) => assert_eq!(has_third, applied, "{}", told("its own row")),
    }
}

/// Each refused by SQLite's authorizer or by the reader of scripts, whatever way it is spelled.
const ON_SQLITE: [(&str, Fate); 44] = [
    ("DELETE FROM schema_migrations;", Refused("it would delete from the history `schema_migrations`")),
    ("DELETE FROM main.\"Schema_Migrations\" WHERE version = 1;", Refused("delete from the history")),
    ("UPDATE schema_migrations SET up_checksum = 'x' WHERE version = 1;", Refused("it would update the history")),
    ("UPDATE [schema_migrations] SET version = version + 100;", Refused("it would update the history")),
    (
        "INSERT INTO schema_migrations SELECT * FROM schema_migrations WHERE 0;",
        Refused("it would insert into the history"),
    ),
    ("REPLACE INTO schema_migrations(version) VALUES (1);", Refused("it would insert into the history")),
    ("DROP TABLE schema_migrations;", Refused("the history `schema_migrations`")),
    ("DROP TABLE IF EXISTS main.schema_migrations;", Refused("the history `schema_migrations`")),
    ("ALTER TABLE schema_migrations RENAME TO gone;", Refused("it would alter the history")),
    ("ALTER TABLE schema_migrations ADD COLUMN note TEXT;", Refused("it would alter the history")),
    ("ALTER TABLE schema_migrations DROP COLUMN remarks;", Refused("it would alter the history")),
    ("ALTER TABLE schema_migrations RENAME COLUMN name TO title;", Refused("it would alter the history")),
    (
        "CREATE TRIGGER t AFTER INSERT ON schema_migrations BEGIN DELETE FROM a; END;",
        Refused("it would put a trigger on the history"),
    ),
    (
        "CREATE TRIGGER t AFTER DELETE ON schema_migrations BEGIN DELETE FROM c; END;",
        Refused("it would put a trigger on the history"),
    ),
    (
        "CREATE TRIGGER t BEFORE INSERT ON schema_migrations BEGIN SELECT RAISE(IGNORE); END;",
        Refused("it would put a trigger on the history"),
    ),
    (
        "CREATE TEMP TRIGGER t BEFORE INSERT ON main.schema_migrations BEGIN SELECT RAISE(IGNORE); END;",
        Refused("it would put a trigger on the history"),
    ),
    ("CREATE UNIQUE INDEX i ON schema_migrations(state);", Refused("it would put an index on the history")),
    (
        "CREATE TRIGGER t AFTER UPDATE ON c BEGIN DELETE FROM schema_migrations; END;\nUPDATE c SET a = a;",
        Refused("the trigger `t` would write the history"),
    ),
    (
        "CREATE TRIGGER t AFTER UPDATE ON c BEGIN UPDATE schema_migrations SET name = 'x'; END;\nUPDATE c SET a = a;",
        Refused("the trigger `t` would write the history"),
    ),
    (
        "CREATE VIEW v AS SELECT * FROM schema_migrations;\nCREATE TRIGGER t INSTEAD OF DELETE ON v BEGIN \
         DELETE FROM schema_migrations WHERE version = OLD.version; END;\nDELETE FROM v;",
        Refused("the trigger `t` would write the history"),
    ),
    (
        "CREATE TEMP TRIGGER t AFTER UPDATE ON main.c BEGIN DELETE FROM schema_migrations; END;\nUPDATE c SET a = a;",
        Refused("the trigger `t` would write the history"),
    ),
    (
        "WITH gone AS (SELECT version FROM schema_migrations) DELETE FROM schema_migrations WHERE version IN gone;",
        Refused("it would delete from the history"),
    ),
    ("CREATE TABLE IF NOT EXISTS schema_migrations(version);", Refused("it would create the history")),
    ("DROP TABLE a;\nALTER TABLE c RENAME TO a;", Refused("table `a` had 3 rows")),
    ("DELETE FROM a;", Refused("table `a` had 3 rows and has 0")),
    (
        "CREATE TRIGGER t AFTER UPDATE ON c BEGIN DELETE FROM a; END;\nUPDATE c SET a = a;",
        Refused("table `a` had 3 rows and has 0"),
    ),
    ("CREATE TABLE IF NOT EXISTS a(id);\nDELETE FROM a;", Refused("table `a` had 3 rows and has 0")),
    ("PRAGMA writable_schema = ON;", Refused("writable_schema")),
    ("EXPLAIN PRAGMA writable_schema = ON;", Refused("`PRAGMA writable_schema` would change the connection")),
    ("EXPLAIN PRAGMA foreign_keys = ON;", Refused("`PRAGMA foreign_keys` would change the connection")),
    ("EXPLAIN QUERY PLAN PRAGMA recursive_triggers = ON;", Refused("`PRAGMA recursive_triggers` would change")),
    ("COMMIT;", Refused("controls the transaction")),
    ("EXPLAIN COMMIT;", Refused("it would end the transaction")),
    ("ATTACH ':memory:' AS other;", Refused("changes the connection")),
    ("INSERT INTO sqlite_schema VALUES ('table', 'x', 'x', 0, '');", Refused("sqlite_master may not be modified")),
    (
        "CREATE TEMP TABLE schema_migrations(version INTEGER, name TEXT);\nINSERT INTO schema_migrations VALUES (1, 'x');\n\
         DELETE FROM schema_migrations;",
        Harmless,
    ),
    ("SELECT * FROM schema_migrations;", Harmless),
    ("CREATE TABLE kept AS SELECT * FROM schema_migrations;", Harmless),
    // What the application would fire after the run.
    (
        "CREATE TRIGGER t AFTER INSERT ON b BEGIN DELETE FROM schema_migrations; END;",
        Refused("the trigger `t` would write the history"),
    ),
    (
        "CREATE TRIGGER q AFTER DELETE ON b BEGIN INSERT INTO [Schema_Migrations] SELECT 99, name, applied_at, up_checksum, \
         down_checksum, down_script, reversal, duration_ms, tool_version, state, statements_started, statements_finished, \
         finished_checksum, remarks FROM schema_migrations LIMIT 1; END;",
        Refused("the trigger `q` would write the history"),
    ),
    (
        "CREATE TRIGGER t AFTER UPDATE ON b BEGIN INSERT INTO nothing_yet VALUES (1); UPDATE OR IGNORE 'schema_migrations' \
         SET name = 'x'; END;",
        Refused("the trigger `t` would write the history"),
    ),
    (
        "CREATE TEMP TRIGGER t AFTER INSERT ON main.b BEGIN REPLACE INTO `schema_migrations`(version) VALUES (9); END;",
        Refused("the trigger `t` would write the history"),
    ),
    ("CREATE TRIGGER t AFTER INSERT ON b BEGIN INSERT INTO c SELECT version FROM schema_migrations; END;", Harmless),
    ("CREATE TABLE z(v REFERENCES schema_migrations(version) ON DELETE CASCADE);", Harmless),
];

#[test]
fn no_script_changes_the_history_of_a_sqlite_file() {
    for (script, fate) in ON_SQLITE {
        for way in WAYS {
            let project = way.project(script);
            try_one(way, script, fate, || project.runner(), |sql| project.number(sql));
        }
    }
}

#[test]
fn a_history_of_another_name_is_guarded_too() {
    let options = || RunnerOptions { history_table: "Done \"so\" far".to_owned(), ..RunnerOptions::default() };
    let project = Project::new(&BASE);
    project.write("3_c.up.sql", "DELETE FROM \"done \"\"so\"\" far\";");
    let error = project.runner_with(options()).up(To::Newest).unwrap_err();
    assert!(error.cause().contains("it would delete from the history `Done \"so\" far`"), "{error}");
    // The usual name is then a table like any other.
    project.write("3_c.up.sql", "CREATE TABLE schema_migrations(a);\nINSERT INTO schema_migrations VALUES (1);");
    project.runner_with(options()).up(To::Newest).unwrap();
}

/// What stands in the history's place or hangs on it before a run, and the words of the refusal.
const UNFIT_ON_SQLITE: [(&str, &str); 9] = [
    ("CREATE TRIGGER t AFTER INSERT ON schema_migrations BEGIN DELETE FROM a; END", "it has the trigger `t`"),
    ("CREATE TRIGGER t BEFORE DELETE ON schema_migrations BEGIN SELECT RAISE(IGNORE); END", "it has the trigger `t`"),
    ("CREATE INDEX i ON schema_migrations(name)", "it has the index `i`"),
    ("ALTER TABLE schema_migrations ADD COLUMN note TEXT", "its definition is not"),
    (
        "ALTER TABLE schema_migrations ADD COLUMN g TEXT GENERATED ALWAYS AS (name || version) VIRTUAL",
        "its definition is not",
    ),
    ("ALTER TABLE schema_migrations RENAME TO h; CREATE VIEW schema_migrations AS SELECT * FROM h", "it is a view"),
    (
        "ALTER TABLE schema_migrations RENAME TO h; CREATE VIRTUAL TABLE schema_migrations USING fts5(version, name, \
         applied_at, up_checksum, down_checksum, down_script, reversal, duration_ms, tool_version, state, \
         statements_started, statements_finished, finished_checksum, remarks)",
        "its definition is not",
    ),
    (
        "ALTER TABLE schema_migrations RENAME TO h; CREATE TABLE schema_migrations (version INTEGER PRIMARY KEY NOT NULL, \
         name TEXT NOT NULL, applied_at TEXT NOT NULL, up_checksum TEXT NOT NULL, down_checksum TEXT, down_script TEXT, \
         reversal TEXT NOT NULL, duration_ms INTEGER NOT NULL, tool_version TEXT NOT NULL, state TEXT NOT NULL, \
         statements_started INTEGER NOT NULL, statements_finished INTEGER NOT NULL, finished_checksum TEXT, \
         remarks TEXT NOT NULL) STRICT, WITHOUT ROWID; INSERT INTO schema_migrations SELECT * FROM h",
        "its definition is not",
    ),
    (
        "ALTER TABLE schema_migrations RENAME TO h; CREATE TABLE schema_migrations (version INTEGER PRIMARY KEY NOT NULL, \
         name TEXT NOT NULL, applied_at TEXT NOT NULL, up_checksum TEXT NOT NULL, down_checksum TEXT, down_script TEXT, \
         reversal TEXT NOT NULL, duration_ms INTEGER NOT NULL, tool_version TEXT NOT NULL, \
         state TEXT NOT NULL UNIQUE ON CONFLICT REPLACE, \
         statements_started INTEGER NOT NULL, statements_finished INTEGER NOT NULL, finished_checksum TEXT, \
         remarks TEXT NOT NULL) STRICT; INSERT INTO schema_migrations SELECT * FROM h WHERE version = 1",
        "its definition is not",
    ),
];

#[test]
fn a_sqlite_history_that_is_not_the_runners_own_is_refused_by_every_verb() {
    for (sql, words) in UNFIT_ON_SQLITE {
        let project = Project::new(&BASE);
        project.runner().up(To::Newest).unwrap();
        project.execute(sql);
        project.write("3_c.up.sql", "CREATE TABLE z(a);");
        refused_by_every_verb(|| project.runner(), sql, words);
        assert_eq!(project.number("SELECT count(*) FROM a"), 3, "{sql}");
        assert_eq!(project.number("SELECT count(*) FROM sqlite_schema WHERE name = 'z'"), 0, "{sql}");
    }
}

fn refused_by_every_verb(open: impl Fn() -> Runner, sql: &str, words: &str) {
    let verbs: [(&str, &dyn Fn() -> Option<Error>); 7] = [
        ("up", &|| open().up(To::Newest).err()),
        ("down", &|| open().down(To::Version(1)).err()),
        ("redo", &|| open().redo().err()),
        ("status", &|| open().status().err()),
        ("validate", &|| open().validate().err()),
        ("repair", &|| open().repair(1).err()),
        ("adopt", &|| open().adopt_sqlx().err()),
    ];
    for (verb, run) in verbs {
        let error = run().unwrap_or_else(|| panic!("{verb} after {sql}: it succeeded"));
        assert!(error.cause().contains(words), "{verb} after {sql}: {error}");
        assert!(error.way_out().is_some() && error.kind() == Kind::CouldNotRun, "{verb} after {sql}: {error:?}");
    }
}

#[test]
fn a_temporary_trigger_of_the_applications_connection_is_seen() {
    let project = Project::new(&BASE);
    project.runner().up(To::Version(1)).unwrap();
    let connection = project.connection();
    connection
        .execute_batch("CREATE TEMP TRIGGER t BEFORE INSERT ON main.schema_migrations BEGIN SELECT RAISE(IGNORE); END")
        .unwrap();
    let mut runner = Runner::on_connection(connection, project.migrations(), RunnerOptions::default());
    let error = runner.up(To::Newest).unwrap_err();
    assert!(error.cause().contains("it has the trigger `t`"), "{error}");
}

#[test]
fn what_a_trigger_of_the_applications_own_would_write_is_refused_as_it_fires() {
    let project = Project::new(&BASE);
    project.runner().up(To::Newest).unwrap();
    project.execute("CREATE TRIGGER own AFTER UPDATE ON c BEGIN DELETE FROM schema_migrations WHERE version = 1; END");
    project.write("3_c.up.sql", "UPDATE c SET a = a;");
    let error = project.runner().up(To::Newest).unwrap_err();
    assert!(error.cause().contains("it would delete from the history `schema_migrations`"), "{error}");
    assert_eq!(project.number("SELECT count(*) FROM schema_migrations"), 2);
}

#[test]
fn a_first_postgres_script_cannot_make_the_history_itself() {
    for script in [
        "CREATE TABLE schema_migrations(version bigint PRIMARY KEY);",
        "CREATE TABLE h(version bigint);\nALTER TABLE h RENAME TO schema_migrations;",
        "CREATE VIEW schema_migrations AS SELECT 1 AS version;",
    ] {
        let (project, postgres) = (Project::new(&[("1_a.up.sql", script)]), Postgres::new());
        let error = project.runner_for(&postgres.url).up(To::Newest).unwrap_err();
        assert!(error.cause().contains("migration `1_a` made something of that name itself"), "{script}: {error}");
        assert!(error.way_out().is_some_and(|hint| hint.contains("`--history-table`")), "{script}: {error:?}");
        assert_eq!(postgres.number("SELECT count(*) FROM pg_class WHERE relname = 'schema_migrations'"), 0, "{script}");
    }
}

#[test]
fn a_postgres_script_that_touches_the_history_is_named_and_what_is_to_be_done_can_be_done() {
    let (project, postgres) = (Project::new(&BASE), Postgres::new());
    project.runner_for(&postgres.url).up(To::Newest).unwrap();
    for (script, words) in [
        ("DELETE FROM schema_migrations WHERE version = 1;", "migration `3_c` changed rows of other migrations"),
        ("ALTER TABLE schema_migrations ADD COLUMN note text;", "migration `3_c` changed the table: its columns"),
        ("DROP TABLE schema_migrations;", "migration `3_c` dropped"),
    ] {
        project.write("3_c.up.sql", script);
        let error = project.runner_for(&postgres.url).up(To::Newest).unwrap_err();
        assert!(
            error.cause().contains(words) && error.cause().ends_with("; that was rolled back"),
            "{script}: {error}"
        );
        let hint = error.way_out().unwrap();
        assert!(hint.contains("take out what changes it") && !hint.contains("put the table back"), "{script}: {hint}");
        assert_eq!(postgres.number("SELECT count(*) FROM schema_migrations"), 2, "{script}");
    }
}

#[test]
fn a_first_script_cannot_make_the_history_itself() {
    for script in [
        "CREATE TABLE schema_migrations(version INTEGER PRIMARY KEY);",
        "CREATE VIEW schema_migrations AS SELECT 1 AS version;",
        "CREATE VIRTUAL TABLE schema_migrations USING fts5(version);",
        "CREATE TABLE h(version);\nALTER TABLE h RENAME TO schema_migrations;",
    ] {
        let project = Project::new(&[("1_a.up.sql", script)]);
        let error = project.runner().up(To::Newest).unwrap_err();
        assert!(error.to_string().contains("schema_migrations"), "{script}: {error}");
        assert!(!error.to_string().contains("duration_ms"), "it repeats what the runner would have made: {error}");
        assert!(error.way_out().is_some_and(|hint| hint.contains("`--history-table`")), "{script}: {error:?}");
        assert_eq!(project.number("SELECT count(*) FROM sqlite_schema"), 0, "{script}");
    }
}

/// Each runs as the server's superuser, who may do anything.
const ON_POSTGRES: [(&str, Fate); 40] = [
    ("DELETE FROM schema_migrations;", Refused("keep the history")),
    ("DELETE FROM schema_migrations WHERE version = 1;", Refused("changed rows of other migrations")),
    ("UPDATE schema_migrations SET up_checksum = 'x' WHERE version = 1;", Refused("changed rows of other migrations")),
    ("UPDATE schema_migrations SET remarks = remarks WHERE version = 1;", Refused("changed rows of other migrations")),
    ("TRUNCATE schema_migrations;", Refused("dropped, rewrote or gave away the table")),
    ("DROP TABLE schema_migrations;", Refused("keep the history")),
    ("ALTER TABLE schema_migrations RENAME TO gone;", Refused("keep the history")),
    (
        "ALTER TABLE schema_migrations RENAME TO gone;\nCREATE TABLE schema_migrations(LIKE gone INCLUDING ALL);\nINSERT INTO schema_migrations SELECT * FROM gone;",
        Refused("history"),
    ),
    ("ALTER TABLE schema_migrations ADD COLUMN note text;", Refused("its columns are not those")),
    ("ALTER TABLE schema_migrations ALTER COLUMN name TYPE varchar(100);", Refused("its columns are not those")),
    ("ALTER TABLE schema_migrations SET UNLOGGED;", Refused("it does not survive a crash")),
    ("ALTER TABLE schema_migrations ENABLE ROW LEVEL SECURITY;", Refused("row-level security")),
    ("CREATE POLICY p ON schema_migrations USING (version > 1);", Refused("it has the policy `p`")),
    ("CREATE RULE r AS ON INSERT TO schema_migrations DO INSTEAD NOTHING;", Refused("it has the rule `r`")),
    ("CREATE RULE r AS ON INSERT TO schema_migrations DO ALSO DELETE FROM a;", Refused("it has the rule `r`")),
    ("CREATE RULE r AS ON DELETE TO schema_migrations DO ALSO DELETE FROM a;", Refused("it has the rule `r`")),
    (
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN DELETE FROM a; RETURN NULL; END $$;\n\
         CREATE TRIGGER t BEFORE INSERT OR DELETE ON schema_migrations FOR EACH ROW EXECUTE FUNCTION f();",
        Refused("it has the trigger `t`"),
    ),
    (
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN DELETE FROM a; RETURN NULL; END $$;\n\
         CREATE TRIGGER t AFTER INSERT OR DELETE ON schema_migrations EXECUTE FUNCTION f();\n\
         ALTER TABLE schema_migrations ENABLE ALWAYS TRIGGER t;\nSET session_replication_role = replica;",
        Refused("it has the trigger `t`"),
    ),
    (
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN DELETE FROM schema_migrations WHERE version = 1; RETURN NULL; END $$;\n\
         CREATE TRIGGER t AFTER UPDATE ON c FOR EACH ROW EXECUTE FUNCTION f();\nUPDATE c SET a = a;",
        Refused("changed rows of other migrations"),
    ),
    (
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN DELETE FROM schema_migrations WHERE version = 1; RETURN NULL; END $$;\n\
         CREATE CONSTRAINT TRIGGER t AFTER UPDATE ON c DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION f();\n\
         UPDATE c SET a = a;",
        Refused("changed rows of other migrations"),
    ),
    // A rule of another table is seen before anything fires it; what is in a trigger's function is not.
    (
        "CREATE RULE r AS ON DELETE TO c DO ALSO DELETE FROM schema_migrations;",
        Refused("it has the rule `r` of `public.c`"),
    ),
    (
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN DELETE FROM schema_migrations; RETURN NULL; END $$;\n\
         CREATE TRIGGER t AFTER DELETE ON c EXECUTE FUNCTION f();",
        Harmless,
    ),
    ("CREATE TABLE child() INHERITS (schema_migrations);", Refused("it has the child table")),
    ("CREATE TABLE z(v bigint REFERENCES schema_migrations ON DELETE CASCADE);", Refused("it has the constraint")),
    ("CREATE UNIQUE INDEX i ON schema_migrations(name);", Refused("it has the index `public.i`")),
    (
        "CREATE FUNCTION f(bigint) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN DELETE FROM a; RETURN true; END $$;\n\
         ALTER TABLE schema_migrations ADD CONSTRAINT k CHECK (f(version)) NOT VALID;",
        Refused("it has the constraint `k`"),
    ),
    (
        "DO $$ BEGIN DELETE FROM schema_migrations WHERE version = 1; EXCEPTION WHEN division_by_zero THEN NULL; END $$;",
        Refused("changed rows of other migrations"),
    ),
    (
        "CREATE VIEW v AS SELECT * FROM schema_migrations;\nDELETE FROM v WHERE version = 1;",
        Refused("changed rows of other migrations"),
    ),
    ("COMMIT;", Refused("controls the transaction")),
    (
        "CREATE TEMP TABLE schema_migrations(version bigint);\nINSERT INTO schema_migrations VALUES (1);\nDROP TABLE schema_migrations;",
        Harmless,
    ),
    ("CREATE TEMP TABLE schema_migrations(version bigint);", Harmless),
    ("CREATE SCHEMA s;\nCREATE TABLE s.schema_migrations(version bigint);\nSET search_path = s;", Harmless),
    ("SET ROLE pg_monitor;", Harmless),
    ("SET SESSION AUTHORIZATION pg_monitor;", Harmless),
    ("SET statement_timeout = '1ms';", Harmless),
    ("SET client_encoding = 'LATIN1';", Harmless),
    ("SET session_replication_role = replica;", Harmless),
    ("DEALLOCATE ALL;", Harmless),
    ("SELECT pg_advisory_unlock_all();", Harmless),
    (
        "DO $$ BEGIN DELETE FROM schema_migrations; RAISE division_by_zero; EXCEPTION WHEN division_by_zero THEN NULL; END $$;",
        Harmless,
    ),
];

#[test]
fn no_script_changes_the_history_of_a_postgres_database() {
    on_postgres(0);
}

#[test]
fn no_other_script_changes_the_history_of_a_postgres_database() {
    on_postgres(1);
}

/// One half of the bank, every second script.
fn on_postgres(half: usize) {
    for (number, (script, fate)) in ON_POSTGRES.into_iter().enumerate().skip(half).step_by(2) {
        // Each takes a database of its own: of the ways statement by statement, every third.
        let ways = if number % 3 == 0 { &WAYS[..] } else { &WAYS[..2] };
        for way in ways.iter().copied() {
            let (project, postgres) = (way.project(script), Postgres::new());
            try_one(way, script, fate, || project.runner_for(&postgres.url), |sql| postgres.number(sql));
        }
    }
}

#[test]
fn what_runs_alone_on_postgres_is_compared_afterwards() {
    let (project, postgres) = (Project::new(&BASE), Postgres::new());
    project.write("3_c.up.sql", "-- whimbrel: no-transaction\nVACUUM FULL;\nDISCARD ALL;\nVACUUM;");
    project.runner_for(&postgres.url).up(To::Newest).unwrap();
    project.write(
        "4_d.up.sql",
        "CREATE PROCEDURE p() LANGUAGE plpgsql AS $$ BEGIN UPDATE schema_migrations SET name = 'x' WHERE version = 1; COMMIT; END $$;",
    );
    project.write("5_e.up.sql", "-- whimbrel: no-transaction\nCALL p();");
    let error = project.runner_for(&postgres.url).up(To::Newest).unwrap_err();
    assert!(error.cause().contains("the row of version 1 is not what this run has left there"), "{error}");
}

#[test]
fn a_trigger_that_puts_itself_off_until_after_the_last_look_is_told() {
    let (project, postgres) = (Project::new(&BASE), Postgres::new());
    project.write(
        "3_c.up.sql",
        "CREATE TABLE z(n int);\nCREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
         IF NEW.n < 1 THEN SET CONSTRAINTS ALL DEFERRED; INSERT INTO public.z VALUES (NEW.n + 1); \
         ELSE DELETE FROM public.schema_migrations WHERE version = 1; END IF; RETURN NULL; END $$;\n\
         CREATE CONSTRAINT TRIGGER t AFTER INSERT ON z DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION f();\n\
         INSERT INTO z VALUES (0);",
    );
    let error = project.runner_for(&postgres.url).up(To::Newest).unwrap_err();
    assert!(error.cause().contains("the row of version 1 is not what this run has left there"), "{error}");
    assert!(error.way_out().unwrap().contains("as a transaction was committed"), "{error:?}");
}

#[test]
fn a_postgres_history_that_is_not_the_runners_own_is_refused_by_every_verb() {
    for (sql, words) in [
        ("CREATE RULE r AS ON INSERT TO schema_migrations DO ALSO DELETE FROM a", "it has the rule `r`"),
        ("ALTER TABLE schema_migrations ENABLE ROW LEVEL SECURITY", "row-level security"),
        ("ALTER TABLE schema_migrations RENAME TO h; CREATE VIEW schema_migrations AS SELECT * FROM h", "it is a view"),
        (
            "ALTER TABLE schema_migrations RENAME TO h; CREATE MATERIALIZED VIEW schema_migrations AS SELECT * FROM h",
            "it is a materialized view",
        ),
        (
            "ALTER TABLE schema_migrations DROP COLUMN remarks; ALTER TABLE schema_migrations ADD COLUMN remarks text \
             NOT NULL GENERATED ALWAYS AS (name) STORED",
            "its columns are not those",
        ),
    ] {
        let (project, postgres) = (Project::new(&BASE), Postgres::new());
        project.runner_for(&postgres.url).up(To::Newest).unwrap();
        postgres.execute(sql);
        project.write("3_c.up.sql", "CREATE TABLE z(a int);");
        refused_by_every_verb(|| project.runner_for(&postgres.url), sql, words);
        assert_eq!(postgres.number("SELECT count(*) FROM a"), 3, "{sql}");
    }
}
