//! Backups of a file in use, and backups that grow old: taken beside a writer, compressed, removed by their own record,
//! restored from their compressed form; whatever a kill leaves is put right.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crate::support::files::{Mode, RUNNING, database, dump, listing, publish_new};
use rusqlite::Connection;
use whimbrel::Result;
use whimbrel::backup::list::{Check, State, list};
use whimbrel::backup::live::take_live;
use whimbrel::backup::manifest::{Kind, Manifest, Reason};
use whimbrel::backup::prune::{After, Pruned, Rotation, prune, rotate};
use whimbrel::backup::restore::{RestoreOptions, Restored, Which, restore};
use whimbrel::backup::take::TakeOptions;

fn take_options() -> TakeOptions<'static> {
    TakeOptions { directory: None, reason: Reason::OnRequest, source: "", replacement_digest: None, cancel: &RUNNING }
}

fn take(target: &Path) -> Manifest {
    take_live(target, 0, take_options()).unwrap()
}

fn by_age(target: &Path, keep: usize) -> Pruned {
    let rotation = Rotation { keep, remove: After::Days(50), compress: After::Days(7) };
    rotate(target, None, rotation, &RUNNING).unwrap()
}

fn back_to(target: &Path, id: &str) -> Result<Restored> {
    restore(target, &Which::Id(id.to_owned()), RestoreOptions { directory: None, wait_ms: 0, cancel: &RUNNING })
}

fn folder(target: &Path) -> PathBuf {
    target.with_file_name("app.db.whimbrel-backups")
}

fn file(target: &Path, id: &str, ending: &str) -> PathBuf {
    folder(target).join(format!("{id}.{ending}"))
}

/// Lets the record of a backup say that it was taken so many days ago.
fn make_older(target: &Path, id: &str, days: i32) {
    let path = file(target, id, "json");
    let mut manifest: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let sql = "SELECT strftime('%Y-%m-%dT%H:%M:%fZ', 'now', ?1 || ' days')";
    let time: String = Connection::open_in_memory().unwrap().query_row(sql, [-days], |row| row.get(0)).unwrap();
    manifest["taken_at"] = time.into();
    fs::write(&path, serde_json::to_string_pretty(&manifest).unwrap()).unwrap();
}

/// A target whose row is the number of days that its backup of that row is old; the ids, oldest first.
fn of_ages(target: &Path, ages: &[i32]) -> Vec<String> {
    database(target, Mode::Wal, "first");
    let ids = ages.iter().map(|days| {
        Connection::open(target).unwrap().execute("UPDATE t SET a = ?1", [days.to_string()]).unwrap();
        let id = take(target).id;
        make_older(target, &id, *days);
        id
    });
    ids.collect()
}

/// What any program reads that knows Zstandard.
fn decoded(bytes: &[u8]) -> Vec<u8> {
    let mut content = Vec::with_capacity(1 << 24);
    ruzstd::decoding::FrameDecoder::new().decode_all_to_vec(bytes, &mut content).unwrap();
    content
}

/// One bit of a file is another one.
fn damage(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    fs::write(path, bytes).unwrap();
}

