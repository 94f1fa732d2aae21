//! The first project from end to end: `migrations/vibing2`, filled with awkward rows, migrated as its `project.toml`
//! says, and looked at from every side that an application would look from.

use rusqlite::Connection;
use rusqlite::types::Value;
use sqlx::{Connection as _, Row, postgres::PgConnection};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use tempfile::TempDir;
use whimbrel::backup::manifest::Kind;
use whimbrel::backup::restore::{RestoreOptions, Which, restore};
use whimbrel::cancel::Cancel;
use whimbrel::endpoint::findings::DifferenceKind;
use whimbrel::endpoint::postgres::PostgresSource;
use whimbrel::endpoint::sqlite::checks::run_folder;
use whimbrel::endpoint::sqlite::optimize::{OptimizeOptions, optimize};
use whimbrel::endpoint::sqlite::record::{self, Definitions, Scope};
use whimbrel::endpoint::{PostgresUrl, Source};
use whimbrel::plan::Plan;
use whimbrel::project::{self, Project};
use whimbrel::provision::{Database, shared};
use whimbrel::schema::{Migrations, Runner, To};
use whimbrel::to_sqlite::{self, ApplySchema, Job, Outcome};

/// The nine tables, under both names.
const TABLES: [(&str, &str); 9] = [
    ("User", "users"),
    ("Account", "accounts"),
    ("Session", "sessions"),
    ("Project", "projects"),
    ("ProjectFile", "project_files"),
    ("Message", "messages"),
    ("TokenUsage", "token_usage"),
    ("ProjectCollaborator", "project_collaborators"),
    ("CollaborationInvite", "collaboration_invites"),
];

/// Every index that the application's document names: 21 of the first version, 3 of the second.
const INDEXES: [&str; 24] = [
    "idx_accounts_user",
    "idx_collaborators_project",
    "idx_collaborators_user",
    "idx_invites_project",
    "idx_invites_to_user",
    "idx_messages_created",
    "idx_messages_project",
    "idx_messages_role",
    "idx_project_files_language",
    "idx_project_files_path",
    "idx_project_files_project",
    "idx_projects_type",
    "idx_projects_updated",
    "idx_projects_user_id",
    "idx_projects_user_type",
    "idx_projects_user_updated",
    "idx_projects_visibility",
    "idx_sessions_expires",
    "idx_sessions_user",
    "idx_token_usage_endpoint",
    "idx_token_usage_user",
    "idx_users_created",
    "idx_users_email",
    "idx_users_plan",
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations/vibing2")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The files of a folder of the project whose names end like that, in order.
fn files(folder: &str, ending: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(self::folder().join(folder)).unwrap();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.to_str().unwrap().ends_with(ending));
    paths.sort();
    assert!(!paths.is_empty(), "{folder} has no {ending}");
    paths
}

fn project() -> &'static Project {
    static PROJECT: OnceLock<Project> = OnceLock::new();
    PROJECT.get_or_init(|| Project::load(&folder()).unwrap_or_else(|error| panic!("{error}")))
}

/// Applies the target's schema as the program does.
fn apply_schema(path: &Path) -> whimbrel::Result<()> {
    let folder = project().target_schema.as_deref().expect("the project has a target schema");
    project::apply_schema(folder, path, project().options.page_size_bytes)
}

#[tokio::main(flavor = "current_thread")]
async fn execute(url: &str, sql: String) {
    let mut connection = PgConnection::connect(url).await.unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

/// The first column of the first row as a number.
#[tokio::main(flavor = "current_thread")]
async fn ask(url: &str, sql: String) -> i64 {
    let mut connection = PgConnection::connect(url).await.unwrap();
    let row = sqlx::query(sqlx::AssertSqlSafe(sql)).fetch_one(&mut connection).await.unwrap();
    row.get(0)
}

/// A database with the source's schema and the rows of `fixtures/vibing2`.
fn source_database() -> Database {
    let database = shared().expect("a PostgreSQL server").create_database("vibing2").unwrap();
    let rows = read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/vibing2/rows.sql"));
    let schema: String = files("source", ".up.sql").iter().map(|path| read(path)).collect();
    execute(&database.url(), schema + &rows);
    database
}

fn connect(database: &Database) -> PostgresSource {
    PostgresSource::connect(&PostgresUrl::parse(&database.url()).unwrap(), &Cancel::new()).unwrap()
}

const APPLY: &ApplySchema<'static> = &apply_schema;

fn job(target: &Path) -> Job<'static> {
    let mut job = Job::new(target);
    job.options.run.choices = project().options.run.choices.clone();
    job.schema = Some(APPLY);
    job.options.checks.clone_from(&project().options.checks);
    job.options.run.level = project().options.run.level;
    job.options.journal_mode = project().options.journal_mode;
    job.options.page_size_bytes = project().options.page_size_bytes;
    job.options.run.metadata = project().options.run.metadata;
    job
}

fn migrate(source: &mut dyn Source, target: &Path) -> Outcome {
    to_sqlite::migrate(source, &job(target), &Cancel::new(), &|_| {}).unwrap_or_else(|error| panic!("{error}"))
}

