//! Trees of files that become rows, and rows that become the same trees: by the program, from end to end.

use crate::support::program::{describe as told, whimbrel};
use rusqlite::Connection;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

pub const SESSIONS: &str = "migrations/sessions";

pub const HASH: &str = "0123456789abcdef";
pub const OTHER: &str = "fedcba9876543210";

/// As the application writes it, and then as people and other programs leave it.
pub fn sessions(root: &Path) {
    let write = |path: &str, text: &str| {
        let path = root.join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, text).expect("a file");
    };
    write(
        "workspace_mapping.json",
        &format!("{{\n  \"{HASH}\": \"/srv/ann/näïve\",\n  \"{OTHER}\": \"/srv/ann/näïve\"\n}}"),
    );
    let plain = "[\n  {\n    \"id\": \"s1\",\n    \"type\": \"competition\",\n    \"task\": \"a \\\"task\\\"\",\n    \"status\": \"completed\",\n    \
         \"createdAt\": \"2025-11-01T10:00:00+00:00\",\n    \"updatedAt\": \"2025-11-01T11:00:00Z\",\n    \"completedAt\": null,\n    \
         \"instances\": [\n      {\n        \"instanceId\": 0,\n        \"worktreePath\": \"/w/0\",\n        \"branch\": \"b\",\n        \
         \"agentName\": \"agent\",\n        \"status\": \"idle\",\n        \"tmuxSessionId\": \"t0\",\n        \"output\": null\n      }\n    ],\n    \
         \"chatHistory\": [\n      {\n        \"id\": \"m1\",\n        \"role\": \"user\",\n        \"content\": \"hi \\u00e9\\n\",\n        \
         \"timestamp\": \"2025-11-01T10:00:01Z\"\n      },\n      {\n        \"id\": \"m2\",\n        \"role\": \"assistant\",\n        \
         \"content\": \"\",\n        \"timestamp\": \"2025-11-01T10:00:02Z\",\n        \"instanceId\": 0\n      }\n    ],\n    \
         \"runtimeMix\": [\"claude\", \"codex\"],\n    \"evaluation\": {\"score\": 1.10, \"why\": [1, 2]}\n  }\n]";
    write(&format!("sessions/{HASH}.json"), plain);
    write(
        &format!("sessions/{OTHER}.json"),
        "[ {\"task\":\"odd\",\t\"id\" : \"s2\",\"type\":\"debate\",\"status\":\"running\",\"timeoutSeconds\": 1e2,\
         \"createdAt\":\"2025-11-02T10:00:00.5Z\",\"updatedAt\":\"2025-11-02T10:00:00+00:00\",\"instances\":[],\"chatHistory\":[]},\r\n\
         {\"id\":\"s3\",\"type\":\"ensemble\",\"task\":\"\",\"status\":\"failed\",\"createdAt\":\"2025-11-03T10:00:00Z\",\"updatedAt\":\"2025-11-03T10:00:00Z\",\
         \"instances\":[],\"chatHistory\":[], \"integrationPhase\":null}]\n\n",
    );
    write("sessions/0000000000000000.json", "[]");
    write("sessions_archive/old.json", "{ not json at all \u{0}");
    fs::create_dir_all(root.join("sessions_archive/empty")).expect("a folder");
    fs::set_permissions(root.join("workspace_mapping.json"), fs::Permissions::from_mode(0o600)).expect("permissions");
    fs::set_permissions(root.join("sessions_archive/empty"), fs::Permissions::from_mode(0o700)).expect("permissions");
    symlink("old.json", root.join("sessions_archive/newest")).expect("a link");
    let mapping = fs::read_to_string(root.join("workspace_mapping.json")).expect("the mapping");
    let mapping = mapping.replace("\n}", ",\n  \"0000000000000000\": \"/gone\"\n}");
    fs::write(root.join("workspace_mapping.json"), mapping).expect("the mapping");
}

/// Everything in a tree: kind, permissions and content of each entry.
pub type Content = BTreeMap<PathBuf, (String, u32, Vec<u8>)>;

