//! The runs that are attacked, and what may be there after one: a verb over one kind of old file, the states in which the
//! target may be found, and what the next run has to leave.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use rusqlite::Connection;
use rusqlite::config::DbConfig;
use whimbrel::backup::list::{Check, Entry, State, list};

use super::preload::{self, Ended, Exit, Fault};
use crate::interruptions::support::{
    assert_tidy, content, content_without, copied, listing, migrate, old_target, snapshot,
};

/// What is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    Migrate,
    Rollback,
    Prune,
    Rotate,
    Take,
    SchemaUp,
}

/// What is there before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Old {
    /// A database in rollback-journal mode.
    Journal,
    /// One in WAL mode, closed.
    Wal,
    /// One in WAL mode whose last commit is only in its `-wal`.
    Log,
}

/// Where a run was when it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    Old,
    /// One of two backups is removed, or one of two migrations applied.
    Between,
    New,
}

impl Verb {
    pub const ALL: [Verb; 6] = [Verb::Migrate, Verb::Rollback, Verb::Prune, Verb::Rotate, Verb::Take, Verb::SchemaUp];

    pub fn name(self) -> &'static str {
        match self {
            Verb::Migrate => "migrate",
            Verb::Rollback => "rollback",
            Verb::Prune => "prune",
            Verb::Rotate => "rotate",
            Verb::Take => "take",
            Verb::SchemaUp => "schema-up",
        }
    }
}

impl Old {
    pub const ALL: [Old; 3] = [Old::Journal, Old::Wal, Old::Log];

    pub fn name(self) -> &'static str {
        match self {
            Old::Journal => "journal",
            Old::Wal => "wal",
            Old::Log => "log",
        }
    }

    /// Brings a closed database into this state by one more commit.
    fn settle(self, path: &Path, last_commit: &str) {
        let connection = Connection::open(path).unwrap();
        let mode = if self == Old::Journal { "delete" } else { "wal" };
        let kept: String =
            connection.query_row(&format!("PRAGMA journal_mode = {mode}"), [], |row| row.get(0)).unwrap();
        assert_eq!(kept, mode);
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, self == Old::Log).unwrap();
        connection.execute_batch(last_commit).unwrap();
    }
}

const BACKUPS: &str = "app.db.whimbrel-backups";
const HISTORY: &str = "schema_migrations";
/// Where the project that says how backups rotate takes its target from.
const TARGET_VARIABLE: &str = "TORTURE_TARGET";

const MIGRATIONS: [(&str, &str); 3] = [
    ("1_a", "CREATE TABLE t1 (b INTEGER NOT NULL, c TEXT); INSERT INTO t1 VALUES (1, 'one');"),
    (
        "2_b",
        "CREATE TABLE t2 (b INTEGER PRIMARY KEY, c TEXT);\n\
         INSERT INTO t2 WITH RECURSIVE n (b) AS (SELECT 1 UNION ALL SELECT b + 1 FROM n WHERE b < 300)\n\
           SELECT b, hex(zeroblob(20)) || b FROM n;\n\
         CREATE INDEX t2_c ON t2 (c);",
    ),
    ("3_c", "ALTER TABLE t1 ADD COLUMN d INTEGER;\nUPDATE t1 SET d = b * 2;\nCREATE TABLE t3 (b, c);"),
];

/// A verb over an old file.
pub struct Case {
    pub verb: Verb,
    pub old: Old,
    /// The files before the run, and beside them what is compared with.
    models: tempfile::TempDir,
    url: String,
    /// The contents in which the target may be: before, between, after.
    contents: Vec<u128>,
}

