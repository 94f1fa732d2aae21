//! File names that are not UTF-8: every verb takes them, keeps them apart, and shows them so that no two look alike.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use rusqlite::Connection;
use serde_json::Value;
use sqlx::{Connection as _, Executor, PgConnection};
use whimbrel::provision::{Database, shared};

fn source() -> Database {
    let database = shared().expect("a PostgreSQL server").create_database("odd_names").expect("a database");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut connection = PgConnection::connect(&database.url()).await.unwrap();
        connection.execute("CREATE TABLE t (a integer PRIMARY KEY); INSERT INTO t VALUES (1)").await.unwrap();
        connection.close().await.unwrap();
    });
    database
}

fn odd(folder: &Path, name: &[u8]) -> PathBuf {
    folder.join(OsStr::from_bytes(name))
}

/// Runs the program, which has to succeed, and returns its messages.
fn run(words: &[&OsStr]) -> Vec<Value> {
    let output = Command::new(env!("CARGO_BIN_EXE_whimbrel")).args(words).arg("--json").output().unwrap();
    let said = String::from_utf8(output.stderr).expect("what is shown is UTF-8");
    assert!(output.status.success(), "{words:?}: {said}");
    let lines = String::from_utf8(output.stdout).expect("JSON is UTF-8");
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The last message of that type.
fn message(messages: &[Value], kind: &str) -> Value {
    let found = messages.iter().rev().find(|message| message["type"] == kind);
    found.unwrap_or_else(|| panic!("no `{kind}` in {messages:?}"))["data"].clone()
}

fn word(text: &str) -> &OsStr {
    OsStr::new(text)
}

#[test]
fn every_verb_takes_a_name_that_is_not_utf_8() {
    let database = source();
    let url = OsString::from(database.url());
    let root = tempfile::tempdir().unwrap();
    let folder = odd(root.path(), b"fol\xe9der");
    fs::create_dir(&folder).unwrap();
    let backups = odd(&folder, b"back\xffups");
    // Two names that replacement characters would make one; one of them with the prefix that endpoints may have.
    let targets = [odd(&folder, b"na\xffme.db"), odd(&folder, b"na\xfeme.db")];
    let mut prefixed = b"sqlite:".to_vec();
    prefixed.extend(targets[1].as_os_str().as_bytes());
    let given = [targets[0].clone().into_os_string(), OsString::from_vec(prefixed)];
    let shown = ["na\\xffme.db", "na\\xfeme.db"];
    let place = [word("--backups"), backups.as_os_str()];

    for (number, target) in given.iter().enumerate() {
        let plan = run(&[word("plan"), &url, target]);
        assert!(!message(&plan, "plan")["tables"].as_array().unwrap().is_empty());
        for _ in 0..2 {
            let migrated = run(&[&[word("migrate"), &url, target], &place[..]].concat());
            let published = message(&migrated, "outcome");
            assert!(published.to_string().contains(&shown[number].replace('\\', "\\\\")), "{published}");
        }
        run(&[word("verify"), &url, target]);
        let checked = message(&run(&[word("check"), target]), "check");
        assert!(checked["target"].as_str().unwrap().ends_with(shown[number]), "{checked}");
        run(&[word("optimize"), target, word("--vacuum")]);
    }
    for target in &targets {
        assert!(target.is_file(), "the file has the name that was given");
    }
    for (number, target) in given.iter().enumerate() {
        let listed = message(&run(&[&[word("backups"), target, word("--check")], &place[..]].concat()), "backups");
        assert!(listed["target"].as_str().unwrap().ends_with(shown[number]), "{listed}");
        assert_eq!(listed["backups"].as_array().unwrap().len(), 2);
        let others = listed["others"].as_array().unwrap();
        assert!(others.len() == 1 && others[0]["target"].as_str().unwrap().ends_with(shown[1 - number]), "{listed}");
        let manifest = &listed["backups"][0]["manifest"];
        let bytes: String = targets[number].canonicalize().unwrap().as_os_str().as_bytes().iter().map(hex).collect();
        assert_eq!(manifest["target_bytes"], bytes.as_str());
        let restored = message(&run(&[&[word("rollback"), target], &place[..]].concat()), "restored");
        assert!(restored["target"].as_str().unwrap().ends_with(shown[number]), "{restored}");
        let prune = [&[word("backups"), word("prune"), target, word("--keep"), word("1")], &place[..]].concat();
        let pruned = message(&run(&prune), "pruned");
        assert_eq!(pruned["kept"].as_array().unwrap().len(), 1, "{pruned}");
        assert!(pruned["of_other_targets"].as_u64().unwrap() > 0, "{pruned}");
    }
    let mut names: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    let mut expected = vec![backups, targets[0].clone(), targets[1].clone()];
    expected.sort();
    assert_eq!(names, expected);
}

fn hex(byte: &u8) -> String {
    format!("{byte:02x}")
}

#[test]
fn schemas_and_generated_rows_go_into_a_file_of_such_a_name() {
    let root = tempfile::tempdir().unwrap();
    let (file, migrations) = (odd(root.path(), b"na\xffme.db"), odd(root.path(), b"migra\xfftions"));
    run(&[word("schema"), word("new"), word("initial"), migrations.as_os_str()]);
    let up = migrations.join("0001_initial.up.sql");
    fs::write(&up, "CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT NOT NULL);").unwrap();
    fs::write(migrations.join("0001_initial.down.sql"), "-- whimbrel: lossy\nDROP TABLE t;").unwrap();
    for verb in ["up", "status", "validate"] {
        run(&[word("schema"), word(verb), file.as_os_str(), migrations.as_os_str()]);
    }
    run(&[word("generate"), file.as_os_str(), word("--rows"), word("7")]);
    let connection = Connection::open(&file).unwrap();
    let rows: i64 = connection.query_row("SELECT count(*) FROM t", [], |row| row.get(0)).unwrap();
    assert_eq!(rows, 7);
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), 2, "the file, the folder, and nothing of another name");
}

#[test]
fn a_project_in_a_folder_of_such_a_name_is_found() {
    let root = tempfile::tempdir().unwrap();
    let folder = odd(root.path(), b"pro\xffject");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("project.toml"), "[target]\npath = 'app.db'\n").unwrap();
    Connection::open(folder.join("app.db")).unwrap().execute_batch("CREATE TABLE t (a)").unwrap();
    let listed = message(&run(&[word("backups"), folder.as_os_str()]), "backups");
    assert!(listed["target"].as_str().unwrap().ends_with("pro\\xffject/app.db"), "{listed}");
    run(&[word("check"), folder.as_os_str()]);
}
