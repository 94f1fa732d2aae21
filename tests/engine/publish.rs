//! Publishing over every kind of target: what is replaced is backed up, and a run that fails changes nothing.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::AtomicBool;

use crate::support::child_of;
use crate::support::files::{
    Holder, Mode, RUNNING, can_mount, can_run_as_root, crashed_with_log, database, dump, fill, is_root, listing,
    publish_new, publish_options, snapshot, staged,
};
use rusqlite::Connection;
use whimbrel::backup::list::{Check, list};
use whimbrel::backup::manifest::{Kind, Reason};
use whimbrel::backup::publish::{PublishOptions, publish};
use whimbrel::backup::take::{TakeOptions, take};
use whimbrel::cancel::Cancel;
use whimbrel::endpoint::findings::Depth;
use whimbrel::endpoint::sqlite::access::Access;
use whimbrel::endpoint::sqlite::file::{TargetFile, side_path};
use whimbrel::endpoint::sqlite::staging::Staging;
use whimbrel::endpoint::sqlite::structure::integrity;
use whimbrel::endpoint::sqlite::target::JournalMode;
use whimbrel::verify::file::check;

#[test]
fn a_new_target_appears_with_the_journal_mode_asked_for() {
    for mode in [JournalMode::Wal, JournalMode::Delete] {
        let directory = tempfile::tempdir().unwrap();
        let target = directory.path().join("app.db");
        let options = PublishOptions { journal_mode: mode, ..publish_options() };
        let published = publish(staged(&target, "new"), &target, options).unwrap();
        assert_eq!((published.journal_mode, published.durable, published.notes.len()), (mode, true, 0));
        assert_eq!(published.backup.kind, Kind::Absent);
        assert_eq!(published.size_bytes, fs::metadata(&target).unwrap().len());
        assert_eq!(listing(directory.path()), ["app.db", "app.db.whimbrel-backups"]);
        assert_eq!(dump(&target), "new");
    }
}

#[test]
fn an_old_target_is_backed_up_and_its_permissions_are_kept() {
    for mode in [Mode::Delete, Mode::Wal] {
        let directory = tempfile::tempdir().unwrap();
        let target = directory.path().join("app.db");
        database(&target, mode, "old");
        fs::set_permissions(&target, fs::Permissions::from_mode(0o640)).unwrap();
        if can_run_as_root("an owner that is kept") {
            std::os::unix::fs::chown(&target, Some(65534), Some(65534)).unwrap();
        }
        let wanted = fs::metadata(&target).unwrap();
        let old = fs::read(&target).unwrap();
        let published = publish_new(&target).unwrap();
        assert_eq!((dump(&target).as_str(), published.backup.kind), ("new", Kind::Database));
        let metadata = fs::metadata(&target).unwrap();
        assert_eq!((metadata.mode() & 0o7777, metadata.uid(), metadata.gid()), (0o640, wanted.uid(), wanted.gid()));
        let entries = list(&target, None, Check::Digest).unwrap();
        assert_eq!(entries.len(), 1);
        assert!(fs::read(&entries[0].file).unwrap() == old, "the backup is not the old file ({mode:?})");
        assert!(published.backup.identical);
    }
}

#[test]
fn committed_pages_of_a_log_are_in_the_backup_and_the_log_is_gone() {
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("app.db");
    crashed_with_log(&target);
    assert!(fs::metadata(side_path(&target, "wal")).unwrap().len() > 0);
    // What a checkpoint would make of it, done by SQLite on a copy.
    let copy = directory.path().join("copy.db");
    fs::copy(&target, &copy).unwrap();
    fs::copy(side_path(&target, "wal"), side_path(&copy, "wal")).unwrap();
    Connection::open(&copy).unwrap().execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    publish_new(&target).unwrap();
    assert!(!side_path(&target, "wal").exists() && !side_path(&target, "shm").exists());
    assert_eq!(dump(&target), "new");
    let entry = list(&target, None, Check::Digest).unwrap().remove(0);
    assert!(fs::read(&entry.file).unwrap() == fs::read(&copy).unwrap(), "the backup is not the checkpointed file");
    assert_eq!(dump(&entry.file), "old,in the log");
}

