//! SIGKILL before and after the calls with which a migration or a sync changes files, trees among them: the end is a legal one, and the
//! next run does the job and leaves nothing behind, also where both sides were edited before it.
//!
//! `cargo test` takes some of the calls; `WHIMBREL_TORTURE=every` all of them, `every 5` each fifth.

#![cfg(target_os = "linux")]

#[expect(dead_code, reason = "the hostile tests have more faults")]
#[path = "../hostile/torture/preload.rs"]
mod preload;

use self::preload::{Calls, Exit, Fault};
use crate::trees::{Content, OTHER, SESSIONS, content, run, sessions, text};
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
    /// A tree and a file, both edited, merged.
    Merge,
    /// The same, and both edited once more before the next run: one row goes back to what it was.
    MergeEdited,
}

const ROWS: &str = "SELECT group_concat(said, char(10)) FROM (
  SELECT id || status || task AS said FROM sessions UNION ALL SELECT hash || path FROM workspaces
  UNION ALL SELECT id || content FROM chat_messages UNION ALL SELECT session_id || instance_id FROM instances ORDER BY 1)";

fn rows(folder: &Path) -> String {
    let file = Connection::open(folder.join("app.db")).expect("the file");
    file.query_row(ROWS, [], |row| row.get(0)).expect("rows")
}

fn edit_file(tree: &Path, from: &str, to: &str) {
    let path = tree.join(format!("sessions/{OTHER}.json"));
    let old = fs::read_to_string(&path).expect("a file");
    assert!(old.contains(from), "{old}");
    fs::write(&path, old.replace(from, to)).expect("an edit");
}

/// What happens on both sides between a run and the next one.
fn edit_again(folder: &Path) {
    let back = "UPDATE sessions SET status = 'completed' WHERE id = 's1'";
    Connection::open(folder.join("app.db")).expect("the file").execute_batch(back).expect("a change");
    edit_file(&folder.join("tree"), "\"even\"", "\"third\"");
}

/// A tree, the file that was made of it and edited, and an older one of each.
struct Models {
    folder: tempfile::TempDir,
}

impl Models {
    fn new() -> Models {
        let models = Models { folder: crate::support::memory::tempdir().expect("a folder") };
        sessions(&models.path("tree"));
        let edited = models.path("edited.db");
        run(&["migrate", SESSIONS, text(&models.path("tree")), text(&edited)], 0);
        let change = "UPDATE sessions SET status = 'paused' WHERE id = 's1'; DELETE FROM sessions WHERE id = 's3';
                      INSERT INTO workspaces (hash, path) VALUES ('aaaaaaaaaaaaaaaa', '/new')";
        Connection::open(&edited).expect("the file").execute_batch(change).expect("a change");
        run(&["migrate", text(&edited), &format!("{}/", text(&models.path("new")))], 0);
        for (name, verb) in [("merged", Verb::Merge), ("merged-again", Verb::MergeEdited)] {
            let folder = models.path(name);
            fs::create_dir(&folder).expect("a folder");
            models.prepare(verb, &folder);
            run(&["sync", SESSIONS, text(&folder.join("tree")), text(&folder.join("app.db"))], 0);
            if verb == Verb::MergeEdited {
                edit_again(&folder);
                run(&["sync", SESSIONS, text(&folder.join("tree")), text(&folder.join("app.db"))], 0);
            }
            run(&["verify", text(&folder.join("tree")), text(&folder.join("app.db"))], 0);
        }
        models
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What is there before a run.
    fn prepare(&self, verb: Verb, folder: &Path) {
        sessions(&folder.join("tree"));
        if matches!(verb, Verb::Merge | Verb::MergeEdited) {
            edit_file(&folder.join("tree"), "\"odd\"", "\"even\"");
        }
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
            Verb::Merge | Verb::MergeEdited => {
                let (now, merged) = (rows(folder), self.path("merged"));
                let found = without_secrets(found);
                let is_new = found == content(&merged.join("tree"));
                if now == rows(&merged) && is_new {
                    return true;
                }
                let old = tempfile::tempdir().expect("a folder");
                self.prepare(verb, old.path());
                assert!(now == rows(old.path()), "rows were changed without their files: {now}");
                let is_pending = tree.join(".whimbrel-journal").exists();
                let is_old = found == content(&old.path().join("tree"));
                assert!(is_new || is_old || is_pending, "the tree is half new, and nothing says so");
                false
            }
        }
    }

    /// Whether the next run has done it.
    fn is_completed(&self, verb: Verb, folder: &Path) -> bool {
        let again = match verb {
            Verb::ToFile | Verb::ToTree => return self.judge(verb, folder),
            Verb::Merge => self.path("merged"),
            Verb::MergeEdited => self.path("merged-again"),
        };
        content(&folder.join("tree")) == content(&again.join("tree")) && rows(folder) == rows(&again)
    }
}

/// Without what a run makes before it says that it does.
fn without_secrets(mut found: Content) -> Content {
    found.retain(|path, _| !path.to_string_lossy().starts_with(".whimbrel-"));
    found
}

fn command(verb: Verb, folder: &Path) -> Command {
    let (tree, file) = (folder.join("tree"), folder.join("app.db"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_whimbrel"));
    match verb {
        Verb::ToFile => command.args(["migrate", SESSIONS]).arg(tree).arg(file),
        Verb::ToTree => command.arg("migrate").arg(file).arg(tree),
        Verb::Merge | Verb::MergeEdited => command.args(["sync", SESSIONS]).arg(tree).arg(file),
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
    let folder = crate::support::memory::tempdir().expect("a folder");
    let path = folder.path().canonicalize().expect("a folder");
    models.prepare(verb, &path);
    let ended = preload::run_with(&mut command(verb, &path), &path, fault, at);
    let hit = ended.hit().unwrap_or("no call").to_owned();
    let judged = std::panic::catch_unwind(|| {
        assert!(matches!(ended.exit, Exit::Signal(libc::SIGKILL) | Exit::Code(0)), "{:?} {}", ended.exit, ended.stderr);
        // Of what was seen, nothing is missed.
        let is_seen = |note: &str| note.contains(".app.db.whimbrel-seen");
        let unsynced = ended.notes.iter().find(|note| note.starts_with("unsynced") && !is_seen(note));
        assert!(unsynced.is_none(), "a file got its name before it was on the disk: {unsynced:?}");
        let is_done = models.judge(verb, &path);
        if verb == Verb::MergeEdited {
            edit_again(&path);
        }
        let next = preload::run(&mut command(verb, &path));
        assert_eq!(next.exit, Exit::Code(0), "the next run: {}{}", next.stdout, next.stderr);
        assert!(models.is_completed(verb, &path), "the next run has not done it");
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
            // What was seen, by which the next sync reads less.
            _ if name == ".app.db.whimbrel-seen" => {}
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
    let folder = crate::support::memory::tempdir().expect("a folder");
    let path = folder.path().canonicalize().expect("a folder");
    models.prepare(verb, &path);
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
fn a_killed_run_leaves_a_legal_end_and_the_next_one_does_it() {
    sweep(Verb::ToFile);
    sweep(Verb::ToTree);
    sweep(Verb::Merge);
    sweep(Verb::MergeEdited);
    preload::remove_library();
}
