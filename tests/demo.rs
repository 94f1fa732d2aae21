//! The demo from end to end, and interrupted: in both cases nothing is left behind.

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

fn start() -> (Child, Vec<String>, BufReader<std::process::ChildStdout>) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_whimbrel"))
        .arg("demo")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut reader = BufReader::new(child.stdout.take().expect("a pipe"));
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        let length = reader.read_line(&mut line).expect("UTF-8");
        if length == 0 || line.starts_with("== 2.") {
            break;
        }
        lines.push(line);
    }
    (child, lines, reader)
}

/// The temporary directory that the demo works in.
fn folder(lines: &[String]) -> PathBuf {
    let line = lines.iter().find_map(|line| line.strip_prefix("-- an older ")).expect("the demo names its target");
    let path = line.split(" is there already").next().expect("a path");
    PathBuf::from(path).parent().expect("a folder").to_owned()
}

fn rest(child: &mut Child, mut reader: impl Read) -> (Option<i32>, String, String) {
    let (mut out, mut err) = (String::new(), String::new());
    reader.read_to_string(&mut out).expect("UTF-8");
    child.stderr.take().expect("a pipe").read_to_string(&mut err).expect("UTF-8");
    (child.wait().expect("it ends").code(), out, err)
}

#[test]
fn the_demo_shows_what_it_promises_and_cleans_up() {
    let (mut child, lines, reader) = start();
    let (code, out, err) = rest(&mut child, reader);
    assert_eq!(code, Some(0), "{out}{err}");
    for words in ["the target holds what its source holds", "column `content`: source", "row [1234]:", "byte for byte"]
    {
        assert!(out.contains(words), "`{words}` is missing in\n{out}");
    }
    assert!(!folder(&lines).exists());
}

#[test]
fn an_interrupted_demo_cleans_up() {
    let (mut child, lines, reader) = start();
    let folder = folder(&lines);
    assert!(folder.exists());
    // SAFETY: the child was started above and has not been waited for, so its id is its own.
    assert_eq!(unsafe { libc::kill(child.id() as libc::pid_t, libc::SIGINT) }, 0);
    let (code, out, err) = rest(&mut child, reader);
    assert_eq!(code, Some(130), "{out}{err}");
    assert!(!folder.exists());
}
