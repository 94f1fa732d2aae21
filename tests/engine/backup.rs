//! Backups: byte for byte, listed, refused when damaged, restored, rolled back again, pruned.

use std::fs;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::Path;

use crate::support::files::{
    Holder, Mode, RUNNING, crashed_with_log, database, dump, listing, publish_new, publish_options, snapshot, staged,
};
use rusqlite::Connection;
use whimbrel::Result;
use whimbrel::backup::list::{Check, State, list};
use whimbrel::backup::manifest::{Kind, Reason, digest_of_file};
use whimbrel::backup::prune::prune;
use whimbrel::backup::publish::{PublishOptions, publish};
use whimbrel::backup::restore::{RestoreOptions, Restored, Which, restore};
use whimbrel::error::Kind as ErrorKind;

fn options() -> RestoreOptions<'static> {
    RestoreOptions { directory: None, wait_ms: 0, cancel: &RUNNING }
}

fn roll_back(target: &Path) -> Result<Restored> {
    restore(target, &Which::Newest, options())
}

#[test]
fn a_rollback_gives_back_the_old_file_byte_for_byte() {
    // Page sizes, free pages, UTF-16, auto-vacuum, user version, many commits: whatever the header can say.
    for pragmas in [
        "",
        "PRAGMA page_size=512",
        "PRAGMA page_size=65536",
        "PRAGMA encoding='UTF-16be'; PRAGMA auto_vacuum=INCREMENTAL",
        "PRAGMA user_version=7; PRAGMA application_id=99; PRAGMA auto_vacuum=FULL",
    ] {
        for mode in ["DELETE", "WAL"] {
            let directory = tempfile::tempdir().unwrap();
            let target = directory.path().join("app.db");
            let connection = Connection::open(&target).unwrap();
            connection.execute_batch(pragmas).unwrap();
            connection.execute_batch(&format!("CREATE TABLE t(a); PRAGMA journal_mode={mode}")).unwrap();
            for round in 0..20 {
                connection
                    .execute_batch(&format!("CREATE TABLE x{round}(a); INSERT INTO t VALUES (randomblob(5000))"))
                    .unwrap();
            }
            connection
                .execute_batch("DELETE FROM t WHERE rowid % 3 = 0; DROP TABLE x3; INSERT INTO t VALUES ('old')")
                .unwrap();
            drop(connection);
            let old = fs::read(&target).unwrap();
            let published = publish_new(&target).unwrap();
            assert!(published.backup.identical, "{pragmas} {mode}");
            assert!(fs::read(&target).unwrap() != old);
            let restored = roll_back(&target).unwrap();
            assert!(fs::read(&target).unwrap() == old, "{pragmas} {mode}");
            assert_eq!(restored.digest.as_ref(), published.backup.digest.as_ref());
            assert_eq!(listing(directory.path()), ["app.db", "app.db.whimbrel-backups"]);
            assert_eq!(dump(&target), "old");
        }
    }
}

#[test]
fn reserved_bytes_are_kept() {
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("app.db");
    let connection = Connection::open(&target).unwrap();
    let mut reserved: i32 = 32;
    // SAFETY: the handle is open, and the opcode reads one int.
    let code = unsafe {
        rusqlite::ffi::sqlite3_file_control(
            connection.handle(),
            c"main".as_ptr(),
            rusqlite::ffi::SQLITE_FCNTL_RESERVE_BYTES,
            (&raw mut reserved).cast(),
        )
    };
    assert_eq!(code, 0);
    connection.execute_batch("VACUUM; CREATE TABLE t(a); INSERT INTO t VALUES ('old')").unwrap();
    drop(connection);
    let old = fs::read(&target).unwrap();
    assert_eq!(old[20], 32);
    publish_new(&target).unwrap();
    roll_back(&target).unwrap();
    assert!(fs::read(&target).unwrap() == old);
}

#[test]
fn a_rollback_can_be_rolled_back() {
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("app.db");
    database(&target, Mode::Wal, "old");
    publish_new(&target).unwrap();
    let new = fs::read(&target).unwrap();
    let restored = roll_back(&target).unwrap();
    assert_eq!(dump(&target), "old");
    assert_eq!((restored.restored.reason, restored.replaced.reason), (Reason::BeforeMigrate, Reason::BeforeRollback));
    assert_eq!(restored.replaced.source, format!("backup {}", restored.restored.id));
    roll_back(&target).unwrap();
    assert!(fs::read(&target).unwrap() == new);
    // The first backup is still there, by its id or an unambiguous beginning of it.
    restore(&target, &Which::Id(restored.restored.id.clone()), options()).unwrap();
    assert_eq!(dump(&target), "old");
    assert_eq!(list(&target, None, Check::Digest).unwrap().len(), 4);
}

