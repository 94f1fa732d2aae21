//! Eleven deliberate bugs in the engine, one at a time: `whimbrel test` fails with each, names the property that does not
//! hold, and passes without it. What the three plain commands notice is told beside it; the table is printed.
//!
//! Everything runs in processes of their own with the bug switched on, as it would with a real one: the engine, its
//! checks and the properties. Kept cases go to a folder of the test.
#![cfg_attr(not(debug_assertions), allow(dead_code, unused_imports))]

use crate::support::whole_run::Server;
use rusqlite::Connection;
use rusqlite::config::DbConfig;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use whimbrel::provision::{Database, shared};

/// The tables of every run: keys that are positive, numbers that are no keys and may be negative, times in milliseconds,
/// NULL in text that no key refers to, indexes, a foreign key, a table without a key, and a last one that nobody refers to.
const SCHEMA: &str = "
    CREATE TABLE parents (id integer PRIMARY KEY CHECK (id > 0), name text NOT NULL UNIQUE, note text,
      at timestamptz(3) NOT NULL CHECK (at BETWEEN '1990-01-01 00:00:00+00' AND '2030-01-01 00:00:00+00'),
      balance bigint NOT NULL, price numeric(10, 2));
    CREATE TABLE children (id integer PRIMARY KEY CHECK (id > 0), parent integer NOT NULL REFERENCES parents, other
      integer REFERENCES parents, label varchar(20));
    CREATE INDEX children_label ON children (label);
    CREATE TABLE events (parent integer, what text);
    CREATE INDEX events_what ON events (what);
    CREATE TABLE zones (code integer CHECK (code > 0));";

/// Rows for the three commands: whole seconds, so that seconds for milliseconds lose nothing and the ledger has nothing
/// to say.
const ROWS: &str = "
    INSERT INTO parents SELECT n, 'name ' || n, CASE WHEN n % 3 = 0 THEN 'note' END,
      timestamptz '2024-02-29 12:00:00+00' + n * interval '1 hour', 500 - n * 100, n - 7.25 FROM generate_series(1, 12) n;
    INSERT INTO children SELECT n, 1 + n % 12, NULL, CASE WHEN n % 4 = 0 THEN 'label' END FROM generate_series(1, 30) n;
    INSERT INTO events SELECT n, 'event ' || n FROM generate_series(1, 9) n;
    INSERT INTO zones VALUES (1), (2)";

/// A target schema that somebody wrote, for one of the tables.
const GIVEN: &str = "CREATE TABLE events (parent INTEGER, what TEXT); CREATE INDEX by_what ON events (what);";

/// The source of that.
const GIVEN_SOURCE: &str =
    "CREATE TABLE events (parent integer, what text); CREATE INDEX events_what ON events (what);";

/// A database in WAL mode whose last commit is only in its `-wal`, as a program leaves it that was killed.
fn old_target(path: &Path) {
    let connection = Connection::open(path).unwrap();
    connection.execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE t (a); INSERT INTO t VALUES ('old')").unwrap();
    connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).unwrap();
    connection.execute_batch("INSERT INTO t VALUES ('in the log')").unwrap();
    drop(connection);
    assert!(path.with_extension("db-wal").metadata().unwrap().len() > 0);
}

/// Whether the file holds what [`old_target`] put there.
fn is_old(path: &Path) -> Result<(), String> {
    let rows = || -> rusqlite::Result<String> {
        let connection = Connection::open(path)?;
        connection.query_row("SELECT group_concat(a) FROM (SELECT a FROM t ORDER BY rowid)", [], |row| row.get(0))
    };
    match rows() {
        Ok(rows) if rows == "old,in the log" => Ok(()),
        other => Err(format!("the file holds {other:?}")),
    }
}

/// One file of it in a folder of the test: the schema, or a project with a target schema that somebody wrote.
fn subject(folder: &Path, given: bool) -> &'static str {
    let put = |name: &str, text: &str| {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    if !given {
        put("my schema.sql", SCHEMA);
        return "my schema.sql";
    }
    put("app/project.toml", "name = \"app\"\n[target]\nschema = \"target\"\n");
    put("app/source/0001_events.up.sql", GIVEN_SOURCE);
    put("app/target/0001_events.up.sql", GIVEN);
    put("app/target/0001_events.down.sql", "-- whimbrel: lossy\nDROP TABLE events;");
    "app"
}

/// How `whimbrel test` ends, and what it says.
struct Ended {
    code: Option<i32>,
    said: String,
}

