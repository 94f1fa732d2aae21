//! Whole databases: random schemas, and those of others that a folder of dumps holds. Views are asked over rows that
//! `generate` has made and over those of the dump; checks, generated columns and indexes over rows of a twin of each table,
//! one with the same columns and without what would refuse a row.

use super::ask::{Rows, Search, quote, quoted};
use crate::support::whole_run::{self, Server};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use whimbrel::catalog::{Catalog, QualifiedName, TableKind};
use whimbrel::endpoint::PostgresUrl;
use whimbrel::endpoint::postgres::{Session, introspect};
use whimbrel::harness::Seed;
use whimbrel::harness::generate::{GenerateOptions, Generator, PostgresJudge, load_postgres};
use whimbrel::to_sqlite::Job;

/// The schema of the twins.
const TWINS: &str = "whimbrel_twins";

/// Rows of a twin.
const ROWS: u64 = 40;

fn read(url: &PostgresUrl) -> Catalog {
    introspect(&mut Session::connect(url, &whimbrel::cancel::Cancel::new()).expect("a session")).expect("a catalog")
}

/// Fills the tables of a catalog; awkward values go where no NaN stops a migration.
fn generate(url: &PostgresUrl, catalog: &Catalog, seed: u64, awkward: f64) -> whimbrel::Result<()> {
    let rows = ROWS * catalog.tables.len() as u64;
    let options = GenerateOptions { rows, seed: Seed(seed), awkward, ..GenerateOptions::default() };
    let dataset = Generator::new(catalog, options)?.dataset(&mut PostgresJudge::new(url))?;
    load_postgres(url, catalog, &dataset)
}

/// A twin of each table with columns; what each is a twin of.
fn make_twins(server: &mut Server, url: &PostgresUrl) -> Vec<QualifiedName> {
    let catalog = read(url);
    let tables = catalog.tables.iter().filter(|table| !matches!(table.kind, TableKind::MaterializedView { .. }));
    let tables: Vec<_> = tables.filter(|table| !table.columns.is_empty()).map(|table| table.name.clone()).collect();
    server.run(format!("CREATE SCHEMA {TWINS}"));
    for (place, table) in tables.iter().enumerate() {
        server.run(format!("CREATE TABLE {TWINS}.t{place} (LIKE {}, whimbrel_row serial PRIMARY KEY)", quoted(table)));
    }
    tables
}

/// The rows of the twins, of which a table's values are one at least.
fn fill_twins(url: &PostgresUrl, seed: u64) -> Result<(), String> {
    let mut catalog = read(url);
    catalog.tables.retain(|table| table.name.schema == TWINS);
    catalog.views.clear();
    generate(url, &catalog, seed, 0.3).map_err(|error| error.to_string())
}

/// Zero for each NaN in a column that has to have a value: it would stop the migration, which says so.
fn without_nan(server: &mut Server) -> Result<(), String> {
    let updates = server.column(
        "SELECT format('UPDATE %I.%I SET %I = 0 WHERE %3$I = ''NaN''', nspname, relname, attname)
         FROM pg_attribute JOIN pg_class AS c ON c.oid = attrelid JOIN pg_namespace AS n ON n.oid = relnamespace
         JOIN pg_type AS t ON t.oid = atttypid
         WHERE relkind = 'r' AND attnum > 0 AND attnotnull AND attgenerated = '' AND nspname !~ '^(pg_|information_schema)'
           AND (typname IN ('float4', 'float8', 'numeric') OR typbasetype IN (700, 701, 1700))",
    );
    updates.into_iter().try_for_each(|update| server.try_run(update))
}