#[test]
fn a_hot_journal_is_rolled_back_before_the_backup() {
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("app.db");
    database(&target, Mode::Delete, "old");
    let mut holder = Holder::start(&target, "half-a-transaction");
    holder.kill();
    assert!(fs::metadata(side_path(&target, "journal")).unwrap().len() > 0);
    publish_new(&target).unwrap();
    assert_eq!(dump(&target), "new");
    assert_eq!(listing(directory.path()), ["app.db", "app.db.whimbrel-backups"]);
    let entry = list(&target, None, Check::Digest).unwrap().remove(0);
    assert_eq!(dump(&entry.file), "old");
}

#[test]
#[cfg(target_os = "linux")]
fn a_target_in_use_is_left_alone_and_the_user_is_named() {
    for (mode, what) in [
        (Mode::Wal, "idle"),
        (Mode::Wal, "reading"),
        (Mode::Wal, "committed"),
        (Mode::Wal, "writing"),
        (Mode::Delete, "idle"),
        (Mode::Delete, "reading"),
        (Mode::Delete, "writing"),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let target = directory.path().join("app.db");
        database(&target, mode, "old");
        let mut holder = Holder::start(&target, what);
        let before = snapshot(directory.path());
        let error = publish_new(&target).unwrap_err();
        assert!(error.cause().contains(&format!("process {} (`", holder.id())), "{mode:?} {what}: {error}");
        assert!(snapshot(directory.path()) == before, "{mode:?} {what}: the directory changed");
        holder.kill();
        publish_new(&target).unwrap();
        assert_eq!(dump(&target), "new", "{mode:?} {what}");
    }
}

#[test]
fn a_connection_of_this_process_counts_as_in_use() {
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("app.db");
    let connection = database(&target, Mode::Wal, "old");
    drop(connection);
    let connection = Connection::open(&target).unwrap();
    connection.execute_batch("BEGIN; SELECT * FROM t").unwrap();
    let before = snapshot(directory.path());
    let error = publish_new(&target).unwrap_err();
    assert!(error.cause().contains("another connection of this process"), "{error}");
    assert!(snapshot(directory.path()) == before);
}

#[test]
fn the_lock_holds_from_the_backup_to_the_rename() {
    for mode in [Mode::Delete, Mode::Wal] {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("app.db");
        database(&path, mode, "old");
        assert!(!Holder::writer_is_refused(&path));
        let before = snapshot(directory.path());
        let target = TargetFile::inspect(&path).unwrap();
        let mut access = Access::take(&target, 0).unwrap();
        assert!(Holder::writer_is_refused(&path), "{mode:?}: after it was taken");
        let options = TakeOptions {
            directory: None,
            reason: Reason::BeforeMigrate,
            source: "",
            replacement_digest: None,
            cancel: &RUNNING,
        };
        let backup = take(&target, Some(&access), options).unwrap();
        assert!(backup.manifest().identical);
        assert!(Holder::writer_is_refused(&path), "{mode:?}: after the backup");
        access.settle().unwrap();
        assert!(Holder::writer_is_refused(&path), "{mode:?}: after the log was moved");
        drop((access, backup));
        assert!(snapshot(directory.path()) == before, "{mode:?}: {:?}", listing(directory.path()));
        assert!(!Holder::writer_is_refused(&path));
    }
}