impl Ended {
    fn of(command: &mut Command, fault: &str) -> Ended {
        let server = shared().expect("a PostgreSQL server").admin_url().to_owned();
        let bin = Path::new(env!("CARGO_BIN_EXE_whimbrel")).parent().unwrap();
        let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap_or_default());
        let command = command.env("PATH", path).env("WHIMBREL_FAULT", fault);
        let output = command.env("WHIMBREL_POSTGRES", server).env("WHIMBREL_PROVISION", "url").output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        Ended { code: output.status.code(), said: String::from_utf8_lossy(&said).into_owned() }
    }

    /// `whimbrel test` as somebody types it in `folder`.
    fn test(folder: &Path, words: &[&str], fault: &str) -> Ended {
        Ended::of(Command::new("whimbrel").arg("test").args(words).current_dir(folder), fault)
    }

    fn assert_passed(&self) {
        assert_eq!(self.code, Some(0), "{}", self.said);
    }

    /// The property that the failure names.
    fn property(&self) -> String {
        assert_eq!(self.code, Some(1), "{}", self.said);
        self.between("the property `", "` does not hold")
    }

    fn between(&self, before: &str, after: &str) -> String {
        let found = self.said.split_once(before).and_then(|(_, rest)| rest.split_once(after));
        found.unwrap_or_else(|| panic!("no `{before}…{after}` in {}", self.said)).0.to_owned()
    }

    /// What follows the line that names the property.
    fn found(&self) -> String {
        let line = self.said.lines().skip_while(|line| !line.contains("the property `")).nth(1);
        line.unwrap_or_default().chars().take(100).collect()
    }
}

/// What every run here is told besides.
const CASES: [&str; 8] = ["--cases", "12", "--seed", "1", "--rows", "60", "--regressions", "kept cases"];

/// The exit codes of `migrate`, `verify` and `rollback` with that bug, and whether the old file came back.
fn commands(fault: &str, url: &str) -> String {
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("app.db");
    old_target(&target);
    let path = target.to_str().unwrap();
    for words in [vec!["migrate", url, path], vec!["verify", url, path], vec!["rollback", path]] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_whimbrel"));
        let output = command.args(&words).arg("--quiet").env("WHIMBREL_FAULT", fault).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(said.contains("is switched on"), !fault.is_empty(), "{said}");
        match output.status.code() {
            Some(0) => {}
            code => return format!("`{}` ends with {}", words[0], code.unwrap_or(-1)),
        }
    }
    match is_old(&target) {
        Ok(()) => "nothing".to_owned(),
        Err(_) => "nothing; the old file is not back".to_owned(),
    }
}

/// A bug, whether the target's schema is given, what the three commands notice, and the property of `whimbrel test`
/// that does not hold.
#[cfg(debug_assertions)]
const EXPECTED: [(&str, bool, &str, &str); 12] = [
    ("table-skipped", false, "nothing", "counts"),
    ("sign-lost", false, "nothing", "second opinion"),
    ("seconds-for-milliseconds", false, "nothing", "second opinion"),
    ("null-as-empty", false, "nothing", "second opinion"),
    ("foreign-key-dropped", false, "nothing", "inventory"),
    ("batch-written-twice", false, "`migrate` ends with 3", "published"),
    ("last-row-lost", false, "`migrate` ends with 1", "published"),
    ("index-missing", false, "nothing", "inventory"),
    ("index-missing", true, "", "schema round trip"),
    ("collation-changed", false, "nothing", "inventory"),
    ("backup-as-file-copy", false, "nothing; the old file is not back", "rollback"),
    ("escape-lost", false, "nothing", "dump"),
];

#[cfg(debug_assertions)]
fn source() -> Database {
    let database = shared().expect("a PostgreSQL server").create_database("faults").expect("a database");
    Server::connect(&database.url()).run(format!("{SCHEMA}{ROWS}"));
    database
}

