//! For every project that this repository carries: up and down, step by step, with rows in every table.

mod defects;
mod indexes;
mod picture;
mod rows;

use std::path::{Path, PathBuf};

use rusqlite::Connection;
use whimbrel::endpoint::sqlite::target::JournalMode;
use whimbrel::project::Project;
use whimbrel::schema::{Dialect, Migrations, Object, Reversal, Runner, RunnerOptions, To, compare};

/// So many rows per table and visit: two of each three have a value in every column.
const ROWS: usize = 6;

/// The projects with a versioned target schema.
fn projects() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
    let mut projects: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    projects.retain(|project| project.join("target").is_dir());
    projects.sort();
    assert!(projects.len() >= 4, "sessions, usage, agents and deespec have one: {projects:?}");
    projects
}

/// A database that is taken through the versions of a project.
pub struct Database {
    // The runner closes the file before the folder goes.
    runner: Runner,
    folder: tempfile::TempDir,
}

/// What a version looks like, whatever way led there.
struct Version {
    number: i64,
    schema: picture::Schema,
    objects: Vec<Object>,
}

impl Database {
    pub fn new(project: &Path) -> Database {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("app.db");
        let connection = Connection::open(&path).unwrap();
        // Not the business of these tests, and they change a file hundreds of times.
        connection.pragma_update(None, "journal_mode", "wal").unwrap();
        let migrations = Migrations::from_dir(project.join("target")).unwrap();
        // Every version on the way is looked at, with the newer ones still to come.
        let options = RunnerOptions { allow_pending: true, ..RunnerOptions::default() };
        Database { runner: Runner::open_with(path.to_str().unwrap(), migrations, options).unwrap(), folder }
    }

    /// A connection as the project wants it.
    pub fn connection(&self) -> Connection {
        let connection = Connection::open(self.folder.path().join("app.db")).unwrap();
        connection.pragma_update(None, "foreign_keys", true).unwrap();
        connection
    }

    pub fn up(&mut self, to: To) {
        self.runner.up(to).unwrap_or_else(|error| panic!("{error}: {:?}", error.way_out()));
    }

    fn down(&mut self, to: i64) {
        self.runner.down(To::Version(to)).unwrap_or_else(|error| panic!("{error}: {:?}", error.way_out()));
    }

    fn rows(&self) -> picture::Rows {
        picture::rows(&self.connection())
    }

    fn version(&mut self, number: i64) -> Version {
        Version { number, schema: picture::schema(&self.connection()), objects: self.runner.objects().unwrap() }
    }

    /// Fails, naming the object, unless this is the version, and nothing is wrong with it.
    fn expect(&mut self, expected: &Version, way: &str) {
        let found = self.version(expected.number);
        let number = expected.number;
        let differences = compare(&expected.objects, &found.objects, Dialect::Sqlite);
        assert!(differences.is_empty(), "version {number} {way}: {differences:?}");
        for (object, facts) in &expected.schema {
            assert_eq!(found.schema.get(object), Some(facts), "version {number} {way}: {object}");
        }
        assert_eq!(expected.schema.len(), found.schema.len(), "version {number} {way}: objects too many");
        self.runner.validate().unwrap().into_result().unwrap_or_else(|error| panic!("version {number} {way}: {error}"));
    }
}

/// The versions, one after the other from nothing; first of all nothing itself.
fn versions(project: &Path) -> Vec<Version> {
    let mut database = Database::new(project);
    let numbers: Vec<i64> = database.runner.migrations().iter().map(|migration| migration.version).collect();
    let mut versions = vec![database.version(0)];
    for number in numbers {
        database.up(To::Version(number));
        versions.push(database.version(number));
    }
    versions
}

fn expect_rows(expected: &picture::Rows, found: &picture::Rows, what: &str) {
    for (table, rows) in expected {
        let there = &found[table];
        for (row, there) in rows.iter().zip(there) {
            assert_eq!(row, there, "{what}: a row of `{table}`");
        }
        assert_eq!(rows.len(), there.len(), "{what}: rows of `{table}`");
    }
    assert_eq!(expected.len(), found.len(), "{what}: tables");
}

