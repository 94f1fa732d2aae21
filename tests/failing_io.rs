//! Every write, sync and truncation of SQLite fails once, in every run that changes a target: the run fails and leaves
//! what was there, or it succeeds and the file is what it has to be. The failing file layer is one of this process,
//! between SQLite and the operating system, so this program has a process of its own.

mod support;

use std::ffi::{c_int, c_void};
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicI64, AtomicPtr, Ordering};
use std::sync::{Mutex, Once};

use rusqlite::{Connection, ffi};
use support::files::{Mode, RUNNING, crashed_with_log, database, dump, listing, publish_options, snapshot, staged};
use whimbrel::backup::list::{Check, State, list};
use whimbrel::backup::publish::{PublishOptions, publish};
use whimbrel::backup::restore::{RestoreOptions, Which, restore};
use whimbrel::endpoint::sqlite::file::{Content, content};
use whimbrel::endpoint::sqlite::optimize::{OptimizeOptions, optimize};
use whimbrel::endpoint::sqlite::staging::Staging;
use whimbrel::endpoint::sqlite::target::JournalMode;

/// How many calls go well before one fails; negative: none fails.
static LEFT: AtomicI64 = AtomicI64::new(-1);
static REAL: AtomicPtr<ffi::sqlite3_vfs> = AtomicPtr::new(std::ptr::null_mut());
/// The methods of the real files, of which the system's layer has several sets, and ours for each.
static METHODS: Mutex<Vec<(usize, usize)>> = Mutex::new(Vec::new());

/// Whether it is this call's turn to fail.
fn fails() -> bool {
    LEFT.load(Ordering::SeqCst) >= 0 && LEFT.fetch_sub(1, Ordering::SeqCst) == 0
}

/// The real methods behind ours.
unsafe fn real(file: *mut ffi::sqlite3_file) -> &'static ffi::sqlite3_io_methods {
    let ours = unsafe { (*file).pMethods } as usize;
    let methods = METHODS.lock().unwrap();
    let (real, _) = methods.iter().find(|(_, patched)| *patched == ours).expect("a file that was opened here");
    unsafe { &*(*real as *const ffi::sqlite3_io_methods) }
}

unsafe extern "C" fn write(file: *mut ffi::sqlite3_file, from: *const c_void, length: c_int, offset: i64) -> c_int {
    match fails() {
        true => ffi::SQLITE_IOERR_WRITE,
        false => unsafe { real(file).xWrite.unwrap()(file, from, length, offset) },
    }
}

unsafe extern "C" fn sync(file: *mut ffi::sqlite3_file, flags: c_int) -> c_int {
    match fails() {
        true => ffi::SQLITE_IOERR_FSYNC,
        false => unsafe { real(file).xSync.unwrap()(file, flags) },
    }
}

unsafe extern "C" fn truncate(file: *mut ffi::sqlite3_file, size: i64) -> c_int {
    match fails() {
        true => ffi::SQLITE_IOERR_TRUNCATE,
        false => unsafe { real(file).xTruncate.unwrap()(file, size) },
    }
}

unsafe extern "C" fn open(
    _: *mut ffi::sqlite3_vfs,
    name: ffi::sqlite3_filename,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    out: *mut c_int,
) -> c_int {
    unsafe {
        let vfs = REAL.load(Ordering::SeqCst);
        let code = (*vfs).xOpen.unwrap()(vfs, name, file, flags, out);
        if code == ffi::SQLITE_OK && !(*file).pMethods.is_null() {
            let own = (*file).pMethods as usize;
            let mut methods = METHODS.lock().unwrap();
            let known = methods.iter().find(|(real, _)| *real == own).map(|(_, patched)| *patched);
            let patched = known.unwrap_or_else(|| {
                let mut patched = std::ptr::read(own as *const ffi::sqlite3_io_methods);
                patched.xWrite = Some(write);
                patched.xSync = Some(sync);
                patched.xTruncate = Some(truncate);
                let patched = Box::into_raw(Box::new(patched)) as usize;
                methods.push((own, patched));
                patched
            });
            (*file).pMethods = patched as *const ffi::sqlite3_io_methods;
        }
        code
    }
}

/// Puts the failing layer before the system's.
fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| unsafe {
        let real = ffi::sqlite3_vfs_find(std::ptr::null());
        REAL.store(real, Ordering::SeqCst);
        let mut ours = std::ptr::read(real);
        ours.zName = c"failing".as_ptr();
        ours.xOpen = Some(open);
        assert_eq!(ffi::sqlite3_vfs_register(Box::into_raw(Box::new(ours)), 1), ffi::SQLITE_OK);
    });
}

/// What a sweep is over.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Run {
    Migrate(JournalMode),
    RollBack,
    Optimize,
}

