//! Sessions of a workspace that the mapping file does not have: whoever migrates says where it is, and the mapping gets it.

use crate::support::program::describe as told;
use crate::trees::{OTHER, SESSIONS, content, run, sessions, text};
use rusqlite::Connection;
use sha2::{Digest, Sha256};
use std::fs;
use std::io::{Read, Write};
use std::os::fd::{FromRawFd, OwnedFd};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// As the application hashes a path.
fn hash(path: &str) -> String {
    let digest = Sha256::digest(path.as_bytes());
    digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// A tree whose mapping has lost the workspace of one file.
struct Lost {
    folder: tempfile::TempDir,
    tree: PathBuf,
    file: PathBuf,
    hash: String,
    path: String,
}

impl Lost {
    fn new() -> Lost {
        let folder = crate::support::memory::tempdir().expect("a folder");
        let (tree, file) = (folder.path().join("tree"), folder.path().join("sessions.db"));
        sessions(&tree);
        let path = text(&folder.path().canonicalize().expect("a path")).to_owned();
        let hash = hash(&path);
        fs::rename(tree.join(format!("sessions/{OTHER}.json")), tree.join(format!("sessions/{hash}.json")))
            .expect("another name");
        Lost { folder, tree, file, hash, path }
    }

    fn answer(&self) -> String {
        format!("{}={}", self.hash, self.path)
    }
}

fn paths(file: &Path, hash: &str) -> Vec<String> {
    let file = Connection::open(file).expect("the file");
    let mut found = file.prepare("SELECT path FROM workspaces WHERE hash = ?1").expect("a query");
    found.query_map([hash], |row| row.get(0)).expect("rows").collect::<Result<_, _>>().expect("rows")
}

#[test]
fn an_unknown_hash_stops_every_verb_until_somebody_says_its_path() {
    let lost = Lost::new();
    let (tree, file) = (text(&lost.tree), text(&lost.file));
    for words in [
        &["migrate", SESSIONS, tree, file][..],
        &["migrate", SESSIONS, tree, file, "--dry-run"],
        &["plan", SESSIONS, tree, file],
        &["check", SESSIONS, tree],
    ] {
        let said = run(words, 2);
        for part in [&format!("sessions/{}.json", lost.hash), &lost.hash, &format!("--workspace {}=", lost.hash)] {
            assert!(said.contains(part.as_str()), "{words:?}: `{part}` is not in {said}");
        }
        assert!(!lost.file.exists());
    }
    // Files of other workspaces do not need it.
    run(&["plan", SESSIONS, tree, file, "--only", "workspaces"], 0);
    run(&["check", SESSIONS, tree, "--workspace", &lost.answer()], 0);
    run(&["plan", SESSIONS, tree, file, "--workspace", &lost.answer()], 0);
}

#[test]
fn the_answer_is_a_row_is_remembered_and_extends_the_mapping_on_the_way_back() {
    let lost = Lost::new();
    let (tree, file) = (text(&lost.tree), text(&lost.file));
    let before = content(&lost.tree);
    let said = run(&["migrate", SESSIONS, tree, file, "--workspace", &lost.answer()], 0);
    assert!(!said.contains("is not the hash"), "{said}");
    assert_eq!(paths(&lost.file, &lost.hash), [lost.path.as_str()]);
    assert_eq!(content(&lost.tree), before, "the source is only read");
    run(&["verify", tree, file], 0);
    run(&["verify", SESSIONS, tree, file], 0);
    run(&["verify", file, tree], 0);
    // What was copied from it remembers it, too.
    let copy = lost.folder.path().join("copy.db");
    run(&["migrate", file, text(&copy)], 0);
    run(&["verify", tree, text(&copy)], 0);

    let out = lost.folder.path().join("out");
    run(&["migrate", file, &format!("{}/", text(&out))], 0);
    let after = content(&out);
    let differing: Vec<_> = before.iter().filter(|(path, what)| after.get(*path) != Some(what)).collect();
    assert_eq!((differing.len(), after.len()), (1, before.len()), "{differing:?}");
    let mapping = fs::read_to_string(lost.tree.join("workspace_mapping.json")).expect("the mapping");
    let entry = format!(",\n  \"{}\": \"{}\"\n}}", lost.hash, lost.path);
    let extended = fs::read_to_string(out.join("workspace_mapping.json")).expect("the mapping");
    assert_eq!(extended, mapping.replace("\n}", &entry));
    run(&["check", SESSIONS, text(&out)], 0);
    // The same answer once more is for nobody now, and says so.
    let said = run(&["migrate", SESSIONS, text(&out), file, "--workspace", &lost.answer()], 2);
    assert!(said.contains("no file of the tree asks for it"), "{said}");
    run(&["migrate", SESSIONS, text(&out), file], 0);
    assert_eq!(paths(&lost.file, &lost.hash), [lost.path.as_str()]);
}

#[test]
fn a_sync_writes_the_answer_into_the_mapping() {
    let lost = Lost::new();
    let (tree, file) = (text(&lost.tree), text(&lost.file));
    run(&["migrate", SESSIONS, tree, file, "--workspace", &lost.answer()], 0);
    let said = run(&["sync", SESSIONS, tree, file], 0);
    assert!(said.contains(&format!("workspaces [\"{}\"]: created", lost.hash)), "{said}");
    let mapping = || fs::read_to_string(lost.tree.join("workspace_mapping.json")).expect("the mapping");
    assert!(mapping().contains(&format!("\"{}\": \"{}\"", lost.hash, lost.path)), "{}", mapping());
    assert!(run(&["sync", SESSIONS, tree, file], 0).contains("both sides are equal\n"));
    run(&["verify", tree, file], 0);
    run(&["verify", file, tree], 0);
    // From here on it is a record as any other.
    fs::write(lost.tree.join("workspace_mapping.json"), mapping().replace(&lost.path, "/moved")).expect("an edit");
    run(&["sync", SESSIONS, tree, file], 0);
    assert_eq!(paths(&lost.file, &lost.hash), ["/moved"]);
    run(&["verify", tree, file], 0);
    let out = format!("{}/", text(&lost.folder.path().join("out")));
    run(&["migrate", file, &out], 0);
    assert_eq!(content(Path::new(&out)), content(&lost.tree));
}

#[test]
fn a_tree_becomes_a_tree_with_its_mapping_extended_and_else_the_same() {
    let lost = Lost::new();
    let out = format!("{}/", text(&lost.folder.path().join("out")));
    let tree = text(&lost.tree);
    assert!(run(&["migrate", SESSIONS, tree, &out], 2).contains("--workspace"));
    run(&["migrate", SESSIONS, tree, &out, "--workspace", &lost.answer()], 0);
    let extended = fs::read_to_string(Path::new(&out).join("workspace_mapping.json")).expect("the mapping");
    assert!(extended.contains(&format!("\"{}\": \"{}\"", lost.hash, lost.path)), "{extended}");
    // Without a question it is the same tree, byte for byte.
    let other = format!("{}/", text(&lost.folder.path().join("other")));
    run(&["migrate", SESSIONS, &out, &other], 0);
    assert_eq!(content(Path::new(&other)), content(Path::new(&out)));
    // And where there is no mapping at all, one is made.
    fs::remove_file(lost.tree.join("workspace_mapping.json")).expect("no mapping");
    fs::remove_file(lost.tree.join("sessions/0123456789abcdef.json")).expect("one workspace less");
    fs::remove_file(lost.tree.join("sessions/0000000000000000.json")).expect("one workspace less");
    let made = format!("{}/", text(&lost.folder.path().join("made")));
    run(&["migrate", SESSIONS, tree, &made, "--workspace", &lost.answer()], 0);
    let mapping = fs::read_to_string(Path::new(&made).join("workspace_mapping.json")).expect("the mapping");
    assert_eq!(mapping, format!("{{\n  \"{}\": \"{}\"\n}}", lost.hash, lost.path));
}

#[test]
fn both_ways_in_which_the_application_hashes_are_known_and_another_hash_is_doubted() {
    let lost = Lost::new();
    let (tree, file) = (text(&lost.tree), text(&lost.file));
    // One workspace, opened by a link: the debate hashes the path as it was typed, all else the path behind the link.
    let link = lost.folder.path().join("link");
    symlink(lost.folder.path(), &link).expect("a link");
    let by_link = hash(text(&link));
    fs::write(lost.tree.join(format!("sessions/{by_link}.json")), "[]").expect("a file");
    let with_slash = format!("{}/", text(&link));
    fs::write(lost.tree.join(format!("sessions/{}.json", hash(&with_slash))), "[]").expect("a file");
    let gone = "/no/such/place";
    fs::write(lost.tree.join(format!("sessions/{}.json", hash(gone))), "[]").expect("a file");
    let answers = [
        format!("{}={}", lost.hash, text(&link)),
        format!("{by_link}={}", text(&link)),
        format!("{}={with_slash}", hash(&with_slash)),
        format!("{}={gone}/", hash(gone)),
    ];
    let mut words = vec!["migrate", SESSIONS, tree, file];
    answers.iter().for_each(|answer| words.extend(["--workspace", answer]));
    let said = run(&words, 0);
    assert!(!said.contains("is not the hash"), "{said}");
    assert_eq!(paths(&lost.file, &lost.hash), paths(&lost.file, &by_link), "two hashes of one path");

    let wrong = format!("{}=/elsewhere", hash(gone));
    *words.last_mut().expect("an answer") = &wrong;
    for quiet in [&[][..], &["--quiet"]] {
        let said = run(&[&words[..], quiet].concat(), 0);
        let doubt = format!("`{}` is not the hash of `/elsewhere`, which is `{}`", hash(gone), hash("/elsewhere"));
        assert!(said.contains(&doubt), "{said}");
    }
    assert_eq!(paths(&lost.file, &hash(gone)), ["/elsewhere"]);
}

#[test]
fn answers_that_nobody_asks_for_are_refused() {
    let lost = Lost::new();
    let (tree, file) = (text(&lost.tree), text(&lost.file));
    let said = run(&["migrate", SESSIONS, tree, file, "--workspace", "0123456789abcdee=/x"], 2);
    assert!(said.contains("no file of the tree asks for it") && said.contains(&lost.hash), "{said}");
    for typed in ["x", "=x", "x="] {
        assert!(run(&["migrate", SESSIONS, tree, file, "--workspace", typed], 2).contains("HASH=PATH"));
    }
    run(&["migrate", SESSIONS, tree, file, "--workspace", &lost.answer()], 0);
    let copy = lost.folder.path().join("copy.db");
    let said = run(&["migrate", file, text(&copy), "--workspace", "a=b"], 2);
    assert!(said.contains("no tree of files"), "{said}");
    let said = run(&["check", file, "--workspace", "a=b"], 2);
    assert!(said.contains("for a tree of files"), "{said}");
}

/// Two ends of a new terminal.
fn terminal() -> (OwnedFd, OwnedFd) {
    let (mut ours, mut theirs) = (0, 0);
    let none = std::ptr::null_mut();
    assert_eq!(unsafe { libc::openpty(&mut ours, &mut theirs, none, none.cast(), none.cast()) }, 0, "a terminal");
    unsafe { (OwnedFd::from_raw_fd(ours), OwnedFd::from_raw_fd(theirs)) }
}

#[test]
fn a_terminal_is_asked_and_anything_else_is_not() {
    let lost = Lost::new();
    let ask = |answer: &str, stdin_too: bool| {
        let (ours, theirs) = terminal();
        let stdin = if stdin_too { theirs.try_clone().expect("a terminal").into() } else { Stdio::null() };
        let mut command = Command::new(env!("CARGO_BIN_EXE_whimbrel"));
        let words = ["migrate", SESSIONS, text(&lost.tree), text(&lost.file), "--no-progress"];
        let child = command.args(words).stdin(stdin).stderr(theirs).stdout(Stdio::piped()).spawn().expect("it starts");
        // The command keeps its ends of the terminal; without it the last one is the program's.
        drop(command);
        let mut ours = fs::File::from(ours);
        ours.write_all(answer.as_bytes()).expect("the terminal takes it");
        let output = child.wait_with_output().expect("it ends");
        let mut said = Vec::new();
        // When the last of its ends is closed, a terminal gives an error for the end.
        let _ = ours.read_to_end(&mut said);
        (output.status.code(), format!("{}{}", told(&output), String::from_utf8_lossy(&said)))
    };
    let (code, said) = ask("\n", true);
    assert_eq!(code, Some(2), "{said}");
    assert!(!lost.file.exists());
    let (code, said) = ask(&format!("{}\n", lost.path), false);
    assert_eq!(code, Some(2), "{said}");
    let (code, said) = ask(&format!("{}\n", lost.path), true);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains(&format!("sessions/{}.json", lost.hash)) && said.contains("path?"), "{said}");
    assert_eq!(paths(&lost.file, &lost.hash), [lost.path.as_str()]);
}