#[test]
fn a_connection_that_was_opened_before_cannot_write_to_the_new_file() {
    for mode in [Mode::Delete, Mode::Wal] {
        let directory = tempfile::tempdir().unwrap();
        let target = directory.path().join("app.db");
        database(&target, mode, "old");
        // Open, but it has not read yet, so it holds no lock; in this process, so it is not found as a holder.
        let late = Connection::open(&target).unwrap();
        publish_new(&target).unwrap();
        assert!(late.execute_batch("INSERT INTO t VALUES ('lost')").is_err(), "{mode:?}");
        drop(late);
        assert_eq!(dump(&target), "new", "{mode:?}");
        assert_eq!(listing(directory.path()), ["app.db", "app.db.whimbrel-backups"], "{mode:?}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_rename_that_fails_leaves_the_content_and_nothing_else() {
    if !can_mount("a_rename_that_fails_leaves_the_content_and_nothing_else") {
        return;
    }
    for log in [false, true] {
        let directory = tempfile::tempdir().unwrap();
        let target = directory.path().join("app.db");
        match log {
            true => crashed_with_log(&target),
            false => drop(database(&target, Mode::Wal, "old")),
        }
        let before = snapshot(directory.path());
        // A mount point cannot be renamed over.
        let mounted = Command::new("mount").arg("--bind").args([&target, &target]).status().expect("mount");
        assert!(mounted.success(), "these tests need to mount");
        let outcome = publish_new(&target);
        assert!(Command::new("umount").arg("-l").arg(&target).status().expect("umount").success());
        let error = outcome.unwrap_err();
        assert!(error.way_out().unwrap().contains("mount"), "{error}");
        if log {
            assert_eq!(listing(directory.path()), ["app.db"]);
            assert_eq!(dump(&target), "old,in the log");
        } else {
            assert!(snapshot(directory.path()) == before);
        }
    }
}

#[test]
fn what_is_not_a_database_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("app.db");
    for content in [b"a letter to a friend".to_vec(), vec![0; 4096], (0..=255).cycle().take(8192).collect()] {
        fs::write(&target, &content).unwrap();
        let before = snapshot(directory.path());
        let error = publish_new(&target).unwrap_err();
        assert!(error.cause().contains("not a SQLite database"), "{error}");
        assert!(error.way_out().is_some());
        assert!(snapshot(directory.path()) == before);
    }
}

#[test]
fn a_log_of_another_database_stops_the_run() {
    for content in ["rollback", "missing"] {
        let directory = tempfile::tempdir().unwrap();
        let target = directory.path().join("app.db");
        let other = directory.path().join("other.db");
        crashed_with_log(&other);
        if content == "rollback" {
            database(&target, Mode::Delete, "old");
        }
        fs::rename(side_path(&other, "wal"), side_path(&target, "wal")).unwrap();
        let before = snapshot(directory.path());
        let error = publish_new(&target).unwrap_err();
        assert!(error.cause().contains("app.db-wal"), "{error}");
        assert!(snapshot(directory.path()) == before);
    }
}

#[test]
fn an_empty_file_and_empty_side_files_are_no_obstacle() {
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("app.db");
    for suffix in ["wal", "shm"] {
        fs::write(side_path(&target, suffix), "").unwrap();
    }
    fs::write(&target, "").unwrap();
    let published = publish_new(&target).unwrap();
    assert_eq!(published.backup.kind, Kind::Empty);
    assert_eq!(listing(directory.path()), ["app.db", "app.db.whimbrel-backups"]);
    assert_eq!(dump(&target), "new");
}

#[test]
fn a_link_stays_a_link_and_its_file_is_replaced() {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir(directory.path().join("data")).unwrap();
    let real = directory.path().join("data/real.db");
    let link = directory.path().join("app.db");
    symlink("data/real.db", &link).unwrap();
    database(&real, Mode::Delete, "old");
    let published = publish_new(&link).unwrap();
    assert_eq!(published.target, fs::canonicalize(&real).unwrap());
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(dump(&real), "new");
    assert_eq!(listing(&directory.path().join("data")), ["real.db", "real.db.whimbrel-backups"]);
}

#[test]
fn another_name_of_the_old_file_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("app.db");
    let other = directory.path().join("other.db");
    database(&target, Mode::Wal, "old");
    fs::hard_link(&target, &other).unwrap();
    let published = publish_new(&target).unwrap();
    assert!(published.notes[0].contains("2 names"), "{published:?}");
    assert_eq!((dump(&target).as_str(), dump(&other).as_str()), ("new", "old"));
}