impl Case {
    pub fn new(verb: Verb, old: Old, url: &str) -> Case {
        let models = tempfile::tempdir().unwrap();
        let mut case = Case { verb, old, models, url: url.to_owned(), contents: Vec::new() };
        fs::create_dir(case.before()).unwrap();
        let target = case.before().join("app.db");
        match verb {
            Verb::Migrate => {
                case.put_old(&target);
                let new = case.models.path().join("new.db");
                succeed(&mut migrate(url, &new));
                case.contents = vec![case.content_of(&target), content(&new)];
            }
            Verb::Take => {
                case.put_old(&target);
                case.contents = vec![case.content_of(&target)];
            }
            Verb::Rollback | Verb::Prune | Verb::Rotate => {
                old_target(&target, false);
                Connection::open(&target).unwrap().execute_batch("INSERT INTO t VALUES ('oldest', 1)").unwrap();
                let oldest = case.content_of(&target);
                for _ in 0..if verb == Verb::Rollback { 1 } else { 3 } {
                    succeed(&mut migrate(url, &target));
                }
                if verb == Verb::Rotate {
                    make_old(&case.before().join(BACKUPS));
                    fs::create_dir(case.project()).unwrap();
                    let text = format!(
                        "[target]\npath = {{ env = '{TARGET_VARIABLE}' }}\n[backups]\nkeep = 1\ncompress_after_days = 1\n"
                    );
                    fs::write(case.project().join("project.toml"), text).unwrap();
                }
                fs::remove_file(&target).unwrap();
                case.put_old(&target);
                case.contents = vec![case.content_of(&target), oldest];
            }
            Verb::SchemaUp => {
                fs::create_dir(case.migrations()).unwrap();
                for (name, sql) in MIGRATIONS {
                    fs::write(case.migrations().join(format!("{name}.up.sql")), sql).unwrap();
                }
                succeed(case.command(&case.before()).args(["--to", "1"]));
                case.old.settle(&target, "INSERT INTO t1 VALUES (2, 'two')");
                case.contents = (1..=3).map(|version| case.content_after(version)).collect();
            }
        }
        let mut different = case.contents.clone();
        different.dedup();
        assert_eq!(different.len(), case.contents.len(), "the states can be told apart");
        assert_eq!(case.before().join("app.db-wal").exists(), old == Old::Log);
        case
    }

    fn put_old(&self, target: &Path) {
        old_target(target, false);
        self.old.settle(target, "INSERT INTO t VALUES ('in the last commit', 2)");
    }

    /// The files before the run.
    fn before(&self) -> PathBuf {
        self.models.path().join("before")
    }

    fn migrations(&self) -> PathBuf {
        self.models.path().join("migrations")
    }

    fn project(&self) -> PathBuf {
        self.models.path().join("project")
    }

    /// What the target holds once it has that version.
    fn content_after(&self, version: i64) -> u128 {
        let folder = tempfile::tempdir().unwrap();
        self.prepare(folder.path());
        succeed(self.command(folder.path()).args(["--to", &version.to_string()]));
        self.content_of(&folder.path().join("app.db"))
    }

    /// Looks at a copy, so that nothing changes.
    fn content_of(&self, target: &Path) -> u128 {
        let looked_at = tempfile::tempdir().unwrap();
        let copy = copied(target, looked_at.path());
        match self.verb {
            Verb::SchemaUp => content_without(&copy, HISTORY),
            _ => content(&copy),
        }
    }

    /// Puts the files of the case into an empty folder.
    pub fn prepare(&self, folder: &Path) {
        copy_all(&self.before(), folder);
    }

    /// The program with the verb, on the target in that folder.
    pub fn command(&self, folder: &Path) -> Command {
        let target = folder.join("app.db");
        let mut command = program();
        match self.verb {
            Verb::Migrate => return migrate(&self.url, &target),
            Verb::Rollback => command.arg("rollback").arg(&target),
            Verb::Prune => command.args(["backups", "prune"]).arg(&target).args(["--keep", "1"]),
            Verb::Rotate => command.args(["backups", "prune"]).arg(self.project()).env(TARGET_VARIABLE, &target),
            Verb::Take => command.args(["backups", "take"]).arg(&target),
            Verb::SchemaUp => command.args(["schema", "up"]).arg(&target).arg(self.migrations()),
        };
        command
    }

