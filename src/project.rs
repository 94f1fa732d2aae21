//! A project: a folder that describes one migration.
//!
//! ```text
//! project.toml    endpoints, names, rules, what is dropped on purpose, options of connections
//! source/         the source's schema for tests (`source.schema`)
//! target/         the target's schema, NNNN_name.up.sql and NNNN_name.down.sql (`target.schema`)
//! derived.sql     what the target computes from its rows when they are there, for columns that no source fills
//! checks/         one query per file; each row that it returns is a violation
//! queries/        one typical query per file, with what its parameters are drawn from (`harness::latency`)
//! ```
//!
//! Reading a project opens no database. Every path in it is relative to its folder; a URL or a path may also come from a
//! variable of the environment (`url = { env = "POSTGRES_URL" }`). A key that is not known is an
//! error that names the file, the line and the known keys: a typing error must not decide over data in silence.

mod backups;
mod hints;
mod setting;

pub use hints::{ColumnHint, Form, Hints, TableHint};
pub use setting::{From, Origin};

use crate::backup::prune::Rotation;
use crate::endpoint::Endpoint;
use crate::endpoint::files::layout;
use crate::endpoint::sqlite::pragma;
use crate::endpoint::sqlite::target::JournalMode;
use crate::error::{Context, Error, Result};
use crate::plan::choices::{Choices, Rules, Tables};
use crate::plan::version::SqliteVersion;
use crate::schema::{Migrations, Runner, RunnerOptions, To};
use crate::store::Gates;
use crate::to_sqlite::MigrationOptions;
use crate::toml_text;
use crate::verify::Level;
use backups::BackupsSection;
use rusqlite::Connection;
use serde::Deserialize;
use setting::{OPERATION, Setting, Settings};
use std::collections::{BTreeMap, HashSet};
use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;
use toml::Spanned;

/// The name of the file that makes a folder a project.
pub const FILE_NAME: &str = "project.toml";

/// A project, its paths made absolute or relative to the working directory.
#[derive(Debug, Clone)]
pub struct Project {
    /// The folder.
    pub folder: PathBuf,
    /// Its name; the folder's where the file gives none.
    pub name: String,
    /// Where the rows come from.
    pub source: Option<Endpoint>,
    /// The keys whose values variables of the environment may give, and what they are from.
    pub origins: Vec<Origin>,
    /// The folder of the source's schema.
    pub source_schema: Option<PathBuf>,
    /// The file that is to be.
    pub target: Option<PathBuf>,
    /// The folder of the target's schema; without one it is derived from the source.
    pub target_schema: Option<PathBuf>,
    /// How it is migrated: what is carried, how the file is written, how much is verified. Its checks are the folder
    /// `checks`, where there is one.
    pub options: MigrationOptions,
    /// Options for connections to the finished file.
    pub connection: ConnectionOptions,
    /// What generated rows should be like.
    pub generate: Hints,
    /// The folder `queries`, where there is one.
    pub queries: Option<PathBuf>,
    /// How the queries are measured, and how fast they have to be.
    pub latency: LatencyOptions,
    /// The store of its records, while an application moves.
    pub store: StoreOptions,
    /// What stays of the backups, where the project says it.
    pub rotation: Option<Rotation>,
}

/// The store of a project's records: `[store]` in its file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StoreOptions {
    /// The tree of files.
    pub tree: Option<PathBuf>,
    /// When somebody has to step back.
    pub gates: Gates,
}

/// How a project's queries are measured, and how fast they have to be: `[latency]` in its file.
///
/// The targets are those of the documents that this repository's projects come from: P50 below 10 ms, P95 below 50 ms,
/// P99 below 100 ms. A query's own target, in its header, comes before the project's.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LatencyOptions {
    /// How many rows are generated, in all tables together, where no file is given.
    pub rows: u64,
    /// How often each query is run and timed.
    pub runs: u32,
    /// How often each query is run before that, untimed.
    pub warm_up: u32,
    /// Half of the runs have to be faster, in milliseconds.
    pub p50_ms: f64,
    /// 95 of 100 runs have to be faster, in milliseconds.
    pub p95_ms: f64,
    /// 99 of 100 runs have to be faster, in milliseconds.
    pub p99_ms: f64,
    /// From how many rows on a table is large: a query that reads all of it is warned about.
    pub large_table_rows: u64,
}

