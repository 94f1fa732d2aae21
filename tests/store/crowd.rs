//! Ten processes on one store, in each mode: no error, no lost update; and while they work, the mode goes from one to the next and back.
//!
//! `WHIMBREL_STORE_OPERATIONS` says how many operations each of them does; the throughput is printed.

use crate::made::{Made, note, object, place};
use crate::support::child;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};
use whimbrel::store::{Expected, Mode, OpenStore, Selection, Store, modes, repair};

const PROCESSES: usize = 10;
const OPERATIONS: usize = 12;
const COUNTERS: usize = 3;

fn operations() -> usize {
    std::env::var("WHIMBREL_STORE_OPERATIONS").ok().map_or(OPERATIONS, |text| text.parse().expect("a number"))
}

/// One of the processes: counts, and has notes of its own.
#[test]
#[ignore = "another process"]
fn child_works_with_a_store() {
    let folder = PathBuf::from(std::env::var_os("STORE_FOLDER").expect("set by the parent"));
    let own: usize = std::env::var("STORE_NUMBER").expect("set by the parent").parse().expect("a number");
    let store = OpenStore::open(&place(&folder)).expect("a store");
    for operation in 0..operations() {
        let counter = [Value::from(format!("c{}", (own + operation) % COUNTERS))];
        store
            .update("cards", &counter, |value| {
                value["data"] = (value["data"].as_i64().expect("a number") + 1).into();
                Ok(())
            })
            .expect("a change")
            .expect("it is there");
        let id = format!("p{own}");
        let text = operation.to_string();
        store.put("notes", &note(&id, &text, &["t"]), Expected::Anything).expect("a write").written().expect("done");
        let read = store.get("notes", &[id.into()]).expect("a read").expect("it is there");
        assert_eq!(read.value["text"], text.as_str(), "an own write is read");
        assert!(store.list("cards", &[]).expect("a list").len() >= COUNTERS);
    }
}

/// Lets ten processes work, and meanwhile something else be done. How long it took.
fn crowd(made: &Made, meanwhile: impl FnOnce()) -> Duration {
    let start = Instant::now();
    let children: Vec<_> = (0..PROCESSES)
        .map(|number| {
            let mut command = child("crowd::child_works_with_a_store");
            command.env("STORE_FOLDER", made.project()).env("STORE_NUMBER", number.to_string());
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("a process")
        })
        .collect();
    meanwhile();
    for child in children {
        let output = child.wait_with_output().expect("a process");
        let told = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{told}");
    }
    start.elapsed()
}

fn counted(store: &OpenStore) -> i64 {
    let all = store.list("cards", &[]).expect("a list");
    all.iter().map(|record| record.value["data"].as_i64().expect("a number")).sum()
}

fn set(store: &OpenStore, mode: Mode) {
    repair::repair(store, None, false).expect("a repair").ensure_whole(&store.place().file).expect("in step");
    modes::set(store, &Selection::All, mode, false)
        .expect("a change")
        .ensure_changed(&store.place().file)
        .expect("equal");
}

#[test]
fn ten_processes_lose_no_update_in_any_mode() {
    let made = Made::new();
    let store = OpenStore::open(&made.place()).expect("a store");
    for number in 0..COUNTERS {
        let board = format!("b{}", number % 2);
        let card = object(json!({"board": board, "id": format!("c{number}"), "title": "t", "done": false, "data": 0}));
        store.put("cards", &card, Expected::Absent).expect("a write").written().expect("done");
    }
    let mut wanted = 0;
    for mode in Mode::ALL {
        set(&store, mode);
        let took = crowd(&made, || {});
        wanted += (PROCESSES * operations()) as i64;
        assert_eq!(counted(&store), wanted, "updates are lost in mode {mode}");
        let all = 4 * PROCESSES * operations();
        println!("{mode}: {all} operations of {PROCESSES} processes in {took:?}");
    }
    // And back, while they work.
    let mut longest: f64 = 0.0;
    set(&store, Mode::SqlitePrimary);
    crowd(&made, || {
        for mode in [Mode::Dual, Mode::SqlitePrimary, Mode::Dual, Mode::SqlitePrimary, Mode::Dual] {
            let change = modes::set(&store, &Selection::All, mode, false).expect("a change");
            change.ensure_changed(&made.file()).unwrap_or_else(|error| panic!("{error:?} {:?}", change.differences));
            longest = longest.max(change.pause_ms);
        }
    });
    wanted += (PROCESSES * operations()) as i64;
    assert_eq!(counted(&store), wanted, "updates are lost while the mode changes");
    println!("the longest pause of a change of mode: {longest:.1} ms");
    let found = repair::repair(&store, None, true).expect("a look");
    assert_eq!((found.repaired, found.left), (0, 0), "{found:?}");
}