    /// Where the run was when it ended; panics where that is no legal end.
    pub fn judge(&self, folder: &Path, ended: &Ended, fault: Fault) -> Found {
        let target = folder.join("app.db");
        let said = format!("{}{}", ended.stdout, ended.stderr);
        assert!(!said.contains("panicked"), "a panic");
        for note in &ended.notes {
            assert!(!note.starts_with("unsynced"), "a file got its name before it was on the disk: {note}");
        }
        let backups = list(&target, None, Check::Digest).unwrap();
        assert!(backups.iter().all(|backup| backup.state == State::Intact), "a broken backup: {backups:?}");
        let found = match self.verb {
            Verb::Migrate | Verb::Rollback => self.judge_exchange(&target, &backups),
            Verb::Prune => self.judge_prune(folder, &backups),
            Verb::Rotate => self.judge_rotate(folder, &backups),
            Verb::Take => self.judge_take(folder, &backups),
            Verb::SchemaUp => self.judge_schema(&target),
        };
        match ended.exit {
            Exit::Code(0) => {
                // A backup that cannot be read is broken, and `prune` leaves it and says so.
                let reads_all = matches!(self.verb, Verb::Prune | Verb::Rotate);
                let broken = reads_all && fault == Fault::Unreadable && said.contains("broken");
                assert!(found == Found::New || broken, "success, and the job is not done");
                self.judge_durability(folder, ended);
            }
            // What cannot be read is not what it should be.
            Exit::Code(1) => {
                assert!(matches!(fault, Fault::Unreadable | Fault::Dead), "the data differ after {fault:?}");
                assert!(found == Found::Old || said.contains("it was committed"), "the data differ, and are in place");
            }
            Exit::Code(3) => {
                let told = ["whether it was committed is not certain", "are removed", "bring its original back"];
                let told = told.iter().any(|words| said.contains(words));
                // A backup that counts although the disk was gone when it was to be taken back is whole.
                let stays = self.verb == Verb::Take && fault.lasts();
                assert!(found != Found::New || told || stays, "the job is done, and the exit code says that it is not");
            }
            Exit::Signal(libc::SIGKILL) if fault.kills() => {}
            other => panic!("no way to end: {other:?}"),
        }
        if matches!(ended.exit, Exit::Code(_)) && !fault.lasts() {
            self.judge_left_overs(folder, ended);
        }
        found
    }

    /// What a success rests on is on the disk, or the program says that it may not be.
    fn judge_durability(&self, folder: &Path, ended: &Ended) {
        let at_risk = |name: &str| {
            ended.notes.iter().any(|note| {
                note.strip_prefix("at-risk 0 ")
                    .is_some_and(|rest| rest.split_once(' ').is_some_and(|(_, path)| path == name))
            })
        };
        let log = fs::metadata(folder.join("app.db-wal")).is_ok_and(|log| log.len() > 0);
        // What a checkpoint could not sync is still in the log.
        assert!(!at_risk("/app.db") || log, "the target may not survive a power failure");
        assert!(!log || !at_risk("/app.db-wal"), "the log may not survive a power failure");
        // A log that has become superfluous needs no name.
        let names_matter = self.verb != Verb::SchemaUp || log;
        let told = ended.stdout.contains("power failure");
        for place in ["".to_owned(), format!("/{BACKUPS}")] {
            assert!(!(names_matter && at_risk(&place)) || told, "`{place}` is not synced, and nobody is told");
        }
    }