impl Default for LatencyOptions {
    fn default() -> Self {
        LatencyOptions {
            rows: 100_000,
            runs: 1_000,
            warm_up: 50,
            p50_ms: 10.0,
            p95_ms: 50.0,
            p99_ms: 100.0,
            large_table_rows: 1_000,
        }
    }
}

impl LatencyOptions {
    /// The key that is out of its range, and why.
    fn refusal(&self) -> Option<(&'static str, &'static str)> {
        let targets =
            [("latency.p50_ms", self.p50_ms), ("latency.p95_ms", self.p95_ms), ("latency.p99_ms", self.p99_ms)];
        let wrong = targets.into_iter().find(|(_, target_ms)| !(target_ms.is_finite() && *target_ms > 0.0));
        match wrong {
            Some((key, _)) => Some((key, "a target is a time above 0")),
            None if self.runs == 0 => Some(("latency.runs", "a query that never runs has no latency")),
            None => None,
        }
    }
}

/// What belongs to a connection and does not last in the file.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ConnectionOptions {
    /// Whether foreign keys are enforced.
    pub foreign_keys: bool,
    /// Memory for pages in KiB; SQLite's default where it is not given.
    pub cache_size_kib: Option<u32>,
    /// How much of the file is mapped into memory in bytes; SQLite's default where it is not given.
    pub mmap_size_bytes: Option<u64>,
    /// Where temporary tables are kept.
    pub temp_store: Option<TempStore>,
    /// When SQLite waits for the disk.
    pub synchronous: Option<Synchronous>,
    /// How many milliseconds to wait for another writer.
    pub busy_timeout_ms: u32,
}

impl Default for ConnectionOptions {
    fn default() -> Self {
        ConnectionOptions {
            foreign_keys: true,
            cache_size_kib: None,
            mmap_size_bytes: None,
            temp_store: None,
            synchronous: None,
            busy_timeout_ms: 5_000,
        }
    }
}

/// Where temporary tables are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TempStore {
    /// As SQLite was built.
    Default,
    /// In a file.
    File,
    /// In memory.
    Memory,
}

/// When SQLite waits for the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Synchronous {
    /// Never.
    Off,
    /// At checkpoints; safe in WAL mode, but the last commits may be lost in a power failure.
    Normal,
    /// At every commit.
    Full,
    /// Also for the directory.
    Extra,
}

impl ConnectionOptions {
    /// Sets the options on an open connection. Outside a transaction: inside one, some have no effect.
    ///
    /// # Errors
    /// When SQLite refuses one, or the connection is inside a transaction.
    pub fn apply(&self, connection: &Connection) -> Result<()> {
        const OPERATION: &str = "set the options of";
        if !connection.is_autocommit() {
            return Err(Error::could_not(OPERATION, "the connection", "it is inside a transaction"));
        }
        connection
            .busy_timeout(Duration::from_millis(u64::from(self.busy_timeout_ms)))
            .could_not(OPERATION, "the connection")?;
        let set = |name: &str, value: i64| pragma::set(connection, name, value).could_not(OPERATION, "the connection");
        set("foreign_keys", i64::from(self.foreign_keys))?;
        if let Some(size_kib) = self.cache_size_kib {
            set("cache_size", -i64::from(size_kib))?;
        }
        if let Some(size_bytes) = self.mmap_size_bytes {
            // Not read back: SQLite takes less where it was built to, and only speed hangs on it.
            let sql = format!("PRAGMA mmap_size = {size_bytes}");
            connection.execute_batch(&sql).could_not(OPERATION, "the connection")?;
        }
        if let Some(store) = self.temp_store {
            // SQLite's numbers of these words are in the order of the variants.
            set("temp_store", store as i64)?;
        }
        if let Some(synchronous) = self.synchronous {
            set("synchronous", synchronous as i64)?;
        }
        Ok(())
    }
}

