//! SIGKILL before and after the calls with which a migration changes files, trees among them: the end is a legal one, and the next run
//! does the job and leaves nothing behind.
//!
//! `cargo test` takes some of the calls; `WHIMBREL_TORTURE=every` all of them, `every 5` each fifth.

#![cfg(target_os = "linux")]

#[expect(dead_code, reason = "the hostile tests have more faults")]
#[path = "../hostile/torture/preload.rs"]
mod preload;

use self::preload::{Calls, Exit, Fault};
use crate::trees::{SESSIONS, content, run, sessions, text};
use rusqlite::Connection;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How many of the calls are taken where nobody says.
const CALLS: usize = 10;

/// What is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verb {
    /// A tree to a file, where an older one is.
    ToFile,
    /// A file to a tree, where an older one is.
    ToTree,
}

/// A tree, the file that was made of it and edited, and an older one of each.
struct Models {
    folder: tempfile::TempDir,
}

impl Models {
    fn new() -> Models {
        let models = Models { folder: tempfile::tempdir().expect("a folder") };
        sessions(&models.path("tree"));
        let edited = models.path("edited.db");
        run(&["migrate", SESSIONS, text(&models.path("tree")), text(&edited)], 0);
        let change = "UPDATE sessions SET status = 'paused' WHERE id = 's1'; DELETE FROM sessions WHERE id = 's3';
                      INSERT INTO workspaces (hash, path) VALUES ('aaaaaaaaaaaaaaaa', '/new')";
        Connection::open(&edited).expect("the file").execute_batch(change).expect("a change");
        run(&["migrate", text(&edited), &format!("{}/", text(&models.path("new")))], 0);
        models
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What is there before a run.
    fn prepare(&self, folder: &Path) {
        sessions(&folder.join("tree"));
        fs::copy(self.path("edited.db"), folder.join("app.db")).expect("a copy");
    }

    /// Whether a run is done; panics where the end is none that there may be.
    fn judge(&self, verb: Verb, folder: &Path) -> bool {
        let (tree, file) = (folder.join("tree"), folder.join("app.db"));
        let is_old_file = fs::read(&file).expect("the file") == fs::read(self.path("edited.db")).expect("the file");
        let found = content(&tree);
        match verb {
            Verb::ToFile => {
                assert!(found == content(&self.path("tree")), "the source was changed");
                if !is_old_file {
                    run(&["verify", SESSIONS, text(&tree), text(&file)], 0);
                }
                !is_old_file
            }
            Verb::ToTree => {
                assert!(is_old_file, "the source was changed");
                let is_new = found == content(&self.path("new"));
                assert!(
                    is_new || found == content(&self.path("tree")),
                    "the tree is neither the old one nor the new one"
                );
                is_new
            }
        }
    }
}

fn command(verb: Verb, folder: &Path) -> Command {
    let (tree, file) = (folder.join("tree"), folder.join("app.db"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_whimbrel"));
    match verb {
        Verb::ToFile => command.args(["migrate", SESSIONS]).arg(tree).arg(file),
        Verb::ToTree => command.arg("migrate").arg(file).arg(tree),
    };
    command
}

/// The numbers of the calls that are taken.
fn chosen(calls: usize) -> Vec<usize> {
    let wanted = std::env::var("WHIMBREL_TORTURE").unwrap_or_default();
    let step = match wanted.split_whitespace().collect::<Vec<_>>().as_slice() {
        ["every"] => 1,
        ["every", step] => step.parse().expect("a number"),
        _ => calls.div_ceil(CALLS),
    };
    (1..=calls).step_by(step).collect()
}

fn one(models: &Models, verb: Verb, fault: Fault, at: usize) -> Result<bool, String> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().canonicalize().expect("a folder");
    models.prepare(&path);
    let ended = preload::run_with(&mut command(verb, &path), &path, fault, at);
    let hit = ended.hit().unwrap_or("no call").to_owned();
    let judged = std::panic::catch_unwind(|| {
        assert!(matches!(ended.exit, Exit::Signal(libc::SIGKILL) | Exit::Code(0)), "{:?} {}", ended.exit, ended.stderr);
        let unsynced = ended.notes.iter().find(|note| note.starts_with("unsynced"));
        assert!(unsynced.is_none(), "a file got its name before it was on the disk: {unsynced:?}");
        let is_done = models.judge(verb, &path);
        let next = preload::run(&mut command(verb, &path));
        assert_eq!(next.exit, Exit::Code(0), "the next run: {}{}", next.stdout, next.stderr);
        assert!(models.judge(verb, &path), "the next run has not done it");
        let left: Vec<String> = left_over(&path);
        assert!(left.is_empty(), "left behind: {left:?}");
        is_done
    });
    judged.map_err(|panic| {
        let why = panic.downcast_ref::<String>().cloned();
        let why = why.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default();
        format!("{verb:?} {} at call {at}, {hit}: {why}", fault.name())
    })
}

/// Everything that is neither the tree, the file, nor a whole backup.
fn left_over(folder: &Path) -> Vec<String> {
    let names = |folder: &Path| -> Vec<String> {
        let entries = fs::read_dir(folder).expect("a folder");
        entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect()
    };
    let mut left = Vec::new();
    for name in names(folder) {
        match name.strip_suffix(".whimbrel-backups") {
            Some("app.db" | "tree") => left.extend(names(&folder.join(&name)).into_iter().filter(|name| {
                ![".db", ".json", ".tar"].iter().any(|end| name.ends_with(end)) || name.starts_with('.')
            })),
            _ if name == "app.db" || name == "tree" => {}
            // What SQLite itself leaves of a killed reader; the next writer takes it away.
            _ if name == "app.db-shm" => {}
            _ if name == "app.db-wal" && fs::metadata(folder.join(&name)).is_ok_and(|log| log.len() == 0) => {}
            _ => left.push(name),
        }
    }
    left
}

fn sweep(verb: Verb) {
    let models = Models::new();
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().canonicalize().expect("a folder");
    models.prepare(&path);
    let counted = preload::count(&mut command(verb, &path), &path, Calls::Changes);
    assert_eq!(counted.exit, Exit::Code(0), "{}", counted.stderr);
    let calls = counted.notes.iter().filter(|line| line.starts_with("call ")).count();
    assert!(calls > 20, "{verb:?} has {calls} calls");
    let attempts: Vec<(Fault, usize)> = chosen(calls)
        .into_iter()
        .enumerate()
        // Before and after in turn: after one call is before the next.
        .map(|(place, at)| (if place % 2 == 0 { Fault::KillBefore } else { Fault::KillAfter }, at))
        .collect();
    let (next, findings, done) = (AtomicUsize::new(0), Mutex::new(Vec::new()), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some((fault, at)) = attempts.get(next.fetch_add(1, Ordering::Relaxed)) {
                    match one(&models, verb, *fault, *at) {
                        Ok(is_done) => {
                            done.fetch_add(usize::from(is_done), Ordering::Relaxed);
                        }
                        Err(why) => findings.lock().expect("no panic").push(why),
                    }
                }
            });
        }
    });
    let findings = findings.into_inner().expect("no panic");
    println!("{verb:?}: {calls} calls, {} runs, {} were done when they ended", attempts.len(), done.into_inner());
    assert!(findings.is_empty(), "{} findings\n{}", findings.len(), findings.join("\n\n"));
}

#[test]
fn a_killed_migration_leaves_a_legal_end_and_the_next_one_does_it() {
    sweep(Verb::ToFile);
    sweep(Verb::ToTree);
    preload::remove_library();
}
