//! `whimbrel store`, by the program.

use crate::made::{Made, note, object, text};
use crate::support::program::{describe, whimbrel};
use serde_json::json;
use std::fs;
use whimbrel::report::message::Message;
use whimbrel::store::{Expected, OpenStore, Store};

fn run(made: &Made, words: &[&str], code: i32) -> String {
    let (project, tree, file) = (made.project(), made.tree(), made.file());
    let (action, rest) = words.split_first().expect("an action");
    let all = [&["store", action, text(&project), text(&tree), text(&file)], rest].concat();
    let output = whimbrel(&all);
    let said = describe(&output);
    assert_eq!(output.status.code(), Some(code), "{all:?}\n{said}");
    said
}

fn gates(made: &Made, gates: &str) {
    let project = format!("name = 'notes'\n[target]\njournal_mode = 'wal'\n[store.gates]\n{gates}\n");
    fs::write(made.project().join("project.toml"), project).expect("a file");
}

#[test]
fn a_mode_is_shown_changed_and_taken_back_and_refuses_sides_that_differ() {
    let made = Made::new();
    assert!(run(&made, &["mode", "dual", "--dry-run"], 0).contains("mode `files` would be mode `dual`"));
    assert!(run(&made, &["mode", "dual"], 0).contains("mode `files` is mode `dual` now"));
    let store = OpenStore::open(&made.place()).expect("a store");
    let put = |id: &str, text: &str| {
        store.put("notes", &note(id, text, &[]), Expected::Anything).expect("a write").written().expect("done")
    };
    put("a", "one");
    run(&made, &["mode", "sqlite-primary"], 0);
    run(&made, &["mode", "sqlite"], 0);
    put("a", "two");
    let said = run(&made, &["mode", "sqlite-primary"], 1);
    for part in [
        "notes [\"a\"]: changed in rows",
        "column `text`: files `one`, rows `two`",
        "store repair",
        "1 of 1 records differ",
    ] {
        assert!(said.contains(part), "`{part}` is not in {said}");
    }
    assert!(run(&made, &["repair", "--dry-run"], 0).contains("1 record would be brought in step"));
    assert!(run(&made, &["repair"], 0).contains("1 record brought in step"));
    assert!(run(&made, &["repair"], 0).contains("both sides are equal"));
    for mode in ["sqlite-primary", "dual", "files"] {
        run(&made, &["mode", mode], 0);
        put("a", mode);
    }
    assert!(run(&made, &["mode", "both"], 2).contains("the modes are"));
    assert!(run(&made, &["mode", "dual", "--percent", "0"], 2).contains("percent"));
}

#[test]
fn a_folder_that_is_gone_takes_no_rows_along_until_somebody_says_so() {
    let made = Made::new();
    run(&made, &["mode", "dual"], 0);
    let store = OpenStore::open(&made.place()).expect("a store");
    let put = |table: &str, value: serde_json::Value| {
        store.put(table, &object(value), Expected::Anything).expect("a write").written().expect("done")
    };
    for number in 0..3 {
        put("notes", json!({ "id": format!("n{number}"), "text": "x" }));
        put("cards", json!({ "board": "b", "id": format!("c{number}"), "title": "x" }));
    }
    drop(store);
    let count = |table: &str| -> i64 {
        let rows = rusqlite::Connection::open(made.file()).expect("the file");
        rows.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).expect("a number")
    };
    let elsewhere = made.project().join("elsewhere");
    fs::rename(made.tree().join("notes"), &elsewhere).expect("a folder that is moved");
    for words in [&["repair"][..], &["repair", "--dry-run"], &["repair", "--take", "rows"]] {
        let said = run(&made, words, 3);
        assert!(said.contains("3 records of `notes`") && said.contains("--take files"), "{said}");
        assert_eq!((count("notes"), count("cards")), (3, 3));
    }
    fs::rename(&elsewhere, made.tree().join("notes")).expect("a folder that is back");
    assert!(run(&made, &["repair"], 0).contains("both sides are equal"));
    fs::remove_dir_all(made.tree().join("notes")).expect("all of it deleted on purpose");
    run(&made, &["repair", "--take", "files"], 0);
    assert_eq!((count("notes"), count("cards")), (0, 3));
}

