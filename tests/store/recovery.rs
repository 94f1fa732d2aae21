//! From each failure one command brings the store back, from the files, from the rows, or from the newest backup; and how long it takes.
//!
//! `WHIMBREL_STORE_RECORDS` says how many records there are.

use crate::made::{Made, note, text};
use crate::support::program::{describe, whimbrel};
use rusqlite::Connection;
use std::fs;
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};
use whimbrel::store::{Expected, Mode, OpenStore, Selection, Store, modes, repair};

const RECORDS: usize = 200;

fn records() -> usize {
    std::env::var("WHIMBREL_STORE_RECORDS").ok().map_or(RECORDS, |text| text.parse().expect("a number"))
}

/// What is lost or damaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Failure {
    FileLost,
    PageDamaged,
    TreeLost,
}

fn run(words: &[&str], code: i32) -> String {
    let output = whimbrel(words);
    assert_eq!(output.status.code(), Some(code), "{words:?} {}", describe(&output));
    describe(&output)
}

/// A store with records, in a mode; everything of it is backed up.
fn prepared(mode: Mode) -> Made {
    let made = Made::new();
    fs::create_dir_all(made.tree().join("notes")).expect("a folder");
    for number in 0..records() {
        let value = format!("{{\"text\":\"{}\",\"n\":{number},\"tags\":[{{\"name\":\"x\"}}]}}", "t".repeat(200));
        fs::write(made.tree().join(format!("notes/n{number}.json")), value).expect("a file");
    }
    let (project, tree, file) = (made.project(), made.tree(), made.file());
    run(&["migrate", text(&project), text(&tree), text(&file)], 0);
    let store = OpenStore::open(&made.place()).expect("a store");
    for step in Mode::ALL.into_iter().filter(|step| *step != Mode::Files && *step <= mode) {
        modes::set(&store, &Selection::All, step, false).expect("a change").ensure_changed(&file).expect("equal");
    }
    store.put("notes", &note("last", "of the store", &[]), Expected::Absent).expect("a write").written().expect("done");
    drop(store);
    run(&["backups", "take", text(&file)], 0);
    run(&["backups", "take", text(&tree)], 0);
    made
}

fn fail(made: &Made, failure: Failure) {
    match failure {
        Failure::TreeLost => fs::remove_dir_all(made.tree()).expect("it goes"),
        Failure::FileLost => {
            for ending in ["", "-wal", "-shm"] {
                let _ = fs::remove_file(format!("{}{ending}", text(&made.file())));
            }
        }
        Failure::PageDamaged => {
            let connection = Connection::open(made.file()).expect("the file");
            let sql =
                "SELECT rootpage, (SELECT page_size FROM pragma_page_size) FROM sqlite_schema WHERE name = 'notes'";
            let (page, bytes): (u64, u64) = connection
                .query_row(sql, [], |row| Ok((row.get::<_, u32>(0)?.into(), row.get::<_, u32>(1)?.into())))
                .expect("its page");
            drop(connection);
            let file = fs::OpenOptions::new().write(true).open(made.file()).expect("the file");
            file.write_all_at(&[0xA5; 600], (page - 1) * bytes).expect("damage");
        }
    }
}

/// One command after a failure. How long it took.
fn recover(mode: Mode, failure: Failure) -> Duration {
    let made = prepared(mode);
    let (project, tree, file) = (made.project(), made.tree(), made.file());
    let slash = format!("{}/", text(&tree));
    fail(&made, failure);
    let health = ["store", "health", text(&project), text(&tree), text(&file)];
    if mode != Mode::Files {
        // What is wrong is told before.
        let said = run(&health, if failure == Failure::TreeLost && mode == Mode::Sqlite { 0 } else { 1 });
        assert!(failure == Failure::TreeLost || said.contains("integrity") || said.contains("there is no"), "{said}");
    }
    let command = match (mode, failure) {
        (Mode::Files, _) => vec!["rollback", text(&tree)],
        (Mode::Sqlite, Failure::FileLost | Failure::PageDamaged) => vec!["rollback", text(&file)],
        (_, Failure::TreeLost) => vec!["migrate", text(&file), &slash],
        (_, Failure::FileLost | Failure::PageDamaged) => vec!["migrate", text(&project), text(&tree), text(&file)],
    };
    let start = Instant::now();
    run(&command, 0);
    let took = start.elapsed();
    run(&health, 0);
    let store = OpenStore::open(&made.place()).expect("a store");
    assert_eq!(store.modes().expect("the mode").only(), Some(mode), "the mode is what it was");
    assert_eq!(store.list("notes", &[]).expect("a list").len(), records() + 1);
    assert!(store.get("notes", &["last".into()]).expect("a read").is_some());
    if mode.has_copy() {
        let found = repair::repair(&store, None, true).expect("a look");
        assert_eq!(found.equal, found.records, "{found:?}");
    }
    let after = note("after", "it goes on", &["y"]);
    store.put("notes", &after, Expected::Absent).expect("a write").written().expect("done");
    println!("{failure:?} in mode {mode}: `whimbrel {} …` took {took:?} for {} records", command[0], records());
    took
}

#[test]
fn one_command_brings_the_store_back_from_each_failure() {
    for (mode, failure) in [
        (Mode::Files, Failure::TreeLost),
        (Mode::Dual, Failure::FileLost),
        (Mode::Dual, Failure::PageDamaged),
        (Mode::Dual, Failure::TreeLost),
        (Mode::SqlitePrimary, Failure::FileLost),
        (Mode::SqlitePrimary, Failure::PageDamaged),
        (Mode::SqlitePrimary, Failure::TreeLost),
        (Mode::Sqlite, Failure::FileLost),
        (Mode::Sqlite, Failure::PageDamaged),
    ] {
        assert!(recover(mode, failure) < Duration::from_secs(300), "it takes too long");
    }
}
