//! What an application does, in every mode alike.

use crate::made::{Made, note, object};
use serde_json::{Value, json};
use std::fs;
use whimbrel::store::{Expected, Mode, OpenStore, Outcome, Selection, Store, modes, repair};

fn key(id: &str) -> [Value; 1] {
    [Value::from(id)]
}

fn set(store: &OpenStore, mode: Mode) {
    repair::repair(store, None, false).expect("a repair").ensure_whole(&store.place().file).expect("both in step");
    let change = modes::set(store, &Selection::All, mode, false).expect("a change of mode");
    change.ensure_changed(&store.place().file).expect("both are equal");
    assert!(change.is_changed);
}

/// What an application does with its records, whatever keeps them.
fn scenario(store: &OpenStore) {
    let put =
        |value: &_, expected| store.put("notes", value, expected).expect("a write").written().expect("nobody else");
    let first = put(&note("a", "one", &["x", "y"]), Expected::Absent);
    let read = store.get("notes", &key("a")).expect("a read").expect("it is there");
    assert_eq!(Some(read.version), first.version);
    assert_eq!(Value::Object(read.value.clone()), Value::Object(note("a", "one", &["x", "y"])));
    // Somebody else was faster.
    let second = put(&note("a", "two", &["y"]), Expected::Version(read.version));
    let late = store.put("notes", &note("a", "late", &[]), Expected::Version(read.version)).expect("an answer");
    assert_eq!(late, Outcome::Changed { found: second.version });
    assert_eq!(store.put("notes", &note("a", "again", &[]), Expected::Absent).expect("an answer"), late);
    assert!(late.written().is_err());
    store
        .update("notes", &key("a"), |value| {
            value["n"] = 7.into();
            value["extra"] = json!({"z": 1.5, "b": [null, "ü"]});
            Ok(())
        })
        .expect("a change")
        .expect("it is there");
    let now = store.get("notes", &key("a")).expect("a read").expect("it is there").value;
    assert_eq!((&now["n"], &now["text"], now["tags"].as_array().map(Vec::len)), (&json!(7), &json!("two"), Some(1)));
    // A card goes from one board to another: two files in one step.
    let card = |board: &str, title: &str| {
        object(json!({"board": board, "id": "c", "title": title, "done": true, "data": [1, {"k": 2}]}))
    };
    store.put("cards", &card("b1", "t"), Expected::Absent).expect("a write").written().expect("nobody else");
    let other = object(json!({"board": "b1", "id": "d", "title": null, "done": false, "data": null}));
    store.put("cards", &other, Expected::Anything).expect("a write").written().expect("nobody else");
    store.put("cards", &card("b2", "moved"), Expected::Anything).expect("a write").written().expect("nobody else");
    let of_board = |board: &str| {
        let list = store.list("cards", &[("board", board.into())]).expect("a list");
        list.into_iter().map(|record| record.value["id"].clone()).collect::<Vec<_>>()
    };
    assert_eq!((of_board("b1"), of_board("b2")), (vec![json!("d")], vec![json!("c")]));
    // A row in parts: two files, and then one.
    let person = |name: Value, about: Value| object(json!({"id": "p", "name": name, "about": about}));
    for value in
        [person("Ann".into(), "hello\n".into()), person(Value::Null, "hello\n".into()), person("Bo".into(), "".into())]
    {
        store.put("people", &value, Expected::Anything).expect("a write").written().expect("nobody else");
        let read = store.get("people", &key("p")).expect("a read").expect("it is there").value;
        assert_eq!(Value::Object(read), Value::Object(value));
    }
    for (table, id) in [("notes", "a"), ("cards", "c"), ("cards", "d"), ("people", "p")] {
        let gone = store.delete(table, &key(id), Expected::Anything).expect("a delete").written().expect("nobody else");
        assert_eq!(gone.version, None);
        assert_eq!(store.get(table, &key(id)).expect("a read"), None);
    }
    let left = store.list("notes", &[]).expect("a list");
    assert!(left.iter().all(|record| record.value["text"] == "x"), "{left:?}");
}

