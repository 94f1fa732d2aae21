//! SIGKILL at the calls with which a write, a repair and a change of mode change files, and a disk that is full there: a legal end, and
//! the next open completes it.
//!
//! `cargo test` takes some of the calls; `WHIMBREL_TORTURE=every` all of them.

#![cfg(target_os = "linux")]

#[expect(dead_code, reason = "the hostile tests have more faults")]
#[path = "../hostile/torture/preload.rs"]
mod preload;

use self::preload::{Calls, Exit, Fault};
use crate::made::{Made, note, place};
use crate::support::child;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use whimbrel::store::{Expected, Mode, OpenStore, Selection, Store, modes, repair};

/// How many of the calls are taken where nobody says.
const CALLS: usize = 5;

/// What is done by the process that is to be killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Job {
    Write,
    Delete,
    Repair,
    Change,
}

impl Job {
    fn of(word: &str) -> Job {
        [Job::Write, Job::Delete, Job::Repair, Job::Change]
            .into_iter()
            .find(|job| format!("{job:?}") == word)
            .expect("a job")
    }
}

#[test]
#[ignore = "another process"]
fn child_does_one_thing() {
    let folder = PathBuf::from(std::env::var_os("STORE_FOLDER").expect("set by the parent"));
    let store = match OpenStore::to_look(&place(&folder)) {
        Ok(store) => store,
        Err(error) => {
            eprintln!("told: {error}");
            std::process::exit(3);
        }
    };
    let done = match Job::of(&std::env::var("STORE_JOB").expect("set by the parent")) {
        Job::Write => store.put("notes", &note("a", "new", &["x", "y"]), Expected::Anything).map(drop),
        Job::Delete => store.delete("notes", &["a".into()], Expected::Anything).map(drop),
        Job::Repair => repair::repair(&store, None, false).map(drop),
        Job::Change => {
            let mode = store.modes().expect("the modes").only().expect("one mode");
            modes::set(&store, &Selection::All, next(mode), false).map(drop)
        }
    };
    // An error is an end that the parent asks for; a panic is none.
    if let Err(error) = done {
        eprintln!("told: {error}");
        std::process::exit(3);
    }
}

/// The mode into which each is changed.
fn next(mode: Mode) -> Mode {
    match mode {
        Mode::Files | Mode::SqlitePrimary => Mode::Dual,
        Mode::Dual | Mode::Sqlite => Mode::SqlitePrimary,
    }
}

fn set(store: &OpenStore, mode: Mode) {
    repair::repair(store, None, false).expect("a repair");
    modes::set(store, &Selection::All, mode, false)
        .expect("a change")
        .ensure_changed(&store.place().file)
        .expect("equal");
}

fn prepared(mode: Mode, job: Job) -> Made {
    let made = Made::new();
    let store = OpenStore::open(&made.place()).expect("a store");
    for (id, text) in [("a", "old"), ("b", "other")] {
        store.put("notes", &note(id, text, &["x"]), Expected::Absent).expect("a write").written().expect("done");
    }
    set(&store, mode);
    drop(store);
    if job == Job::Repair && mode == Mode::Sqlite {
        let rows = rusqlite::Connection::open(made.file()).expect("the file");
        rows.execute_batch(
            "UPDATE notes SET text = 'new' WHERE id = 'a'; INSERT INTO tags (note_id, name) VALUES ('a', 'y')",
        )
        .expect("a change");
    } else if job == Job::Repair {
        fs::write(made.tree().join("notes/a.json"), "{\"text\":\"new\",\"tags\":[{\"name\":\"x\"},{\"name\":\"y\"}]}")
            .expect("a file");
    }
    made
}

fn command(made: &Made, job: Job) -> Command {
    let mut command = child("faults::child_does_one_thing");
    command.env("STORE_FOLDER", made.project()).env("STORE_JOB", format!("{job:?}"));
    command
}

