//! Taking over what another program has made: compared object by object, nothing run, nothing lost.

use whimbrel::error::Kind;
use whimbrel::schema::{Runner, RunnerOptions, State, To};

use crate::support::runner::{Postgres, Project};

const FIRST: &str = "CREATE TABLE events (\n    id INTEGER PRIMARY KEY AUTOINCREMENT,\n    source_app TEXT NOT NULL, -- who\n    \
                     payload TEXT NOT NULL CHECK (json_valid(payload))\n);\nCREATE INDEX idx_source_app ON events (source_app);\n\
                     INSERT INTO events (source_app, payload) VALUES ('seed', '{}');";

const SECOND: &str = "CREATE VIEW apps AS SELECT DISTINCT source_app FROM events;\n\
                      CREATE TRIGGER no_delete BEFORE DELETE ON events BEGIN SELECT RAISE(ABORT, 'kept'); END;";

fn migrations() -> Project {
    Project::new(&[
        ("1_events.up.sql", FIRST),
        ("1_events.down.sql", "-- whimbrel: lossy\nDROP TABLE events;"),
        ("2_apps.up.sql", SECOND),
        ("3_more.up.sql", "CREATE TABLE more(a);"),
    ])
}

/// As the application itself has made its file: other layout, IF NOT EXISTS, its own rows.
const APPLICATION: &str =
    "create table IF NOT EXISTS \"events\" (id integer primary key autoincrement, source_app text not null,
        payload text not null check(json_valid(payload)));
    CREATE INDEX IF NOT EXISTS idx_source_app ON events(source_app);
    INSERT INTO events (source_app, payload) VALUES ('own', '{}'), ('own', '[]');";

/// Another runner's history, as the document of the usage server has it.
const OTHER: &str =
    "CREATE TABLE schema_migrations (version INTEGER PRIMARY KEY, name TEXT NOT NULL, applied_at INTEGER NOT NULL);
    CREATE INDEX idx_schema_migrations_applied_at ON schema_migrations (applied_at);
    INSERT INTO schema_migrations VALUES (7, 'theirs', 1), (12, 'theirs too', 2);";

#[test]
fn a_file_with_the_same_objects_is_taken_over_and_goes_on_from_there() {
    let project = migrations();
    project.execute(APPLICATION);
    let adoption = project.runner().adopt(1, false).unwrap();
    assert_eq!(
        (adoption.versions.as_slice(), adoption.differences.len(), &adoption.other_history),
        ([1].as_slice(), 0, &None)
    );
    assert_eq!(project.number("SELECT count(*) FROM events"), 2, "a migration has run");
    let line = project.runner().status().unwrap().migrations.remove(0);
    assert_eq!(line.state, State::Applied);
    assert!(
        line.remarks.contains("adopted at version 1 by whimbrel") && line.remarks.contains("are those that"),
        "{}",
        line.remarks
    );
    project.runner().up(To::Newest).unwrap();
    assert!(project.runner().validate().unwrap().is_clean());
    assert!(project.runner().adopt(1, false).unwrap_err().cause().contains("has a history here already"));
}