#[test]
fn every_way_down_is_labelled_and_can_be_gone() {
    for project in projects() {
        for migration in &Migrations::from_dir(project.join("target")).unwrap() {
            let reversal = migration.reversal().unwrap();
            assert!(matches!(reversal, Reversal::Lossless | Reversal::Lossy), "{project:?} {}", migration.label());
        }
        for file in ["project.toml", "README.md"] {
            assert!(project.join(file).is_file(), "{project:?} has no {file}");
        }
    }
}

#[test]
fn every_project_file_is_read_and_its_connection_options_have_effect() {
    for folder in projects() {
        let project = Project::load(&folder).unwrap();
        assert_eq!(Some(project.name.as_ref()), folder.file_name());
        assert_eq!(project.target_schema, Some(folder.join("target")));
        assert!(project.options.journal_mode == JournalMode::Wal && project.options.checks.is_some(), "{folder:?}");
        let connection = Connection::open_in_memory().unwrap();
        project.connection.apply(&connection).unwrap();
        assert!(connection.pragma_query_value(None, "foreign_keys", |row| row.get::<_, bool>(0)).unwrap());
    }
}

#[test]
fn from_nothing_up_one_by_one_is_as_up_at_once_and_down_to_nothing() {
    for project in projects() {
        let versions = versions(&project);
        let mut database = Database::new(&project);
        database.up(To::Newest);
        database.expect(versions.last().unwrap(), "at once");
        for version in versions.iter().rev().skip(1) {
            database.down(version.number);
            database.expect(version, "going down empty");
        }
        assert!(picture::schema(&database.connection()).is_empty(), "{project:?} leaves something behind");
    }
}

#[test]
fn rows_of_every_version_survive_the_way_up_and_back_and_then_everything_goes() {
    for project in projects() {
        let versions = versions(&project);
        for (at, start) in versions.iter().enumerate().skip(1) {
            let mut database = Database::new(&project);
            database.up(To::Version(start.number));
            rows::add(&database.connection(), ROWS);
            database.expect(start, "with rows");
            let before = database.rows();
            assert!(before.values().all(|rows| rows.len() >= ROWS), "{project:?}: a table is empty");
            for version in &versions[at + 1..] {
                database.up(To::Version(version.number));
                database.expect(version, "going up with rows");
            }
            for version in versions[at..].iter().rev().skip(1) {
                database.down(version.number);
                database.expect(version, "going back with rows");
            }
            // Whatever the labels say: a row that was there before the way up has a place after the way back.
            let what = format!("{project:?} from version {} up and back", start.number);
            expect_rows(&before, &database.rows(), &what);
            for version in versions[..at].iter().rev() {
                database.down(version.number);
                database.expect(version, "going down with rows");
            }
        }
    }
}

#[test]
fn a_lossless_down_keeps_every_row_and_the_way_up_again_restores_the_rest() {
    let mut lossless = 0;
    for project in projects() {
        let versions = versions(&project);
        let mut database = Database::new(&project);
        database.up(To::Newest);
        for pair in versions.windows(2).rev() {
            let [older, newer] = pair else { unreachable!() };
            // More rows at each version: those of the newest alone may be what every version can hold.
            rows::add(&database.connection(), ROWS);
            let before = database.rows();
            let reversal = database.runner.migrations().get(newer.number).unwrap().reversal().unwrap();
            let what = format!("{project:?} from version {} down", newer.number);
            database.down(older.number);
            let after = database.rows();
            if reversal == Reversal::Lossless {
                lossless += 1;
                assert!(before.keys().eq(after.keys()), "{what}: a table with rows went, and it says lossless");
                database.up(To::Version(newer.number));
                database.expect(newer, "up again");
                expect_rows(&before, &database.rows(), &format!("{what} and up again"));
                database.down(older.number);
            } else {
                expect_rows(&picture::as_far_as(&before, &after), &after, &what);
            }
            database.expect(older, "going down from the newest");
        }
    }
    assert!(lossless >= 5, "sessions, agents and deespec have five together");
}