/// Migrates and asks everything.
fn ask(server: Server, url: &str, twins: &[QualifiedName], directory: &Path, name: &str) -> Result<Search, String> {
    let job = Job::new(directory.join(format!("{name}.db")));
    let outcome = whole_run::migrate(url, &job).map_err(|error| error.to_string())?;
    let found = whole_run::findings(&outcome.verification);
    if !found.is_empty() {
        return Err(found);
    }
    let mut source = whole_run::source(url).expect("a source");
    let (catalog, plan) = whimbrel::to_sqlite::plan(&mut source, &job).expect("a plan");
    drop(source);
    let file = rusqlite::Connection::open(&job.target).expect("the file");
    let mut search = Search::new(server, file, Arc::unwrap_or_clone(catalog), plan);
    for (place, table) in twins.iter().enumerate() {
        let twin = QualifiedName::new(TWINS, format!("t{place}"));
        let planned = search.plan.tables.iter().find(|planned| planned.source == twin);
        let Some(sqlite) = planned.map(|planned| quote(&planned.target)) else { continue };
        let rows = Rows { postgres: quoted(&twin), sqlite, key: quote("whimbrel_row"), table: twin };
        search.table(table, &rows);
        search.defaults(table);
    }
    let base = |table: &QualifiedName| Rows {
        postgres: quoted(table),
        sqlite: String::new(),
        key: "ctid".to_owned(),
        table: table.clone(),
    };
    search.views(&twins.iter().map(base).collect::<Vec<_>>());
    Ok(search)
}

/// What stops a migration by name: no column that has to have a value holds a NaN.
fn is_about_nan(error: &str) -> bool {
    error.contains("SQLite has no NaN")
}

#[test]
fn random_schemas_answer_alike() {
    use whimbrel::harness::{RandomSchema, SchemaSize};
    let provision = whimbrel::provision::shared().expect("a PostgreSQL for the tests");
    let directory = tempfile::tempdir().expect("a directory");
    let (mut wrong, mut asked) = (Vec::new(), 0);
    for seed in 0..super::many("WHIMBREL_ANSWERS_SCHEMAS", 6) {
        let database = provision.create_database("random_answers").expect("a database");
        let mut server = Server::connect(&database.url());
        let schema = RandomSchema::from_seed(Seed(7_000 + seed), &SchemaSize::default()).to_sql();
        server.run(schema.clone());
        let url = PostgresUrl::parse(&database.url()).expect("a URL");
        let catalog = read(&url);
        // A unique index over an expression is left to chance.
        let filled = generate(&url, &catalog, seed, 0.2);
        let twins = make_twins(&mut server, &url);
        let asking = fill_twins(&url, seed)
            .and_then(|()| without_nan(&mut server))
            .and_then(|()| ask(server, &database.url(), &twins, directory.path(), &seed.to_string()));
        match asking {
            Ok(search) => {
                asked += search.counts.values().map(|count| count.equal + count.told).sum::<usize>();
                let wrongs = search.wrong.iter().map(|wrong| format!("seed {}: {wrong}", 7_000 + seed));
                wrong.extend(wrongs);
            }
            Err(error) if is_about_nan(&error) => {}
            Err(error) => wrong.push(format!("seed {}: {error}\nrows: {filled:?}\n{schema}", 7_000 + seed)),
        }
    }
    println!("{asked} objects");
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    assert!(asked > 20, "only {asked} objects were asked");
}

