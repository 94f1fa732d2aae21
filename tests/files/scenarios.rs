//! The harness on trees of files: the projects that have a layout, without a server; what a failure tells; and how it is run again.

use crate::trees::{run, text};
use std::fs;
use std::path::{Path, PathBuf};
use whimbrel::harness::{Scenario, Seed};
use whimbrel::report::scenario as report;

/// How many cases each project gets.
const CASES: u32 = 4;

fn folder(project: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(project)
}

fn holds(project: &str) {
    let kept = crate::support::memory::tempdir().expect("a folder");
    let scenario = Scenario::project(folder(project)).expect("a project").cases(CASES).seed(Seed(1));
    let passed = scenario.regressions(kept.path()).run().unwrap_or_else(|failed| panic!("{failed}"));
    println!("{}", report::text(&passed));
    assert!(passed.rows > u64::from(CASES) * 20, "{passed}");
    for property in &passed.properties {
        let not_asked: u32 = property.not_asked.values().sum();
        assert_eq!(property.held + not_asked, CASES, "`{}`", property.name);
        assert!(not_asked == 0 || property.name == "mutations", "`{}`: {:?}", property.name, property.not_asked);
    }
    for mutation in &passed.mutations {
        assert_eq!(mutation.tried, mutation.noticed, "`{}`", mutation.name);
    }
}

#[test]
fn sessions_hold() {
    holds("sessions");
}

#[test]
fn deespec_holds() {
    holds("deespec");
}

#[test]
fn the_document_of_deespec_holds() {
    holds("deespec/document");
}

#[test]
fn agents_hold() {
    holds("agents");
}

/// A project whose check finds something in some trees.
fn with_check(folder: &Path) -> PathBuf {
    let project = folder.join("project");
    fs::create_dir_all(project.join("checks")).expect("a folder");
    fs::create_dir_all(project.join("target")).expect("a folder");
    fs::write(project.join("project.toml"), "name = 'notes'\n[target]\nschema = 'target'\n").expect("a project");
    let schema = "CREATE TABLE notes (id TEXT NOT NULL PRIMARY KEY, stars INTEGER) STRICT;";
    fs::write(project.join("target/0001_initial.up.sql"), schema).expect("a schema");
    let layout = "[[file]]\npath = 'notes/{id}.json'\nformat = 'json'\n[[file.records]]\ntable = 'notes'\nkey = ['id']\n\
                  columns.id = '@path.id'\ncolumns.stars = { from = 'stars', type = 'integer' }\n";
    fs::write(project.join("layout.toml"), layout).expect("a layout");
    fs::write(project.join("checks/stars.sql"), "SELECT id FROM notes WHERE stars < 0;").expect("a check");
    project
}

#[test]
fn a_tree_that_fails_is_made_smaller_and_kept_and_runs_first_from_then_on() {
    let folder = crate::support::memory::tempdir().expect("a folder");
    let (project, kept) = (with_check(folder.path()), folder.path().join("kept"));
    let words = ["test", text(&project), "--seed", "3", "--cases", "5", "--regressions", text(&kept)];
    let said = run(&words, 1);
    for part in [
        "the property `published` does not hold",
        "check `stars.sql` found",
        "the smallest case found, with 1 row:",
        "INSERT INTO \"notes\"",
        "\"notes/",
        "run it again: whimbrel test",
    ] {
        assert!(said.contains(part), "`{part}` is not in {said}");
    }
    assert_eq!(fs::read_dir(&kept).expect("a folder").count(), 1);
    let said = run(&words, 1);
    assert!(said.contains("the kept case") && said.contains("fails again: `published`"), "{said}");
    // In JSON as well.
    let said = run(&[&words[..], &["--json"]].concat(), 1);
    assert!(said.contains("\"property\":\"published\""), "{said}");
    // Without the check all of them hold, the kept one among them.
    fs::remove_file(project.join("checks/stars.sql")).expect("a check less");
    let said = run(&words, 0);
    assert!(said.contains("before them, 1 kept case passed"), "{said}");
}

#[test]
fn a_project_without_a_schema_is_tested_by_its_layout_alone() {
    let folder = crate::support::memory::tempdir().expect("a folder");
    let project = with_check(folder.path());
    for gone in ["target", "checks"] {
        fs::remove_dir_all(project.join(gone)).expect("a folder less");
    }
    fs::write(project.join("project.toml"), "name = 'notes'\n").expect("a project");
    let kept = folder.path().join("kept");
    let words = ["test", text(&project), "--seed", "3", "--cases", "5", "--rows", "60", "--regressions", text(&kept)];
    let said = run(&words, 0);
    assert!(said.contains("5 cases passed") && said.contains("way back"), "{said}");
    // The same seed has the same trees.
    let rows = |said: &str| said.lines().next().expect("a line").to_owned();
    assert_eq!(rows(&run(&words, 0)), rows(&said));
}
