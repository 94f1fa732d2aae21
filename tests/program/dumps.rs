//! Dumps on the command line, with no server at all: planned, migrated from a path and through a pipe, verified against files and
//! against each other, rolled back.

use crate::support::memory;
use crate::support::program::describe;
use rusqlite::Connection;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// The dump that the program carries.
fn carried() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/demo/dump.sql.gz")
}

/// Runs the program where no server can be found.
fn run(words: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_whimbrel"))
        .args(words)
        .env("PATH", "")
        .env_remove("WHIMBREL_POSTGRES")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let (mut stdin, input) = (child.stdin.take().expect("a pipe"), input.to_vec());
    // Who does not read it to its end breaks the pipe.
    let writer = std::thread::spawn(move || _ = stdin.write_all(&input));
    let output = child.wait_with_output().expect("the program ends");
    writer.join().expect("the writer ends");
    output
}

fn ends_with(code: i32, words: &[&str]) -> String {
    let output = run(words, b"");
    assert_eq!(output.status.code(), Some(code), "{words:?}: {}", describe(&output));
    describe(&output)
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

/// The carried dump's text.
fn script() -> String {
    let mut script = String::new();
    let packed = std::fs::File::open(carried()).expect("the dump");
    flate2::read::GzDecoder::new(packed).read_to_string(&mut script).expect("UTF-8");
    script
}

#[test]
fn a_dump_does_the_whole_job_without_a_server() {
    let folder = memory::tempdir().expect("a directory");
    let (dump, file, other) = (carried(), folder.path().join("app.db"), folder.path().join("other.sql"));
    let (dump, file, other) = (text(&dump), text(&file), text(&other));
    Connection::open(file)
        .expect("a file")
        .execute_batch("CREATE TABLE old (a); INSERT INTO old VALUES (7)")
        .expect("a row");

    // One pass over the definitions, which counts the rows on its way.
    let plan = ends_with(0, &["plan", dump, "--json"]);
    assert!(plan.contains(r#""source":"public.messages""#), "{plan}");
    assert!(plan.contains(r#""rows_expected":3003"#) && plan.contains(r#""rows_expected":600"#), "{plan}");

    let said = ends_with(0, &["migrate", dump, file]);
    assert!(said.contains("6,530 rows in 6 tables"), "{said}");
    assert!(ends_with(0, &["verify", dump, file]).contains("the target holds what its source holds"));
    ends_with(0, &["verify", dump, dump]);

    // One value of one row is another.
    let changed = script().replacen("\t2025-06-02 09:14:58.001234+00", "\t2025-06-02 09:14:58.001235+00", 1);
    assert_ne!(changed, script());
    std::fs::write(other, changed).expect("a dump");
    for words in [["verify", other, file], ["verify", dump, other], ["verify", other, dump]] {
        let said = ends_with(1, &words);
        assert!(said.contains("row [1234]:") && said.contains("column `sent_at`"), "{said}");
    }

    ends_with(0, &["rollback", file]);
    let old: i64 =
        Connection::open(file).expect("a file").query_row("SELECT a FROM old", [], |row| row.get(0)).expect("a row");
    assert_eq!(old, 7);
}

#[test]
fn a_dump_comes_through_a_pipe_in_every_form() {
    let folder = memory::tempdir().expect("a directory");
    let packed = std::fs::read(carried()).expect("the dump");
    let dump = carried();
    for (name, input) in [("packed", packed.as_slice()), ("plain", script().as_bytes())] {
        let file = folder.path().join(name);
        let output = run(&["migrate", "-", text(&file)], input);
        assert_eq!(output.status.code(), Some(0), "{name}: {}", describe(&output));
        ends_with(0, &["verify", text(&dump), text(&file)]);
        let cut = run(&["migrate", "-", text(&folder.path().join("none"))], &input[..input.len() / 2]);
        assert_eq!(cut.status.code(), Some(3), "{name}: {}", describe(&cut));
        assert!(!folder.path().join("none").exists());
    }
    // An archive is read as it comes.
    let archive = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus/dump_archives/small.dump");
    let bytes = std::fs::read(&archive).expect("the archive");
    let file = folder.path().join("archive");
    let output = run(&["migrate", "-", text(&file)], &bytes);
    assert_eq!(output.status.code(), Some(0), "{}", describe(&output));
    ends_with(0, &["verify", text(&archive), text(&file)]);
    let cut = run(&["migrate", "-", text(&folder.path().join("none"))], &bytes[..bytes.len() - 20]);
    assert_eq!(cut.status.code(), Some(3), "{}", describe(&cut));
    assert!(!folder.path().join("none").exists());
}

#[test]
fn a_project_and_its_rules_hold_for_a_dump() {
    let folder = memory::tempdir().expect("a directory");
    let project = folder.path().join("project");
    std::fs::create_dir(&project).expect("a folder");
    std::fs::write(
        project.join("project.toml"),
        "name = \"app\"\n[tables]\nexclude = [\"messages\"]\n[rules.columns]\n\"orders.total\" = \"decimal-text\"\n",
    )
    .expect("a project");
    let (dump, file) = (carried(), folder.path().join("app.db"));
    let said = ends_with(0, &["migrate", text(&project), text(&dump), text(&file)]);
    assert!(said.contains("public.messages"), "{said}");
    let file = Connection::open(file).expect("a file");
    let count = |sql: &str| file.query_row(sql, [], |row| row.get::<_, i64>(0)).expect(sql);
    assert_eq!(count("SELECT count(*) FROM sqlite_schema WHERE name = 'messages'"), 0);
    assert_eq!(count("SELECT count(*) FROM orders WHERE typeof(total) <> 'text'"), 0);
}