pub fn content(root: &Path) -> Content {
    fn walk(root: &Path, folder: &Path, found: &mut Content) {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            let metadata = fs::symlink_metadata(&path).expect("an entry");
            let name = path.strip_prefix(root).expect("inside").to_path_buf();
            let mode = metadata.permissions().mode() & 0o7777;
            if metadata.is_symlink() {
                let leads_to = fs::read_link(&path).expect("a link").into_os_string().into_encoded_bytes();
                found.insert(name, ("link".into(), 0, leads_to));
            } else if metadata.is_dir() {
                found.insert(name, ("directory".into(), mode, Vec::new()));
                walk(root, &path, found);
            } else {
                found.insert(name, ("file".into(), mode, fs::read(&path).expect("a file")));
            }
        }
    }
    let mut found = BTreeMap::new();
    walk(root, root, &mut found);
    found
}

pub fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

pub fn run(words: &[&str], code: i32) -> String {
    let output = whimbrel(words);
    let said = told(&output);
    assert_eq!(output.status.code(), Some(code), "{words:?}\n{said}");
    said
}

/// A tree, and the file that was made of it.
pub struct Made {
    pub folder: tempfile::TempDir,
    pub tree: PathBuf,
    pub file: PathBuf,
}

impl Made {
    pub fn new() -> Made {
        let folder = crate::support::memory::tempdir().expect("a folder");
        let (tree, file) = (folder.path().join("tree"), folder.path().join("sessions.db"));
        sessions(&tree);
        run(&["migrate", SESSIONS, text(&tree), text(&file)], 0);
        Made { folder, tree, file }
    }

    pub fn change(&self, sql: &str) {
        Connection::open(&self.file).expect("the file").execute_batch(sql).expect("a change");
    }

    /// The tree that the file becomes.
    pub fn export(&self) -> PathBuf {
        let out = self.folder.path().join("out");
        let _ = fs::remove_dir_all(&out);
        run(&["migrate", text(&self.file), &format!("{}/", text(&out))], 0);
        out
    }
}

#[test]
fn a_tree_becomes_a_file_and_the_file_the_same_tree() {
    let made = Made::new();
    let (tree, file) = (text(&made.tree), text(&made.file));
    let before = content(&made.tree);
    run(&["verify", SESSIONS, tree, file], 0);
    run(&["verify", tree, file], 0);
    run(&["verify", file, tree], 0);
    run(&["check", file, "--unchanged"], 0);
    let said = run(&["check", SESSIONS, tree], 0);
    assert!(said.contains("sessions") && said.contains("kept as bytes: 1 file"), "{said}");
    assert!(said.contains("rows: the target takes every one"), "{said}");
    let out = made.export();
    assert_eq!(content(&out), before);
    run(&["verify", text(&out), file], 0);
    assert_eq!(content(&made.tree), before, "the source is only read");

    // Rows that were copied to another file are the same tree still.
    let copy = made.folder.path().join("copy.db");
    run(&["migrate", file, text(&copy)], 0);
    run(&["verify", tree, text(&copy)], 0);
}

#[test]
fn every_changed_byte_of_a_file_is_noticed() {
    let made = Made::new();
    for path in ["workspace_mapping.json", &format!("sessions/{OTHER}.json"), "sessions_archive/old.json"] {
        let path = made.tree.join(path);
        let whole = fs::read(&path).expect("a file");
        let step = whole.len() / 9 + 1;
        for at in (0..whole.len()).step_by(step) {
            let mut changed = whole.clone();
            changed[at] ^= 1;
            fs::write(&path, &changed).expect("a file");
            let output = whimbrel(&["verify", text(&made.tree), text(&made.file)]);
            assert!(matches!(output.status.code(), Some(1 | 3)), "byte {at} of {}: {}", path.display(), told(&output));
        }
        fs::write(&path, &whole).expect("a file");
    }
    run(&["verify", text(&made.tree), text(&made.file)], 0);
}

#[test]
fn a_row_that_differs_is_told_with_both_values() {
    let made = Made::new();
    made.change("UPDATE sessions SET task = 'another' WHERE id = 's2'");
    let said = run(&["verify", text(&made.tree), text(&made.file)], 1);
    for part in ["sessions", "\"s2\"", "column `task`", "`odd`", "`another`"] {
        assert!(said.contains(part), "`{part}` is not in {said}");
    }
}

