//! Where a new row goes whose table several kinds of file fill.

use crate::large::Place;
use crate::trees::{run, text};
use std::fs;

/// Notes stand in three kinds of file, events in two logs, each of which gives its own names.
const LAYOUT: &str = r#"
[[file]]
path = "mine.json"
format = "json"
style = { indent = 0 }
[[file.records]]
at = "[]"
table = "notes"
key = ["id"]
columns.id = "id"
columns.owner = { constant = "me" }
columns.level = "level"

[[file]]
path = "urgent.json"
format = "json"
style = { indent = 0 }
[[file.records]]
at = "[]"
table = "notes"
columns.id = "id"
columns.owner = "owner"
columns.level = { constant = "high" }

[[file]]
path = "others.json"
format = "json"
style = { indent = 0 }
[[file.records]]
at = "[]"
table = "notes"
columns.id = "id"
columns.owner = "owner"
columns.level = "level"

[[file]]
path = "errors.jsonl"
format = "json-lines"
[[file.records]]
table = "events"
key = ["id"]
columns.id = "errors-{@position}"
columns.what = "what"

[[file]]
path = "log.jsonl"
format = "json-lines"
[[file.records]]
table = "events"
columns.id = "log-{@position}"
columns.what = "what"
"#;

fn place() -> Place {
    let place = Place::of(LAYOUT);
    place.write("mine.json", "[{\"id\":\"1\",\"level\":\"low\"}]\n");
    place.write("urgent.json", "[{\"id\":\"2\",\"owner\":\"ann\"}]\n");
    // It could as well stand in one of the others, and stays where it is.
    place.write("others.json", "[{\"id\":\"3\",\"owner\":\"me\",\"level\":\"high\"}]\n");
    place.write("errors.jsonl", "{\"what\":\"e\"}\n");
    place.write("log.jsonl", "{\"what\":\"l\"}\n");
    place.migrate(&[], 0);
    place
}

const GOES: &str = "INSERT INTO notes VALUES ('4', 'me', 'low'), ('5', 'ann', 'high'), ('6', 'ann', 'low');
                    INSERT INTO events VALUES ('log-1', 'new')";

fn assert_placed(read: &dyn Fn(&str) -> String) {
    assert_eq!(read("mine.json"), "[{\"id\":\"1\",\"level\":\"low\"},{\"id\":\"4\",\"level\":\"low\"}]\n");
    assert_eq!(read("urgent.json"), "[{\"id\":\"2\",\"owner\":\"ann\"},{\"id\":\"5\",\"owner\":\"ann\"}]\n");
    let others =
        "[{\"id\":\"3\",\"owner\":\"me\",\"level\":\"high\"},{\"id\":\"6\",\"owner\":\"ann\",\"level\":\"low\"}]\n";
    assert_eq!(read("others.json"), others);
    assert_eq!(read("log.jsonl"), "{\"what\":\"l\"}\n{\"what\":\"new\"}\n");
    assert_eq!(read("errors.jsonl"), "{\"what\":\"e\"}\n");
}

#[test]
fn a_new_row_goes_where_its_constants_and_templates_say() {
    let place = place();
    place.change(GOES);
    let out = place.export();
    assert_placed(&|path| fs::read_to_string(out.join(path)).expect("a file"));
    run(&["sync", text(&place.project), text(&place.tree), text(&place.file)], 0);
    assert_placed(&|path| fs::read_to_string(place.tree.join(path)).expect("a file"));
}

#[test]
fn a_new_row_that_could_go_to_several_places_or_to_none_is_refused_by_name() {
    for (row, told) in [
        (
            "notes VALUES ('7', 'me', 'high')",
            "it has the constants and templates of rows of `mine.json`, and those of rows of `urgent.json`",
        ),
        (
            "events VALUES ('warning-1', 'x')",
            "its `id` is \"warning-1\", and rows of `errors.jsonl` have `errors-{@position}`",
        ),
    ] {
        let place = place();
        place.change(&format!("INSERT INTO {row}"));
        let out = place.folder.path().join("out");
        let said = run(&["migrate", text(&place.file), &format!("{}/", text(&out))], 3);
        assert!(said.contains(told) && !out.exists(), "{said}");
        let said = run(&["sync", text(&place.project), text(&place.tree), text(&place.file)], 1);
        assert!(said.contains(told), "{said}");
        place.change("DELETE FROM notes WHERE id = '7'; DELETE FROM events WHERE id LIKE 'warning%'");
        run(&["sync", text(&place.project), text(&place.tree), text(&place.file)], 0);
    }
}