#[test]
fn the_same_operations_pass_in_every_mode_and_on_the_way_back() {
    let made = Made::new();
    let store = OpenStore::open(&made.place()).expect("a store");
    for mode in
        [Mode::Files, Mode::Dual, Mode::SqlitePrimary, Mode::Sqlite, Mode::SqlitePrimary, Mode::Dual, Mode::Files]
    {
        set(&store, mode);
        assert_eq!(store.modes().expect("the mode").only(), Some(mode));
        scenario(&store);
        let id = format!("stays in {mode}");
        store.put("notes", &note(&id, "x", &["t"]), Expected::Anything).expect("a write").written().expect("done");
    }
    assert_eq!(store.list("notes", &[]).expect("a list").len(), 4);
}

#[test]
fn what_a_store_cannot_keep_is_refused_and_named() {
    let made = Made::new();
    let store = OpenStore::open(&made.place()).expect("a store");
    let refused = |table: &str, value: Value, words: &[&str]| {
        let error = store.put(table, &object(value), Expected::Anything).expect_err("refused");
        let told = format!("{error}, {}", error.way_out().unwrap_or_default());
        words.iter().for_each(|word| assert!(told.contains(word), "`{word}` is not in {told}"));
    };
    for mode in Mode::ALL {
        set(&store, mode);
        refused("nothing", json!({}), &["`nothing`", "`notes`", "`cards`"]);
        refused("tags", json!({}), &["`tags`", "inside those of `notes`"]);
        refused("notes", json!({"id": "a", "txt": 1}), &["`txt`", "`text`", "`tags`"]);
        refused("notes", json!({"id": "a", "n": "seven"}), &["column `n`", "an integer"]);
        refused("notes", json!({"text": "a"}), &["`id`", "of the key"]);
        refused("notes", json!({"id": "a", "tags": [{"note_id": "b", "name": "x"}]}), &["`note_id`", "around"]);
    }
    for mode in [Mode::Files, Mode::Dual, Mode::SqlitePrimary] {
        set(&store, mode);
        refused("notes", json!({"id": "a/b"}), &["`/`"]);
        refused("cards", json!({"id": "a", "title": "t"}), &["{board}"]);
    }
    assert_eq!(store.list("notes", &[]).expect("a list"), []);
}

#[test]
fn what_a_program_without_the_store_writes_is_taken_in() {
    let made = Made::new();
    let store = OpenStore::open(&made.place()).expect("a store");
    set(&store, Mode::Dual);
    let put = |value: &_| store.put("notes", value, Expected::Anything).expect("a write").written().expect("done");
    put(&note("a", "one", &["x"]));
    put(&note("b", "two", &[]));
    fs::write(made.tree().join("notes/a.json"), "{ \"text\": \"edited\",\n\"new\": 1.50 }\n").expect("a file");
    fs::write(made.tree().join("notes/c.json"), "{\"text\":\"made\",\"tags\":[{\"name\":\"y\"}]}").expect("a file");
    fs::remove_file(made.tree().join("notes/b.json")).expect("a file");
    let ids = |store: &OpenStore| -> Vec<Value> {
        store.list("notes", &[]).expect("a list").into_iter().map(|record| record.value["id"].clone()).collect()
    };
    assert_eq!(ids(&store), [json!("a"), json!("c")]);
    let rows = |sql: &str| -> String {
        store.sql(|connection| connection.query_row(sql, [], |row| row.get(0))).expect("a read").expect("rows are kept")
    };
    assert_eq!(rows("SELECT group_concat(id || text, ' ' ORDER BY id) FROM notes"), "aedited cmade");
    assert_eq!(rows("SELECT group_concat(note_id || name, ' ') FROM tags"), "cy");
    // A change of one column leaves the rest of the file as somebody has spelled it.
    store
        .update("notes", &key("a"), |value| {
            value["text"] = "edited again".into();
            Ok(())
        })
        .expect("a change");
    let text = fs::read_to_string(made.tree().join("notes/a.json")).expect("a file");
    assert_eq!(text, "{ \"text\": \"edited again\",\n\"new\": 1.50 }\n");
    let repaired = repair::repair(&store, None, true).expect("a look");
    assert_eq!((repaired.records, repaired.equal, repaired.left), (2, 2, 0), "{repaired:?}");
    set(&store, Mode::SqlitePrimary);
    // Where rows decide, what was written into the copy is kept aside before it goes.
    fs::write(made.tree().join("notes/c.json"), "{\"text\":\"lost?\"}").expect("a file");
    put(&note("c", "from rows", &[]));
    let aside = store.control().asides().expect("what was set aside");
    assert_eq!(aside.len(), 1);
    assert!(aside[0].record.contains("lost?") && aside[0].side == "files", "{aside:?}");
    assert_eq!(fs::read_to_string(made.tree().join("notes/c.json")).expect("a file"), "{\"text\":\"from rows\"}");
}