#[test]
fn a_check_of_a_tree_tries_its_rows_on_the_target() {
    let made = Made::new();
    let path = made.tree.join(format!("sessions/{HASH}.json"));
    let before = fs::read_to_string(&path).expect("a file");
    let refused = |from: &str, to: &str, parts: &[&str]| {
        fs::write(&path, before.replacen(from, to, 1)).expect("a file");
        let said = run(&["check", SESSIONS, text(&made.tree)], 1);
        parts.iter().for_each(|part| assert!(said.contains(part), "`{part}` is not in {said}"));
    };
    refused("\"status\": \"completed\"", "\"status\": \"strange\"", &["\"s1\"", "CHECK constraint failed"]);
    refused("\"task\": \"a \\\"task\\\"\",", "", &["\"s1\"", "NOT NULL constraint failed"]);
    // A message from an instance that is none of its session.
    refused(
        "\"instanceId\": 0\n      }\n    ],\n    \"runtimeMix\"",
        "\"instanceId\": 7\n      }\n    ],\n    \"runtimeMix\"",
        &["\"m2\"", "has no parent"],
    );
    fs::write(&path, &before).expect("a file");
    run(&["check", SESSIONS, text(&made.tree)], 0);

    // What differs besides is told in words, and not in bytes that only this program reads.
    fs::write(&path, before.clone() + "\n").expect("a file");
    let said = run(&["verify", text(&made.tree), text(&made.file)], 1);
    assert!(
        said.contains("the bytes of the file are others") && said.contains("what its records do not tell"),
        "{said}"
    );
    assert!(!said.contains("column `hash`") && !said.contains("column `bytes`"), "{said}");
}

#[test]
fn an_edited_row_changes_one_place_and_new_and_deleted_ones_take_their_files_along() {
    let made = Made::new();
    let before = content(&made.tree);
    made.change("UPDATE sessions SET status = 'paused' WHERE id = 's2'");
    let after = content(&made.export());
    let path = PathBuf::from(format!("sessions/{OTHER}.json"));
    let differing: Vec<_> = before.iter().filter(|(path, what)| after.get(*path) != Some(what)).collect();
    assert_eq!(differing.len(), 1);
    let old = String::from_utf8(before[&path].2.clone()).expect("UTF-8");
    assert_eq!(String::from_utf8(after[&path].2.clone()).expect("UTF-8"), old.replace("\"running\"", "\"paused\""));

    made.change(
        "UPDATE sessions SET status = 'running' WHERE id = 's2';
         INSERT INTO workspaces (hash, path) VALUES ('aaaaaaaaaaaaaaaa', '/new');
         INSERT INTO sessions (id, workspace_hash, session_type, task, status, created_at, updated_at)
           VALUES ('s9', 'aaaaaaaaaaaaaaaa', 'debate', 'new', 'running', 'c', 'u');
         DELETE FROM sessions WHERE id = 's3'",
    );
    let after = content(&made.export());
    let new = String::from_utf8(after[Path::new("sessions/aaaaaaaaaaaaaaaa.json")].2.clone()).expect("UTF-8");
    assert!(new.starts_with("[\n  {\n    \"id\": \"s9\",\n    \"type\": \"debate\",") && new.ends_with(']'), "{new}");
    let rest = String::from_utf8(after[&path].2.clone()).expect("UTF-8");
    assert!(!rest.contains("s3") && rest.contains("\"timeoutSeconds\": 1e2"), "{rest}");
}

#[test]
fn an_edit_that_no_file_can_tell_says_why() {
    let made = Made::new();
    made.change("UPDATE sessions SET extra = '{}' WHERE id = 's2'");
    let out = format!("{}/", text(&made.folder.path().join("out")));
    let said = run(&["migrate", text(&made.file), &out], 1);
    assert!(said.contains("`extra` of `sessions` takes the rest, and no rest is NULL there"), "{said}");
    assert!(!Path::new(&out).exists());
}

