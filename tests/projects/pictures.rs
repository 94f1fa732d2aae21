//! What each project shows, kept as snapshots under `snapshots/projects/`: the target's schema, the plan, the reports
//! as text and as JSON, what `schema` and `check` say, and the refusals of a project whose decisions are missing.

use crate::support::whole_run::Server;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use whimbrel::cancel::Cancel;
use whimbrel::harness::Scenario;
use whimbrel::harness::snapshot::Picture;
use whimbrel::project::Project;
use whimbrel::provision::{Database, shared};
use whimbrel::{Migration, assert_pictures, pictures};

const FOLDER: &str = "snapshots/projects";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The names of the projects that this repository carries.
fn projects() -> Vec<String> {
    let entries = std::fs::read_dir(root().join("migrations")).unwrap();
    let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert!(names.len() >= 5, "{names:?}");
    names
}

/// What the program says, without the places where the files are.
fn describe(words: &[&str], folder: &Path) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_whimbrel"));
    let output = command.args(words).current_dir(root()).env("COLUMNS", "100").stdin(Stdio::null()).output().unwrap();
    let text = format!(
        "exit code: {}\n----- stdout -----\n{}----- stderr -----\n{}",
        output.status.code().expect("the program ends by itself"),
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    text.replace(&*folder.to_string_lossy(), "[FOLDER]")
}

/// The versioned target schema of every project, as the verb `schema` shows it, and the checks on the empty file.
#[test]
fn the_target_schema_of_every_project() {
    for project in projects() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("app.db");
        let (path, migrations) = (file.to_str().unwrap(), format!("migrations/{project}/target"));
        let group = format!("schema_{project}");
        let say = |part: &str, words: &[&str]| Picture::new(&group, part, describe(words, folder.path()));
        let pictures = vec![
            say("up", &["schema", "up", path, &migrations]),
            say("status", &["schema", "status", path, &migrations]),
            say("status_json", &["schema", "status", path, &migrations, "--json"]),
            say("validate", &["schema", "validate", path, &migrations]),
            Picture::new(&group, "objects", pictures::schema_of(&file).unwrap()),
            say("check", &["check", path, "--checks", &format!("migrations/{project}/checks")]),
            say("down", &["schema", "down", path, &migrations, "--to", "0"]),
            say("down_again", &["schema", "down", path, &migrations]),
        ];
        assert_pictures!(FOLDER, pictures);
    }
}

/// The first project, and a source with its schema and the rows of `fixtures/vibing2`.
fn vibing2() -> (Database, Project) {
    let folder = root().join("migrations/vibing2");
    let mut schema: Vec<PathBuf> =
        std::fs::read_dir(folder.join("source")).unwrap().map(|entry| entry.unwrap().path()).collect();
    schema.retain(|path| path.to_str().unwrap().ends_with(".up.sql"));
    schema.sort();
    schema.push(root().join("fixtures/vibing2/rows.sql"));
    let sql: String = schema.iter().map(|path| std::fs::read_to_string(path).unwrap()).collect();
    let database = shared().expect("a server").create_database("pictures").expect("a database");
    Server::connect(&database.url()).run(sql);
    (database, Project::load(&folder).unwrap())
}

#[test]
fn a_migration_by_its_project() {
    let (database, project) = vibing2();
    let migration = Migration::from(database.url()).with_project(&project);
    assert_pictures!(FOLDER, pictures::of_migration("vibing2", migration).unwrap());
}

/// The projects that have no source on PostgreSQL, by a twin of their target with generated rows.
#[test]
fn a_migration_of_every_other_project() {
    for project in projects().iter().filter(|name| *name != "vibing2") {
        let scenario = Scenario::project(root().join("migrations").join(project)).unwrap().rows(100);
        assert_pictures!(FOLDER, pictures::of_scenario(&scenario).unwrap());
    }
}

/// The schema that is derived where no target schema is given, of the same source.
#[test]
fn a_migration_without_a_project() {
    let (database, _) = vibing2();
    assert_pictures!(FOLDER, pictures::of_migration("derived", Migration::from(database.url())).unwrap());
}

#[test]
fn a_project_whose_decisions_are_missing() {
    let (database, mut project) = vibing2();
    project.options.run.choices.drop.clear();
    project.options.run.choices.names.remove("User.emailVerified");
    let planned = Migration::from(database.url()).with_project(&project).plan(&Cancel::new()).unwrap();
    let refusals = whimbrel::report::plan::refusals(&planned.plan.refusals);
    let error = planned.plan.ensure_runnable().unwrap_err();
    let text = format!("{error}\n{}\n{refusals}", error.way_out().unwrap_or_default());
    assert_pictures!(FOLDER, vec![Picture::new("undecided", "refusals", text)]);
}