/// A log that was cut says what it said before; one that a run looked at and did not replace is what it was.
#[test]
fn a_refused_run_leaves_whatever_log_there_was() {
    let models = tempfile::tempdir().unwrap();
    let model = models.path().join("app.db");
    crashed_with_log(&model);
    let (file, log) = (fs::read(&model).unwrap(), fs::read(models.path().join("app.db-wal")).unwrap());
    let cuts = [0, 1, 8, 31, 32, 33, 56, 57, 4096, log.len() / 2, log.len() - 1, log.len()];
    for length in cuts.map(Some).into_iter().chain([None]) {
        for damaged in [false, true] {
            let directory = tempfile::tempdir().unwrap();
            let target = directory.path().join("app.db");
            // Damaged: the end of the file is missing, and pages of the middle are noise.
            let kept = if damaged { file.len() / 2 } else { file.len() };
            let mut bytes = file[..kept].to_vec();
            if damaged {
                bytes[100..].fill(0xa5);
            }
            fs::write(&target, bytes).unwrap();
            if let Some(length) = length {
                fs::write(directory.path().join("app.db-wal"), &log[..length]).unwrap();
            }
            let staging = staged(&target, "new");
            let mut before = snapshot(directory.path());
            before.retain(|name, _| !name.ends_with(".tmp"));
            let stop = AtomicBool::new(true);
            let options = PublishOptions { cancel: &stop, ..publish_options() };
            publish(staging, &target, options).unwrap_err();
            if length.is_none() {
                // Whoever only reads leaves as little.
                assert_eq!(check(&target, None, &Cancel::new()).is_ok_and(|found| found.is_sound()), !damaged);
            }
            let left = listing(directory.path());
            assert!(snapshot(directory.path()) == before, "{length:?}, damaged {damaged}: {left:?}");
            assert!(!left.iter().any(|name| name.ends_with("-shm")), "{length:?}, damaged {damaged}: {left:?}");
        }
    }
}

#[test]
fn a_staged_file_that_is_still_open_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("app.db");
    let staging = staged(&target, "new");
    let open = Connection::open(staging.path()).unwrap();
    open.execute_batch("PRAGMA journal_mode=WAL; INSERT INTO t VALUES('late')").unwrap();
    assert!(publish(staging, &target, publish_options()).is_err());
    drop(open);
    assert!(!target.exists());
}

#[test]
fn a_stop_leaves_the_old_target_and_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("app.db");
    database(&target, Mode::Wal, "old");
    let before = snapshot(directory.path());
    let cancel = AtomicBool::new(true);
    let error =
        publish(staged(&target, "new"), &target, PublishOptions { cancel: &cancel, ..publish_options() }).unwrap_err();
    assert_eq!(error.kind(), whimbrel::error::Kind::Interrupted);
    assert!(snapshot(directory.path()) == before);
}

/// Runs one of the ignored tests below in its own process, as another user where this one is root, who may do
/// everything.
fn unprivileged(test: &str, directory: &Path) {
    let binary = tempfile::tempdir().unwrap();
    fs::set_permissions(binary.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let copy = binary.path().join("tests");
    fs::copy(std::env::current_exe().unwrap(), &copy).unwrap();
    let mut command = child_of(copy, &format!("publish::{test}"));
    command.env("CHILD_DIRECTORY", directory).current_dir("/");
    if is_root() {
        command.uid(65534).gid(65534);
    }
    let output = loop {
        match command.output() {
            // A process that another test started meanwhile still has the copy open for writing, until its exec.
            Err(error) if error.kind() == std::io::ErrorKind::ExecutableFileBusy => {
                std::thread::sleep(std::time::Duration::from_millis(10));
            }
            output => break output.unwrap(),
        }
    };
    let told = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success() && told.contains("1 passed"), "{told}");
}

#[test]
fn a_directory_that_cannot_be_written_is_told_and_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("app.db");
    database(&target, Mode::Delete, "old");
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o555)).unwrap();
    let before = snapshot(directory.path());
    unprivileged("child_cannot_write_the_directory", directory.path());
    assert!(snapshot(directory.path()) == before);
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
#[ignore = "run by a_directory_that_cannot_be_written_is_told_and_left_alone"]
fn child_cannot_write_the_directory() {
    let directory = std::env::var_os("CHILD_DIRECTORY").expect("set by the parent");
    let error = Staging::create(&Path::new(&directory).join("app.db")).unwrap_err();
    assert_eq!(error.operation(), "create temporary file in");
    assert!(error.cause().contains("denied") && error.way_out().unwrap().contains("permission"), "{error}");
}

#[test]
fn another_users_file_in_a_sticky_directory_is_told_and_left_alone() {
    if !can_run_as_root("another_users_file_in_a_sticky_directory_is_told_and_left_alone") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("app.db");
    database(&target, Mode::Delete, "old");
    fs::set_permissions(&target, fs::Permissions::from_mode(0o666)).unwrap();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o1777)).unwrap();
    let before = snapshot(directory.path());
    unprivileged("child_is_not_the_owner", directory.path());
    assert!(snapshot(directory.path()) == before);
}