#[test]
fn a_backup_is_one_state_of_a_file_whose_writer_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("app.db");
    let writer = Connection::open(&target).unwrap();
    writer
        .execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;
             CREATE TABLE t (n INTEGER PRIMARY KEY, filler BLOB); CREATE TABLE told (n INTEGER);
             INSERT INTO told VALUES (0); CREATE TABLE ballast (b); CREATE INDEX i ON t (filler);
             INSERT INTO ballast WITH RECURSIVE s (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < 4000)
               SELECT randomblob(4000) FROM s",
        )
        .unwrap();
    let (stop, commits) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let (stopped, counted) = (Arc::clone(&stop), Arc::clone(&commits));
    let thread = std::thread::spawn(move || {
        // What a reader sees of one commit: as many rows as are told.
        while !stopped.load(Ordering::Relaxed) {
            writer
                .execute_batch(
                    "BEGIN; INSERT INTO t (filler) VALUES (randomblob(200)); UPDATE told SET n = n + 1; COMMIT",
                )
                .unwrap();
            counted.fetch_add(1, Ordering::Relaxed);
        }
    });
    let mut meanwhile = 0;
    let taken: Vec<Manifest> = (0..8)
        .map(|_| {
            let before = commits.load(Ordering::Relaxed);
            let manifest = take(&target);
            meanwhile += commits.load(Ordering::Relaxed) - before;
            manifest
        })
        .collect();
    stop.store(true, Ordering::Relaxed);
    thread.join().unwrap();
    assert!(meanwhile >= 8, "the writer waited: {meanwhile} commits during 8 backups");
    let mut last = 0;
    for manifest in taken {
        assert_eq!((manifest.kind, manifest.reason, manifest.identical), (Kind::Database, Reason::OnRequest, false));
        let copy = Connection::open(file(&target, &manifest.id, "db")).unwrap();
        let sound: String = copy.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        let (rows, told): (i64, i64) = copy
            .query_row("SELECT (SELECT count(*) FROM t), (SELECT n FROM told)", [], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .unwrap();
        assert!(sound == "ok" && rows == told && rows >= last, "{sound}, {rows} rows of {told}, {last} before");
        last = rows;
        drop(copy);
        for suffix in ["-wal", "-shm"] {
            let _ = fs::remove_file(folder(&target).join(format!("{}.db{suffix}", manifest.id)));
        }
    }
    assert!(last > 0, "the writer had begun");
}

#[test]
fn a_backup_on_request_is_the_committed_content_and_changes_nothing() {
    for mode in [Mode::Delete, Mode::Wal] {
        let directory = tempfile::tempdir().unwrap();
        let target = directory.path().join("app.db");
        database(&target, mode, "old");
        let before = fs::read(&target).unwrap();
        let open = Connection::open(&target).unwrap();
        open.execute_batch("SELECT * FROM t").unwrap();
        let first = take(&target);
        assert!(fs::read(file(&target, &first.id, "db")).unwrap() == before, "{mode:?}");
        assert!(fs::read(&target).unwrap() == before, "{mode:?}");
        // What is only in the log is in the backup.
        open.execute_batch("INSERT INTO t VALUES ('in the log')").unwrap();
        let second = take(&target);
        drop(open);
        Connection::open(&target).unwrap().execute_batch("DELETE FROM t").unwrap();
        back_to(&target, &second.id).unwrap();
        assert_eq!(dump(&target), "old,in the log");
        back_to(&target, &first.id).unwrap();
        assert!(fs::read(&target).unwrap() == before, "{mode:?}");
    }
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("app.db");
    let refused = |cause: &str| {
        let error = take_live(&target, 0, take_options()).unwrap_err();
        assert!(error.operation() == "back up" && error.cause().contains(cause), "{error}");
        assert!(!folder(&target).exists());
    };
    refused("no such file");
    fs::write(&target, "no database at all").unwrap();
    refused("not a SQLite database");
    fs::write(&target, "").unwrap();
    assert_eq!(take(&target).kind, Kind::Empty);
}

#[test]
fn backups_are_compressed_and_removed_by_their_own_record() {
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("app.db");
    let ids = of_ages(&target, &[100, 60, 20, 10, 3, 0]);
    let originals: Vec<Vec<u8>> = ids.iter().map(|id| fs::read(file(&target, id, "db")).unwrap()).collect();
    let pruned = by_age(&target, 2);
    let newest_first = |ids: &[String]| -> Vec<String> { ids.iter().rev().cloned().collect() };
    assert_eq!(pruned.removed, newest_first(&ids[..2]));
    assert_eq!(pruned.kept, newest_first(&ids[2..]));
    assert_eq!(pruned.compressed, newest_first(&ids[2..4]));
    assert!(pruned.compressed_saved_bytes > 0 && pruned.not_compressed.is_empty() && pruned.broken.is_empty());
    let mut expected: Vec<String> = [&ids[2], &ids[3]].iter().map(|id| format!("{id}.db.zst")).collect();
    expected.extend([&ids[4], &ids[5]].iter().map(|id| format!("{id}.db")));
    expected.extend(ids[2..].iter().map(|id| format!("{id}.json")));
    expected.sort();
    assert_eq!(listing(&folder(&target)), expected);
    let entries = list(&target, None, Check::Digest).unwrap();
    assert!(entries.iter().all(|entry| entry.state == State::Intact), "{entries:?}");
    assert_eq!(list(&target, None, Check::Size).unwrap()[3].state, State::NotRead);

    // Once more: nothing is left to do. Other programs read it, too.
    assert_eq!(by_age(&target, 2), Pruned { kept: newest_first(&ids[2..]), ..Pruned::default() });
    let bytes = fs::read(file(&target, &ids[2], "db.zst")).unwrap();
    assert!(decoded(&bytes) == originals[2]);
    for (place, row) in [(2, "20"), (3, "10"), (4, "3")] {
        let restored = back_to(&target, &ids[place]).unwrap();
        assert!(fs::read(&target).unwrap() == originals[place]);
        assert_eq!(restored.digest, restored.restored.digest);
        assert_eq!(dump(&target), row);
    }
}

