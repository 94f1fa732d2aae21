//! Several runs on one target at the same time, and runs that are killed while they back up or prune: one of them always
//! wins, a backup that others rely on never goes away, and nothing is left that a later run does not put right.

use std::fs;
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::support::child;
use crate::support::files::{
    Holder, Mode, RUNNING, database, dump, listing, publish_new, publish_options, snapshot, staged,
};
use whimbrel::backup::list::{Check, State, list};
use whimbrel::backup::manifest::Reason;
use whimbrel::backup::prune::prune;
use whimbrel::backup::publish::{PublishOptions, publish};
use whimbrel::backup::restore::{RestoreOptions, Which, restore};
use whimbrel::backup::swap::{Replacement, swap};
use whimbrel::backup::take::{PendingBackup, TakeOptions, take};
use whimbrel::endpoint::sqlite::access::Access;
use whimbrel::endpoint::sqlite::file::TargetFile;
use whimbrel::endpoint::sqlite::target_lock::TargetLock;

/// The exit code of a run that was refused.
const REFUSED: i32 = 7;

fn rollback_options() -> RestoreOptions<'static> {
    RestoreOptions { directory: None, wait_ms: 0, cancel: &RUNNING }
}

fn backups(target: &Path) -> std::path::PathBuf {
    target.with_file_name("app.db.whimbrel-backups")
}

/// The target and complete backups, nothing else.
fn assert_tidy(target: &Path) {
    assert_eq!(listing(target.parent().unwrap()), ["app.db", "app.db.whimbrel-backups"]);
    let names = listing(&backups(target));
    assert!(names.iter().all(|name| name.ends_with(".db") || name.ends_with(".json")), "{names:?}");
    let entries = list(target, None, Check::Digest).unwrap();
    assert!(entries.iter().all(|entry| entry.state == State::Intact), "{entries:?}");
}

fn pending(target: &Path, access: &Access) -> PendingBackup {
    take(&TargetFile::inspect(target).unwrap(), Some(access), take_options()).unwrap()
}

fn take_options() -> TakeOptions<'static> {
    TakeOptions {
        directory: None,
        reason: Reason::BeforeMigrate,
        source: "",
        replacement_digest: None,
        cancel: &RUNNING,
    }
}

/// A run of this program in another process, which begins when the file `go` is there.
fn run(task: &str, target: &Path, wait_ms: u32) -> Child {
    child("crowd::child_runs_beside_others")
        .env("CHILD_PATH", target)
        .env("CHILD_TASK", task)
        .env("CHILD_WAIT_MS", wait_ms.to_string())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

#[test]
#[ignore = "run by the tests that need another process"]
fn child_runs_beside_others() {
    let path = std::path::PathBuf::from(std::env::var_os("CHILD_PATH").expect("set by the parent"));
    let task = std::env::var("CHILD_TASK").expect("set by the parent");
    let wait_ms = std::env::var("CHILD_WAIT_MS").expect("set by the parent").parse().unwrap();
    let go = path.with_file_name("go");
    fs::write(path.with_file_name(format!("ready-{}", std::process::id())), "").unwrap();
    while !go.exists() {
        std::thread::sleep(Duration::from_micros(200));
    }
    let outcome = match task.as_str() {
        "rollback" => restore(&path, &Which::Newest, RestoreOptions { wait_ms, ..rollback_options() }).map(drop),
        "prune" => prune(&path, None, 1).map(drop),
        "migrate that fails" => {
            // Everything is done but the last step, the rename of a file that is gone.
            let staging = staged(&path, "half");
            fs::remove_file(staging.path()).unwrap();
            let lock = TargetLock::take(&path, wait_ms, &RUNNING).unwrap();
            let outcome = swap(&lock, Replacement::File(staging, None), take_options());
            assert!(outcome.as_ref().is_err_and(|error| error.operation() == "publish to"), "{outcome:?}");
            outcome.map(drop)
        }
        row => publish(staged(&path, row), &path, PublishOptions { wait_ms, ..publish_options() }).map(drop),
    };
    if let Err(error) = outcome {
        eprintln!("refused: {error}");
        std::process::exit(REFUSED);
    }
}

/// Lets the runs begin at once, and returns which of them succeeded and what was said.
fn all_at_once(target: &Path, runs: Vec<Child>) -> (Vec<bool>, String) {
    let folder = target.parent().unwrap();
    let patience = Instant::now() + Duration::from_secs(60);
    while listing(folder).iter().filter(|name| name.starts_with("ready-")).count() < runs.len() {
        assert!(Instant::now() < patience, "the other processes do not begin");
        std::thread::sleep(Duration::from_millis(1));
    }
    fs::write(folder.join("go"), "").unwrap();
    let (mut won, mut said) = (Vec::new(), String::new());
    for run in runs {
        let output = run.wait_with_output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success() || output.status.code() == Some(REFUSED), "{told}");
        won.push(output.status.success());
        said.push_str(&told);
    }
    for name in listing(folder) {
        if name == "go" || name.starts_with("ready-") {
            fs::remove_file(folder.join(name)).unwrap();
        }
    }
    (won, said)
}