#[test]
#[ignore = "run by another_users_file_in_a_sticky_directory_is_told_and_left_alone"]
fn child_is_not_the_owner() {
    let directory = std::env::var_os("CHILD_DIRECTORY").expect("set by the parent");
    let error = publish_new(&Path::new(&directory).join("app.db")).unwrap_err();
    assert!(error.cause().contains("another user"), "{error}");
}

#[test]
fn a_file_that_may_only_be_read_can_be_checked() {
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("my app?.db");
    database(&target, Mode::Wal, "old");
    fs::set_permissions(&target, fs::Permissions::from_mode(0o444)).unwrap();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o555)).unwrap();
    let before = snapshot(directory.path());
    unprivileged("child_may_only_read", directory.path());
    assert!(snapshot(directory.path()) == before);
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
#[ignore = "run by a_file_that_may_only_be_read_can_be_checked"]
fn child_may_only_read() {
    let directory = std::env::var_os("CHILD_DIRECTORY").expect("set by the parent");
    let cancel = std::sync::Arc::new(AtomicBool::new(false));
    let path = Path::new(&directory).join("my app?.db");
    assert!(integrity(&path, Depth::Full, 10, &cancel).unwrap().is_sound());
}

#[test]
fn a_write_protected_target_is_told_and_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("app.db");
    database(&target, Mode::Delete, "old");
    fs::set_permissions(&target, fs::Permissions::from_mode(0o444)).unwrap();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let before = snapshot(directory.path());
    unprivileged("child_cannot_write_the_target", directory.path());
    assert!(snapshot(directory.path()) == before);
}

#[test]
#[ignore = "run by a_write_protected_target_is_told_and_left_alone"]
fn child_cannot_write_the_target() {
    let directory = std::env::var_os("CHILD_DIRECTORY").expect("set by the parent");
    let error = publish_new(&Path::new(&directory).join("app.db")).unwrap_err();
    assert!(error.cause().contains("write-protected"), "{error}");
}

/// A file system of a given size, unmounted on drop.
#[cfg(target_os = "linux")]
struct SmallDisk(tempfile::TempDir);

#[cfg(target_os = "linux")]
impl SmallDisk {
    fn new(kib: u32) -> SmallDisk {
        let directory = tempfile::tempdir().unwrap();
        let status = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={kib}k"), "whimbrel-test"])
            .arg(directory.path())
            .status()
            .expect("mount");
        assert!(status.success(), "these tests need to mount a small tmpfs");
        SmallDisk(directory)
    }
}