#[test]
fn so_many_copies_stay_however_old_they_are() {
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("app.db");
    let ids = of_ages(&target, &[4000, 3000, 2000, 1000]);
    let pruned = by_age(&target, 3);
    assert_eq!(pruned.removed, [ids[0].clone()]);
    assert_eq!(pruned.compressed.len(), 3);
    // The target itself is gone: the last copy is all that there is.
    fs::remove_file(&target).unwrap();
    assert_eq!(by_age(&target, 1).kept, [ids[3].clone()]);
    assert_eq!(by_age(&target, 1).kept, [ids[3].clone()]);
    let error = prune(&target, None, 0).unwrap_err();
    assert!(error.cause().contains("every copy"), "{error}");
    back_to(&target, &ids[3]).unwrap();
    assert_eq!(dump(&target), "1000");
}

#[test]
fn a_clock_that_was_set_back_makes_no_backup_old() {
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("app.db");
    let ids = of_ages(&target, &[-4000, -1, 0]);
    let rotation = Rotation { keep: 1, remove: After::Days(0), compress: After::Days(0) };
    let pruned = rotate(&target, None, rotation, &RUNNING).unwrap();
    assert_eq!((pruned.kept.len(), pruned.removed.len()), (3, 0));
    assert_eq!(pruned.compressed, [ids[2].clone()], "only the one whose time has come");
    // One that tells no time is not old either.
    let path = file(&target, &ids[0], "json");
    let text = fs::read_to_string(&path).unwrap();
    let time = text.split("\"taken_at\": \"").nth(1).unwrap().split('"').next().unwrap();
    fs::write(&path, text.replace(time, "yesterday")).unwrap();
    assert_eq!(rotate(&target, None, rotation, &RUNNING).unwrap().kept.len(), 3);
}

#[test]
fn a_damaged_compressed_copy_takes_nobodys_place() {
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("app.db");
    let ids = of_ages(&target, &[300, 200, 100]);
    assert_eq!(by_age(&target, 3).compressed.len(), 3);
    damage(&file(&target, &ids[2], "db.zst"));
    let entries = list(&target, None, Check::Digest).unwrap();
    assert!(matches!(entries[0].state, State::Damaged { .. }), "{:?}", entries[0].state);
    let error = back_to(&target, &ids[2]).unwrap_err();
    assert!(error.cause().contains("damaged") && error.way_out().unwrap().contains(&ids[1]), "{error}");
    // The newest one is broken, so the one before it is the last one.
    let pruned = by_age(&target, 1);
    assert_eq!((&pruned.broken, &pruned.kept), (&vec![ids[2].clone()], &vec![ids[1].clone()]));
    assert_eq!(pruned.removed, [ids[0].clone()]);
    back_to(&target, &ids[1]).unwrap();
    assert_eq!(dump(&target), "200");
    // Bytes behind the end and another stream behind it are no backup either.
    let path = file(&target, &ids[1], "db.zst");
    let whole = fs::read(&path).unwrap();
    let twice = [whole.as_slice(), whole.as_slice()].concat();
    for bytes in [&whole[..whole.len() - 1], &twice] {
        fs::write(&path, bytes).unwrap();
        let mut manifest: serde_json::Value =
            serde_json::from_slice(&fs::read(file(&target, &ids[1], "json")).unwrap()).unwrap();
        manifest["compressed_bytes"] = bytes.len().into();
        fs::write(file(&target, &ids[1], "json"), manifest.to_string()).unwrap();
        let entry = list(&target, None, Check::Digest).unwrap().into_iter().find(|entry| entry.id == ids[1]).unwrap();
        assert!(matches!(entry.state, State::Damaged { .. }), "{:?}", entry.state);
    }
}