#[test]
fn of_four_migrates_at_once_one_always_wins() {
    let mut counts = [0; 5];
    for round in 0..24 {
        let root = tempfile::tempdir().unwrap();
        let target = root.path().join("app.db");
        // A new target, an old one in either mode; with patience and without.
        match round % 3 {
            0 => {}
            1 => drop(database(&target, Mode::Wal, "old")),
            _ => drop(database(&target, Mode::Delete, "old")),
        }
        let wait_ms = if round % 2 == 0 { 0 } else { 60_000 };
        let runs = ["a", "b", "c", "d"].map(|row| run(row, &target, wait_ms));
        let (won, said) = all_at_once(&target, runs.into());
        let number = won.iter().filter(|won| **won).count();
        counts[number] += 1;
        assert!(number > 0, "round {round}: nobody won: {said}");
        assert!(wait_ms == 0 || number == 4, "round {round}: {said}");
        assert!(!said.contains("in use by process"), "round {round}: {said}");
        let winner = dump(&target);
        assert!(["a", "b", "c", "d"].into_iter().zip(won).any(|(row, won)| won && row == winner), "{winner}: {said}");
        // Each winner's backup is what the one before it had published.
        let entries = list(&target, None, Check::Digest).unwrap();
        assert_eq!(entries.len(), number);
        assert_tidy(&target);
    }
    println!("24 rounds of four migrates: {counts:?} of them with 0, 1, 2, 3, 4 winners");
}

#[test]
fn four_rollbacks_at_once_go_back_and_forth_one_after_the_other() {
    for wait_ms in [0, 60_000, 0, 60_000] {
        let root = tempfile::tempdir().unwrap();
        let target = root.path().join("app.db");
        database(&target, Mode::Wal, "old");
        publish_new(&target).unwrap();
        let runs = (0..4).map(|_| run("rollback", &target, wait_ms)).collect();
        let (won, said) = all_at_once(&target, runs);
        let number = won.iter().filter(|won| **won).count();
        assert!(number > 0 && (wait_ms == 0 || number == 4), "{said}");
        assert_eq!(dump(&target), if number % 2 == 1 { "old" } else { "new" }, "{number} rollbacks");
        assert_eq!(list(&target, None, Check::Digest).unwrap().len(), 1 + number);
        assert_tidy(&target);
    }
}

#[test]
fn a_migrate_beside_rollbacks_and_prunes_leaves_a_way_back() {
    for round in 0..8 {
        let root = tempfile::tempdir().unwrap();
        let target = root.path().join("app.db");
        database(&target, Mode::Wal, "old");
        publish_new(&target).unwrap();
        let tasks = match round % 2 {
            0 => ["migrated", "rollback", "prune", "prune"],
            _ => ["migrate that fails", "prune", "migrate that fails", "prune"],
        };
        let runs = tasks.map(|task| run(task, &target, 60_000)).into();
        let (won, said) = all_at_once(&target, runs);
        for (task, won) in tasks.iter().zip(won) {
            assert_eq!(won, !task.contains("fails"), "round {round}, {task}: {said}");
        }
        assert_tidy(&target);
        let entries = list(&target, None, Check::Digest).unwrap();
        assert!(!entries.is_empty(), "round {round}: no backup is left");
        let now = dump(&target);
        restore(&target, &Which::Newest, rollback_options()).unwrap();
        assert_ne!(dump(&target), now, "round {round}: the newest backup is what was there");
    }
}

#[test]
fn a_backup_of_a_run_that_is_under_way_is_counted_by_nobody() {
    let root = tempfile::tempdir().unwrap();
    let target = root.path().join("app.db");
    database(&target, Mode::Delete, "old");
    let kept = publish_new(&target).unwrap().backup.id;
    let access = Access::take(&TargetFile::inspect(&target).unwrap(), 0).unwrap();
    let backup = pending(&target, &access);
    let id = backup.manifest().id.clone();
    assert!(id > kept);
    let ids = || list(&target, None, Check::Digest).unwrap().into_iter().map(|one| one.id).collect::<Vec<_>>();
    assert_eq!(ids(), std::slice::from_ref(&kept));
    let pruned = prune(&target, None, 1).unwrap();
    assert!(pruned.kept == [kept.clone()] && pruned.removed.is_empty() && pruned.broken.is_empty(), "{pruned:?}");
    // From here on it counts; who prunes waits until it is certain that it goes on to.
    let published = backup.publish().unwrap();
    assert_eq!(ids(), [id.clone(), kept.clone()]);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let pruning = scope.spawn(|| {
            let pruned = prune(&target, None, 1).unwrap();
            done.store(true, Ordering::Relaxed);
            pruned
        });
        std::thread::sleep(Duration::from_millis(300));
        assert!(!done.load(Ordering::Relaxed), "it was not waited for");
        // The run fails at its last step: the backup goes away, and the one before it has to be there still.
        drop(published);
        let pruned = pruning.join().unwrap();
        assert!(pruned.kept == [kept.clone()] && pruned.removed.is_empty(), "{pruned:?}");
    });
    drop(access);
    assert_eq!(ids(), [kept]);
    assert_tidy(&target);
}

