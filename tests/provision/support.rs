//! Runs of tests in small: a runner of its own, some processes of this test binary under it, and a directory for
//! temporary files in which everything that they leave can be seen.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use whimbrel::provision::Footing;

/// Long enough for a container engine under load.
pub const LIMIT: Duration = Duration::from_secs(90);

/// What each process is told to do, in this variable.
pub const TASK: &str = "WHIMBREL_TEST_TASK";

/// A directory for temporary files that every user may write to: as root, the server is another user's.
pub fn temporary() -> tempfile::TempDir {
    let directory = tempfile::Builder::new().prefix("whimbrel-test-").tempdir_in("/tmp").expect("a directory");
    std::fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(0o1777)).expect("open to every user");
    directory
}

/// The shell's words for a process of this test binary that runs one test. No function of the shell: in the background
/// that would put another process between the runner and the test.
pub fn process(test: &str) -> String {
    format!("\"$0\" --exact {test} --ignored --nocapture --test-threads=1")
}

/// A shell that runs `script`, the runner of a run. Its processes are in a process group of their own and know nothing
/// of the run that this test belongs to.
pub fn runner(script: &str, temporary: &Path) -> Command {
    let mut command = Command::new("sh");
    // The last command takes the shell's place, so there is another one.
    command.args(["-c", &format!("{script}\nexit $?")]).arg(std::env::current_exe().expect("this program"));
    command.env("TMPDIR", temporary).env_remove("NEXTEST_RUN_ID").process_group(0).stdin(Stdio::null());
    command
}

/// The footings of this machine on which a private server can be started.
pub fn private_footings() -> impl Iterator<Item = Footing> {
    [Footing::Local, Footing::Container].into_iter().filter(|footing| super::start_if_available(*footing).is_some())
}

/// A runner under way, and what its processes tell.
pub struct Run {
    pub child: Child,
    lines: std::sync::mpsc::Receiver<String>,
    told: Vec<String>,
}

impl Run {
    pub fn start(mut command: Command) -> Run {
        let mut child = command.stdout(Stdio::piped()).spawn().expect("a runner");
        let output = BufReader::new(child.stdout.take().expect("its output"));
        let (sender, lines) = std::sync::mpsc::channel();
        std::thread::spawn(move || output.lines().map_while(Result::ok).all(|line| sender.send(line).is_ok()));
        Run { child, lines, told: Vec::new() }
    }

    /// The next line that a process tells with `tell`, without the word before it.
    pub fn line(&mut self, word: &str) -> Vec<String> {
        let deadline = Instant::now() + LIMIT;
        while let Ok(line) = self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            if let Some((_, rest)) = line.split_once(&format!("{word}\t")) {
                return rest.split('\t').map(str::to_owned).collect();
            }
            self.told.push(line);
        }
        panic!("no `{word}` in time, but:\n{}", self.told.join("\n"));
    }

    /// Ends the runner and everything in its process group at once, and waits for the runner.
    pub fn kill(&mut self) {
        assert!(signal(-i64::from(self.child.id()), libc::SIGKILL), "the runner is there to be killed");
        self.child.wait().expect("the runner ends");
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            self.kill();
        }
    }
}

/// Tells the test that started this process something.
pub fn tell(fields: &[&str]) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", fields.join("\t")).and_then(|()| out.flush()).expect("told");
}

/// A signal for a process, or for the process group of a negative number; whether there was one. The `kill` command is
/// not on every machine.
pub fn signal(target: i64, signal: libc::c_int) -> bool {
    let target = libc::pid_t::try_from(target).expect("the number of a process");
    // SAFETY: kill takes plain numbers.
    unsafe { libc::kill(target, signal) == 0 }
}

/// SIGKILL for a process that told its number.
pub fn kill(process: &str) {
    assert!(signal(process.parse().expect("a number"), libc::SIGKILL), "{process} is there to be killed");
}

/// The processes that a process started and that look after its server: supervisor and keeper.
pub fn guardians(parent: &str) -> Vec<String> {
    let mut found = Vec::new();
    if Path::new("/proc/self/stat").exists() {
        for entry in std::fs::read_dir("/proc").expect("processes").flatten() {
            let stat = std::fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
            let command = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
            let is_child = stat.rsplit(") ").next().and_then(|rest| rest.split(' ').nth(1)) == Some(parent);
            if is_child && String::from_utf8_lossy(&command).contains("\0whimbrel-") {
                found.push(entry.file_name().to_string_lossy().into_owned());
            }
        }
        return found;
    }
    let output = Command::new("ps").args(["-A", "-o", "pid=", "-o", "ppid=", "-o", "args="]).output().expect("ps runs");
    for line in String::from_utf8_lossy(&output.stdout).lines().filter(|line| line.contains(" whimbrel-")) {
        let words: Vec<&str> = line.split_whitespace().collect();
        if words.get(1) == Some(&parent) {
            found.push(words[0].to_owned());
        }
    }
    found
}

pub fn entries(directory: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(directory).expect("a directory").flatten().map(|entry| entry.path()).collect()
}

/// Waits until something holds.
pub fn soon(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + LIMIT;
    while !holds() {
        assert!(Instant::now() < deadline, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