/// What the note is to the next one that opens the store; everything is in step then.
fn judge(made: &Made, (from, job): (Mode, Job)) -> Option<String> {
    let store = OpenStore::open(&made.place()).expect("the next one opens it");
    let pending = store.control().intents().expect("what is pending");
    assert!(pending.is_empty(), "the next open has not completed it: {pending:?}");
    let text = |id: &str| {
        let read = store.get("notes", &[id.into()]).expect("a read")?;
        Some(read.value["text"].as_str().expect("a text").to_owned())
    };
    assert_eq!(text("b").as_deref(), Some("other"), "another record was touched");
    let mode = store.modes().expect("the mode").only().expect("one mode");
    if job == Job::Change {
        assert!(mode == from || mode == next(from), "it is mode {mode}");
    }
    if mode.has_copy() || job == Job::Repair {
        store.list("notes", &[]).expect("what others have written is taken in");
        let found = repair::repair(&store, None, job != Job::Repair).expect("a look");
        assert_eq!(found.left, 0, "{found:?}");
        assert!(job == Job::Repair || found.repaired == 0, "{found:?}");
        let after = repair::repair(&store, None, true).expect("a look");
        assert_eq!((after.records, after.equal), (after.equal, after.records), "{after:?}");
    }
    let left: Vec<_> =
        fs::read_dir(made.tree()).expect("the tree").map(|entry| entry.expect("an entry").file_name()).collect();
    assert!(left.iter().all(|name| name == "notes"), "left behind: {left:?}");
    text("a")
}

fn sweep(mode: Mode, job: Job, faults: [Fault; 2]) {
    let made = prepared(mode, job);
    let path = made.project().canonicalize().expect("a folder");
    let counted = preload::count(&mut command(&made, job), &path, Calls::Changes);
    assert_eq!(counted.exit, Exit::Code(0), "{}{}", counted.stdout, counted.stderr);
    let calls = counted.notes.iter().filter(|line| line.starts_with("call ")).count();
    assert!(calls > 0, "{job:?} in mode {mode} changes nothing");
    let wanted = std::env::var("WHIMBREL_TORTURE").unwrap_or_default();
    let step = if wanted == "every" { 1 } else { calls.div_ceil(CALLS) };
    let (old, new) = (Some("old".to_owned()), if job == Job::Delete { None } else { Some("new".to_owned()) });
    // Another call in each mode.
    let first = 1 + mode as usize % step;
    for (place, at) in (first..=calls).step_by(step).enumerate() {
        let made = prepared(mode, job);
        let path = made.project().canonicalize().expect("a folder");
        let fault = faults[place % 2];
        let ended = preload::run_with(&mut command(&made, job), &path, fault, at);
        let hit = ended.hit().unwrap_or("no call").to_owned();
        let about = format!("{job:?} in mode {mode}, {} at call {at}, {hit}: {}", fault.name(), ended.stderr);
        assert!(
            matches!(ended.exit, Exit::Signal(libc::SIGKILL) | Exit::Code(0 | 3)),
            "{about}: {:?}{}",
            ended.exit,
            ended.stdout
        );
        let unsynced = ended.notes.iter().find(|note| note.starts_with("unsynced"));
        assert!(unsynced.is_none(), "{about}: a file got its name before it was on the disk: {unsynced:?}");
        let judged = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| judge(&made, (mode, job))));
        let found = judged.unwrap_or_else(|panic| {
            eprintln!("{about}");
            std::panic::resume_unwind(panic)
        });
        match job {
            Job::Write | Job::Delete => {
                assert!(found == old || found == new, "{about}: {found:?}");
                assert!(ended.exit != Exit::Code(0) || found == new, "{about}: it was said to be done");
            }
            Job::Repair => assert_eq!(found, new, "{about}"),
            Job::Change => assert_eq!(found, old, "{about}"),
        }
    }
}

#[test]
fn who_is_killed_leaves_a_legal_end_and_the_next_open_completes_it() {
    let kills = [Fault::KillBefore, Fault::KillAfter];
    for mode in Mode::ALL {
        sweep(mode, Job::Write, kills);
    }
    for mode in [Mode::Dual, Mode::SqlitePrimary] {
        sweep(mode, Job::Delete, kills);
    }
}

#[test]
fn who_is_killed_while_both_sides_are_brought_in_step_leaves_the_rest_to_the_next_repair() {
    for mode in Mode::ALL {
        sweep(mode, Job::Repair, [Fault::KillBefore, Fault::KillAfter]);
    }
}

#[test]
fn who_is_killed_while_the_mode_is_changed_leaves_one_of_both_modes() {
    for mode in Mode::ALL {
        sweep(mode, Job::Change, [Fault::KillBefore, Fault::KillAfter]);
    }
}

#[test]
fn a_full_disk_leaves_a_repair_and_a_change_of_mode_to_be_done_again() {
    for mode in Mode::ALL {
        sweep(mode, Job::Repair, [Fault::Full, Fault::Enospc]);
        sweep(mode, Job::Change, [Fault::Full, Fault::Enospc]);
    }
}

#[test]
fn a_full_disk_is_an_error_or_a_write_that_is_pending() {
    for mode in Mode::ALL {
        sweep(mode, Job::Write, [Fault::Full, Fault::Enospc]);
    }
}