/// The form of `project.toml`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct File {
    name: Option<String>,
    source: SourceSection,
    target: TargetSection,
    tables: Tables,
    names: BTreeMap<String, String>,
    rules: Rules,
    drop: BTreeMap<String, String>,
    connection: ConnectionOptions,
    verify: VerifySection,
    latency: LatencyOptions,
    generate: Hints,
    store: StoreSection,
    backups: Option<BackupsSection>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct StoreSection {
    tree: Option<Setting>,
    gates: Gates,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct SourceSection {
    url: Option<Setting>,
    schema: Option<Setting>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct TargetSection {
    path: Option<Setting>,
    schema: Option<Setting>,
    journal_mode: Option<JournalMode>,
    page_size_bytes: Option<u32>,
    sqlite: SqliteVersion,
    metadata: Option<bool>,
    allow_inexact: Option<bool>,
    backups: Option<Setting>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct VerifySection {
    level: Option<Level>,
}

impl Project {
    /// Reads a project from its folder.
    ///
    /// # Errors
    /// When there is no `project.toml`, it is not TOML, has a key that is not known, or names a folder that is not
    /// there. The error names the file and, where there is one, the line.
    pub fn load(folder: &Path) -> Result<Project> {
        let path = folder.join(FILE_NAME);
        let text = std::fs::read_to_string(&path).map_err(|error| {
            let cause = match error.kind() {
                ErrorKind::NotFound => "there is no such file".to_owned(),
                _ => error.to_string(),
            };
            let shown = format!("`{}`", path.display());
            Error::usage(OPERATION, shown, cause).hint("a project is a folder with a file `project.toml`")
        })?;
        Project::parse(folder, &text)
    }

    /// The variable that `key` names, where it is not set and there is no default.
    pub fn unset_variable(&self, key: &str) -> Option<&str> {
        let origin = self.origins.iter().find(|origin| origin.key == key && origin.from == From::Nothing);
        origin.map(|origin| origin.variable.as_str())
    }

    /// Whether the scripts of its source's or its target's schema have a name that a key of `[generate]` consists of: such a
    /// key is for the other of the two.
    ///
    /// # Errors
    /// When a folder of scripts cannot be read.
    pub fn has_names(&self, key: &str) -> Result<bool> {
        for folder in [&self.source_schema, &self.target_schema].into_iter().flatten() {
            let mut words = HashSet::new();
            for entry in std::fs::read_dir(folder).could_not(OPERATION, format!("`{}`", folder.display()))? {
                let path = entry.could_not(OPERATION, format!("`{}`", folder.display()))?.path();
                if path.extension().is_some_and(|extension| extension == "sql") {
                    let sql = std::fs::read_to_string(&path).could_not(OPERATION, format!("`{}`", path.display()))?;
                    let is_other = |character: char| !(character.is_alphanumeric() || character == '_');
                    words.extend(sql.split(is_other).map(str::to_lowercase));
                }
            }
            let mut names = key.split('.').filter(|name| *name != "*");
            if names.all(|name| words.contains(&name.to_lowercase())) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The file that says what the files of a tree are, where there is one.
    pub fn layout(&self) -> Option<PathBuf> {
        let path = self.folder.join(layout::FILE_NAME);
        path.is_file().then_some(path)
    }

    /// A project from the text of its file.
    ///
    /// # Errors
    /// As [`Project::load`].
    pub fn parse(folder: &Path, text: &str) -> Result<Project> {
        Project::parse_in(folder, text, &|name| std::env::var_os(name))
    }

    /// The same with other variables than those of this process: by name.
    ///
    /// # Errors
    /// As [`Project::load`].
    pub fn parse_in(folder: &Path, text: &str, environment: &dyn Fn(&str) -> Option<OsString>) -> Result<Project> {
        let shown = format!("`{}`", folder.join(FILE_NAME).display());
        let file: File = toml_text::parse(OPERATION, &shown, text)?;
        let mut generate = file.generate;
        generate.places = places_of_hints(text, &shown);
        let refused = |key: &str, cause: String| Error::usage(OPERATION, format!("{shown}, key `{key}`"), cause);
        let mut settings = Settings { folder, shown: &shown, environment, origins: Vec::new() };
        let source = settings.source("source.url", file.source.url)?;
        let mut options = MigrationOptions::default();
        let run = &mut options.run;
        run.level = file.verify.level.unwrap_or(run.level);
        run.metadata = file.target.metadata.unwrap_or(run.metadata);
        run.allow_inexact = file.target.allow_inexact.unwrap_or(run.allow_inexact);
        run.choices = Choices {
            tables: file.tables,
            names: file.names,
            rules: file.rules,
            drop: file.drop,
            sqlite_version: file.target.sqlite,
            only: Vec::new(),
            answers: BTreeMap::new(),
            set_aside: Vec::new(),
        };
        options.journal_mode = file.target.journal_mode.unwrap_or(options.journal_mode);
        options.page_size_bytes = file.target.page_size_bytes.unwrap_or(options.page_size_bytes);
        check_page_size(options.page_size_bytes).map_err(|cause| refused("target.page_size_bytes", cause))?;
        let target = settings.file("target.path", file.target.path)?;
        let source_schema = settings.folder("source.schema", file.source.schema)?;
        let target_schema = settings.folder("target.schema", file.target.schema)?;
        options.backups = settings.new_folder("target.backups", file.target.backups)?;
        if let Some((key, cause)) = file.latency.refusal() {
            return Err(refused(key, cause.to_owned()));
        }
        if let Some((key, cause)) = file.store.gates.refusal() {
            return Err(refused(key, cause.to_owned()));
        }
        let tree = settings.new_folder("store.tree", file.store.tree)?;
        let rotation = file.backups.map(|section| section.rotation()).transpose();
        let rotation = rotation.map_err(|(key, cause)| refused(key, cause.to_owned()))?;
        let by_convention = |name: &str| Some(folder.join(name)).filter(|path| path.is_dir());
        options.checks = by_convention("checks");
        options.derived = Some(folder.join("derived.sql")).filter(|path| path.is_file());
        Ok(Project {
            name: file.name.unwrap_or_else(|| name_of(folder)),
            source,
            source_schema,
            target,
            target_schema,
            origins: settings.origins,
            options,
            connection: file.connection,
            generate,
            queries: by_convention("queries"),
            latency: file.latency,
            store: StoreOptions { tree, gates: file.store.gates },
            rotation,
            folder: folder.to_owned(),
        })
    }
}

/// The file and line of each hint, by its key.
fn places_of_hints(text: &str, shown: &str) -> BTreeMap<String, String> {
    type Places = BTreeMap<String, Spanned<toml::Value>>;
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct File {
        generate: Section,
    }
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Section {
        tables: Places,
        columns: Places,
    }
    // The text was read as a project before.
    let File { generate: Section { tables, columns } } = toml::from_str(text).unwrap_or_default();
    let places = tables.into_iter().chain(columns);
    places.map(|(key, value)| (key, format!("{shown}, line {}", toml_text::line(text, value.span().start)))).collect()
}

/// Tells why a page size is none.
///
/// # Errors
/// A sentence, when it is no power of two from 512 to 65536.
pub fn check_page_size(size_bytes: u32) -> std::result::Result<(), String> {
    match size_bytes.is_power_of_two() && (512..=65_536).contains(&size_bytes) {
        true => Ok(()),
        false => Err(format!("{size_bytes} is no page size: it is a power of two from 512 to 65536")),
    }
}

fn name_of(folder: &Path) -> String {
    let whole = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    whole.file_name().map_or_else(|| "project".to_owned(), |name| name.to_string_lossy().into_owned())
}

/// Applies a project's target schema to a new, empty file, with its history, so that later migrations go on from it.
/// Nothing is synced: who publishes the file does that, once.
///
/// # Errors
/// When the folder has no migration, a file is not as it has to be, or SQLite refuses a statement; it is named.
pub fn apply_schema(folder: &Path, target: &Path, page_size_bytes: u32) -> Result<()> {
    const OPERATION: &str = "apply the target schema";
    let migrations = Migrations::from_dir(folder)?;
    if migrations.is_empty() {
        return Err(Error::usage(OPERATION, format!("`{}`", folder.display()), "there is no file `*.up.sql` in it")
            .hint("name the first one `0001_initial.up.sql`"));
    }
    let shown = format!("`{}`", target.display());
    let connection = Connection::open(target).could_not(OPERATION, &shown)?;
    let settings = [("page_size", i64::from(page_size_bytes)), ("foreign_keys", 1), ("synchronous", 0)];
    let mut set = settings.into_iter().try_for_each(|(name, value)| pragma::set(&connection, name, value));
    set = set.and_then(|()| pragma::set(&connection, "journal_mode", "memory"));
    set.could_not(OPERATION, &shown)?;
    let mut runner = Runner::on_connection(connection, migrations, RunnerOptions::default());
    runner.up(To::Newest)?;
    match runner.into_connection() {
        Some(connection) => connection.close().map_err(|(_, error)| error).could_not(OPERATION, &shown),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    fn load(text: &str) -> (tempfile::TempDir, Result<Project>) {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(FILE_NAME), text).unwrap();
        let project = Project::load(folder.path());
        (folder, project)
    }

    #[test]
    fn every_key_is_read_and_paths_are_relative_to_the_folder() {
        let (folder, project) = load(
            "name = 'app'\n[source]\nurl = 'postgres://h/app'\n[target]\npath = 'app.db'\njournal_mode = 'delete'\n\
             page_size_bytes = 8192\nsqlite = '3.44'\nmetadata = false\nallow_inexact = true\nbackups = 'old'\n[tables]\nexclude = ['log_*']\n[names]\n\
             User = 'users'\n[rules.types]\ntimestamp = 'epoch-seconds'\n[drop]\n'User.x' = 'not needed'\n\
             [connection]\nforeign_keys = true\ncache_size_kib = 2000\nmmap_size_bytes = 0\ntemp_store = 'memory'\n\
             synchronous = 'normal'\nbusy_timeout_ms = 100\n[verify]\nlevel = 'digest'\n[latency]\nrows = 7\n\
             runs = 20\nwarm_up = 0\np50_ms = 1\np95_ms = 2.5\np99_ms = 3\nlarge_table_rows = 5\n",
        );
        let project = project.unwrap();
        assert_eq!(project.name, "app");
        assert_eq!(project.target, Some(folder.path().join("app.db")));
        let MigrationOptions { run, checks, journal_mode, page_size_bytes, backups, .. } = project.options;
        assert_eq!(backups, Some(folder.path().join("old")));
        assert_eq!((journal_mode, page_size_bytes), (JournalMode::Delete, 8192));
        assert_eq!((run.metadata, run.allow_inexact), (false, true));
        assert_eq!((run.level, checks), (Level::Digest, None));
        assert_eq!(run.choices.names["User"], "users");
        assert_eq!(run.choices.sqlite_version.to_string(), "3.44");
        let LatencyOptions { rows, runs, warm_up, p50_ms, p95_ms, p99_ms, large_table_rows } = project.latency;
        assert_eq!((rows, runs, warm_up, large_table_rows), (7, 20, 0, 5));
        assert_eq!((p50_ms, p95_ms, p99_ms), (1.0, 2.5, 3.0));
        let connection = Connection::open_in_memory().unwrap();
        project.connection.apply(&connection).unwrap();
        let read = |name: &str| -> i64 { connection.pragma_query_value(None, name, |row| row.get(0)).unwrap() };
        assert_eq!(
            (read("foreign_keys"), read("cache_size"), read("temp_store"), read("synchronous"), read("busy_timeout")),
            (1, -2000, 2, 1, 100)
        );
        connection.execute_batch("BEGIN").unwrap();
        assert!(project.connection.apply(&connection).is_err(), "some pragmas have no effect in a transaction");
    }

    #[test]
    fn an_unknown_key_names_file_line_and_the_known_keys() {
        let error = load("name = 'app'\n[target]\npfad = 'x'\n").1.unwrap_err();
        assert_eq!(error.kind(), Kind::Usage);
        let told = error.to_string();
        assert!(told.contains("project.toml`, line 3: unknown field `pfad`"), "{told}");
        assert!(told.contains("`journal_mode`"), "{told}");
        let error = load("[latency]\np90_ms = 5\n").1.unwrap_err().to_string();
        assert!(error.contains("line 2: unknown field `p90_ms`") && error.contains("`p95_ms`"), "{error}");
        let error = load("[latency]\np95_ms = 0\n").1.unwrap_err().to_string();
        assert!(error.contains("key `latency.p95_ms`: a target is a time above 0"), "{error}");
        let error = load("[latency]\nruns = 0\n").1.unwrap_err().to_string();
        assert!(error.contains("key `latency.runs`"), "{error}");
    }

    #[test]
    fn urls_and_paths_come_from_variables_with_defaults() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("schema")).unwrap();
        let text = "[source]\nurl = { env = 'A_URL', default = 'postgres://ann@host/app' }\nschema = { env = 'A_SCHEMA', default = 'schema' }\n\
                    [target]\npath = { env = 'A_FILE', default = 'sqlite:app.db' }\nschema = 'schema'\n\
                    backups = { env = 'A_FOLDER', default = 'kept' }\n";
        let of = |variables: &[(&str, &str)]| {
            let found =
                |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).into());
            Project::parse_in(folder.path(), text, &found)
        };
        let parts = |project: &Project| {
            let source = project.source.as_ref().map(ToString::to_string).unwrap_or_default();
            (source, project.target.clone().unwrap(), project.options.backups.clone().unwrap())
        };
        let own = |name: &str| folder.path().join(name);
        for none in [&[][..], &[("A_URL", ""), ("A_FILE", ""), ("A_FOLDER", ""), ("A_SCHEMA", "")]] {
            let project = of(none).unwrap();
            assert_eq!(parts(&project), ("postgres://ann@host/app".to_owned(), own("app.db"), own("kept")));
            assert_eq!(project.source_schema, Some(own("schema")));
            assert!(project.origins.iter().all(|origin| origin.from == From::Default), "{:?}", project.origins);
        }
        let other = own("schema").to_string_lossy().into_owned();
        let project = of(&[
            ("A_URL", "postgres://bob:secret@there/app?schema=public"),
            ("A_FILE", "file:./dev.db"),
            ("A_FOLDER", "/var/kept"),
            ("A_SCHEMA", &other),
        ])
        .unwrap();
        let expected =
            ("postgres://bob:***@there/app".to_owned(), PathBuf::from("./dev.db"), PathBuf::from("/var/kept"));
        assert_eq!(parts(&project), expected);
        assert!(project.origins.iter().all(|origin| origin.from == From::Environment), "{:?}", project.origins);
        assert!(!format!("{project:?}").contains("secret"), "{project:?}");
        for (variable, value, key) in [
            ("A_URL", "postgres://ann:secret@host:99999/app", "source.url"),
            ("A_URL", "mysql://ann:secret@host/app", "source.url"),
            ("A_URL", "postgres://ann@host/app?schema=secret", "source.url"),
            ("A_FILE", "postgres://ann:secret@host/app", "target.path"),
            ("A_FILE", "secret.db-wal", "target.path"),
            ("A_FILE", "file:app.db?key=secret", "target.path"),
            ("A_SCHEMA", "/no/secret/folder", "source.schema"),
        ] {
            let error = of(&[(variable, value)]).unwrap_err();
            assert_eq!(error.kind(), Kind::Usage);
            assert!(error.object().contains(&format!("key `{key}`, variable `{variable}`")), "{error}");
            assert!(!format!("{error:?}").contains("secret"), "{error:?}");
        }
    }

    #[test]
    fn a_variable_that_is_not_set_is_told_where_it_is_needed() {
        let unset = |text: &str| Project::parse_in(Path::new("."), text, &|_| None);
        let project = unset("[source]\nurl = { env = 'A_URL' }\n[target]\npath = { env = 'A_FILE' }\n").unwrap();
        assert_eq!((project.source, project.target.clone()), (None, None));
        assert_eq!((project.origins.len(), project.origins[0].from), (2, From::Nothing));
        // Without these something else would be done, and nobody would know.
        for key in ["source.schema", "target.schema", "target.backups"] {
            let (section, name) = key.split_once('.').unwrap();
            let error = unset(&format!("[{section}]\n{name} = {{ env = 'A_FOLDER' }}\n")).unwrap_err();
            assert!(error.to_string().contains(&format!("key `{key}`: the variable `A_FOLDER` is not set")), "{error}");
            assert!(error.way_out().unwrap().contains("default = "), "{error}");
        }
        for wrong in ["{ env = 'A', defualt = 'x' }", "{ default = 'x' }", "7", "{ env = 'A=B' }", "{ env = '' }"] {
            let error = unset(&format!("[source]\nurl = {wrong}\n")).unwrap_err().to_string();
            assert!(error.contains("project.toml`, line 2") || error.contains("key `source.url`"), "{error}");
        }
    }

    #[test]
    fn no_error_shows_a_password() {
        for text in [
            "source = 'postgres://ann:secret@host/app'",
            "[source]\nurl = 'mysql://ann:secret@host/app'",
            "verify = 'postgres://host/app?password=secret'",
        ] {
            let error = load(text).1.unwrap_err();
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }

    #[test]
    fn a_target_schema_is_applied_in_order_and_names_the_file_that_fails() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, sql: &str| std::fs::write(folder.path().join(name), sql).unwrap();
        let target = folder.path().join("new.db");
        assert!(apply_schema(folder.path(), &target, 4096).is_err(), "a folder without a schema");
        write("0002_b.up.sql", "CREATE TABLE b (id INTEGER PRIMARY KEY, a INTEGER REFERENCES a)");
        write("0001_a.up.sql", "CREATE TABLE a (id INTEGER PRIMARY KEY); -- a comment at the end");
        write("0001_a.down.sql", "-- whimbrel: lossy\nDROP TABLE a");
        apply_schema(folder.path(), &target, 8192).unwrap();
        let connection = Connection::open(&target).unwrap();
        let size: i64 = connection.pragma_query_value(None, "page_size", |row| row.get(0)).unwrap();
        let versions: i64 =
            connection.query_row("SELECT count(*) FROM schema_migrations", [], |row| row.get(0)).unwrap();
        assert_eq!((size, versions), (8192, 2));
        write("0003_c.up.sql", "PRAGMA journal_mode = WAL;");
        let error = apply_schema(folder.path(), &folder.path().join("other.db"), 4096).unwrap_err();
        assert!(error.to_string().contains("0003_c.up.sql"), "{error}");
    }
}
