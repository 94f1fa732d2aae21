//! What a finished file records of itself: every byte of its header and every row of its metadata is changed in turn, and
//! verification and `check` notice, but for a list of what any writer changes; and what `check` calls a change and what
//! damage.

use crate::support::whole_run::{Server, findings, migrate, source, verify_by};
use rusqlite::Connection;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use whimbrel::cancel::Cancel;
use whimbrel::endpoint::sqlite::target::JournalMode;
use whimbrel::event::nobody;
use whimbrel::project::{self, Project};
use whimbrel::provision::{Database, shared};
use whimbrel::to_sqlite::{Job, Outcome};
use whimbrel::verify::file::{FileCheck, check};
use whimbrel::verify::{FileOptions, Verification, verify_file};

const SOURCE: &str = "
    CREATE TABLE owners (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL);
    INSERT INTO owners (name) SELECT 'owner ' || n FROM generate_series(1, 20) AS n;
    CREATE TABLE pets (id integer PRIMARY KEY, owner_id bigint REFERENCES owners, weight double precision, tags jsonb);
    INSERT INTO pets SELECT n, n % 20 + 1, CASE WHEN n = 3 THEN 'NaN'::float8 ELSE n END, '[1]' FROM generate_series(1, 30) AS n;
    CREATE INDEX pets_owner ON pets (owner_id);
    CREATE VIEW heavy AS SELECT id FROM pets WHERE weight > 20";

/// A finished file, the database that it came from, and the folder that holds it.
struct Finished {
    database: Database,
    directory: tempfile::TempDir,
    outcome: Outcome,
}

