//! The examples of `docs/layouts.md`, each migrated by the program: the rows of the page, and the same file again.

use crate::trees::{content, run, text};
use rusqlite::Connection;
use rusqlite::types::ValueRef;
use std::fs;
use std::path::Path;

struct Example<'p> {
    heading: &'p str,
    layout: String,
    path: &'p str,
    file: String,
    rows: String,
}

fn example(part: &str) -> Example<'_> {
    let mut lines = part.lines();
    let heading = lines.next().expect("a heading");
    let (mut path, mut blocks) = ("", Vec::new());
    while let Some(line) = lines.next() {
        if line.starts_with("```") {
            let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            blocks.push(block.join("\n") + "\n");
        } else if let Some(named) = line.strip_prefix('`').and_then(|named| named.strip_suffix("`:")) {
            path = named;
        }
    }
    let [layout, file, rows] = blocks.try_into().expect("a layout, a file and its rows");
    Example { heading, layout, path, file, rows }
}

/// A value as the page has it; a moment is kept in other ways, and is left to `verify`.
fn told(value: ValueRef<'_>) -> serde_json::Value {
    match value {
        ValueRef::Null => serde_json::Value::Null,
        ValueRef::Integer(number) => number.into(),
        ValueRef::Real(number) => number.into(),
        ValueRef::Text(text) => String::from_utf8_lossy(text).into(),
        ValueRef::Blob(bytes) => String::from_utf8_lossy(bytes).into(),
    }
}

#[test]
fn the_examples_of_the_page_are_migrated_as_it_says() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/layouts.md")).expect("the page");
    let (_, examples) = page.split_once("## One example per format").expect("examples");
    let mut headings = Vec::new();
    for Example { heading, layout, path, file, rows } in examples.split("\n### ").skip(1).map(example) {
        let folder = crate::support::memory::tempdir().expect("a folder");
        let [project, tree, target, out] = ["project", "tree", "app.db", "out"].map(|name| folder.path().join(name));
        fs::create_dir(&project).expect("a project");
        fs::write(project.join("project.toml"), "name = 'page'\n").expect("a project");
        fs::write(project.join("layout.toml"), &layout).expect("a layout");
        let at = tree.join(path);
        fs::create_dir_all(at.parent().expect("a folder")).expect("a folder");
        match heading {
            "SQLite" => Connection::open(&at).expect("a database").execute_batch(&file).expect("statements"),
            _ => fs::write(&at, &file).expect("a file"),
        }
        run(&["migrate", text(&project), text(&tree), text(&target)], 0);
        run(&["verify", text(&tree), text(&target)], 0);
        let made = Connection::open(&target).expect("the file");
        for row in rows.lines() {
            let row: serde_json::Map<String, serde_json::Value> = serde_json::from_str(row).expect("a row");
            let (table, cells) = row.iter().next().expect("a table");
            let cells = cells.as_object().expect("cells");
            let found = cells.iter().filter(|(name, _)| *name != "timestamp" || heading != "Lines");
            let (mut conditions, mut values) = (Vec::new(), Vec::new());
            for (name, value) in found {
                values.push(match value {
                    serde_json::Value::Object(_) | serde_json::Value::Array(_) => {
                        serde_json::to_string(value).expect("JSON").into()
                    }
                    value => value.clone(),
                });
                conditions.push(name.clone());
            }
            let sql = format!(
                "SELECT {} FROM {table}",
                conditions.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ")
            );
            let mut all = made.prepare(&sql).expect("a query");
            let width = values.len();
            let all = all
                .query_map([], |row| {
                    (0..width).map(|place| Ok(told(row.get_ref(place)?))).collect::<rusqlite::Result<Vec<_>>>()
                })
                .expect("rows");
            // Numbers in JSON keep their spelling, which a number does not.
            let plain =
                |values: &Vec<serde_json::Value>| serde_json::to_string(values).expect("JSON").replace("1.50", "1.5");
            let all: Vec<String> = all.map(|row| plain(&row.expect("a row"))).collect();
            assert!(all.contains(&plain(&values)), "{heading}: {} is not in {all:?}", plain(&values));
        }
        let count: i64 = rows.lines().count() as i64;
        let tables = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE '%whimbrel%'";
        assert!(made.query_row(tables, [], |row| row.get::<_, i64>(0)).expect("tables") > 0 && count > 0);
        drop(made);
        run(&["migrate", text(&target), &format!("{}/", text(&out))], 0);
        assert_eq!(content(&out), content(&tree), "{heading}");
        headings.push(heading);
    }
    assert_eq!(headings, ["JSON", "JSON Lines", "YAML", "Markdown", "Lines", "Bytes", "SQLite"]);
}