#[test]
fn a_tree_that_is_replaced_is_archived_and_comes_back() {
    let made = Made::new();
    let before = content(&made.tree);
    let tree = text(&made.tree);
    made.change("UPDATE sessions SET task = 'another' WHERE id = 's1'");
    let said = run(&["migrate", text(&made.file), tree, "--dry-run"], 0);
    assert!(said.contains("dry run"), "{said}");
    assert_eq!(content(&made.tree), before);
    // What is ignored stays through all of it, and is in no archive.
    let lock = made.tree.join("lock.db");
    fs::write(&lock, "held").expect("a file");
    let content = |tree: &Path| {
        assert_eq!(fs::read(&lock).expect("it is ignored"), b"held");
        let mut found = content(tree);
        found.remove(Path::new("lock.db"));
        found
    };
    run(&["migrate", text(&made.file), tree], 0);
    let changed = content(&made.tree);
    assert_ne!(changed, before);
    run(&["verify", tree, text(&made.file), "--verify", "counts"], 0);
    let said = run(&["backups", tree, "--check"], 0);
    assert!(said.contains("intact"), "{said}");
    run(&["rollback", tree], 0);
    assert_eq!(content(&made.tree), before);
    run(&["rollback", tree], 0);
    assert_eq!(content(&made.tree), changed);
    let left: Vec<_> =
        fs::read_dir(made.folder.path()).expect("the folder").map(|entry| entry.expect("one").file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().starts_with('.')), "{left:?}");
    // Where there was none, none comes back.
    let out = made.export();
    run(&["rollback", text(&out)], 0);
    assert!(!out.exists());
}

#[test]
fn plan_and_dry_run_write_nothing() {
    let folder = crate::support::memory::tempdir().expect("a folder");
    let (tree, file) = (folder.path().join("tree"), folder.path().join("app.db"));
    sessions(&tree);
    let said = run(&["plan", SESSIONS, text(&tree), text(&file)], 0);
    assert!(said.contains("_whimbrel_tree"), "{said}");
    let said = run(&["migrate", SESSIONS, text(&tree), text(&file), "--dry-run"], 0);
    assert!(said.contains("dry run"), "{said}");
    assert_eq!(fs::read_dir(folder.path()).expect("the folder").count(), 1);
}

#[test]
fn what_is_not_what_the_layout_says_stops_the_run_or_is_set_aside() {
    let folder = crate::support::memory::tempdir().expect("a folder");
    let (tree, file, aside) = (folder.path().join("tree"), folder.path().join("app.db"), folder.path().join("aside"));
    sessions(&tree);
    let bad = "sessions/0000000000000000.json";
    for (text_of, part) in [
        ("[{\"id\": \"x\"", "line 1, column"),
        ("[{\"id\": \"x\", \"id\": \"y\"}]", "line 1, column"),
        ("[]{}", "line 1, column 3"),
        ("\u{feff}[]", "byte order mark"),
        ("[\n  {\"id\": 7}\n]", "line 2, column"),
        ("[", "line 1, column"),
    ] {
        fs::write(tree.join(bad), text_of).expect("a file");
        let said = run(&["migrate", SESSIONS, text(&tree), text(&file)], 3);
        assert!(said.contains(bad) && said.contains(part), "{text_of}: {said}");
        assert!(!file.exists());
        let said = run(&["check", SESSIONS, text(&tree)], 1);
        assert!(said.contains(bad), "{said}");
    }
    // As the editor has it: a file without anything in it is an empty list. It comes back as it is.
    for blank in ["", " \n"] {
        let (blank_file, back) = (folder.path().join("blank.db"), folder.path().join("back"));
        fs::write(tree.join(bad), blank).expect("a file");
        run(&["migrate", SESSIONS, text(&tree), text(&blank_file)], 0);
        run(&["migrate", text(&blank_file), &format!("{}/", text(&back))], 0);
        assert_eq!(fs::read_to_string(back.join(bad)).expect("it is there"), blank);
        fs::remove_file(&blank_file).expect("it is there");
    }
    let deep = format!("[{{\"id\": \"x\", \"extra\": {}{}}}]", "[".repeat(100_000), "]".repeat(100_000));
    for bytes in [deep.as_bytes(), b"[\xff]", b"\xff\xfe[\0]\0"] {
        fs::write(tree.join(bad), bytes).expect("a file");
        assert!(run(&["migrate", SESSIONS, text(&tree), text(&file)], 3).contains(bad));
    }
    let words = ["migrate", SESSIONS, text(&tree), text(&file), "--quarantine", text(&aside)];
    let said = run(&[&words[..], &["--dry-run"]].concat(), 1);
    assert!(said.contains("1 file was set aside") && !file.exists() && !aside.exists(), "{said}");
    let said = run(&words, 1);
    assert!(said.contains("1 file was set aside") && said.contains(bad), "{said}");
    assert_eq!(fs::read(aside.join(bad)).expect("it is kept"), b"\xff\xfe[\0]\0");
    assert!(fs::read_to_string(aside.join("rejected.jsonl")).expect("a list").contains("UTF-16"));
    let count: i64 = Connection::open(&file)
        .and_then(|file| file.query_row("SELECT count(*) FROM sessions", [], |row| row.get(0)))
        .expect("rows");
    assert_eq!(count, 3);
}