#[test]
fn every_object_that_differs_is_named_and_nothing_is_written() {
    let project = migrations();
    project.execute(
        "CREATE TABLE events (id INTEGER PRIMARY KEY, source_app TEXT NOT NULL, payload TEXT NOT NULL, chat TEXT);
         CREATE INDEX idx_source_app ON events (source_app, id); CREATE TABLE stray(a);
         CREATE VIEW apps AS SELECT DISTINCT source_app FROM events",
    );
    let before = std::fs::read(project.database()).unwrap();
    let adoption = project.runner().adopt(2, false).unwrap();
    let told: Vec<String> = adoption.differences.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "index `idx_source_app` differs: the migrations make `CREATE INDEX idx_source_app ON events (source_app)`, there is \
             `CREATE INDEX idx_source_app ON events (source_app, id)`",
            "table `events` differs: `id INTEGER PRIMARY KEY` should be `id INTEGER PRIMARY KEY AUTOINCREMENT`; `payload TEXT NOT \
             NULL` should be `payload TEXT NOT NULL CHECK (json_valid(payload))`; no migration makes `chat TEXT`",
            "trigger `no_delete` is missing",
            "table `stray` is there, and no migration creates it",
        ]
    );
    let error = adoption.into_result().unwrap_err();
    assert_eq!(error.kind(), Kind::Differs);
    assert!(error.way_out().unwrap().contains("--accept-differences"));
    assert!(std::fs::read(project.database()).unwrap() == before, "the file was changed");
    let adoption = project.runner().adopt(2, true).unwrap();
    assert_eq!((adoption.versions.len(), adoption.differences.len()), (2, 4));
    let line = project.runner().status().unwrap().migrations.remove(1);
    assert!(line.remarks.contains("4 differences accepted"), "{}", line.remarks);
    assert_eq!(project.runner().validate().unwrap().drift.len(), 4, "they are still told");
}

#[test]
fn another_tools_history_of_the_same_name_stays_complete_under_another_one() {
    for other in [
        OTHER,
        "CREATE TABLE schema_migrations (version TEXT PRIMARY KEY); INSERT INTO schema_migrations VALUES ('7'), ('12')",
        "CREATE TABLE Schema_Migrations (version BIGINT, dirty BOOLEAN); INSERT INTO schema_migrations VALUES (7, 0), (12, 0)",
    ] {
        let project = migrations();
        project.execute(&format!("{APPLICATION} {other}"));
        let refused = project.runner().up(To::Newest).unwrap_err();
        assert!(refused.cause().contains("another tool"), "{refused}");
        assert!(refused.way_out().unwrap().contains("schema adopt --version N"), "{refused:?}");
        let adoption = project.runner().adopt(1, false).unwrap();
        let kept = adoption.other_history.unwrap();
        assert_eq!((kept.rows, kept.kept_as.as_str()), (2, "_whimbrel_other_history"));
        assert!(["7", "12"].contains(&kept.newest.unwrap().as_str()));
        assert_eq!(project.number("SELECT count(*) FROM _whimbrel_other_history"), 2);
        assert_eq!(project.number("SELECT count(*) FROM schema_migrations"), 1);
        project.runner().up(To::Newest).unwrap();
        let problems = project.runner().validate().unwrap().problems();
        assert!(problems.is_empty(), "{problems:?}");
    }
    // Under a name of our own theirs stays where it is.
    let project = migrations();
    project.execute(&format!("{APPLICATION} {OTHER}"));
    let named = RunnerOptions { history_table: "ours".to_owned(), ..RunnerOptions::default() };
    assert_eq!(project.runner_with(named.clone()).adopt(1, false).unwrap().other_history, None);
    project.runner_with(named.clone()).up(To::Newest).unwrap();
    assert!(project.runner_with(named).validate().unwrap().is_clean());
    assert_eq!(project.number("SELECT max(version) FROM schema_migrations"), 12);
}

#[test]
fn what_cannot_be_taken_over_is_refused_with_a_reason() {
    let project = migrations();
    project.execute(APPLICATION);
    let error = project.runner().adopt(9, false).unwrap_err();
    assert!(error.kind() == Kind::Usage && error.way_out().unwrap().contains("1, 2, 3"), "{error:?}");
    project.execute("CREATE VIEW schema_migrations AS SELECT 1 AS version");
    assert!(project.runner().adopt(1, false).unwrap_err().cause().contains("it is a view"));
    project.execute(&format!("DROP VIEW schema_migrations; {OTHER} CREATE TABLE _whimbrel_other_history(a)"));
    let error = project.runner().adopt(1, false).unwrap_err();
    assert!(error.cause().contains("already"), "{error}");
    assert_eq!(project.number("SELECT count(*) FROM schema_migrations"), 2);
    // An `up` that fails on what is there says where the way is.
    let project = migrations();
    project.execute(APPLICATION);
    let error = project.runner().up(To::Newest).unwrap_err();
    assert!(error.cause().contains("already exists") && error.way_out().unwrap().contains("schema adopt"), "{error:?}");
}

