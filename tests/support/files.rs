//! What the tests of publishing and rolling back share: databases in a known state, and other processes that hold one.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::AtomicBool;

use rusqlite::Connection;
use whimbrel::Result;
use whimbrel::backup::publish::{PublishOptions, Published, publish};
use whimbrel::endpoint::sqlite::staging::Staging;
use whimbrel::endpoint::sqlite::target::JournalMode;

pub static RUNNING: AtomicBool = AtomicBool::new(false);

#[derive(Debug, Clone, Copy)]
pub enum Mode {
    Delete,
    Wal,
}

/// A database with one row in `t`, a free page and a few pages of ballast, closed.
pub fn database(path: &Path, mode: Mode, row: &str) -> PathBuf {
    let connection = Connection::open(path).unwrap();
    let mode = format!("{mode:?}");
    connection
        .execute_batch(&format!(
            "PRAGMA journal_mode={mode}; CREATE TABLE t(a); CREATE TABLE ballast(b); CREATE INDEX i ON t(a);
             INSERT INTO ballast VALUES (randomblob(40000)); DELETE FROM ballast; DROP TABLE ballast;"
        ))
        .unwrap();
    connection.execute("INSERT INTO t VALUES (?1)", [row]).unwrap();
    drop(connection);
    path.to_path_buf()
}

/// A database whose last commit is only in its `-wal`, as a killed program leaves it.
pub fn crashed_with_log(path: &Path) {
    database(path, Mode::Wal, "old");
    Holder::start(path, "committed").kill();
}

/// The rows of `t`, in order, blobs left out.
pub fn dump(path: &Path) -> String {
    let connection = Connection::open(path).unwrap();
    let check: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(check, "ok");
    let mut statement = connection.prepare("SELECT a FROM t WHERE typeof(a) = 'text' ORDER BY rowid").unwrap();
    let rows: Vec<String> = statement.query_map([], |row| row.get(0)).unwrap().map(|row| row.unwrap()).collect();
    rows.join(",")
}

pub fn listing(directory: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// Every file of a directory with its bytes. The index of a log that others use is left out: it holds only locks.
pub fn snapshot(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    listing(directory)
        .into_iter()
        .filter(|name| !name.ends_with("-shm"))
        .map(|name| {
            let bytes = fs::read(directory.join(&name)).unwrap_or_else(|_| b"a directory".to_vec());
            (name, bytes)
        })
        .collect()
}

pub fn staged(target: &Path, row: &str) -> Staging {
    let staging = Staging::create(target).unwrap();
    fill(&staging, row).unwrap();
    staging
}

/// Makes the staged file a database with one row in `t`.
pub fn fill(staging: &Staging, row: &str) -> rusqlite::Result<()> {
    let connection = Connection::open(staging.path())?;
    connection.execute_batch("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; CREATE TABLE t(a)")?;
    connection.execute("INSERT INTO t VALUES (?1)", [row])?;
    Ok(())
}

pub fn publish_options() -> PublishOptions<'static> {
    PublishOptions {
        journal_mode: JournalMode::Wal,
        backup_directory: None,
        source: "postgres://user@host/app",
        manifest_digest: None,
        wait_ms: 0,
        cancel: &RUNNING,
    }
}

pub fn publish_new(target: &Path) -> Result<Published> {
    let staging = Staging::create(target)?;
    fill(&staging, "new").unwrap();
    publish(staging, target, publish_options())
}

/// Changing owners needs root. A test that cannot run says so and is not silent.
pub fn can_run_as_root(test: &str) -> bool {
    if !is_root() {
        eprintln!("NOT RUN: `{test}` needs root, for a second user");
    }
    is_root()
}

/// Mounting needs root, and in a container a right that few of them have.
pub fn can_mount(test: &str) -> bool {
    let directory = tempfile::tempdir().unwrap();
    let run = |command: &mut Command| command.stderr(Stdio::null()).status().is_ok_and(|status| status.success());
    let mounted = run(Command::new("mount").args(["-t", "tmpfs", "whimbrel-test"]).arg(directory.path()));
    if mounted {
        assert!(run(Command::new("umount").arg("-l").arg(directory.path())), "what was mounted is unmounted");
    } else {
        eprintln!("NOT RUN: `{test}` needs to mount a file system");
    }
    mounted
}

pub fn is_root() -> bool {
    // SAFETY: geteuid has no preconditions and cannot fail.
    unsafe { libc::geteuid() == 0 }
}

/// Another process that does something with a database, and then waits to be killed. A binary that uses it has a test
/// `child_holds_a_database` in its `main.rs`, which calls [`hold`].
pub struct Holder(Child);

impl Holder {
    pub fn start(path: &Path, what: &str) -> Holder {
        let mut holder = Self::start_unready(path, what);
        let mut output = BufReader::new(holder.0.stdout.take().unwrap());
        let mut line = String::new();
        while !line.contains("holding") {
            line.clear();
            assert!(output.read_line(&mut line).unwrap() > 0, "the other process failed");
        }
        holder
    }

    pub fn start_unready(path: &Path, what: &str) -> Holder {
        let child = super::child("child_holds_a_database")
            .env("CHILD_PATH", path)
            .env("CHILD_TASK", what)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Holder(child)
    }

    /// Whether another process is refused when it tries to write.
    pub fn writer_is_refused(path: &Path) -> bool {
        match Self::start_unready(path, "write").0.wait().unwrap().code() {
            Some(7) => true,
            Some(0) => false,
            other => panic!("the other process failed: {other:?}"),
        }
    }

    pub fn id(&self) -> u32 {
        self.0.id()
    }

    pub fn kill(&mut self) {
        let _ = self.0.kill();
        self.0.wait().unwrap();
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The other process' side.
pub fn hold() {
    let path = PathBuf::from(std::env::var_os("CHILD_PATH").expect("set by the parent"));
    let task = std::env::var("CHILD_TASK").expect("set by the parent");
    if task == "publish" {
        println!("holding");
        publish_new(&path).unwrap();
        return wait();
    }
    if task == "write" {
        let connection = Connection::open(&path).unwrap();
        connection.busy_timeout(std::time::Duration::ZERO).unwrap();
        let refused = connection.execute_batch("INSERT INTO t VALUES ('from outside')").is_err();
        drop(connection);
        std::process::exit(if refused { 7 } else { 0 });
    }
    if task == "stage" {
        let _staging = staged(&path, "new");
        println!("holding");
        return wait();
    }
    let connection = Connection::open(&path).unwrap();
    let sql = match task.as_str() {
        "idle" => "SELECT count(*) FROM t",
        "reading" => "BEGIN; SELECT count(*) FROM t",
        "writing" => "BEGIN IMMEDIATE; INSERT INTO t VALUES ('half')",
        "committed" => "PRAGMA wal_autocheckpoint=0; INSERT INTO t VALUES ('in the log')",
        // With a cache of one page, changed pages go to the file before the commit.
        "half-a-transaction" => {
            "PRAGMA cache_size=1; BEGIN; UPDATE t SET a = 'half'; INSERT INTO t VALUES (zeroblob(200000));
             CREATE TABLE more AS SELECT * FROM t"
        }
        other => panic!("unknown task `{other}`"),
    };
    connection.execute_batch(sql).unwrap();
    println!("holding");
    wait();
}

fn wait() {
    loop {
        std::thread::sleep(std::time::Duration::from_secs(60));
    }
}