#[test]
fn a_slip_in_the_names_leaves_nothing_behind() {
    let made = Made::new();
    let folder = made.project().join("empty");
    fs::create_dir(&folder).expect("a folder");
    for verb in [&["mode", "dual"][..], &["health"], &["repair"]] {
        let (action, rest) = verb.split_first().expect("an action");
        let (project, tree, file) = (made.project(), folder.join("tree"), folder.join("app.db"));
        let output = whimbrel(&[&["store", action, text(&project), text(&tree), text(&file)], rest].concat());
        let said = describe(&output);
        assert_eq!(output.status.code(), Some(3), "{said}");
        assert!(said.contains("there is neither this tree nor the file") && said.contains("in this order"), "{said}");
    }
    assert_eq!(fs::read_dir(&folder).expect("a folder").count(), 0);
}

#[test]
fn health_tells_both_sides_and_a_broken_gate_ends_with_1() {
    let made = Made::new();
    run(&made, &["mode", "dual"], 0);
    let store = OpenStore::open(&made.place()).expect("a store");
    for number in 0..10 {
        let note = note(&format!("n{number}"), "x", &["t"]);
        store.put("notes", &note, Expected::Anything).expect("a write").written().expect("done");
    }
    gates(
        &made,
        "equal_share_min = 0.95\nsuccess_share_min = 0.95\npending_max = 0\np95_ms_max = 60000\nsize_bytes_max = 100000000",
    );
    let said = run(&made, &["health"], 0);
    for part in [
        "mode        dual for all",
        "10 of 10 records, 100.00 %",
        "10 of 10 writes",
        "integrity   ok",
        "equal_share_min",
        "holds",
    ] {
        assert!(said.contains(part), "`{part}` is not in {said}");
    }
    let prometheus = run(&made, &["health", "--prometheus"], 0);
    for part in [
        "whimbrel_store_writes_total 10\n",
        "whimbrel_store_equal_share 1\n",
        "side=\"rows\",quantile=\"0.95\"",
        "gate_broken{gate=\"pending_max\"} 0\n",
    ] {
        assert!(prometheus.contains(part), "`{part}` is not in {prometheus}");
    }
    let rows = rusqlite::Connection::open(made.file()).expect("the file");
    rows.execute_batch("UPDATE notes SET text = 'other' WHERE id = 'n3'").expect("a change");
    let said = run(&made, &["health", "--json"], 1);
    let line = said.lines().find(|line| line.contains("store_health")).expect("a message");
    let Message::StoreHealth(health) = serde_json::from_str(line).expect("as it is specified") else {
        panic!("{line}")
    };
    assert_eq!((health.records, health.equal, health.differences.len()), (10, 9, 1));
    assert!(health.gates.iter().any(|gate| gate.gate == "equal_share_min" && gate.is_broken), "{health:?}");
    assert!(run(&made, &["health"], 1).contains("BROKEN"));
    gates(&made, "equal_share_min = 2");
    assert!(run(&made, &["health"], 2).contains("a share is from 0 to 1"));
}

#[test]
fn a_project_names_its_tree_and_file() {
    let made = Made::new();
    let project = "name = 'notes'\n[target]\npath = 'app.db'\n[store]\ntree = 'tree'\n";
    fs::write(made.project().join("project.toml"), project).expect("a file");
    let folder = made.project();
    let output = whimbrel(&["store", "mode", text(&folder), "dual"]);
    assert!(output.status.success(), "{}", describe(&output));
    let output = whimbrel(&["store", "health", text(&folder)]);
    assert!(output.status.success() && describe(&output).contains("dual for all"), "{}", describe(&output));
    assert!(describe(&whimbrel(&["store", "health", "migrations/usage"])).contains("has no `layout.toml`"));
}