#[test]
fn a_database_of_postgres_is_taken_over_in_the_same_way() {
    let (project, postgres) = (
        Project::new(&[
            (
                "1_a.up.sql",
                "CREATE TABLE a(id int PRIMARY KEY, b text NOT NULL DEFAULT 'x');\nCREATE INDEX a_b ON a(b);\nINSERT INTO a VALUES (1);",
            ),
            ("2_b.up.sql", "CREATE VIEW v AS SELECT id FROM a;"),
        ]),
        Postgres::new(),
    );
    postgres.execute(
        "CREATE TABLE a(id int PRIMARY KEY, b varchar NOT NULL); CREATE INDEX a_b ON a(b);
         CREATE TABLE schema_migrations(version bigint PRIMARY KEY, dirty boolean NOT NULL, n serial);
         INSERT INTO schema_migrations VALUES (44, false)",
    );
    let runner = || project.runner_for(&postgres.url);
    let adoption = runner().adopt(1, false).unwrap();
    let told: Vec<String> = adoption.differences.iter().map(ToString::to_string).collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].starts_with("column `public.a.b` differs: the migrations make `text NOT NULL DEFAULT 'x'::text`"),
        "{told:?}"
    );
    assert_eq!(postgres.number("SELECT version FROM schema_migrations"), 44);
    postgres.execute("ALTER TABLE a ALTER b TYPE text, ALTER b SET DEFAULT 'x'");
    let adoption = runner().adopt(1, false).unwrap().into_result().unwrap();
    assert_eq!(adoption.other_history.unwrap().newest.as_deref(), Some("44"));
    assert_eq!(postgres.number("SELECT version FROM _whimbrel_other_history"), 44);
    assert_eq!(postgres.number("SELECT count(*) FROM a"), 0);
    runner().up(To::Newest).unwrap();
    let problems = runner().validate().unwrap().problems();
    assert!(problems.is_empty(), "{problems:?}");
    let scratch = Postgres::new();
    postgres.execute("DROP TABLE schema_migrations");
    let options = RunnerOptions { scratch_url: Some(scratch.url.clone()), ..RunnerOptions::default() };
    let with_scratch = || Runner::open_with(&postgres.url, project.migrations(), options.clone()).unwrap();
    assert_eq!(with_scratch().adopt(2, false).unwrap().versions, [1, 2]);
    assert!(with_scratch().validate().unwrap().is_clean(), "it is empty again");
    // What is left of a database's own is another matter: nothing is built in one that is not empty, and nothing is dropped.
    scratch.execute("CREATE TABLE mine(id int)");
    let error = with_scratch().validate().unwrap_err();
    assert!(
        error.cause() == "it is not empty: it has table `public.mine`" && error.kind() == Kind::CouldNotRun,
        "{error}"
    );
    assert!(error.way_out().unwrap().contains("`createdb`"));
    assert_eq!(scratch.number("SELECT count(*) FROM mine"), 0);
}

