//! A source, an old target, the program, and what a directory holds after it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use rusqlite::Connection;
use rusqlite::config::DbConfig;
use sqlx::{Connection as _, Executor, PgConnection};
use whimbrel::provision::{Database, shared};
use xxhash_rust::xxh3::Xxh3;

/// Two tables of about the same size, a key between them, an index; the first has values for the ledger.
pub fn source(rows: u32) -> Database {
    source_of(rows, 8)
}

/// As [`source`], with texts of that many times 32 bytes.
pub fn source_of(rows: u32, times: u32) -> Database {
    let database = shared().expect("a PostgreSQL server").create_database("interruptions").expect("a database");
    let sql = format!(
        "CREATE TABLE first (id integer PRIMARY KEY, body text NOT NULL, number double precision);
         CREATE TABLE second (id integer PRIMARY KEY, first integer REFERENCES first, body text NOT NULL);
         CREATE INDEX second_first ON second (first);
         INSERT INTO first SELECT n, repeat(md5(n::text), {times}), CASE n % 50 WHEN 0 THEN float8 'NaN' ELSE n END
           FROM generate_series(1, {rows}) n;
         INSERT INTO second SELECT n, n, repeat(md5((-n)::text), {times}) FROM generate_series(1, {rows}) n"
    );
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut connection = PgConnection::connect(&database.url()).await.unwrap();
        connection.execute(sqlx::raw_sql(sqlx::AssertSqlSafe(sql))).await.unwrap();
        connection.close().await.unwrap();
    });
    database
}

/// An old target; with a `log`, its last commit is only in its `-wal`.
pub fn old_target(path: &Path, log: bool) {
    let connection = Connection::open(path).unwrap();
    connection
        .execute_batch(
            "PRAGMA journal_mode = WAL; CREATE TABLE t (a, b); CREATE INDEX i ON t (a);
             INSERT INTO t VALUES ('old', zeroblob(9000)); PRAGMA wal_checkpoint(TRUNCATE)",
        )
        .unwrap();
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, log).unwrap();
    connection.execute_batch("INSERT INTO t VALUES ('older', NULL)").unwrap();
}

/// The program's `migrate`.
pub fn migrate(url: &str, target: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_whimbrel"));
    command.args(["migrate", url]).arg(target);
    command
}

/// Runs it to its good end.
pub fn succeed(url: &str, target: &Path) {
    let output = migrate(url, target).arg("--quiet").output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
}

/// What a program said to people.
pub fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The names in a directory.
pub fn listing(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Every file of a directory with its bytes.
pub fn snapshot(directory: &Path) -> Vec<(String, Vec<u8>)> {
    listing(directory)
        .into_iter()
        .map(|name| (name.clone(), fs::read(directory.join(name)).unwrap_or_default()))
        .collect()
}

/// A copy of a target with its log, so that looking at it changes nothing.
pub fn copied(target: &Path, directory: &Path) -> PathBuf {
    let copy = directory.join("copy.db");
    for suffix in ["", "-wal", "-journal"] {
        let from = PathBuf::from(format!("{}{suffix}", target.display()));
        let to = PathBuf::from(format!("{}{suffix}", copy.display()));
        let _ = fs::remove_file(&to);
        if from.exists() {
            fs::copy(&from, &to).unwrap();
        }
    }
    let _ = fs::remove_file(format!("{}-shm", copy.display()));
    copy
}

/// A digest of everything that a database holds: definitions, rows, the ledger; not when it was made.
pub fn content(path: &Path) -> u128 {
    content_without(path, "_whimbrel_manifest")
}

/// As [`content`], without the rows of one table, whose values depend on the time.
pub fn content_without(path: &Path, changing: &str) -> u128 {
    let connection = Connection::open(path).unwrap();
    let sound: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(sound, "ok", "{}", path.display());
    let mut hasher = Xxh3::new();
    let mut take = |sql: &str| {
        let mut statement = connection.prepare(sql).unwrap();
        let width = statement.column_count();
        let mut rows = statement.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            for place in 0..width {
                let value = format!("{:?};", row.get_ref(place).unwrap());
                hasher.update(value.as_bytes());
            }
        }
    };
    take("SELECT type, name, sql FROM sqlite_schema ORDER BY 1, 2");
    let mut tables =
        connection.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name <> ?1 ORDER BY 1").unwrap();
    let tables: Vec<String> = tables.query_map([changing], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    for table in tables {
        take(&format!("SELECT * FROM \"{table}\" ORDER BY 1, 2"));
    }
    hasher.digest128()
}

/// No temporary file beside the target or among its backups, no log, nothing else.
pub fn assert_tidy(directory: &Path) {
    assert_eq!(listing(directory), ["app.db", "app.db.whimbrel-backups"]);
    let backups = listing(&directory.join("app.db.whimbrel-backups"));
    assert!(backups.iter().all(|name| name.ends_with(".db") || name.ends_with(".json")), "{backups:?}");
}