#[test]
fn no_file_and_an_empty_file_come_back_too() {
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("app.db");
    publish_new(&target).unwrap();
    let restored = roll_back(&target).unwrap();
    assert_eq!((restored.restored.kind, restored.digest), (Kind::Absent, None));
    assert!(!target.exists());
    assert_eq!(listing(directory.path()), ["app.db.whimbrel-backups"]);
    roll_back(&target).unwrap();
    assert_eq!(dump(&target), "new");
    roll_back(&target).unwrap();
    fs::write(&target, "").unwrap();
    publish_new(&target).unwrap();
    roll_back(&target).unwrap();
    assert_eq!(fs::metadata(&target).unwrap().len(), 0);
}

#[test]
fn permissions_come_back_where_the_target_is_gone() {
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("app.db");
    database(&target, Mode::Delete, "old");
    fs::set_permissions(&target, fs::Permissions::from_mode(0o604)).unwrap();
    let backup = publish_new(&target).unwrap().backup;
    fs::remove_file(&target).unwrap();
    roll_back(&target).unwrap();
    assert_eq!(fs::metadata(&target).unwrap().permissions().mode() & 0o777, 0o604);
    let file = directory.path().join("app.db.whimbrel-backups").join(format!("{}.db", backup.id));
    assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o604);
}

#[test]
fn damaged_and_incomplete_backups_are_marked_and_refused() {
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("app.db");
    database(&target, Mode::Delete, "old");
    let first = publish_new(&target).unwrap().backup.id;
    let second = publish_new(&target).unwrap().backup.id;
    let backups = directory.path().join("app.db.whimbrel-backups");
    let (file, manifest) = (backups.join(format!("{second}.db")), backups.join(format!("{second}.json")));
    let (file_bytes, manifest_bytes) = (fs::read(&file).unwrap(), fs::read(&manifest).unwrap());
    let refused = |state: &str, cause: &str| {
        let before = snapshot(directory.path());
        let error = roll_back(&target).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Differs);
        assert!(error.object().contains(&second) && error.cause().contains(cause), "{error}");
        assert!(error.way_out().unwrap().contains(&first), "{error}");
        assert!(snapshot(directory.path()) == before);
        let entries = list(&target, None, Check::Digest).unwrap();
        assert_eq!((entries[0].id.as_str(), entries[1].id.as_str()), (second.as_str(), first.as_str()));
        assert_eq!(serde_json::to_value(&entries[0]).unwrap()["state"], state);
        assert_eq!(entries[1].state, State::Intact);
    };
    // One bit.
    let middle = file_bytes.len() / 2;
    fs::OpenOptions::new()
        .write(true)
        .open(&file)
        .unwrap()
        .write_all_at(&[file_bytes[middle] ^ 1], middle as u64)
        .unwrap();
    refused("damaged", "digest");
    assert_eq!(list(&target, None, Check::Size).unwrap()[0].state, State::NotRead);
    fs::write(&file, &file_bytes[..middle]).unwrap();
    refused("damaged", "bytes");
    fs::remove_file(&file).unwrap();
    refused("file-missing", "file is missing");
    fs::write(&file, &file_bytes).unwrap();
    fs::remove_file(&manifest).unwrap();
    refused("manifest-missing", "manifest is missing");
    fs::write(&manifest, &manifest_bytes[..manifest_bytes.len() / 2]).unwrap();
    refused("manifest-unreadable", "manifest cannot be read");
    let later = String::from_utf8(manifest_bytes.clone()).unwrap().replace("\"format\": 1", "\"format\": 3");
    fs::write(&manifest, later).unwrap();
    refused("manifest-unreadable", "form 3");
    let of_another = String::from_utf8(manifest_bytes.clone()).unwrap().replace(&second, &first);
    fs::write(&manifest, of_another).unwrap();
    refused("manifest-unreadable", "belongs to");
    fs::write(&manifest, &manifest_bytes).unwrap();
    roll_back(&target).unwrap();
    assert!(fs::read(&target).unwrap() == file_bytes);
}

#[test]
fn an_unknown_backup_is_told_with_the_known_ones() {
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("app.db");
    assert!(roll_back(&target).unwrap_err().cause().contains("there is no backup"));
    let id = publish_new(&target).unwrap().backup.id;
    let error = restore(&target, &Which::Id("1999".into()), options()).unwrap_err();
    assert!(error.cause().contains("`1999`") && error.way_out().unwrap().contains(&id), "{error}");
}