#[test]
fn hostile_trees_are_refused_by_name() {
    let folder = crate::support::memory::tempdir().expect("a folder");
    let file = folder.path().join("app.db");
    let with = |make: &dyn Fn(&Path), part: &str| {
        let tree = folder.path().join("tree");
        let _ = fs::remove_dir_all(&tree);
        sessions(&tree);
        make(&tree);
        let said = run(&["migrate", SESSIONS, text(&tree), text(&file)], 3);
        assert!(said.contains(part), "`{part}` is not in {said}");
        assert!(!file.exists());
    };
    with(&|tree| fs::write(tree.join("unknown.txt"), "x").expect("a file"), "unknown.txt");
    with(&|tree| symlink("/etc/passwd", tree.join("sessions_archive/out")).expect("a link"), "out of the tree");
    with(&|tree| symlink("../../..", tree.join("sessions_archive/up")).expect("a link"), "out of the tree");
    with(
        &|tree| {
            for name in ["A", "a"] {
                fs::write(tree.join("sessions_archive").join(name), "x").expect("a file");
            }
        },
        "sessions_archive/",
    );
    with(
        &|tree| {
            use std::os::unix::ffi::OsStrExt;
            let name = std::ffi::OsStr::from_bytes(b"sessions_archive/\xff");
            fs::write(tree.join(name), "x").expect("a file");
        },
        "\\xff",
    );
    with(
        &|tree| {
            let path = std::ffi::CString::new(text(&tree.join("sessions_archive/pipe"))).expect("a path");
            assert_eq!(unsafe { libc::mkfifo(path.as_ptr(), 0o600) }, 0);
        },
        "FIFO",
    );
    with(
        &|tree| {
            let one = tree.join(format!("sessions/{HASH}.json"));
            fs::copy(one, tree.join("sessions/0000000000000000.json")).expect("a copy");
        },
        "s1",
    );
}

#[test]
fn a_captured_value_leads_nowhere_else() {
    let made = Made::new();
    made.change("PRAGMA foreign_keys = OFF; UPDATE sessions SET workspace_hash = '../../../../tmp/x' WHERE id = 's1'");
    let out = made.folder.path().join("out/");
    let said = run(&["migrate", text(&made.file), &format!("{}/", text(&out).trim_end_matches('/'))], 3);
    assert!(said.contains("sessions"), "{said}");
    assert!(!out.exists());
}

#[test]
fn some_files_go_first_and_are_verified_alone() {
    let folder = crate::support::memory::tempdir().expect("a folder");
    let (tree, file) = (folder.path().join("tree"), folder.path().join("app.db"));
    sessions(&tree);
    let (tree, file) = (text(&tree), text(&file));
    run(&["migrate", SESSIONS, tree, file, "--only", "workspaces", "--only", &format!("sessions/{HASH}*")], 0);
    run(&["verify", SESSIONS, tree, file], 0);
    let count = || -> i64 {
        let file = Connection::open(file).expect("the file");
        file.query_row("SELECT count(*) FROM sessions", [], |row| row.get(0)).expect("rows")
    };
    assert_eq!(count(), 1);
    run(&["migrate", SESSIONS, tree, file], 0);
    assert_eq!(count(), 3, "the rest, without doubles");
    // What chooses nothing is a typing error, and makes no empty file.
    let said = run(&["migrate", SESSIONS, tree, file, "--only", "workspaces", "--only", "sesions"], 2);
    assert!(said.contains("`--only sesions`: no file of the tree has such a path or kind"), "{said}");
    assert!(said.contains("the kinds are `workspaces`, `sessions`"), "{said}");
    assert_eq!(count(), 3);
    run(&["verify", SESSIONS, tree, file], 0);
}