#[test]
fn a_repair_shows_what_it_would_do_and_reverts_no_newer_write() {
    let made = Made::new();
    let store = OpenStore::open(&made.place()).expect("a store");
    set(&store, Mode::Dual);
    for id in ["a", "b", "c", "d"] {
        store.put("notes", &note(id, "old", &[]), Expected::Absent).expect("a write").written().expect("done");
    }
    let rows = rusqlite::Connection::open(made.file()).expect("the file");
    rows.execute_batch("UPDATE notes SET text = 'of rows' WHERE id IN ('a', 'b'); DELETE FROM notes WHERE id = 'd'")
        .expect("a change");
    fs::write(made.tree().join("notes/b.json"), "{\"text\":\"of files\"}").expect("a file");
    fs::write(made.tree().join("notes/c.json"), "{\"text\":\"of files\"}").expect("a file");
    // The sides differ: no mode is changed.
    let change = modes::set(&store, &Selection::All, Mode::SqlitePrimary, false).expect("a look");
    assert!(!change.is_changed && change.ensure_changed(&made.file()).is_err());
    assert_eq!(store.modes().expect("the mode").only(), Some(Mode::Dual));
    let dry = repair::repair(&store, None, true).expect("a look");
    assert_eq!((dry.repaired, dry.left, dry.equal), (3, 1, 0), "{dry:?}");
    let done = repair::repair(&store, None, false).expect("a repair");
    assert_eq!((done.repaired, done.left), (3, 1), "{done:?}");
    assert!(done.ensure_whole(&made.file()).is_err());
    let text = |id: &str| fs::read_to_string(made.tree().join(format!("notes/{id}.json"))).unwrap_or_default();
    assert!(text("a").contains("of rows") && text("d").is_empty(), "{} {}", text("a"), text("d"));
    let row = |id: &str| -> String {
        rows.query_row("SELECT text FROM notes WHERE id = ?1", [id], |row| row.get(0)).expect("a row")
    };
    assert_eq!((row("c"), row("b")), ("of files".to_owned(), "of rows".to_owned()));
    assert_eq!(text("b"), "{\"text\":\"of files\"}", "a conflict stays as it is");
    let decided = repair::repair(&store, Some(whimbrel::store::Side::Files), false).expect("a repair");
    assert_eq!((decided.repaired, decided.left), (1, 0));
    assert_eq!(row("b"), "of files");
    assert!(store.control().asides().expect("aside")[0].record.contains("of rows"));
    set(&store, Mode::SqlitePrimary);
}