#[test]
fn a_rollback_of_a_target_in_use_changes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("app.db");
    database(&target, Mode::Wal, "old");
    publish_new(&target).unwrap();
    let mut holder = Holder::start(&target, "committed");
    let before = (snapshot(directory.path()), snapshot(&directory.path().join("app.db.whimbrel-backups")));
    let error = roll_back(&target).unwrap_err();
    assert!(error.cause().contains(&holder.id().to_string()), "{error}");
    let after = (snapshot(directory.path()), snapshot(&directory.path().join("app.db.whimbrel-backups")));
    assert!(before == after);
    // What that process had committed is in the backup of the rollback.
    holder.kill();
    let restored = roll_back(&target).unwrap();
    assert_eq!(dump(&target), "old");
    assert!(!restored.replaced.identical);
    roll_back(&target).unwrap();
    assert_eq!(dump(&target), "new,in the log");
}

#[test]
fn a_log_that_was_partly_moved_is_backed_up_whole() {
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("app.db");
    crashed_with_log(&target);
    publish_new(&target).unwrap();
    roll_back(&target).unwrap();
    assert_eq!(dump(&target), "old,in the log");
    let (digest, _) = digest_of_file(&target).unwrap();
    assert_eq!(digest.len(), 32);
}

#[test]
fn backups_can_go_to_another_directory_and_keep_their_manifest() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path().join("elsewhere");
    let target = directory.path().join("app.db");
    database(&target, Mode::Delete, "old");
    let options = PublishOptions { backup_directory: Some(&place), ..publish_options() };
    let backup = publish(staged(&target, "new"), &target, options).unwrap().backup;
    assert_eq!(listing(&place), [format!("{}.db", backup.id), format!("{}.json", backup.id)]);
    let text = fs::read_to_string(place.join(format!("{}.json", backup.id))).unwrap();
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    for (key, value) in [("kind", "database"), ("algorithm", "xxh3-128"), ("reason", "before-migrate")] {
        assert_eq!(json[key], value);
    }
    assert_eq!(json["source"], "postgres://user@host/app");
    assert_eq!(json["size_bytes"], fs::metadata(place.join(format!("{}.db", backup.id))).unwrap().len());
    assert!(
        json["taken_at"].as_str().unwrap().ends_with('Z') && json["tool"].as_str().unwrap().starts_with("whimbrel ")
    );
    let options = RestoreOptions { directory: Some(&place), ..self::options() };
    restore(&target, &Which::Newest, options).unwrap();
    assert_eq!(dump(&target), "old");
    assert_eq!(listing(directory.path()), ["app.db", "elsewhere"]);
}

#[test]
fn pruning_keeps_the_newest_and_leaves_broken_ones() {
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("app.db");
    database(&target, Mode::Delete, "old");
    let ids: Vec<String> = (0..5).map(|_| publish_new(&target).unwrap().backup.id).collect();
    let mut sorted = ids.clone();
    sorted.sort();
    assert_eq!(ids, sorted, "ids sort by time");
    let backups = directory.path().join("app.db.whimbrel-backups");
    fs::write(backups.join("notes.db"), "not ours").unwrap();
    fs::remove_file(backups.join(format!("{}.json", ids[4]))).unwrap();
    // One whose size is right and whose content is not is found by reading it.
    let damaged = backups.join(format!("{}.db", ids[3]));
    let mut bytes = fs::read(&damaged).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&damaged, bytes).unwrap();
    let pruned = prune(&target, None, 2).unwrap();
    assert_eq!(pruned.kept, [ids[2].clone(), ids[1].clone()]);
    assert_eq!(pruned.removed, [ids[0].clone()]);
    assert_eq!(pruned.broken, [ids[4].clone(), ids[3].clone()]);
    assert!(pruned.removed_bytes > 0);
    assert_eq!(listing(&backups).len(), 8);
}

/// That there was no file takes the place of no copy.
#[test]
fn pruning_counts_copies_only() {
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("app.db");
    let first = publish_new(&target).unwrap().backup.id;
    let copy = publish_new(&target).unwrap().backup.id;
    fs::remove_file(&target).unwrap();
    let last = publish_new(&target).unwrap().backup.id;
    let pruned = prune(&target, None, 1).unwrap();
    assert_eq!((pruned.kept, pruned.removed), (vec![last, copy], vec![first]));
}
