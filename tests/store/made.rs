//! A small application: notes with tags, a file each, and boards of cards, a file for each board.

use crate::support::program::{describe, whimbrel};
use serde_json::{Map, Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use whimbrel::store::Place;

const LAYOUT: &str = r#"
[[file]]
path = "notes/{id}.json"
format = "json"

[[file.records]]
table = "notes"
key = ["id"]
rest = "extra"
columns.id = "@path.id"
columns.text = "text"
columns.n = { from = "n", type = "integer" }

[[file.records.children]]
at = "tags[]"
table = "tags"
key = ["note_id", "name"]
columns.note_id = "@parent.id"
columns.name = "name"

[[file]]
path = "boards/{board}.json"
format = "json"

[[file.records]]
at = "[]"
table = "cards"
key = ["id"]
columns.board = "@path.board"
columns.id = "id"
columns.title = "title"
columns.done = { from = "done", type = "boolean" }
columns.data = { from = "data", type = "json" }

# A person in parts: what the person is, and what is told of it.
[[file]]
path = "people/{id}/person.yaml"
format = "yaml"

[[file.records]]
table = "people"
key = ["id"]
part = true
columns.id = "@path.id"
columns.name = "name"

[[file]]
path = "people/{id}/about.md"
format = "markdown"

[[file.records]]
table = "people"
part = true
columns.id = "@path.id"
columns.about = "@body"
"#;

/// A tree without records, the file that was made of it, and the project.
pub struct Made {
    folder: tempfile::TempDir,
}

impl Made {
    /// A copy of one that was made once.
    pub fn new() -> Made {
        static MODEL: OnceLock<Made> = OnceLock::new();
        let model = MODEL.get_or_init(Made::first);
        let made = Made { folder: folder() };
        fs::create_dir(made.tree()).expect("a folder");
        for name in ["layout.toml", "project.toml", "app.db"] {
            fs::copy(model.folder.path().join(name), made.folder.path().join(name)).expect("a copy");
        }
        made
    }

    fn first() -> Made {
        let made = Made { folder: folder() };
        fs::create_dir(made.tree()).expect("a folder");
        fs::write(made.project().join("layout.toml"), LAYOUT).expect("a file");
        fs::write(made.project().join("project.toml"), "name = 'notes'\n[target]\njournal_mode = 'wal'\n")
            .expect("a file");
        let (project, tree, file) = (made.project(), made.tree(), made.file());
        let words = ["migrate", text(&project), text(&tree), text(&file)];
        let output = whimbrel(&words);
        assert!(output.status.success(), "{}", describe(&output));
        made
    }

    pub fn project(&self) -> PathBuf {
        self.folder.path().to_path_buf()
    }

    pub fn tree(&self) -> PathBuf {
        self.folder.path().join("tree")
    }

    pub fn file(&self) -> PathBuf {
        self.folder.path().join("app.db")
    }

    pub fn place(&self) -> Place {
        place(self.folder.path())
    }
}

/// The place of what was made in a folder.
pub fn place(folder: &Path) -> Place {
    Place { layout: folder.join("layout.toml"), tree: folder.join("tree"), file: folder.join("app.db") }
}

/// In memory where there is such a place: what is measured here is not the disk.
pub fn folder() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    match memory.is_dir() {
        true => tempfile::tempdir_in(memory).expect("a folder"),
        false => tempfile::tempdir().expect("a folder"),
    }
}

pub fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

pub fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        other => panic!("{other} is no object"),
    }
}

pub fn note(id: &str, text: &str, tags: &[&str]) -> Map<String, Value> {
    let tags: Vec<Value> = tags.iter().map(|name| json!({ "name": name })).collect();
    object(json!({ "id": id, "text": text, "n": null, "extra": null, "tags": tags }))
}
