//! Where a tree may not be written: what is there, or around it, is somebody's.

use crate::trees::{Made, SESSIONS, content, run, text};
use std::fs;
use std::process::Command;

/// Each is refused with its reason, and nothing anywhere is other than before.
#[test]
fn a_target_that_would_take_something_else_away_is_refused() {
    let made = Made::new();
    let place = made.folder.path();
    let at = |path: &str| place.join(path).to_str().expect("UTF-8").to_owned();
    fs::create_dir_all(place.join("home/tree")).expect("a folder");
    fs::create_dir_all(place.join("home/strangers/deep")).expect("a folder");
    fs::create_dir_all(place.join("home/project")).expect("a folder");
    fs::write(place.join("home/strangers/deep/thesis.txt"), "important").expect("a file");
    fs::write(place.join("home/project/project.toml"), "").expect("a file");
    std::os::unix::fs::symlink("tree", place.join("link")).expect("a link");
    let (tree, file) = (text(&made.tree), text(&made.file));
    let before = content(place);
    let cases: &[(&[&str], &str)] = &[
        (&[SESSIONS, tree, tree], "it is the source itself"),
        (&[SESSIONS, tree, &at("link/")], "it is the source itself"),
        (&[SESSIONS, tree, &at("")], "is in it"),
        (&[SESSIONS, tree, &at("tree/copy/")], "it is in the source"),
        (&[SESSIONS, tree, &at("tree/sessions/copy.db")], "it is in the source"),
        (&[file, &at("home/strangers")], "`deep/thesis.txt` in it is no file of the layout"),
        (&[SESSIONS, tree, &at("home/strangers")], "`deep/thesis.txt` in it is no file of the layout"),
        (&[file, &at("home/project")], "it is a project"),
        (&[file, &at("home")], "is no file of the layout"),
        (&[file, &at("")], "is no file of the layout"),
    ];
    for verb in ["migrate", "plan"] {
        for (words, reason) in cases {
            let said = run(&[&[verb], *words].concat(), 2);
            assert!(said.contains(reason) && said.contains("hint: nothing was touched"), "{verb} {words:?}\n{said}");
            assert_eq!(content(place), before, "{verb} {words:?}");
        }
    }
    // An empty folder, an older tree of the layout, and what the layout ignores are targets.
    run(&["migrate", file, &at("home/tree")], 0);
    run(&["migrate", file, &at("home/tree")], 0);
    run(&["migrate", SESSIONS, tree, &at("tree/inside.db")], 0);
}

#[test]
fn the_folder_one_stands_in_is_a_tree_like_others() {
    let made = Made::new();
    let here = made.folder.path().join("here");
    fs::create_dir(&here).expect("a folder");
    let program = |words: &[&str]| {
        let output =
            Command::new(env!("CARGO_BIN_EXE_whimbrel")).args(words).current_dir(&here).output().expect("it starts");
        assert_eq!(output.status.code(), Some(0), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    program(&["migrate", text(&made.file), "."]);
    assert_eq!(content(&here), content(&made.tree));
    assert!(program(&["backups", "."]).contains("before a migration") || !program(&["backups", "."]).is_empty());
    program(&["rollback", "."]);
    assert_eq!(content(&here).len(), 0);
}