    /// A run that could still clean up after itself has done so, where it was not the clean-up that failed.
    fn judge_left_overs(&self, folder: &Path, ended: &Ended) {
        let removal = ["unlink ", "rmdir ", "rename ", "renameat2 "];
        if ended.hit().is_some_and(|hit| removal.iter().any(|call| hit.contains(call))) {
            return;
        }
        let left: Vec<String> =
            listing(folder).into_iter().filter(|name| name.contains(".whimbrel-") && name != BACKUPS).collect();
        assert!(left.is_empty(), "left behind: {left:?}");
        if folder.join(BACKUPS).exists() {
            let left = listing(&folder.join(BACKUPS));
            let is_backup = |name: &String| [".db", ".db.zst", ".json"].iter().any(|ending| name.ends_with(ending));
            assert!(left.iter().all(is_backup), "left behind: {left:?}");
        }
    }

    fn judge_exchange(&self, target: &Path, backups: &[Entry]) -> Found {
        let found = self.content_of(target);
        match self.contents.iter().position(|content| *content == found) {
            Some(0) => Found::Old,
            Some(_) => {
                self.assert_kept(backups, self.contents[0]);
                Found::New
            }
            None => panic!("the target is neither the old one nor the new one"),
        }
    }

    /// A backup of that content is there.
    fn assert_kept(&self, backups: &[Entry], content: u128) {
        let kept = backups.iter().any(|backup| backup.file.exists() && self.content_of(&backup.file) == content);
        assert!(kept, "no backup of what was replaced");
    }

    fn assert_target_as_it_was(&self, folder: &Path) {
        let databases = |folder: &Path| -> Vec<_> {
            let files = snapshot(folder).into_iter();
            let files = files.filter(|(name, bytes)| !(name.ends_with("-wal") && bytes.is_empty()));
            files.filter(|(name, _)| name.starts_with("app.db") && name != BACKUPS && !name.ends_with("-shm")).collect()
        };
        assert!(databases(folder) == databases(&self.before()), "the target was changed");
    }

    fn judge_prune(&self, folder: &Path, backups: &[Entry]) -> Found {
        self.assert_target_as_it_was(folder);
        let newest = list(&self.before().join("app.db"), None, Check::Digest).unwrap().remove(0);
        assert_eq!(backups.first().map(|backup| &backup.id), Some(&newest.id), "the newest backup is gone");
        // What is only half removed is there for the next run.
        match listing(&folder.join(BACKUPS)).len() {
            6 => Found::Old,
            3..=5 => Found::Between,
            2 => Found::New,
            other => panic!("{other} backups"),
        }
    }

    /// Every backup is there and whole, as it was or compressed.
    fn judge_rotate(&self, folder: &Path, backups: &[Entry]) -> Found {
        self.assert_target_as_it_was(folder);
        let before = list(&self.before().join("app.db"), None, Check::Size).unwrap();
        let ids = |entries: &[Entry]| entries.iter().map(|entry| entry.id.clone()).collect::<Vec<_>>();
        assert_eq!(ids(backups), ids(&before), "a backup is gone");
        let is_compressed =
            |entry: &&Entry| entry.manifest.as_ref().is_some_and(|found| found.compressed_bytes.is_some());
        let compressed = backups.iter().filter(is_compressed).count();
        let originals = listing(&folder.join(BACKUPS)).iter().filter(|name| name.ends_with(".db")).count();
        match (compressed, originals) {
            (0, _) => Found::Old,
            (3, 0) => Found::New,
            _ => Found::Between,
        }
    }

    /// The target has the same content; where the index of its log could not be written, SQLite may have moved the log.
    fn judge_take(&self, folder: &Path, backups: &[Entry]) -> Found {
        assert_eq!(self.content_of(&folder.join("app.db")), self.contents[0], "the target was changed");
        match backups {
            [] => Found::Old,
            backups => {
                self.assert_kept(backups, self.contents[0]);
                Found::New
            }
        }
    }