impl Finished {
    fn of(source: &str, prepare: impl FnOnce(&mut Job<'_>)) -> Self {
        let database = shared().expect("a PostgreSQL server").create_database("record").expect("a database");
        Server::connect(&database.url()).run(source);
        let directory = tempfile::tempdir().expect("a directory");
        let mut job = Job::new(directory.path().join("finished.db"));
        job.options.journal_mode = JournalMode::Delete;
        prepare(&mut job);
        let outcome = migrate(&database.url(), &job).unwrap_or_else(|error| panic!("{error}"));
        outcome.ensure_published().unwrap_or_else(|error| panic!("{error}{}", findings(&outcome.verification)));
        Finished { database, directory, outcome }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("finished.db")
    }

    /// A fresh copy after a change.
    fn changed(&self, change: impl FnOnce(&Path)) -> PathBuf {
        let copy = self.directory.path().join("copy.db");
        fs::copy(self.path(), &copy).expect("a copy");
        change(&copy);
        copy
    }

    /// A fresh copy after statements that no constraint stops.
    fn after(&self, sql: &str) -> PathBuf {
        self.changed(|path| run(path, sql))
    }

    /// What verification against the source finds in a file, in one text; empty where it finds nothing.
    fn verified(&self, path: &Path) -> String {
        let mut source = source(&self.database.url()).expect("a source");
        match verify_file(&mut source, path, FileOptions::default(), &Cancel::new(), &nobody) {
            Ok(found) => describe(&found.verification),
            Err(error) => error.to_string(),
        }
    }
}

fn describe(found: &Verification) -> String {
    match found.ensure_sound() {
        Ok(()) => String::new(),
        Err(error) => format!("{error}: {}", findings(found)),
    }
}

fn run(path: &Path, sql: &str) {
    let connection = Connection::open(path).expect("the copy opens");
    connection
        .execute_batch("PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON; PRAGMA writable_schema = ON")
        .expect("the copy can be changed");
    connection.execute_batch(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
}

fn checked(path: &Path) -> FileCheck {
    check(path, None, &Cancel::new()).unwrap_or_else(|error| panic!("{error}"))
}

/// Damage and changes that a check tells, as one list each.
fn lists(found: &FileCheck) -> (Vec<String>, Vec<String>) {
    let of = |damage: bool| {
        let record = found.record.iter().filter(move |one| one.damage == damage).map(|one| one.text.clone());
        let tables = found.tables.iter().filter(move |one| if damage { one.is_damaged() } else { one.is_changed() });
        record.chain(tables.map(|table| format!("rows of {}", table.target))).collect()
    };
    (of(true), of(false))
}

/// Places of the header that any program which writes may change, and why a change of them alone is none of the file.
const IGNORED: [(std::ops::Range<usize>, &str); 2] = [
    (40..44, "the schema cookie: every change of the schema counts it up"),
    (96..100, "the version of the library that wrote last"),
];

#[test]
fn every_byte_of_the_header_is_looked_at() {
    let finished = Finished::of(SOURCE, |_| {});
    let (_, plan) =
        whimbrel::to_sqlite::plan(&mut source(&finished.database.url()).expect("a source"), &Job::new(finished.path()))
            .expect("a plan");
    let mut source = source(&finished.database.url()).expect("a source");
    let job = Job::new(finished.path());
    let mut verify = |path: &Path| match verify_by(&plan, &mut source, path, &job) {
        Ok(found) => describe(&found),
        Err(error) => error.to_string(),
    };
    assert_eq!(verify(&finished.path()), "");
    let original = fs::read(finished.path()).expect("the file");
    let (mut noticed, mut missed) = (0, Vec::new());
    for (place, byte) in original.iter().take(100).enumerate() {
        for mask in [0x01, 0x80, 0xff] {
            let copy = finished.changed(|path| {
                let file = fs::OpenOptions::new().write(true).open(path).expect("the copy");
                file.write_all_at(&[byte ^ mask], place as u64).expect("one byte");
            });
            let by_verify = !verify(&copy).is_empty();
            let by_check = check(&copy, None, &Cancel::new()).map_or(true, |found| found.is_unchanged() != Some(true));
            let ignored = IGNORED.iter().any(|(places, _)| places.contains(&place));
            match (by_verify, by_check) {
                (true, true) => noticed += 1,
                _ if ignored => {}
                seen => missed.push(format!("byte {place} ^ {mask:02x}: verify and check {seen:?}")),
            }
        }
    }
    let _ = writeln!(std::io::stderr(), "header: {noticed} of 300 changes noticed");
    assert_eq!(missed, Vec::<String>::new());
    assert!(noticed >= 300 - 3 * IGNORED.iter().map(|(places, _)| places.len()).sum::<usize>());
}

#[test]
fn every_row_of_the_metadata_is_looked_at() {
    let finished = Finished::of(SOURCE, |_| {});
    let connection = Connection::open(finished.path()).expect("the file");
    let mut changes = Vec::new();
    for table in ["_whimbrel_manifest", "_whimbrel_tables", "_whimbrel_ledger", "sqlite_sequence"] {
        let rows: i64 =
            connection.query_row(&format!("SELECT max(rowid) FROM {table}"), [], |row| row.get(0)).expect("rows");
        let columns: Vec<String> = connection
            .prepare(&format!("SELECT * FROM {table}"))
            .expect("the table")
            .column_names()
            .into_iter()
            .map(str::to_owned)
            .collect();
        for row in 1..=rows {
            changes.push(format!("DELETE FROM {table} WHERE rowid = {row}"));
            for column in &columns {
                let other = match column.as_str() {
                    "rows" | "seq" => format!("{column} + 1"),
                    _ => format!("{column} || '0'"),
                };
                changes.push(format!("UPDATE {table} SET {column} = {other} WHERE rowid = {row}"));
            }
        }
    }
    drop(connection);
    assert!(changes.len() > 50, "{}", changes.len());
    let mut missed = Vec::new();
    for sql in &changes {
        let copy = finished.after(sql);
        // A manifest of a form that is not known is refused at once.
        let found = check(&copy, None, &Cancel::new()).ok();
        let damaged = found.as_ref().is_none_or(|found| !found.is_sound());
        // A number that a key counts on from is its users' business.
        if damaged == sql.contains("sqlite_sequence") {
            missed.push(format!("check: {sql}"));
        }
        if found.is_some_and(|found| found.is_unchanged() != Some(false)) {
            missed.push(format!("check --unchanged: {sql}"));
        }
        if finished.verified(&copy).is_empty() {
            missed.push(format!("verify: {sql}"));
        }
    }
    let _ = writeln!(std::io::stderr(), "metadata: {} changes, {} missed", changes.len(), missed.len());
    assert_eq!(missed, Vec::<String>::new());
}

#[test]
fn check_tells_what_changed_and_what_is_damaged() {
    let finished = Finished::of(SOURCE, |_| {});
    let untouched = checked(&finished.path());
    assert_eq!((lists(&untouched), untouched.is_unchanged()), ((vec![], vec![]), Some(true)));
    assert_eq!(untouched.indexes.iter().map(|index| &*index.name).collect::<Vec<_>>(), ["pets_owner"]);
    let mut wrong = Vec::new();
    for (sql, damage, part) in [
        ("INSERT INTO owners (name) VALUES ('new')", false, "rows of owners"),
        ("UPDATE pets SET weight = 1.5 WHERE id = 9", false, "rows of pets"),
        ("DELETE FROM pets WHERE id = 3", false, "rows of pets"),
        ("UPDATE sqlite_sequence SET seq = 99", false, "counts on from 99, and did from 20"),
        ("PRAGMA user_version = 3", false, "`user_version` is 3, and was 0"),
        ("PRAGMA application_id = 3", false, "`application_id` is 3, and was 0"),
        ("PRAGMA journal_mode = WAL", false, "`journal_mode` is wal, and was delete"),
        ("PRAGMA page_size = 1024; VACUUM", false, "`page_size` is 1024, and was 4096"),
        ("PRAGMA auto_vacuum = FULL; VACUUM", false, "`auto_vacuum` is full, and was none"),
        ("CREATE TABLE own (a)", false, "table `own` has been added"),
        ("CREATE INDEX own ON pets (tags)", false, "index `own` has been added"),
        ("CREATE VIEW own AS SELECT 1", false, "view `own` has been added"),
        (
            "CREATE TRIGGER owners AFTER INSERT ON pets BEGIN DELETE FROM pets; END",
            false,
            "trigger `owners` has been added",
        ),
        ("ALTER TABLE pets ADD COLUMN colour TEXT", false, "table `pets` is not defined as it was"),
        ("DROP INDEX pets_owner", true, "index `pets_owner` is missing"),
        ("DROP VIEW heavy", true, "view `heavy` is missing"),
        ("DROP TABLE pets", true, "table `pets` is missing"),
        ("ALTER TABLE pets DROP COLUMN tags", true, "table `pets` is not defined as it was"),
        // A new column explains nothing of another table.
        ("ALTER TABLE owners ADD COLUMN age INTEGER; ALTER TABLE pets DROP COLUMN tags", true, "rows of pets"),
        (
            "UPDATE sqlite_schema SET sql = replace(sql, 'CHECK (', 'CHECK (coalesce(1, 2) OR ') WHERE name = 'pets'",
            true,
            "table `pets` is not defined as it was",
        ),
        (
            "UPDATE sqlite_schema SET sql = replace(sql, ' NOT NULL', '') WHERE name = 'owners'",
            true,
            "table `owners` is not defined as it was",
        ),
        ("DROP INDEX _whimbrel_ledger_key", true, "the index `_whimbrel_ledger_key` of the metadata is missing"),
        ("DROP TABLE _whimbrel_tables", true, "the table `_whimbrel_tables` of the metadata is missing"),
        ("DROP TABLE _whimbrel_manifest", true, "the table `_whimbrel_manifest` of the metadata is missing"),
        (
            "UPDATE _whimbrel_manifest SET value = '{}' WHERE name = 'definitions'",
            true,
            "the manifest is not what was written",
        ),
        (
            "DELETE FROM _whimbrel_manifest WHERE name = 'digest'; UPDATE _whimbrel_manifest SET value = '1' WHERE name = 'format'",
            true,
            "the manifest has a value `header` that its form does not know",
        ),
        ("UPDATE _whimbrel_ledger SET exact = 'Infinity'", true, "the values of table `_whimbrel_ledger`"),
    ] {
        let copy = finished.after(sql);
        let found = checked(&copy);
        let (damaged, changed) = lists(&found);
        let list = if damage { &damaged } else { &changed };
        if !list.iter().any(|text| text.contains(part)) || found.is_sound() == damage {
            wrong.push(format!("{sql}: damaged {damaged:?}, changed {changed:?}"));
        }
        // Additions to a derived schema and everything else: against the source all of it is a difference.
        if finished.verified(&copy).is_empty() {
            wrong.push(format!("verify: {sql}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn migrations_of_the_schema_explain_other_definitions() {
    let finished = Finished::of(SOURCE, |_| {});
    let copy =
        finished.after("ALTER TABLE pets RENAME COLUMN tags TO labels; CREATE TABLE schema_migrations (version)");
    let found = checked(&copy);
    assert!(found.is_sound(), "{:?}", lists(&found));
    assert!(lists(&found).1.contains(&"rows of pets".to_owned()), "{:?}", found.tables);
    assert_eq!(found.is_unchanged(), Some(false));
}

/// A file as the first form of the manifest left it.
fn downgrade(path: &Path) {
    run(
        path,
        "UPDATE _whimbrel_manifest SET value = (SELECT json_group_object(substr(key, instr(key, ' ') + 1), value)
           FROM json_each(_whimbrel_manifest.value)) WHERE name = 'definitions';
         DELETE FROM _whimbrel_manifest WHERE name IN ('header', 'numbers', 'other_tables', 'digest');
         UPDATE _whimbrel_manifest SET value = '1' WHERE name = 'format'",
    );
}

#[test]
fn a_file_of_the_first_form_is_still_verified_and_says_what_is_not_checked() {
    let finished = Finished::of(SOURCE, |_| {});
    let copy = finished.changed(downgrade);
    let mut source = source(&finished.database.url()).expect("a source");
    let found = verify_file(&mut source, &copy, FileOptions::default(), &Cancel::new(), &nobody).expect("verified");
    assert_eq!(describe(&found.verification), "");
    assert!(
        found.verification.findings.not_checked.iter().any(|one| one.contains("form 1")),
        "{:?}",
        found.verification
    );
    let found = checked(&copy);
    assert!(found.is_sound() && found.not_checked.iter().any(|one| one.contains("form 1")), "{found:?}");
    assert_eq!(found.is_unchanged(), None);
    assert!(found.ensure_unchanged(&copy, None).unwrap_err().to_string().contains("does not remember"));
    // What it does keep counts: rows and digests of the tables, and the metadata's own objects.
    run(&copy, "UPDATE pets SET weight = 1.5 WHERE id = 9");
    assert_eq!(lists(&checked(&copy)).1, ["rows of pets"]);
    run(&copy, "DROP INDEX _whimbrel_ledger_key");
    assert!(!checked(&copy).is_sound() && finished.verified(&copy).contains("_whimbrel_ledger_key"));
}

#[test]
fn a_file_without_metadata_says_what_is_not_checked() {
    let finished = Finished::of("CREATE TABLE plain (id integer PRIMARY KEY); INSERT INTO plain VALUES (1)", |job| {
        job.options.run.metadata = false;
    });
    let found = checked(&finished.path());
    assert!(found.is_sound() && found.made.is_none() && found.is_unchanged().is_none(), "{found:?}");
    for part in ["its settings, its numbers of keys", "whether rows have changed"] {
        assert!(found.not_checked.iter().any(|one| one.contains(part)), "{:?}", found.not_checked);
    }
    let mut source = source(&finished.database.url()).expect("a source");
    let found =
        verify_file(&mut source, &finished.path(), FileOptions::default(), &Cancel::new(), &nobody).expect("verified");
    assert!(
        found.verification.findings.not_checked.iter().any(|one| one.contains("its settings")),
        "{:?}",
        found.verification
    );
    // What needs no record is checked all the same.
    let copy = finished.changed(|path| {
        let file = fs::OpenOptions::new().write(true).open(path).expect("the copy");
        file.write_all_at(b"x", file.metadata().expect("the copy").len()).expect("one byte");
    });
    assert!(!checked(&copy).is_sound() && finished.verified(&copy).contains("behind the last page"));
}

#[test]
fn with_a_given_schema_every_object_and_every_row_is_accounted_for() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let project = Project::load(&root.join("migrations/vibing2")).expect("the project");
    let schema = fs::read_to_string(root.join("migrations/vibing2/source/0001_initial.up.sql")).expect("the schema");
    let rows = fs::read_to_string(root.join("fixtures/vibing2/rows.sql")).expect("the rows");
    let folder = project.target_schema.clone().expect("a target schema");
    let apply = move |path: &Path| project::apply_schema(&folder, path, project.options.page_size_bytes);
    let database = shared().expect("a PostgreSQL server").create_database("record").expect("a database");
    Server::connect(&database.url()).run(schema + &rows);
    let directory = tempfile::tempdir().expect("a directory");
    let mut job = Job::new(directory.path().join("finished.db"));
    job.options.run.choices = project.options.run.choices.clone();
    job.schema = Some(&apply);
    job.options.journal_mode = JournalMode::Delete;
    let outcome = migrate(&database.url(), &job).unwrap_or_else(|error| panic!("{error}"));
    outcome.ensure_published().unwrap_or_else(|error| panic!("{error}{}", findings(&outcome.verification)));
    let copy = directory.path().join("copy.db");
    let verified = |sql: &str| {
        fs::copy(&job.target, &copy).expect("a copy");
        run(&copy, sql);
        let mut source = source(&database.url()).expect("a source");
        let found = verify_file(&mut source, &copy, FileOptions::default(), &Cancel::new(), &nobody);
        found.map_or_else(|error| error.to_string(), |found| describe(&found.verification))
    };
    assert_eq!(verified("SELECT 1"), "");
    let found = checked(&copy);
    assert_eq!((lists(&found), found.is_unchanged()), ((vec![], vec![]), Some(true)));
    assert!(found.indexes.len() > 5 && found.tables.len() > 5, "{:?}", found.indexes);
    for (sql, part) in [
        ("CREATE TRIGGER users AFTER INSERT ON users BEGIN DELETE FROM users; END", "trigger `users` has been added"),
        ("CREATE TABLE more (a)", "table `more` has been added"),
        ("UPDATE schema_migrations SET name = name || 'x'", "the values of table `schema_migrations`"),
        ("DELETE FROM schema_migrations", "table `schema_migrations` has 0 rows, and had"),
        (
            "UPDATE _whimbrel_manifest SET value = '{}' WHERE name = 'definitions'",
            "the manifest is not what was written",
        ),
        ("DELETE FROM _whimbrel_manifest WHERE name = 'definitions'", "the manifest has no value `definitions`"),
    ] {
        let found = verified(sql);
        assert!(found.contains(part), "{sql}: {found}");
        assert_eq!(checked(&copy).is_unchanged(), Some(false), "{sql}");
    }
}

#[test]
fn the_program_ends_with_one_where_asked_and_prints_the_digest() {
    let finished = Finished::of(SOURCE, |_| {});
    let digest = finished.outcome.verification.findings.manifest_digest.clone().expect("a digest");
    let backup = &finished.outcome.published.as_ref().expect("it was published").backup;
    assert_eq!(backup.replacement_digest.as_ref(), Some(&digest), "the backup's manifest keeps it, too");
    let check = |path: &Path, options: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_whimbrel")).arg("check").arg(path).args(options).output();
        let output = output.expect("the program runs");
        (output.status.code().expect("a code"), String::from_utf8(output.stdout).expect("UTF-8"))
    };
    let (code, text) = check(&finished.path(), &["--unchanged", "--digest", &digest]);
    assert_eq!(code, 0, "{text}");
    for part in [&*digest, "nothing has changed since it was made", "indexes: 1\n  `pets`: `pets_owner`\n"] {
        assert!(text.contains(part), "`{part}` is not in {text}");
    }
    assert_eq!(check(&finished.path(), &["--unchanged", "--digest", &"0".repeat(32)]).0, 1);
    let copy = finished.after("DELETE FROM pets WHERE id IN (4, 5); INSERT INTO owners (name) VALUES ('new')");
    let (code, text) = check(&copy, &[]);
    assert_eq!(code, 0, "{text}");
    for part in
        ["changed since it was made (3):", "table `pets`: 2 rows fewer", "table `owners`: 1 row more, values differ"]
    {
        assert!(text.contains(part), "`{part}` is not in {text}");
    }
    assert_eq!(check(&copy, &["--unchanged"]).0, 1);
    let (_, json) = check(&copy, &["--unchanged", "--json"]);
    let message: serde_json::Value = serde_json::from_str(json.lines().next().expect("a line")).expect("JSON");
    assert_eq!((&message["data"]["sound"], &message["data"]["unchanged"]), (&true.into(), &false.into()), "{message}");
    assert_eq!(message["data"]["made"]["digest"], digest.as_str());
    let copy = finished.after("DROP INDEX pets_owner");
    let (code, text) = check(&copy, &["--quiet"]);
    assert!(code == 1 && text.contains("DAMAGED (1):\n  index `pets_owner` is missing"), "{code}: {text}");
}

#[test]
fn a_column_that_is_not_there_has_no_values() {
    const SOURCE: &str = "CREATE TABLE t (id integer PRIMARY KEY, yy text); INSERT INTO t VALUES (1, 'yy'), (2, 'yy')";
    for metadata in [true, false] {
        let finished = Finished::of(SOURCE, |job| job.options.run.metadata = metadata);
        assert_eq!(finished.verified(&finished.path()), "");
        for change in ["ALTER TABLE t RENAME COLUMN yy TO zz", "ALTER TABLE t DROP COLUMN yy"] {
            let found = finished.verified(&finished.after(change));
            let told = "column `yy` of table `public.t` is missing in the target";
            assert!(found.contains(told), "{metadata} {change}: {found}");
        }
    }
}