#[test]
fn a_compression_that_was_killed_is_finished_and_the_original_goes_only_after_a_look_at_the_other() {
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("app.db");
    let ids = of_ages(&target, &[10]);
    let (original, compressed) = (file(&target, &ids[0], "db"), file(&target, &ids[0], "db.zst"));
    let (bytes, manifest) = (fs::read(&original).unwrap(), fs::read(file(&target, &ids[0], "json")).unwrap());
    // Half of it, before the manifest means it.
    fs::write(&compressed, "half").unwrap();
    assert_eq!(list(&target, None, Check::Digest).unwrap()[0].state, State::Intact);
    assert_eq!(by_age(&target, 1).compressed, ids);
    let whole = fs::read(&compressed).unwrap();
    assert!(decoded(&whole) == bytes && !original.exists());
    // The manifest means it, and the original is there still.
    fs::write(&original, &bytes).unwrap();
    by_age(&target, 1);
    assert!(!original.exists() && compressed.exists());
    // The same, and the compressed one is damaged: nothing is removed.
    fs::write(&original, &bytes).unwrap();
    damage(&compressed);
    assert_eq!(by_age(&target, 1).broken, ids);
    assert!(original.exists() && compressed.exists());
    // Without a manifest it is told, and stays.
    fs::remove_file(file(&target, &ids[0], "json")).unwrap();
    fs::remove_file(&original).unwrap();
    let entries = list(&target, None, Check::Digest).unwrap();
    assert_eq!((entries[0].state.clone(), entries[0].file.clone()), (State::ManifestMissing, compressed.clone()));
    // Removed, both forms go.
    fs::write(&original, &bytes).unwrap();
    fs::write(file(&target, &ids[0], "json"), manifest).unwrap();
    publish_new(&target).unwrap();
    prune(&target, None, 1).unwrap();
    assert!(!original.exists() && !compressed.exists());
}

#[test]
fn two_runs_may_compress_the_same_backups() {
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("app.db");
    let ids = of_ages(&target, &[40, 30, 20, 10]);
    let pruned: Vec<Pruned> = std::thread::scope(|scope| {
        let runs: Vec<_> = (0..4).map(|_| scope.spawn(|| by_age(&target, 1))).collect();
        runs.into_iter().map(|run| run.join().unwrap()).collect()
    });
    let mut compressed: Vec<String> = pruned.iter().flat_map(|one| one.compressed.clone()).collect();
    compressed.sort();
    assert_eq!(compressed, ids, "each once");
    let entries = list(&target, None, Check::Digest).unwrap();
    assert!(entries.len() == 4 && entries.iter().all(|entry| entry.state == State::Intact), "{entries:?}");
    assert_eq!(listing(&folder(&target)).len(), 8);
}

#[test]
fn a_stop_leaves_the_original_and_a_writer_without_a_log_waits_for_the_copy() {
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("app.db");
    let ids = of_ages(&target, &[10]);
    let stop = AtomicBool::new(true);
    let rotation = Rotation { keep: 1, remove: After::Never, compress: After::Always };
    let error = rotate(&target, None, rotation, &stop).unwrap_err();
    assert_eq!(error.kind(), whimbrel::error::Kind::Interrupted);
    let both = [format!("{}.db", ids[0]), format!("{}.json", ids[0])];
    assert_eq!(listing(&folder(&target)), both);
    let stopped = take_live(&target, 0, TakeOptions { cancel: &stop, ..take_options() }).unwrap_err();
    assert_eq!(stopped.kind(), whimbrel::error::Kind::Interrupted);
    assert_eq!(listing(&folder(&target)), both);
    // Without a log, who writes waits for the copy and no longer.
    Connection::open(&target).unwrap().execute_batch("PRAGMA journal_mode = DELETE").unwrap();
    let writer = Connection::open(&target).unwrap();
    writer.busy_timeout(Duration::from_secs(20)).unwrap();
    std::thread::scope(|scope| {
        let taking = scope.spawn(|| take(&target));
        writer.execute_batch("INSERT INTO t VALUES ('beside it')").unwrap();
        taking.join().unwrap();
    });
}