/// One migration that the tests share; each works on a copy of its file.
struct Migrated {
    database: Database,
    outcome: Outcome,
    /// The file in rollback mode, so that a copy of it is whole.
    bytes: Vec<u8>,
}

fn migrated() -> &'static Migrated {
    static MIGRATED: OnceLock<Migrated> = OnceLock::new();
    MIGRATED.get_or_init(|| {
        let database = source_database();
        let directory = tempfile::tempdir().unwrap();
        let target = directory.path().join("vibing2.db");
        let outcome = migrate(&mut connect(&database), &target);
        outcome
            .ensure_published()
            .unwrap_or_else(|error| panic!("{error}: {:?}", outcome.verification.findings.checks));
        Migrated { database, outcome, bytes: fs::read(target).unwrap() }
    })
}

/// A copy of the migrated file and an open connection to it, with the pragmas of the project.
fn copy() -> (TempDir, PathBuf, Connection) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("copy.db");
    fs::write(&path, &migrated().bytes).unwrap();
    let connection = Connection::open(&path).unwrap();
    project().connection.apply(&connection).unwrap();
    (directory, path, connection)
}

fn number(connection: &Connection, sql: &str) -> i64 {
    connection.query_row(sql, [], |row| row.get(0)).unwrap_or_else(|error| panic!("{sql}: {error}"))
}