#[test]
fn a_file_in_the_tree_that_it_is_made_of_is_none_of_its_files() {
    let folder = crate::support::memory::tempdir().expect("a folder");
    let tree = folder.path().join("tree");
    sessions(&tree);
    let file = tree.join("sessions.db");
    run(&["migrate", SESSIONS, text(&tree), text(&file)], 0);
    // Now with the old file, and its folder of backups.
    run(&["migrate", SESSIONS, text(&tree), text(&file)], 0);
    run(&["verify", text(&tree), text(&file)], 0);
    run(&["rollback", text(&file)], 0);
    run(&["verify", text(&tree), text(&file)], 0);
}

#[test]
fn a_tree_that_a_killed_run_has_left_half_done_is_no_source() {
    let made = Made::new();
    fs::write(made.tree.join(".whimbrel-journal"), "half way").expect("a journal");
    let other = made.folder.path().join("other.db");
    for words in
        [&["migrate", SESSIONS, text(&made.tree), text(&other)][..], &["verify", text(&made.tree), text(&made.file)]]
    {
        let said = run(words, 3);
        assert!(said.contains("between its old content and its new one") && said.contains("again"), "{said}");
    }
    assert!(!other.exists());
}

#[test]
fn a_number_in_a_path_stands_there_as_it_would_be_written() {
    let folder = crate::support::memory::tempdir().expect("a folder");
    let [project, tree, file, out] = ["project", "tree", "app.db", "out"].map(|name| folder.path().join(name));
    let write = |path: PathBuf, text: &str| {
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, text).expect("a file");
    };
    let kind = |name: &str, column: &str| {
        format!(
            "[[file]]\npath = \"{name}/{{n}}.md\"\ncaptures.n = '\\d+'\nformat = \"markdown\"\n[[file.records]]\ntable = \"{name}\"\n\
             key = [\"n\"]\ncolumns.n = {column}\ncolumns.body = \"@body\"\n"
        )
    };
    write(project.join("project.toml"), "name = 'zeros'\n");
    let layout = kind("runs", "{ from = \"@path.n\", type = \"integer\" }") + &kind("notes", "\"@path.n\"");
    write(project.join("layout.toml"), &layout);
    write(tree.join("runs/3.md"), "three\n");
    write(tree.join("notes/007.md"), "seven\n");
    let words = ["migrate", text(&project), text(&tree), text(&file)];
    run(&words, 0);
    let back = format!("{}/", text(&out));
    run(&["migrate", text(&file), &back], 0);
    assert_eq!(content(&out), content(&tree));
    let sql = "UPDATE notes SET n = '0008'; UPDATE runs SET n = 12";
    Connection::open(&file).expect("the file").execute_batch(sql).expect("a change");
    run(&["migrate", text(&file), &back], 0);
    let paths: Vec<_> = content(&out).into_keys().filter(|path| path.extension().is_some()).collect();
    assert_eq!(paths, [Path::new("notes/0008.md"), Path::new("runs/12.md")]);

    // Two files would be one row, and one of them come back under the name of the other.
    write(tree.join("runs/003.md"), "three as well\n");
    let said = run(&words, 3);
    for part in ["runs/003.md", "`003` in the path would come back as `3`", "type \"text\""] {
        assert!(said.contains(part), "`{part}` is not in {said}");
    }
    let aside = folder.path().join("aside");
    run(&[&words[..], &["--quarantine", text(&aside)]].concat(), 1);
    assert!(aside.join("runs/003.md").is_file());
}