/// Records are compared some at a time: none is passed over, and none is seen twice.
#[test]
fn what_differs_is_found_among_many() {
    let made = Made::new();
    let store = OpenStore::open(&made.place()).expect("a store");
    let name = |number: usize| format!("n{number:03}");
    for number in 0..60 {
        store
            .put("notes", &note(&name(number), "old", &["t"]), Expected::Absent)
            .expect("a write")
            .written()
            .expect("done");
    }
    set(&store, Mode::Dual);
    let rows = rusqlite::Connection::open(made.file()).expect("the file");
    for number in (0..60).step_by(7) {
        rows.execute("UPDATE notes SET text = 'of rows' WHERE id = ?1", [name(number)]).expect("a change");
    }
    rows.execute("DELETE FROM notes WHERE id = 'n059'", []).expect("a change");
    rows.execute("UPDATE tags SET name = 'of rows' WHERE note_id = 'n058'", []).expect("a change");
    fs::write(made.tree().join("notes/n057.json"), "{\"text\":\"of files\"}").expect("a file");
    fs::write(made.tree().join("notes/m.json"), "{\"text\":\"new\"}").expect("a file");
    let found = repair::repair(&store, None, true).expect("a look");
    assert_eq!((found.records, found.equal, found.repaired, found.left), (61, 48, 13, 0), "{found:?}");
    let differing: Vec<&str> = found.shown.iter().map(|one| one.difference.key.as_str()).collect();
    let mut each = differing.clone();
    each.sort_unstable();
    each.dedup();
    assert_eq!(each.len(), 13, "{differing:?}");
    let done = repair::repair(&store, None, false).expect("a repair");
    assert_eq!((done.repaired, done.left), (13, 0), "{done:?}");
    let after = repair::repair(&store, None, true).expect("a look");
    assert_eq!((after.records, after.equal), (60, 60), "{after:?}");
    let text = |number: usize| {
        fs::read_to_string(made.tree().join(format!("notes/{}.json", name(number)))).unwrap_or_default()
    };
    assert!(text(7).contains("of rows") && text(58).contains("of rows") && text(59).is_empty());
}

#[test]
fn reads_are_counted_by_the_side_that_decides() {
    let made = Made::new();
    let store = OpenStore::open(&made.place()).expect("a store");
    let put = |store: &OpenStore| {
        store.put("notes", &note("a", "one", &[]), Expected::Anything).expect("a write").written().expect("done")
    };
    for (mode, side) in [(Mode::Dual, 0), (Mode::SqlitePrimary, 1)] {
        set(&store, mode);
        let reader = OpenStore::open(&made.place()).expect("a store");
        put(&reader);
        for _ in 0..5 {
            reader.get("notes", &key("a")).expect("a read").expect("it is there");
        }
        reader.list("notes", &[]).expect("a list");
        drop(reader);
        let gates = whimbrel::store::Gates { read_p95_ms_max: Some(0.000_1), ..whimbrel::store::Gates::default() };
        let health = whimbrel::store::health::health(&store, &gates).expect("a look");
        let (of_side, other) = (&health.sides[side], &health.sides[1 - side]);
        assert_eq!((of_side.reads, other.reads), (6, 0), "{mode}");
        assert!(of_side.read_p50_ms <= of_side.read_p99_ms && of_side.read_p99_ms.is_some(), "{of_side:?}");
        let broken: Vec<&str> =
            health.gates.iter().filter(|gate| gate.is_broken).map(|gate| gate.gate.as_str()).collect();
        assert_eq!(broken, ["read_p95_ms_max"]);
    }
}

#[test]
fn some_groups_go_before_the_others() {
    let made = Made::new();
    let store = OpenStore::open(&made.place()).expect("a store");
    let put = |id: &str| {
        store.put("notes", &note(id, "x", &[]), Expected::Anything).expect("a write").written().expect("done")
    };
    for number in 0..40 {
        put(&format!("n{number}"));
    }
    let in_dual = |store: &OpenStore| -> Vec<String> {
        let modes = store.modes().expect("the modes");
        let path = |number: usize| format!("notes/n{number}.json");
        (0..40).map(path).filter(|path| modes.of(store.layout(), path) == Mode::Dual).collect()
    };
    let step = |selection: Selection| {
        repair::repair(&store, None, false).expect("a repair");
        modes::set(&store, &selection, Mode::Dual, false)
            .expect("a change")
            .ensure_changed(&made.file())
            .expect("equal");
        in_dual(&store)
    };
    let ten = step(Selection::Percent(10));
    let thirty = step(Selection::Percent(30));
    assert!(
        ten.len() < thirty.len() && thirty.len() < 40 && ten.iter().all(|path| thirty.contains(path)),
        "{ten:?} {thirty:?}"
    );
    (0..40).for_each(|number| drop(put(&format!("n{number}"))));
    let only = step(Selection::Only("n3*".to_owned()));
    assert!(only.contains(&"notes/n3.json".to_owned()) && only.contains(&"notes/n39.json".to_owned()));
    assert_eq!(step(Selection::Percent(100)).len(), 40);
    assert_eq!(store.list("notes", &[]).expect("a list").len(), 40);
}