/// With WHIMBREL_DATABASES naming a folder of dumps, as `scripts/real-databases` reads it: each database with its own
/// rows, and with generated ones.
#[test]
fn databases_of_others_answer_alike() {
    let Some(folder) = std::env::var_os("WHIMBREL_DATABASES") else {
        println!("WHIMBREL_DATABASES names no folder of dumps");
        return;
    };
    let mut dumps: Vec<PathBuf> =
        std::fs::read_dir(&folder).expect("the folder").map(|entry| entry.expect("a file").path()).collect();
    dumps.retain(|path| [".sql", ".sql.gz"].iter().any(|end| path.to_string_lossy().ends_with(end)));
    dumps.sort();
    assert!(!dumps.is_empty(), "no dumps in `{}`", folder.display());
    let provision = whimbrel::provision::shared().expect("a PostgreSQL for the tests");
    let directory = tempfile::tempdir().expect("a directory");
    let mut wrong = Vec::new();
    for dump in &dumps {
        let name = dump.file_name().expect("a name").to_string_lossy().split('.').next().unwrap_or_default().to_owned();
        let database = provision.create_database("dump").expect("a database");
        load(dump, &database.url());
        let url = PostgresUrl::parse(&database.url()).expect("a URL");
        let mut server = Server::connect(&database.url());
        let twins = make_twins(&mut server, &url);
        let filled = fill_twins(&url, 1).and_then(|()| without_nan(&mut server));
        let mut told = |rows: &str, asked: Result<Search, String>| match asked {
            Ok(search) => {
                println!("{name}, {rows}: {:?}", search.counts);
                wrong.extend(search.wrong.iter().map(|one| format!("{name}, {rows}: {one}")));
            }
            Err(error) => wrong.push(format!("{name}, {rows}: {error}")),
        };
        told("its own rows", filled.and_then(|()| ask(server, &database.url(), &twins, directory.path(), &name)));
        let mut server = Server::connect(&database.url());
        told(
            "generated rows",
            refill(&mut server, &url, &twins).and_then(|()| {
                ask(
                    Server::connect(&database.url()),
                    &database.url(),
                    &twins,
                    directory.path(),
                    &format!("{name}_generated"),
                )
            }),
        );
    }
    assert!(wrong.is_empty(), "{} differ and are not told:\n\n{}", wrong.len(), wrong.join("\n\n"));
}

/// Generated rows in the place of a database's own; ordinary ones where awkward ones cannot be had.
fn refill(server: &mut Server, url: &PostgresUrl, twins: &[QualifiedName]) -> Result<(), String> {
    let all: Vec<_> = twins.iter().map(quoted).collect();
    // What a trigger adds would be in the way of what is generated next.
    for table in &all {
        server.run(format!("ALTER TABLE {table} DISABLE TRIGGER USER"));
    }
    let mut catalog = read(url);
    catalog.tables.retain(|table| table.name.schema != TWINS);
    let mut last = String::new();
    for awkward in [0.2, 0.0] {
        server.run(format!("SET session_replication_role = replica; TRUNCATE {} CASCADE", all.join(", ")));
        let generated = generate(url, &catalog, 1, awkward).map_err(|error| error.to_string());
        match generated.and_then(|()| without_nan(server)) {
            Ok(()) => return Ok(()),
            Err(error) => last = error,
        }
    }
    Err(format!("no rows: {last}"))
}

/// Loads a dump by `psql`; roles that it wants are made.
fn load(dump: &Path, url: &str) {
    let mut path = std::env::var("PATH").unwrap_or_default();
    for entry in std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten() {
        path.push_str(&format!(":{}", entry.path().join("bin").display()));
    }
    let mut server = Server::connect(url);
    for _ in 0..10 {
        let output = Command::new("sh")
            .args(["-c", "gzip -dcf \"$0\" | psql -X -q -v ON_ERROR_STOP=1 -d \"$1\" >/dev/null"])
            .args([&dump.to_string_lossy(), url])
            .env("PATH", &path)
            .env("PGOPTIONS", "-c client_min_messages=warning")
            .output()
            .expect("psql");
        let told = String::from_utf8_lossy(&output.stderr);
        if output.status.success() {
            return;
        }
        let role = told.split_once("role \"").and_then(|(_, rest)| rest.split_once("\" does not exist"));
        let Some((role, _)) = role else { panic!("{}: {told}", dump.display()) };
        server.run(format!("CREATE ROLE {}", quote(role)));
        for name in server
            .column("SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'")
        {
            server.run(format!("DROP SCHEMA {} CASCADE", quote(&name)));
        }
        server.run("CREATE SCHEMA public");
    }
    panic!("{} does not load", dump.display());
}