    fn judge_schema(&self, target: &Path) -> Found {
        let looked_at = tempfile::tempdir().unwrap();
        let connection = Connection::open(copied(target, looked_at.path())).unwrap();
        let sql = format!("SELECT count(*) FROM {HISTORY} WHERE state = 'applied'");
        let version: u32 = connection.query_row(&sql, [], |row| row.get(0)).unwrap();
        let version = usize::try_from(version).unwrap();
        let found = self.content_of(target);
        let place = self.contents.iter().position(|content| *content == found);
        assert_eq!(place.map(|place| place + 1), Some(version), "the history says {version}, the schema another one");
        [Found::Old, Found::Between, Found::New][version - 1]
    }

    /// The next run does the job, and nothing is left of the one before.
    pub fn next_run(&self, folder: &Path, found: Found) {
        let target = folder.join("app.db");
        let counted = list(&target, None, Check::Size).unwrap().len();
        succeed(&mut self.command(folder));
        succeed(program().arg("backups").arg(&target).arg("--check"));
        let backups = list(&target, None, Check::Digest).unwrap();
        match self.verb {
            Verb::Migrate => {
                assert_eq!(self.content_of(&target), self.contents[1], "the next run");
                self.assert_kept(&backups, self.contents[0]);
                assert_tidy(folder);
            }
            Verb::Rollback => {
                // A second rollback undoes the first. One that was killed when its backup counted already, and its file
                // was not in place, is undone, too: to what it began with.
                let undone = found == Found::New || counted > 1;
                assert_eq!(self.content_of(&target), self.contents[usize::from(!undone)], "the next run");
                self.assert_kept(&backups, self.contents[0]);
                self.assert_kept(&backups, self.contents[1]);
                assert_tidy(folder);
            }
            Verb::Prune => {
                assert_eq!(self.judge_prune(folder, &backups), Found::New);
                assert_eq!(listing(&folder.join(BACKUPS)).len(), 2);
                let before = listing(&self.before()).into_iter().filter(|name| !name.ends_with("-shm"));
                assert_eq!(listing(folder), before.collect::<Vec<_>>());
            }
            Verb::Rotate => {
                assert_eq!(self.judge_rotate(folder, &backups), Found::New);
                let left = listing(&folder.join(BACKUPS));
                assert!(left.len() == 6 && left.iter().all(|name| !name.ends_with(".db")), "{left:?}");
            }
            Verb::Take => {
                assert_eq!(self.judge_take(folder, &backups), Found::New);
                assert_eq!(backups.len(), counted + 1);
                let names = listing(&folder.join(BACKUPS));
                assert!(names.iter().all(|name| name.ends_with(".db") || name.ends_with(".json")), "{names:?}");
            }
            Verb::SchemaUp => {
                assert_eq!(self.judge_schema(&target), Found::New);
                assert_eq!(listing(folder), ["app.db"]);
                assert_eq!(fs::read(&target).unwrap()[18] == 2, self.old != Old::Journal, "the journal mode");
                succeed(program().args(["schema", "validate"]).arg(&target).arg(self.migrations()));
            }
        }
    }
}

/// Makes every backup in the folder one of years ago, by its own record.
fn make_old(folder: &Path) {
    for name in listing(folder).into_iter().filter(|name| name.ends_with(".json")) {
        let path = folder.join(name);
        let mut manifest: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        manifest["taken_at"] = "2020-01-02T03:04:05.678Z".into();
        fs::write(&path, manifest.to_string()).unwrap();
    }
}

fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_whimbrel"))
}

fn succeed(command: &mut Command) {
    let ended = preload::run(command);
    assert_eq!(ended.exit, Exit::Code(0), "{command:?}: {}{}", ended.stdout, ended.stderr);
}

fn copy_all(from: &Path, to: &Path) {
    for name in listing(from) {
        let (from, to) = (from.join(&name), to.join(&name));
        if from.is_dir() {
            fs::create_dir(&to).unwrap();
            copy_all(&from, &to);
        } else if !name.ends_with("-shm") {
            fs::copy(&from, &to).unwrap();
        }
    }
}