fn run(run: Run, target: &Path, staging: Option<Staging>) -> whimbrel::Result<()> {
    match run {
        Run::Migrate(journal_mode) => {
            publish(staging.unwrap(), target, PublishOptions { journal_mode, ..publish_options() }).map(drop)
        }
        Run::RollBack => {
            let options = RestoreOptions { directory: None, wait_ms: 0, cancel: &RUNNING };
            restore(target, &Which::Newest, options).map(drop)
        }
        Run::Optimize => {
            optimize(target, &OptimizeOptions { vacuum: true, wait_ms: 0, cancel: Default::default() }).map(drop)
        }
    }
}

#[test]
fn whatever_call_of_sqlite_fails_the_target_is_the_old_or_the_new_one() {
    install();
    let (mut refused, mut succeeded) = (0, 0);
    let models = tempfile::tempdir().unwrap();
    let old_of = |name: &str| models.path().join(name).join("app.db");
    for name in ["delete", "wal", "log", "older"] {
        fs::create_dir(models.path().join(name)).unwrap();
    }
    database(&old_of("delete"), Mode::Delete, "old");
    database(&old_of("wal"), Mode::Wal, "old");
    crashed_with_log(&old_of("log"));
    // Something to go back to.
    let older = old_of("older");
    database(&older, Mode::Wal, "older");
    run(Run::Migrate(JournalMode::Delete), &older, Some(staged(&older, "unused"))).unwrap();
    for (model, old) in [("delete", "old"), ("wal", "old"), ("log", "old,in the log")] {
        for job in [Run::Migrate(JournalMode::Wal), Run::Migrate(JournalMode::Delete), Run::RollBack, Run::Optimize] {
            // Until a run does with fewer calls.
            for calls in 0.. {
                assert!(calls < 500, "{job:?} has no end");
                let directory = tempfile::tempdir().unwrap();
                let target = directory.path().join("app.db");
                for (name, bytes) in snapshot(&models.path().join(model)) {
                    fs::write(directory.path().join(name), bytes).unwrap();
                }
                if job == Run::RollBack {
                    let place = directory.path().join("app.db.whimbrel-backups");
                    fs::create_dir(&place).unwrap();
                    for (name, bytes) in snapshot(&older.with_file_name("app.db.whimbrel-backups")) {
                        fs::write(place.join(name), bytes).unwrap();
                    }
                }
                let staging = matches!(job, Run::Migrate(_)).then(|| staged(&target, "new"));
                let before = fs::read(&target).unwrap();
                LEFT.store(calls, Ordering::SeqCst);
                let outcome = run(job, &target, staging);
                let reached = LEFT.swap(-1, Ordering::SeqCst) < 0;
                let when = format!("{job:?}, {model}, call {calls}: {outcome:?}");
                let backups = list(&target, None, Check::Digest).unwrap();
                assert!(backups.iter().all(|backup| backup.state == State::Intact), "{when}: {backups:?}");
                let left = listing(directory.path());
                assert!(!left.iter().any(|name| name.starts_with('.')), "{when}: {left:?}");
                let expected = usize::from(job == Run::RollBack);
                match &outcome {
                    Ok(()) => {
                        succeeded += 1;
                        let is = content(&target).unwrap();
                        match job {
                            Run::Migrate(mode) => {
                                assert_eq!(is, Content::Database { wal: mode == JournalMode::Wal }, "{when}");
                                assert_eq!(backups.len(), 1, "{when}");
                                assert_eq!(dump(&target), "new", "{when}");
                            }
                            Run::RollBack => assert_eq!((backups.len(), dump(&target)), (2, "older".into()), "{when}"),
                            Run::Optimize => assert_eq!(dump(&target), old, "{when}"),
                        }
                    }
                    Err(_) => {
                        refused += 1;
                        assert_eq!(backups.len(), expected, "{when}");
                        if model != "log" && job != Run::Optimize {
                            assert!(fs::read(&target).unwrap() == before, "{when}: the file has other bytes");
                        }
                        assert_eq!(dump(&target), old, "{when}");
                    }
                }
                if !reached {
                    assert!(outcome.is_ok(), "{when}");
                    break;
                }
            }
        }
    }
    println!("{refused} runs failed and {succeeded} succeeded with a call of SQLite that failed, or with none");
    assert!(refused > 50, "too few calls fail: {refused}");
    // The layer does what it says.
    LEFT.store(0, Ordering::SeqCst);
    let connection = Connection::open(tempfile::tempdir().unwrap().path().join("a.db")).unwrap();
    let failed = connection.execute_batch("CREATE TABLE t (a)");
    LEFT.store(-1, Ordering::SeqCst);
    assert!(failed.is_err());
}

/// What another process does with the target, for `Holder`; it waits to be killed.
#[test]
#[ignore = "run by the tests that need another process"]
fn child_holds_a_database() {
    support::files::hold();
}