#[test]
#[cfg(debug_assertions)]
fn each_bug_is_noticed() {
    use std::collections::BTreeSet;
    use whimbrel::fault::Fault;

    let tried: BTreeSet<&str> = EXPECTED.iter().map(|(fault, ..)| *fault).collect();
    assert_eq!(tried, Fault::ALL.iter().map(|fault| fault.name()).collect());
    let database = source();
    let url = database.url();
    assert_eq!(commands("", &url), "nothing");
    for given in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let path = subject(folder.path(), given);
        let ended = Ended::test(folder.path(), &[&[path][..], &CASES].concat(), "");
        ended.assert_passed();
        assert!(!folder.path().join("kept cases").exists(), "{}", ended.said);
    }

    let row = |(fault, given, by_commands, property): &(&str, bool, &str, &str)| {
        let folder = tempfile::tempdir().unwrap();
        let path = subject(folder.path(), *given);
        let ended = Ended::test(folder.path(), &[&[path][..], &CASES].concat(), fault);
        assert_eq!(ended.property(), *property, "{fault}: {}", ended.said);
        if !given {
            assert_eq!(commands(fault, &url), *by_commands, "{fault}");
        }
        let schema = if *given { "given" } else { "derived" };
        format!("{fault:<25} {schema:<8} {by_commands:<34} {property:<18} {}", ended.found())
    };
    // Half of the rows on each of two threads.
    let (first, second) = EXPECTED.split_at(EXPECTED.len() / 2);
    let table = std::thread::scope(|scope| {
        let first = scope.spawn(|| first.iter().map(row).collect::<Vec<_>>());
        let second: Vec<_> = second.iter().map(row).collect();
        let mut rows = first.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        rows.extend(second);
        rows
    });
    // Past the capture of the test runner: which property caught which bug is what this test is for.
    let _ = writeln!(
        std::io::stderr().lock(),
        "{:<25} {:<8} {:<34} {:<18} how\n{}",
        "bug",
        "schema",
        "migrate, verify, rollback notice",
        "property",
        table.join("\n")
    );
}

/// The failure itself: small, told as SQL, run again by the command that it names, and first from then on.
#[test]
#[cfg(debug_assertions)]
fn a_failure_is_small_is_run_again_as_told_and_is_kept() {
    const FAULT: &str = "null-as-empty";
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let path = subject(folder, false);
    let first = Ended::test(folder, &[&[path][..], &CASES].concat(), FAULT);
    assert_eq!(first.property(), "second opinion");
    let seed = first.between("seed: ", ", rows: ");
    let rows: u64 = first.between("the smallest case found, with ", " row").parse().unwrap();
    assert!((1..=5).contains(&rows), "{}", first.said);
    let replay = first.between("run it again: ", "\n");
    let told = format!("'my schema.sql' --seed {seed} --cases 1 --rows 60 --regressions 'kept cases'");
    assert_eq!(replay, format!("whimbrel test {told}"));

    // The kept case is the SQL that was told, and an empty database with the schema takes it.
    let kept = first.between("kept as `", "`; it runs first");
    let sql = std::fs::read_to_string(folder.join(&kept)).unwrap();
    let (_, inserts) = sql.split_once("-- part: rows\n").unwrap();
    assert!(first.said.contains(inserts.trim()), "{}", first.said);
    let database = shared().unwrap().create_database("kept").unwrap();
    let mut server = Server::connect(&database.url());
    server.run(SCHEMA);
    server.run(sql);
    let tables = ["parents", "children", "events", "zones"].map(|table| format!("(SELECT count(*) FROM {table})"));
    assert_eq!(server.value(format!("SELECT ({})::text", tables.join(" + "))), rows.to_string());

    // The command as it is printed, by a shell: first without the kept case, then with it.
    let replayed = |fault| Ended::of(Command::new("sh").args(["-c", &replay]).current_dir(folder), fault);
    std::fs::rename(folder.join("kept cases"), folder.join("aside")).unwrap();
    assert_eq!(replayed(FAULT).property(), "second opinion");
    std::fs::remove_dir_all(folder.join("kept cases")).unwrap();
    replayed("").assert_passed();
    std::fs::rename(folder.join("aside"), folder.join("kept cases")).unwrap();
    // Another seed finds the kept case before any case of its own.
    let other = [path, "--cases", "1", "--seed", "99", "--rows", "0", "--regressions", "kept cases"];
    let again = Ended::test(folder, &other, FAULT);
    assert_eq!(again.code, Some(1), "{}", again.said);
    assert!(again.said.contains(&format!("the kept case `{kept}` fails again: `second opinion`")), "{}", again.said);
    let passed = Ended::test(folder, &other, "");
    passed.assert_passed();
    assert!(passed.said.contains("before them, 1 kept case passed"), "{}", passed.said);
}

#[test]
#[cfg(debug_assertions)]
fn a_name_that_is_no_bug_is_refused() {
    let output = Command::new(env!("CARGO_BIN_EXE_whimbrel"))
        .args(["backups", "app.db"])
        .env("WHIMBREL_FAULT", "sign-lots")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("`sign-lots` is no fault") && said.contains("sign-lost"), "{said}");
}

#[test]
#[cfg(not(debug_assertions))]
fn a_release_build_knows_no_bugs() {
    let program = std::fs::read(env!("CARGO_BIN_EXE_whimbrel")).unwrap();
    let name = ["WHIMBREL", "FAULT"].join("_");
    assert!(!program.windows(name.len()).any(|window| window == name.as_bytes()), "the program reads {name}");
}