#[cfg(target_os = "linux")]
impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_disk_that_fills_up_during_the_backup_changes_nothing() {
    if !can_mount("a_disk_that_fills_up_during_the_backup_changes_nothing") {
        return;
    }
    for log in [false, true] {
        let disk = SmallDisk::new(3072);
        let directory = disk.0.path();
        let target = directory.join("app.db");
        match log {
            true => crashed_with_log(&target),
            false => drop(database(&target, Mode::Delete, "old")),
        }
        let connection_bytes = 500 * 1024;
        if !log {
            Connection::open(&target)
                .unwrap()
                .execute("INSERT INTO t VALUES(zeroblob(?1))", [connection_bytes])
                .unwrap();
        }
        let staging = staged(&target, "new");
        // Leave two blocks: a backup does not fit.
        let mut filler = fs::File::create(directory.join("filler")).unwrap();
        while std::io::Write::write(&mut filler, &[1; 4096]).is_ok() {}
        let length = filler.metadata().unwrap().len();
        filler.set_len(length - 3 * 4096).unwrap();
        let mut before = snapshot(directory);
        before.retain(|name, _| !name.ends_with(".tmp"));
        let error = publish(staging, &target, publish_options()).unwrap_err();
        assert!(error.way_out().is_some_and(|hint| hint.contains("free space")), "{error} {:?}", error.way_out());
        assert!(snapshot(directory) == before, "{:?}", listing(directory));
        filler.set_len(0).unwrap();
        fs::remove_file(directory.join("filler")).unwrap();
        publish_new(&target).unwrap();
        assert_eq!(dump(&target), "new");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn whatever_room_the_disk_has_the_target_is_the_old_or_the_new_one() {
    if !can_mount("whatever_room_the_disk_has_the_target_is_the_old_or_the_new_one") {
        return;
    }
    let mut outcomes = [0, 0];
    for log in [false, true] {
        for blocks in 0..32 {
            let disk = SmallDisk::new(1024);
            let directory = disk.0.path();
            let target = directory.join("app.db");
            match log {
                true => crashed_with_log(&target),
                false => drop(database(&target, Mode::Delete, "old")),
            }
            let mut filler = fs::File::create(directory.join("filler")).unwrap();
            while std::io::Write::write(&mut filler, &[1; 4096]).is_ok() {}
            let length = filler.metadata().unwrap().len();
            filler.set_len(length - blocks * 4096).unwrap();
            let before = snapshot(directory);
            let outcome = Staging::create(&target).map_err(|error| error.to_string()).and_then(|staging| {
                fill(&staging, "new").map_err(|error| error.to_string())?;
                publish(staging, &target, publish_options()).map_err(|error| error.to_string())
            });
            // Removing it would not give the room back while it is open, here or in a process that is being started.
            filler.set_len(0).unwrap();
            fs::remove_file(directory.join("filler")).unwrap();
            match outcome {
                Ok(_) => {
                    outcomes[1] += 1;
                    assert_eq!(dump(&target), "new");
                    let backup = list(&target, None, Check::Digest).unwrap().remove(0);
                    assert_eq!(dump(&backup.file), if log { "old,in the log" } else { "old" });
                }
                Err(error) => {
                    assert!(error.contains("full") || error.contains("No space"), "{error}");
                    outcomes[0] += 1;
                    let mut after = snapshot(directory);
                    after.insert("filler".into(), before["filler"].clone());
                    assert!(after == before, "log {log}, {blocks} blocks: {:?}", listing(directory));
                    assert_eq!(dump(&target), if log { "old,in the log" } else { "old" });
                }
            }
        }
    }
    println!("64 disks: {} old, {} new", outcomes[0], outcomes[1]);
    assert!(outcomes[0] > 0 && outcomes[1] > 0);
}

#[test]
fn a_killed_run_is_cleaned_up_by_the_next() {
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("app.db");
    database(&target, Mode::Delete, "old");
    let before = snapshot(directory.path());
    let mut holder = Holder::start(&target, "stage");
    assert_eq!(listing(directory.path()).len(), 2, "{:?}", listing(directory.path()));
    holder.kill();
    assert_eq!(listing(directory.path()).len(), 2);
    drop(Staging::create(&target).unwrap());
    assert!(snapshot(directory.path()) == before);
}

#[test]
fn killed_at_any_moment_the_target_is_the_old_or_the_new_one() {
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("app.db");
    let mut outcomes = [0, 0];
    // The moments are spread over a little more than the time that a whole run takes here.
    database(&target, Mode::Wal, "old");
    let started = std::time::Instant::now();
    publish_new(&target).unwrap();
    let whole_micros = u64::try_from(started.elapsed().as_micros()).unwrap();
    fs::remove_dir_all(directory.path().join("app.db.whimbrel-backups")).unwrap();
    fs::remove_file(&target).unwrap();
    for round in 0..40 {
        match round % 2 {
            0 => drop(database(&target, Mode::Wal, "old")),
            _ => crashed_with_log(&target),
        }
        let mut holder = Holder::start(&target, "publish");
        std::thread::sleep(std::time::Duration::from_micros(whole_micros * 13 / 10 * round / 40));
        holder.kill();
        match dump(&target).as_str() {
            "old" | "old,in the log" => outcomes[0] += 1,
            "new" => outcomes[1] += 1,
            other => panic!("round {round}: the target holds `{other}`"),
        }
        let newest = list(&target, None, Check::Digest).unwrap().into_iter().next();
        if dump(&target) == "new" {
            assert_eq!(newest.unwrap().state, whimbrel::backup::list::State::Intact);
        }
        publish_new(&target).unwrap();
        assert_eq!(dump(&target), "new");
        assert!(
            !listing(directory.path()).iter().any(|name| name.ends_with(".tmp")),
            "{:?}",
            listing(directory.path())
        );
        fs::remove_dir_all(directory.path().join("app.db.whimbrel-backups")).unwrap();
        fs::remove_file(&target).unwrap();
    }
    println!("killed 40 times: {} old, {} new", outcomes[0], outcomes[1]);
}