/// Whatever sets one schema of PostgreSQL apart from another is seen, each change by itself.
#[test]
fn every_change_of_a_schema_of_postgres_is_a_difference() {
    let (project, postgres) = (Project::new(&[("1_a.up.sql", "SELECT 1;")]), Postgres::new());
    postgres.execute(
        "CREATE TABLE users(id int PRIMARY KEY, org int, note text); CREATE POLICY p ON users USING (org = 1);
         CREATE INDEX users_org ON users (org); CREATE TYPE pair AS (a int, b text); CREATE VIEW v AS SELECT id FROM users WHERE org <> 3;
         CREATE TABLE par(id int, d date) PARTITION BY RANGE (d);
         CREATE TABLE par1 PARTITION OF par FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
         CREATE TABLE base(id int, z text); CREATE TABLE kid() INHERITS (base); CREATE SEQUENCE s;
         CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
         CREATE RULE r AS ON DELETE TO base DO INSTEAD NOTHING;
         CREATE TRIGGER t BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION touch(); CREATE TYPE span AS RANGE (subtype = int4);",
    );
    let objects = || project.runner_for(&postgres.url).objects().unwrap();
    let mut before = objects();
    for change in [
        "ALTER TABLE users ENABLE ROW LEVEL SECURITY",
        "ALTER TABLE users FORCE ROW LEVEL SECURITY",
        "ALTER TABLE users REPLICA IDENTITY FULL",
        "ALTER TABLE users REPLICA IDENTITY USING INDEX users_pkey",
        "ALTER TABLE users CLUSTER ON users_org",
        "ALTER TABLE users DISABLE TRIGGER t",
        "ALTER TABLE users SET (fillfactor = 50)",
        "ALTER TABLE users ALTER note SET DEFAULT 'x'",
        "ALTER TABLE users ALTER org SET NOT NULL",
        "CREATE STATISTICS st ON org, note FROM users",
        "CREATE TABLE \"USERS\"(id int)",
        "ALTER TABLE users ADD \"Note\" text",
        "CREATE INDEX \"USERS_ORG\" ON users (org)",
        "ALTER TYPE pair ADD ATTRIBUTE c int",
        "ALTER TYPE pair ALTER ATTRIBUTE b TYPE varchar(5)",
        "ALTER VIEW v SET (check_option = local)",
        "ALTER VIEW v SET (security_barrier = true)",
        "ALTER TABLE par DETACH PARTITION par1",
        "ALTER TABLE par ATTACH PARTITION par1 FOR VALUES FROM ('1990-01-01') TO ('1992-01-01')",
        "ALTER TABLE kid NO INHERIT base",
        "ALTER TABLE base DISABLE RULE r",
        "ALTER SEQUENCE s OWNED BY users.id",
        "ALTER SEQUENCE s INCREMENT 3",
        "DROP TYPE span; CREATE TYPE span AS RANGE (subtype = int4, subtype_diff = int4range_subdiff)",
        "CREATE COLLATION c FROM \"C\"",
        "ALTER TABLE base DROP id, ADD id int",
        "ALTER TABLE users ADD CONSTRAINT org_id CHECK (org > 0) NOT VALID",
        "COMMENT ON TABLE users IS 'people'",
        "ALTER TABLE users SET UNLOGGED",
    ] {
        postgres.execute(change);
        let after = objects();
        assert_ne!(before, after, "{change}");
        before = after;
    }
}

#[test]
fn a_name_in_quotes_is_not_the_value_that_it_spells() {
    let project = Project::new(&[(
        "1_t.up.sql",
        "CREATE TABLE t(id INTEGER PRIMARY KEY, at TEXT DEFAULT CURRENT_TIMESTAMP, n INT DEFAULT NULL, b INT DEFAULT TRUE);
         CREATE VIEW v AS SELECT id, 1 AS one, NULL AS nul FROM t; CREATE TABLE \"É\"(a);",
    )]);
    project.execute(
        "CREATE TABLE t(id INTEGER PRIMARY KEY, at TEXT DEFAULT \"current_timestamp\", n INT DEFAULT \"NULL\", b INT DEFAULT \"true\");
         CREATE VIEW v AS SELECT id, \"1\" AS one, \"null\" AS nul FROM t; CREATE TABLE \"É\"(a); CREATE TABLE \"é\"(a);",
    );
    let adoption = project.runner().adopt(1, false).unwrap();
    let told: Vec<String> = adoption.differences.iter().map(ToString::to_string).collect();
    assert_eq!(told.len(), 3, "{told:?}");
    for column in ["at TEXT DEFAULT CURRENT_TIMESTAMP", "n INT DEFAULT NULL", "b INT DEFAULT TRUE"] {
        assert!(told[0].contains(&format!("should be `{column}`")), "{told:?}");
    }
    assert!(told[1].starts_with("view `v` differs") && told[2].starts_with("table `é` is there"), "{told:?}");
}
