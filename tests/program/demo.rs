//! The demo from end to end, and interrupted: in both cases nothing is left behind.

use std::io::{BufRead, BufReader, Read};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

/// A demo that runs in a temporary directory of its own, so that everything that it leaves can be seen.
struct Demo {
    child: Child,
    reader: BufReader<ChildStdout>,
    /// What it has said so far.
    lines: Vec<String>,
    temporary: tempfile::TempDir,
}

impl Demo {
    /// Starts it and reads until a line begins like that.
    fn start(until: &str) -> Demo {
        let temporary = tempfile::tempdir().expect("a directory");
        // As root, the server is another user's.
        std::fs::set_permissions(temporary.path(), std::fs::Permissions::from_mode(0o1777)).expect("the mode");
        let mut child = Command::new(env!("CARGO_BIN_EXE_whimbrel"))
            .arg("demo")
            .env("TMPDIR", temporary.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let reader = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut demo = Demo { child, reader, lines: Vec::new(), temporary };
        loop {
            let mut line = String::new();
            if demo.reader.read_line(&mut line).expect("UTF-8") == 0 {
                break;
            }
            let found = line.starts_with(until);
            demo.lines.push(line);
            if found {
                break;
            }
        }
        demo
    }

    /// The temporary directory that the demo works in.
    fn folder(&self) -> PathBuf {
        let line =
            self.lines.iter().find_map(|line| line.strip_prefix("-- an older ")).expect("the demo names its target");
        let path = line.split(" is there already").next().expect("a path");
        PathBuf::from(path).parent().expect("a folder").to_owned()
    }

    /// The address of the private server, where the demo has started one and said so.
    fn server(&self) -> Option<String> {
        let line = self.lines.iter().find(|line| line.starts_with("-- using "))?;
        let (_, address) = line.split_once("private server on ")?;
        Some(address.split_whitespace().next().expect("an address").trim_end_matches([',', ';', '.']).to_owned())
    }

    fn interrupt(&self) {
        // SAFETY: the child was started above and has not been waited for, so its id is its own.
        assert_eq!(unsafe { libc::kill(self.child.id() as libc::pid_t, libc::SIGINT) }, 0);
    }

    fn end(&mut self) -> (Option<i32>, String, String) {
        let (mut out, mut err) = (String::new(), String::new());
        self.reader.read_to_string(&mut out).expect("UTF-8");
        self.child.stderr.take().expect("a pipe").read_to_string(&mut err).expect("UTF-8");
        (self.child.wait().expect("it ends").code(), out, err)
    }

    /// Asserts that neither a file nor a server is left.
    fn left_nothing(&self, server: Option<&str>) {
        assert_eq!(listing(self.temporary.path()), Vec::<PathBuf>::new());
        if let Some(address) = server {
            let deadline = Instant::now() + Duration::from_secs(10);
            // Docker closes a forwarded port a moment after its container is gone.
            while TcpStream::connect(address).is_ok() {
                assert!(Instant::now() < deadline, "something still listens on {address}");
                std::thread::sleep(Duration::from_millis(50));
            }
        }
    }
}

fn listing(directory: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(directory).expect("the directory").map(|entry| entry.expect("an entry").path()).collect()
}

/// The words of a line, without what is another one in each run: times, sizes of files, paths, names of backups and of the
/// server. Counts stay.
fn shape(line: &str) -> String {
    let is_count = |word: &str| word.chars().all(|c| c.is_ascii_digit() || ",:()".contains(c));
    let timed = line.starts_with("time: ");
    let words = line.split_whitespace().map(|word| {
        let varies = word.contains("whimbrel-demo-")
            || (word.contains(|c: char| c.is_ascii_digit()) && (timed || !is_count(word)));
        if varies { "#" } else { word }
    });
    words.collect::<Vec<_>>().join(" ")
}

/// Each piece of the README's transcript, between two `…`, is a piece of what the demo says, in that order.
fn is_the_transcript_of_the_readme(out: &str) {
    let readme = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).expect("a README");
    let (_, transcript) = readme.split_once("## A transcript\n").expect("a transcript");
    let transcript = transcript.split("```").nth(1).expect("a block").trim_start_matches("text\n");
    let said: Vec<String> = out.lines().map(shape).filter(|line| !line.is_empty()).collect();
    let mut rest = &said[..];
    let mut lines = 0;
    for piece in transcript.split("…\n") {
        // A blank line goes before each command and nowhere else between what belongs together.
        let piece: Vec<String> = piece.lines().map(shape).filter(|line| !line.is_empty()).collect();
        for command in piece.split_inclusive(|line| line.starts_with("(exit code") || line.starts_with("-- ")) {
            lines += command.len();
            let at = rest.windows(command.len().max(1)).position(|window| window == command);
            let at = at.unwrap_or_else(|| {
                panic!("the demo does not say\n{}\nany more; it says\n{}", command.join("\n"), rest.join("\n"))
            });
            rest = &rest[at + command.len()..];
        }
    }
    assert!(lines > 40, "the README has a transcript of {lines} lines");
}

#[test]
fn the_demo_shows_what_it_promises_and_cleans_up() {
    let mut demo = Demo::start("== 2.");
    let (folder, server) = (demo.folder(), demo.server());
    assert!(folder.starts_with(demo.temporary.path()) && folder.exists());
    if let Some(address) = &server {
        TcpStream::connect(address).expect("the server listens while the demo runs");
        let footing = demo.lines.iter().find(|line| line.starts_with("-- using ")).expect("it says what it uses");
        if !footing.contains(" container ") {
            assert_eq!(listing(demo.temporary.path()).len(), 2, "the folder and the server's directory");
        }
    }
    let (code, out, err) = demo.end();
    assert_eq!(code, Some(0), "{out}{err}");
    for words in ["the target holds what its source holds", "column `content`: source", "row [1234]:", "byte for byte"]
    {
        assert!(out.contains(words), "`{words}` is missing in\n{out}");
    }
    demo.left_nothing(server.as_deref());
}

#[test]
fn an_interrupted_demo_cleans_up() {
    // While the server starts; before the migration; while a file is verified.
    for moment in ["== 1.", "== 2.", "$ whimbrel verify "] {
        let mut demo = Demo::start(moment);
        assert!(demo.lines.last().is_some_and(|line| line.starts_with(moment)), "{:?}", demo.lines);
        let server = demo.server();
        demo.interrupt();
        let (code, out, err) = demo.end();
        assert_eq!(code, Some(130), "{moment}: {out}{err}");
        demo.left_nothing(server.as_deref());
    }
}

#[test]
fn without_a_server_the_demo_reads_the_dump_that_it_carries() {
    let folder = tempfile::tempdir().expect("a directory");
    let output = Command::new(env!("CARGO_BIN_EXE_whimbrel"))
        .args(["demo", "--no-server"])
        .env("TMPDIR", folder.path())
        // Nothing of this machine may be found.
        .env("PATH", folder.path())
        .env_remove("WHIMBREL_POSTGRES")
        .output()
        .expect("the program starts");
    let out = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{out}{}", String::from_utf8_lossy(&output.stderr));
    for words in [
        "no server, as you wish",
        "6,530 rows in 6 tables",
        "the target holds what its source holds",
        "column `content`: source",
        "row [1234]:",
        "byte for byte",
    ] {
        assert!(out.contains(words), "`{words}` is missing in\n{out}");
    }
    is_the_transcript_of_the_readme(&out);
    assert_eq!(listing(folder.path()), Vec::<PathBuf>::new());
}