fn texts(connection: &Connection, sql: &str) -> Vec<String> {
    let mut statement = connection.prepare(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
    let rows = statement.query_map([], |row| row.get(0)).unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}

/// How many projects full-text search finds, and whether the index agrees with its content.
fn found(connection: &Connection, words: &str) -> i64 {
    connection
        .execute_batch("INSERT INTO projects_fts (projects_fts, rank) VALUES ('integrity-check', 1)")
        .unwrap_or_else(|error| panic!("the full text is stale: {error}"));
    connection
        .query_row(
            "SELECT count(*) FROM projects_fts JOIN projects ON projects.search_id = projects_fts.rowid
             WHERE projects_fts MATCH ?1 AND projects_fts.id = projects.id",
            [words],
            |row| row.get(0),
        )
        .unwrap()
}

/// Columns of the plan whose values are seconds, as (source table, source column, target table, target column).
fn times(plan: &Plan) -> Vec<(String, String, String, String)> {
    let columns = plan.tables.iter().flat_map(|table| table.columns.iter().map(move |column| (table, column)));
    let times = columns.filter(|(_, column)| column.representation.name() == "epoch-seconds");
    times
        .map(|(table, column)| {
            (table.source.name.clone(), column.source.clone(), table.target.clone(), column.target.clone())
        })
        .collect()
}

#[test]
fn all_nine_tables_are_carried_and_proven() {
    let Migrated { database, outcome, .. } = migrated();
    let (_directory, _, connection) = copy();
    assert_eq!(outcome.plan.tables.len(), 9);
    for (source, target) in TABLES {
        let rows = ask(&database.url(), format!("SELECT count(*) FROM \"{source}\""));
        assert!(rows >= 85 || source == "User", "{source} has only {rows} rows");
        assert_eq!(number(&connection, &format!("SELECT count(*) FROM {target}")), rows, "{target}");
        let check = outcome.verification.tables.iter().find(|check| check.target == target).unwrap();
        assert_eq!((check.source_rows, check.target_rows), (rows as u64, Some(rows as u64)));
        assert_eq!(check.same_values, Some(true), "{target}");
    }
    let verification = &outcome.verification;
    assert!(
        verification.is_sound() && verification.findings.not_checked.is_empty(),
        "{:?}",
        verification.findings.not_checked
    );
    assert!(verification.findings.integrity.is_some() && verification.findings.foreign_keys.is_some());
    assert_eq!(verification.findings.checks.len(), files("checks", ".sql").len());
    assert_eq!(texts(&connection, "PRAGMA journal_mode"), ["wal"]);
}

#[test]
fn what_is_not_carried_is_what_was_dropped_by_name() {
    let losses: Vec<_> =
        migrated().outcome.plan.losses.iter().map(|loss| format!("{} {}", loss.kind, loss.object)).collect();
    assert_eq!(losses, ["column public.Project.currentCode", "table public.VerificationToken"], "{losses:?}");
    for (loss, reason) in migrated().outcome.plan.losses.iter().zip(project().options.run.choices.drop.values()) {
        assert!(loss.reason.to_string().contains(reason), "{loss:?} does not tell `{reason}`");
    }
    // What the target has besides: the columns of an earlier generation, and the row id for the full text.
    let mut extra: Vec<_> = migrated().outcome.plan.caveats.iter().map(|caveat| caveat.object.as_str()).collect();
    extra.retain(|object| object.starts_with('`'));
    let expected =
        ["`messages.tokens_used`", "`messages.context_at_time`", "`messages.pfc_saved`", "`projects.search_id`"];
    assert_eq!(extra.iter().collect::<BTreeSet<_>>(), expected.iter().collect::<BTreeSet<_>>());
}

#[test]
fn every_key_index_and_action_of_the_source_has_its_place() {
    let (_directory, _, connection) = copy();
    let indexes =
        texts(&connection, "SELECT name FROM sqlite_schema WHERE type = 'index' AND name LIKE 'idx%' ORDER BY 1");
    assert_eq!(indexes, INDEXES);
    let keys = "SELECT count(*) FROM pragma_table_list AS t JOIN pragma_foreign_key_list(t.name) AS k
                WHERE t.schema = 'main'";
    assert_eq!(number(&connection, keys), 11);
    assert_eq!(number(&connection, &format!("{keys} AND k.on_delete = 'CASCADE' AND k.on_update = 'CASCADE'")), 11);
    // The statements are those of the target's files, comments included.
    let schema: String = files("target", ".up.sql").iter().map(|path| read(path)).collect();
    for sql in texts(
        &connection,
        "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE '\\_whimbrel%' ESCAPE '\\' AND name NOT LIKE 'projects_fts\\__%' ESCAPE '\\' AND name NOT LIKE 'sqlite_%' AND name <> 'schema_migrations'",
    ) {
        assert!(schema.contains(&sql), "{sql}");
    }
    assert_eq!(number(&connection, "SELECT count(*) FROM sqlite_schema WHERE type = 'trigger'"), 3);
    assert!(number(&connection, "SELECT count(*) FROM sqlite_stat1") >= 24, "statistics");
}

#[test]
fn seconds_are_integers_and_the_ledger_keeps_the_milliseconds() {
    let Migrated { database, outcome, .. } = migrated();
    let (_directory, _, connection) = copy();
    let times = times(&outcome.plan);
    assert_eq!(times.len(), 17);
    let mut entries = 0;
    for (table, column, target, target_column) in times {
        let not_integer =
            format!("SELECT count(*) FROM {target} WHERE typeof({target_column}) NOT IN ('integer', 'null')");
        assert_eq!(number(&connection, &not_integer), 0, "{target}.{target_column}");
        let seconds =
            format!("SELECT coalesce(sum(floor(extract(epoch FROM \"{column}\")))::bigint, 0) FROM \"{table}\"");
        let stored = format!("SELECT coalesce(sum({target_column}), 0) FROM {target}");
        assert_eq!(number(&connection, &stored), ask(&database.url(), seconds), "{target}.{target_column}");
        let with_milliseconds =
            format!("SELECT count(*) FROM \"{table}\" WHERE \"{column}\" <> date_trunc('second', \"{column}\")");
        let kept = format!(
            "SELECT count(*) FROM _whimbrel_ledger WHERE table_name = '{target}' AND column_name = '{target_column}'"
        );
        let expected = ask(&database.url(), with_milliseconds);
        assert!(expected > 0, "{table}.{column} has no milliseconds to lose");
        assert_eq!(number(&connection, &kept), expected, "{target}.{target_column}");
        entries += expected;
    }
    // Beside them only -0.0, of which SQLite keeps no sign.
    let negative_zeros = "SELECT (SELECT count(*) FROM \"User\" WHERE \"contextUsed\"::text = '-0')
                               + (SELECT count(*) FROM \"TokenUsage\" WHERE \"contextUsed\"::text = '-0')";
    let negative_zeros = ask(&database.url(), negative_zeros.into());
    assert!(negative_zeros > 0);
    assert_eq!(outcome.ledger_entries(), (entries + negative_zeros) as u64);
    assert_eq!(number(&connection, "SELECT count(*) FROM _whimbrel_ledger"), entries + negative_zeros);
    // One of them by name: the entry is the time as the source wrote it.
    let (seconds, exact): (i64, String) = connection
        .query_row(
            "SELECT projects.created_at, exact FROM projects JOIN _whimbrel_ledger
               ON table_name = 'projects' AND column_name = 'created_at' AND row_key = json_array(projects.id)
             WHERE created_at > 0 ORDER BY created_at LIMIT 1",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .expect("projects are filed under their id");
    let text: String = connection.query_row("SELECT datetime(?1, 'unixepoch')", [seconds], |row| row.get(0)).unwrap();
    assert!(exact.starts_with(&format!("{text}.")), "{exact} is not {text} and a fraction");
}

#[test]
fn defaults_of_the_target_are_numbers_of_seconds() {
    let (_directory, _, connection) = copy();
    connection
        .execute_batch(
            "INSERT INTO users (id, email, password) VALUES ('new', 'new@example.org', 'x');
             INSERT INTO projects (id, name, project_type, user_id) VALUES ('new', 'New', 'GAME', 'new')",
        )
        .unwrap();
    for table in ["users", "projects"] {
        let sql = format!(
            "SELECT count(*) FROM {table} WHERE id = 'new' AND typeof(created_at) = 'integer' AND updated_at = created_at
             AND abs(created_at - unixepoch()) < 60"
        );
        assert_eq!(number(&connection, &sql), 1, "{table}");
    }
    assert_eq!(texts(&connection, "SELECT active_agents FROM projects WHERE id = 'new'"), ["[]"]);
}

#[test]
fn full_text_follows_every_change() {
    let (_directory, _, connection) = copy();
    assert!(found(&connection, "rocket") > 0, "the migrated rows are found");
    assert_eq!(found(&connection, "naïve"), found(&connection, "naive"), "marks do not matter");
    let projects =
        number(&connection, "SELECT count(*) FROM projects WHERE name LIKE '%tetris%' OR description LIKE '%tetris%'");
    assert!(projects > 0);
    assert_eq!(found(&connection, "tetris"), projects);

    connection.execute("UPDATE projects SET name = replace(name, 'Tetris', 'Quaternion')", []).unwrap();
    connection.execute("UPDATE projects SET description = replace(description, 'Tetris', 'Quaternion')", []).unwrap();
    assert_eq!((found(&connection, "tetris"), found(&connection, "quaternion")), (0, projects));
    // An upsert is an update.
    let upsert = "INSERT INTO projects (id, name, project_type, user_id) SELECT id, 'zeppelin', 'GAME', user_id
                  FROM projects WHERE search_id = 1 ON CONFLICT (id) DO UPDATE SET name = excluded.name";
    connection.execute(upsert, []).unwrap();
    assert_eq!(found(&connection, "zeppelin"), 1);
    let other = "UPDATE projects SET likes = likes + 1, id = id || 'x'";
    connection.execute(other, []).unwrap();
    assert_eq!(
        found(&connection, "quaternion + clone"),
        found(&connection, "quaternion"),
        "ids changed, words did not"
    );

    let gone: String =
        connection.query_row("SELECT user_id FROM projects WHERE search_id = 1", [], |row| row.get(0)).unwrap();
    connection.execute("DELETE FROM users WHERE id = ?1", [&gone]).unwrap();
    assert_eq!(found(&connection, "zeppelin"), 0, "a cascade takes the words along");
    connection.execute("DELETE FROM projects", []).unwrap();
    assert_eq!((found(&connection, "quaternion"), found(&connection, "rocket")), (0, 0));
    assert_eq!(number(&connection, "SELECT count(*) FROM messages"), 0);
}

#[test]
fn full_text_survives_a_vacuum() {
    let (_directory, path, connection) = copy();
    // Gaps, so that numbers given out afresh would differ.
    connection.execute("DELETE FROM projects WHERE search_id % 3 = 0", []).unwrap();
    let pairs = "SELECT search_id || ' ' || id FROM projects ORDER BY id";
    let before = (texts(&connection, pairs), found(&connection, "rocket"));
    connection.execute_batch("VACUUM").unwrap();
    assert_eq!((texts(&connection, pairs), found(&connection, "rocket")), before);
    drop(connection);
    // Nor has `whimbrel optimize` anything to rebuild.
    let options = OptimizeOptions { vacuum: true, wait_ms: 0, cancel: Cancel::new().flag() };
    let optimized = optimize(&path, &options).unwrap();
    assert!(optimized.rebuilt.is_empty() && optimized.vacuumed, "{optimized:?}");
    assert_eq!(found(&Connection::open(&path).unwrap(), "rocket"), before.1);
}

#[test]
fn full_text_survives_a_rebuilt_table_where_the_documents_own_would_not() {
    // A table is rebuilt by every change that ALTER TABLE does not know, and by a dump that is read back. Implicit row
    // ids are given out afresh there. VACUUM may do so, too, says SQLite, though 3.51 spares tables that have an index.
    let lasting = [("search_id INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE", "search_id", true)];
    let documents_own = [("id TEXT PRIMARY KEY NOT NULL", "rowid", false)];
    for (key, rowid, right) in lasting.into_iter().chain(documents_own) {
        let connection = Connection::open_in_memory().unwrap();
        connection
            .execute_batch(&format!(
                "CREATE TABLE projects ({key}, name TEXT NOT NULL);
                 INSERT INTO projects (id, name) VALUES ('a', 'anchor'), ('b', 'balloon'), ('c', 'compass');
                 DELETE FROM projects WHERE id = 'a';
                 CREATE VIRTUAL TABLE projects_fts USING fts5 (name, content = 'projects', content_rowid = '{rowid}');
                 INSERT INTO projects_fts (projects_fts) VALUES ('rebuild');"
            ))
            .unwrap();
        let find = format!(
            "SELECT projects.id FROM projects_fts JOIN projects ON projects.{rowid} = projects_fts.rowid
             WHERE projects_fts MATCH 'balloon'"
        );
        assert_eq!(texts(&connection, &find), ["b"]);
        connection
            .execute_batch(&format!(
                "CREATE TABLE rebuilt ({key}, name TEXT NOT NULL, stars INTEGER CHECK (stars >= 0));
                 INSERT INTO rebuilt SELECT *, 0 FROM projects;
                 DROP TABLE projects; ALTER TABLE rebuilt RENAME TO projects"
            ))
            .unwrap();
        assert_eq!(texts(&connection, &find) == ["b"], right, "{key}: {:?}", texts(&connection, &find));
    }
}

/// What makes a check find something.
const VIOLATIONS: [(&str, &str); 16] = [
    ("active_agents_json.sql", "UPDATE projects SET active_agents = '[' WHERE search_id = 1"),
    ("collaborator_roles.sql", "UPDATE project_collaborators SET role = 'OWNER' WHERE rowid = 1"),
    ("duplicate_emails.sql", "UPDATE users SET email = 'same' WHERE rowid IN (1, 2)"),
    (
        "full_text_rows.sql",
        "INSERT INTO projects_fts (projects_fts, rowid, id, name, description)
         SELECT 'delete', search_id, id, name, description FROM projects WHERE search_id = 1",
    ),
    ("invite_status.sql", "UPDATE collaboration_invites SET status = 'EXPIRED' WHERE rowid = 1"),
    ("message_roles.sql", "UPDATE messages SET role = 'tool' WHERE rowid = 1"),
    ("orphaned_accounts.sql", "UPDATE accounts SET user_id = 'nobody' WHERE rowid = 1"),
    ("orphaned_collaborators.sql", "UPDATE project_collaborators SET project_id = 'nothing' WHERE rowid = 1"),
    ("orphaned_invites.sql", "UPDATE collaboration_invites SET to_user_id = 'nobody' WHERE rowid = 1"),
    ("orphaned_messages.sql", "UPDATE messages SET project_id = 'nothing' WHERE rowid = 1"),
    ("orphaned_project_files.sql", "UPDATE project_files SET project_id = 'nothing' WHERE rowid = 1"),
    ("orphaned_projects.sql", "UPDATE projects SET user_id = 'nobody' WHERE search_id = 1"),
    ("orphaned_sessions.sql", "UPDATE sessions SET user_id = 'nobody' WHERE rowid = 1"),
    ("orphaned_token_usage.sql", "UPDATE token_usage SET user_id = 'nobody' WHERE rowid = 1"),
    ("project_visibility.sql", "UPDATE projects SET visibility = 'public' WHERE search_id = 1"),
    (
        "times_in_seconds.sql",
        "UPDATE sessions SET expires = expires * 1000 WHERE expires > 1e9 AND expires < 1e10 LIMIT 1",
    ),
];

#[test]
fn each_check_finds_its_own_violation_and_no_other() {
    let names: Vec<_> = files("checks", ".sql").iter().map(|path| path.file_name().unwrap().to_owned()).collect();
    assert_eq!(names, VIOLATIONS.map(|(name, _)| name), "each check has a violation here");
    for (name, violation) in VIOLATIONS {
        let (_directory, path, connection) = copy();
        connection.execute_batch("PRAGMA foreign_keys = OFF").unwrap();
        if name == "duplicate_emails.sql" {
            without_unique_emails(&connection);
        }
        let statement = violation.replace(
            " LIMIT 1",
            " AND rowid = (SELECT min(rowid) FROM sessions WHERE expires > 1e9 AND expires < 1e10)",
        );
        connection.execute(&statement, []).unwrap_or_else(|error| panic!("{name}: {error}"));
        drop(connection);
        let outcomes = run_folder(&path, &folder().join("checks"), 5, &Cancel::new().flag()).unwrap();
        let firing: Vec<_> = outcomes.iter().filter(|outcome| outcome.violations > 0).collect();
        assert_eq!(firing.iter().map(|outcome| outcome.file.as_str()).collect::<Vec<_>>(), [name]);
        assert_eq!(firing[0].violations, 1, "{name}: {:?}", firing[0].rows);
        assert_ne!(firing[0].title, name, "it has a title");
        assert!(!firing[0].columns.is_empty());
    }
}

/// The key that makes duplicates impossible, taken away: a file from elsewhere may not have it.
fn without_unique_emails(connection: &Connection) {
    let sql: String =
        connection.query_row("SELECT sql FROM sqlite_schema WHERE name = 'users'", [], |row| row.get(0)).unwrap();
    let looser = sql
        .replace("email          TEXT NOT NULL UNIQUE", "email          TEXT NOT NULL")
        .replace("users (", "looser (");
    assert_ne!(looser.len(), sql.len() + 1);
    connection
        .execute_batch(&format!(
            "PRAGMA legacy_alter_table = ON; {looser}; INSERT INTO looser SELECT * FROM users; DROP TABLE users;
             ALTER TABLE looser RENAME TO users"
        ))
        .unwrap();
}

/// A parameter's value for every name that the queries use.
fn parameters(connection: &Connection) -> BTreeMap<&'static str, Value> {
    let value = |sql: &str| connection.query_row(sql, [], |row| row.get(0)).unwrap();
    let busiest = "SELECT user_id FROM projects WHERE name LIKE '%rocket%' AND user_id IN (SELECT user_id FROM project_collaborators)
        AND user_id IN (SELECT user_id FROM token_usage) AND user_id IN (SELECT to_user_id FROM collaboration_invites WHERE status = 'PENDING')
        ORDER BY user_id LIMIT 1";
    let of =
        |column: &str, table: &str| value(&format!("SELECT {column} FROM {table} ORDER BY {column} LIMIT 1 OFFSET 7"));
    let of_session =
        |column: &str| value(&format!("SELECT {column} FROM sessions WHERE expires > 1e9 ORDER BY expires LIMIT 1"));
    let of_file = |column: &str| {
        value(&format!(
            "SELECT {column} FROM project_files JOIN messages USING (project_id) ORDER BY project_files.id LIMIT 1"
        ))
    };
    let of_account = |column: &str| value(&format!("SELECT {column} FROM accounts ORDER BY rowid LIMIT 1"));
    BTreeMap::from([
        (":user_id", value(busiest)),
        (":email", of("email", "users")),
        (":session_token", of_session("session_token")),
        (":now", of_session("expires - 1")),
        (":provider", of_account("provider")),
        (":provider_account_id", of_account("provider_account_id")),
        (":project_type", value(&format!("SELECT project_type FROM projects WHERE user_id = ({busiest})"))),
        (":project_id", of_file("project_id")),
        (":path", of_file("path")),
        (":before", Value::Integer(i64::MAX)),
        (":since", Value::Integer(0)),
        (":words", Value::Text("rocket".into())),
    ])
}

#[test]
fn typical_queries_answer_and_go_by_an_index() {
    let (_directory, _, connection) = copy();
    let values = parameters(&connection);
    let queries = files("queries", ".sql");
    assert!(queries.len() >= 12);
    let mut used = BTreeSet::new();
    for path in queries {
        let name = path.file_name().unwrap().to_str().unwrap();
        let sql = read(&path);
        let comments: Vec<_> = sql.lines().take_while(|line| line.starts_with("--")).collect();
        let mut statement = connection.prepare(&sql).unwrap_or_else(|error| panic!("{name}: {error}"));
        for place in 1..=statement.parameter_count() {
            let parameter = statement.parameter_name(place).expect("parameters have names").to_owned();
            let documented = comments.iter().any(|line| line.starts_with(&format!("-- {parameter} ")));
            assert!(documented, "{name} does not say what {parameter} is");
            let (known, value) =
                values.get_key_value(parameter.as_str()).unwrap_or_else(|| panic!("{name}: {parameter}"));
            used.insert(*known);
            statement.raw_bind_parameter(place, value).unwrap();
        }
        let row = statement.raw_query().next().unwrap().is_some();
        assert!(row, "{name} finds nothing");
        drop(statement);
        let mut plan = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let mut steps = plan.raw_query();
        while let Some(step) = steps.next().unwrap() {
            let step: String = step.get(3).unwrap();
            let scan = step.starts_with("SCAN") && !step.contains("VIRTUAL TABLE INDEX");
            assert!(!scan && !step.contains("AUTOMATIC"), "{name}: {step}");
        }
    }
    assert_eq!(used.len(), values.len(), "every parameter is one of a query");
}

#[test]
fn a_second_run_backs_up_the_first_and_rollback_brings_it_back() {
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("vibing2.db");
    fs::write(&target, &migrated().bytes).unwrap();
    let connection = Connection::open(&target).unwrap();
    connection.execute("UPDATE users SET name = 'written since' WHERE rowid = 1", []).unwrap();
    let names = "SELECT count(*) FROM users WHERE name = 'written since'";
    let users = "SELECT count(*) FROM users";
    let before = number(&connection, users);
    drop(connection);

    let copy = migrated().database.create_copy("vibing2");
    let database = copy.expect("a copy of the source");
    execute(&database.url(), "DELETE FROM \"User\" WHERE \"plan\" = 'PRO'".into());
    let outcome = migrate(&mut connect(&database), &target);
    let published = outcome.published.expect("the second run publishes");
    assert_eq!(published.backup.kind, Kind::Database);
    let connection = Connection::open(&target).unwrap();
    assert_eq!(number(&connection, names), 0);
    let after = number(&connection, users);
    assert!(after < before);
    drop(connection);

    let cancel = Cancel::new().flag();
    let options = RestoreOptions { directory: None, wait_ms: 0, cancel: &cancel };
    let restored = restore(&target, &Which::Id(published.backup.id.clone()), options).unwrap();
    assert_eq!(restored.restored.id, published.backup.id);
    let connection = Connection::open(&target).unwrap();
    assert_eq!((number(&connection, names), number(&connection, users)), (1, before));
    assert!(found(&connection, "rocket") > 0);
    drop(connection);
    // And back again: rolling back was backed up, too.
    restore(&target, &Which::Id(restored.replaced.id), options).unwrap();
    assert_eq!(number(&Connection::open(&target).unwrap(), users), after);
}

#[test]
fn without_a_drop_by_name_the_plan_names_exactly_what_has_no_place() {
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("vibing2.db");
    let mut job = job(&target);
    job.options.run.choices.drop.clear();
    let mut source = connect(&migrated().database);
    let (_, plan) = to_sqlite::plan(&mut source, &job).unwrap();
    let refused: Vec<_> = plan.refusals.iter().map(|refusal| refusal.object()).collect();
    assert_eq!(refused, ["column public.Project.currentCode", "table public.VerificationToken"]);
    for (refusal, key) in plan.refusals.iter().zip(["Project.currentCode", "VerificationToken"]) {
        assert!(refusal.way_out().contains(&format!("drop.\"{key}\"")), "{refusal:?}");
    }
    let error = to_sqlite::migrate(&mut connect(&migrated().database), &job, &Cancel::new(), &|_| {}).unwrap_err();
    assert!(error.cause().contains("currentCode") && error.cause().contains("VerificationToken"), "{error}");
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0, "nothing is left of the attempt");
}

#[test]
fn what_a_target_schema_leaves_out_is_listed() {
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("vibing2.db");
    let looser = |path: &Path| -> whimbrel::Result<()> {
        let mut sql: String = files("target", ".up.sql").iter().map(|path| read(path)).collect();
        for (from, to) in [
            (
                "to_user_id   TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE ON UPDATE CASCADE",
                "to_user_id   TEXT NOT NULL",
            ),
            (
                "from_user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE ON UPDATE CASCADE",
                "from_user_id TEXT NOT NULL REFERENCES users (id) ON DELETE SET NULL",
            ),
            ("plan           TEXT NOT NULL DEFAULT 'FREE'", "plan           TEXT DEFAULT 'FREE'"),
            ("visibility    TEXT NOT NULL DEFAULT 'PRIVATE'", "visibility    TEXT NOT NULL"),
            ("email          TEXT NOT NULL UNIQUE", "email          TEXT NOT NULL"),
            ("CREATE INDEX idx_token_usage_endpoint ON token_usage (endpoint);", ""),
            // A full text without content of its own or of others has nothing to be rebuilt from.
            ("-- Full text of", "CREATE VIRTUAL TABLE words USING fts5 (word, content = '');\n-- "),
        ] {
            assert_eq!(sql.matches(from).count(), 1, "{from}");
            sql = sql.replace(from, to);
        }
        Connection::open(path).unwrap().execute_batch(&sql).unwrap();
        Ok(())
    };
    let mut job = job(&target);
    job.schema = Some(&looser);
    job.options.checks = None;
    let outcome = to_sqlite::migrate(&mut connect(&migrated().database), &job, &Cancel::new(), &|_| {}).unwrap();
    outcome.ensure_published().unwrap();
    let losses: BTreeSet<_> =
        outcome.plan.losses.iter().map(|loss| format!("{} {}: {}", loss.kind, loss.object, loss.reason)).collect();
    for expected in [
        "foreign key public.CollaborationInvite.CollaborationInvite_toUserId_fkey: the target schema does not have it",
        "foreign key action public.CollaborationInvite.CollaborationInvite_fromUserId_fkey: the source says ON DELETE CASCADE, \
         the target schema ON DELETE SET NULL",
        "foreign key action public.CollaborationInvite.CollaborationInvite_fromUserId_fkey: the source says ON UPDATE CASCADE, \
         the target schema ON UPDATE NO ACTION",
        "not null public.User.plan: the target schema allows NULL there",
        "default public.Project.visibility: `'PRIVATE'::text`: the target schema has none for it",
        "index User_email_key on public.User: the target schema does not have it",
        "index TokenUsage_endpoint_idx on public.TokenUsage: the target schema does not have it",
    ] {
        assert!(losses.contains(expected), "{expected} is not among {losses:#?}");
    }
    assert_eq!(losses.len(), 9, "{losses:#?}");
}

#[test]
fn a_row_that_breaks_a_check_is_not_published() {
    let database = migrated().database.create_copy("vibing2").expect("a copy of the source");
    execute(&database.url(), "UPDATE \"Project\" SET \"activeAgents\" = '{' WHERE \"projectType\" = 'GAME'".into());
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("vibing2.db");
    let outcome = migrate(&mut connect(&database), &target);
    assert!(outcome.published.is_none());
    let error = outcome.ensure_published().unwrap_err().to_string();
    assert!(error.contains("active_agents_json.sql"), "{error}");
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
}

/// Up, down to nothing, and up again, by the program's own runner.
fn up_and_down(endpoint: &str, schema: &str, versions: usize) -> Runner {
    let migrations = Migrations::from_dir(folder().join(schema)).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(migrations.len(), versions);
    let mut runner = Runner::open(endpoint, migrations).unwrap();
    for (up, steps) in [(true, versions), (false, versions), (true, versions)] {
        let report = if up { runner.up(To::Newest) } else { runner.down(To::Version(0)) };
        assert_eq!(report.unwrap_or_else(|error| panic!("{error}")).steps.len(), steps);
    }
    runner.validate().and_then(whimbrel::schema::Findings::into_result).unwrap_or_else(|error| panic!("{error}"));
    runner
}

#[test]
fn both_schemas_go_up_and_down() {
    let database = shared().expect("a PostgreSQL server").create_database("vibing2").unwrap();
    let mut source = up_and_down(&database.url(), "source", 1);
    let tables = "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
                  AND relname <> 'schema_migrations'";
    assert_eq!(ask(&database.url(), tables.into()), 10);
    source.down(To::Version(0)).unwrap();
    assert_eq!(ask(&database.url(), tables.into()), 0);

    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("schema.db");
    let mut target = up_and_down(path.to_str().unwrap(), "target", 2);
    let objects =
        "SELECT count(*) FROM sqlite_schema WHERE tbl_name <> 'schema_migrations' AND name NOT LIKE 'sqlite_%'";
    let count = || number(&Connection::open(&path).unwrap(), objects);
    assert_eq!(count(), 9 + 24 + 3 + 5, "tables, indexes, triggers, the full text and what is behind it");
    target.down(To::Steps(1)).unwrap();
    assert_eq!(count(), 9 + 21 + 3 + 5, "the second version is indexes only");
    target.down(To::Version(0)).unwrap();
    assert_eq!(count(), 0);
}

#[test]
fn a_lossless_down_keeps_the_rows() {
    let (_directory, _, connection) = copy();
    let counts = || TABLES.map(|(_, table)| number(&connection, &format!("SELECT count(*) FROM {table}")));
    for file in files("target", ".down.sql").iter().rev() {
        let sql = read(file);
        let lossless = sql.starts_with("-- whimbrel: lossless\n");
        assert!(lossless || sql.starts_with("-- whimbrel: lossy\n"), "{}", file.display());
        let before = counts();
        connection.execute_batch(&format!("BEGIN; {sql}; COMMIT")).unwrap_or_else(|error| panic!("{error}"));
        if lossless {
            assert_eq!(counts(), before);
        }
    }
    let left = "SELECT count(*) FROM sqlite_schema WHERE name NOT LIKE '\\_whimbrel%' ESCAPE '\\'
                AND name NOT LIKE 'sqlite%' AND name <> 'schema_migrations'";
    assert_eq!(number(&connection, left), 0);
}

#[test]
fn verify_notices_what_is_gone_from_the_given_schema() {
    let (_directory, path, connection) = copy();
    connection
        .execute_batch(
            "DROP INDEX idx_messages_role; DROP TRIGGER projects_fts_delete; DROP INDEX idx_users_plan;
             CREATE INDEX idx_users_plan ON users (plan) WHERE plan <> 'FREE'",
        )
        .unwrap();
    drop(connection);
    let planned = &migrated().outcome.plan.tables;
    let scope = Scope { planned, definitions: Definitions::All, metadata: true, published: true };
    let found = record::compare(&Connection::open(&path).unwrap(), scope).unwrap().differences;
    let found: Vec<_> = found.iter().filter(|one| one.kind == DifferenceKind::Definition).collect();
    assert_eq!(found.len(), 3, "{found:?}");
    for (found, name) in found.iter().zip(["idx_messages_role", "idx_users_plan", "projects_fts_delete"]) {
        assert!(found.text.contains(name), "{found:?} is not about {name}");
    }
}

#[test]
fn the_command_line_runs_the_project() {
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("vibing2.db");
    let ends_with = |code: i32, verb: &str, arguments: &[&std::ffi::OsStr]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_whimbrel"));
        let output = command.arg(verb).args(arguments).output().unwrap();
        let told = String::from_utf8(output.stdout).unwrap() + std::str::from_utf8(&output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{verb}: {told}");
        told
    };
    let run = |verb: &str, arguments: &[&std::ffi::OsStr]| ends_with(0, verb, arguments);
    let (folder, url) = (folder(), migrated().database.url());
    let arguments = [folder.as_os_str(), url.as_ref(), target.as_os_str()];
    let told = run("migrate", &arguments);
    assert!(!told.contains("0 indexes"), "the given schema has 24: {told}");
    for word in ["Project.currentCode", "VerificationToken", "active_agents_json.sql"] {
        assert!(told.contains(word), "`{word}` is not told: {told}");
    }
    run("verify", &arguments);
    let connection = Connection::open(&target).unwrap();
    connection.execute_batch("CREATE TABLE settings (id INTEGER PRIMARY KEY)").unwrap();
    drop(connection);
    assert!(ends_with(1, "verify", &arguments).contains("table `settings` has been added"));
    let checks = folder.join("checks");
    let told = run("check", &[target.as_os_str(), "--checks".as_ref(), checks.as_os_str()]);
    assert!(told.contains("changed since it was made (1):\n  table `settings` has been added"), "{told}");
    assert_eq!(number(&Connection::open(&target).unwrap(), "SELECT count(*) FROM messages"), 900);
}

#[test]
fn the_connections_pragmas_have_effect() {
    let (_directory, _, connection) = copy();
    for (pragma, value) in [
        ("foreign_keys", 1),
        ("cache_size", -64_000),
        ("mmap_size", 268_435_456),
        ("temp_store", 2),
        ("synchronous", 1),
        ("busy_timeout", 5_000),
        ("page_size", 4_096),
    ] {
        assert_eq!(number(&connection, &format!("PRAGMA {pragma}")), value, "{pragma}");
    }
    // No pragma is in a migration: inside its transaction it would fail or do nothing.
    for path in files("target", ".sql") {
        assert!(!read(&path).to_uppercase().lines().any(|line| line.starts_with("PRAGMA")), "{}", path.display());
    }
}