#[test]
fn what_a_killed_run_left_in_the_folder_is_seen_by_nobody_and_removed_by_the_next() {
    for counted in [false, true] {
        for next in ["list", "rollback", "migrate", "prune"] {
            let root = tempfile::tempdir().unwrap();
            let target = root.path().join("app.db");
            database(&target, Mode::Wal, "old");
            publish_new(&target).unwrap();
            let before = snapshot(&backups(&target));
            let mut holder = Holder::start(&target, if counted { "back up, counted" } else { "back up" });
            assert_eq!(listing(&backups(&target)).len(), 4);
            holder.kill();
            assert_eq!(dump(&target), "new");
            let entries = list(&target, None, Check::Digest).unwrap();
            assert!(entries.iter().all(|entry| entry.state == State::Intact), "{next}: {entries:?}");
            assert_eq!(entries.len(), if counted { 2 } else { 1 });
            match next {
                "list" => continue,
                "rollback" => {
                    restore(&target, &Which::Newest, rollback_options()).unwrap();
                    // A backup that counts has the target's own content: nothing is lost, and nothing was won.
                    assert_eq!(dump(&target), if counted { "new" } else { "old" });
                }
                "migrate" => drop(publish_new(&target).unwrap()),
                _ => drop(prune(&target, None, 5).unwrap()),
            }
            if next == "prune" && !counted {
                assert!(snapshot(&backups(&target)) == before);
            }
            assert_tidy(&target);
        }
    }
}

#[test]
fn a_prune_that_was_killed_is_finished_by_the_next_run() {
    for file_removed in [false, true] {
        let root = tempfile::tempdir().unwrap();
        let target = root.path().join("app.db");
        database(&target, Mode::Delete, "old");
        publish_new(&target).unwrap();
        let newest = publish_new(&target).unwrap().backup.id;
        let place = backups(&target);
        fs::rename(place.join(format!("{newest}.json")), place.join(format!("{newest}.pending"))).unwrap();
        if file_removed {
            fs::remove_file(place.join(format!("{newest}.db"))).unwrap();
        }
        let entries = list(&target, None, Check::Digest).unwrap();
        assert!(entries.len() == 1 && entries[0].state == State::Intact, "{entries:?}");
        restore(&target, &Which::Newest, rollback_options()).unwrap();
        assert_eq!(dump(&target), "old");
        assert_tidy(&target);
    }
}

#[test]
fn a_pending_name_that_somebody_planted_is_not_followed() {
    let root = tempfile::tempdir().unwrap();
    let target = root.path().join("app.db");
    database(&target, Mode::Delete, "old");
    let id = publish_new(&target).unwrap().backup.id;
    let (place, precious) = (backups(&target), root.path().join("precious"));
    fs::write(&precious, "precious").unwrap();
    std::os::unix::fs::symlink(&precious, place.join(format!("{id}.pending"))).unwrap();
    // A copy of the manifest under its name before it counted: the backup that counts is not touched.
    prune(&target, None, 5).unwrap();
    fs::remove_file(place.join(format!("{id}.pending"))).unwrap();
    fs::write(place.join(format!("{id}.pending")), "").unwrap();
    prune(&target, None, 5).unwrap();
    assert_eq!(fs::read(&precious).unwrap(), b"precious");
    assert_eq!(list(&target, None, Check::Digest).unwrap()[0].state, State::Intact);
    restore(&target, &Which::Id(id), rollback_options()).unwrap();
}

/// What another process does with the target, for `Holder`: it backs up and waits to be killed, if that is its task.
pub fn hold_a_backup() {
    let task = std::env::var("CHILD_TASK").expect("set by the parent");
    if !task.starts_with("back up") {
        return;
    }
    let path = std::path::PathBuf::from(std::env::var_os("CHILD_PATH").expect("set by the parent"));
    let access = Access::take(&TargetFile::inspect(&path).unwrap(), 0).unwrap();
    let backup = pending(&path, &access);
    let _published;
    let _pending;
    match task.as_str() {
        "back up, counted" => _published = backup.publish().unwrap(),
        _ => _pending = backup,
    }
    println!("holding");
    loop {
        std::thread::sleep(Duration::from_secs(60));
    }
}
