//! The program with a fault at one of its calls: `faults.c`, compiled and loaded before the C library.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// A run that takes longer hangs. The machine may be busy, and the program itself waits for at most ten seconds.
const PATIENCE: Duration = Duration::from_secs(90);

/// What happens at a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It fails with EIO.
    Eio,
    /// It fails with ENOSPC.
    Enospc,
    /// Half is written, and there is no room for the rest.
    Short,
    /// From here on nothing can grow.
    Full,
    /// From here on everything fails with EIO, reads too.
    Dead,
    /// Reading fails with EIO.
    Unreadable,
    /// SIGKILL before the call.
    KillBefore,
    /// SIGKILL after it.
    KillAfter,
}

impl Fault {
    pub const ALL: [Fault; 8] = [
        Fault::Eio,
        Fault::Enospc,
        Fault::Short,
        Fault::Full,
        Fault::Dead,
        Fault::Unreadable,
        Fault::KillBefore,
        Fault::KillAfter,
    ];

    /// Its word in the table, and in the command that repeats it.
    pub fn name(self) -> &'static str {
        match self {
            Fault::Unreadable => "unreadable",
            _ => self.variable(),
        }
    }

    fn variable(self) -> &'static str {
        match self {
            Fault::Eio | Fault::Unreadable => "eio",
            Fault::Enospc => "enospc",
            Fault::Short => "short",
            Fault::Full => "full",
            Fault::Dead => "dead",
            Fault::KillBefore => "kill-before",
            Fault::KillAfter => "kill-after",
        }
    }

    /// Which calls are its place.
    pub fn calls(self) -> Calls {
        match self {
            Fault::Unreadable => Calls::Reads,
            Fault::Short => Calls::Writes,
            _ => Calls::Changes,
        }
    }

    pub fn kills(self) -> bool {
        matches!(self, Fault::KillBefore | Fault::KillAfter)
    }

    /// Whether what a run does to clean up after itself fails, too.
    pub fn lasts(self) -> bool {
        matches!(self, Fault::Full | Fault::Dead)
    }
}

/// Which calls are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Calls {
    Changes,
    Writes,
    Reads,
}

impl Calls {
    pub const ALL: [Calls; 3] = [Calls::Changes, Calls::Writes, Calls::Reads];

    fn variable(self) -> &'static str {
        match self {
            Calls::Changes => "changes",
            Calls::Writes => "writes",
            Calls::Reads => "reads",
        }
    }
}

/// How a run came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    Code(i32),
    Signal(i32),
    Hung,
}

/// A run that is over.
pub struct Ended {
    pub exit: Exit,
    pub stdout: String,
    pub stderr: String,
    /// The lines of `faults.c`: `hit` and the call's number, name and path; `call` where all are counted; `unsynced`.
    pub notes: Vec<String>,
}

impl Ended {
    /// The call at which the fault was.
    pub fn hit(&self) -> Option<&str> {
        self.notes.iter().find_map(|line| line.strip_prefix("hit "))
    }
}

/// The library, compiled once per process.
fn library() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("torture-{}.so", std::process::id()));
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/hostile/torture/faults.c");
        let compiler = std::env::var_os("CC").unwrap_or_else(|| "cc".into());
        let mut command = Command::new(compiler);
        command.args(["-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o"]).arg(&path).arg(source);
        let status = command.args(["-ldl", "-lpthread"]).status().expect("a C compiler, as for the bundled SQLite");
        assert!(status.success(), "{source} cannot be compiled");
        path
    })
}

/// Removes the library; the process is about to end.
pub fn remove_library() {
    let _ = fs::remove_file(library());
}

/// Runs `command` with a fault at call number `at` of those that change something in `folder`.
pub fn run_with(command: &mut Command, folder: &Path, fault: Fault, at: usize) -> Ended {
    let number = at.to_string();
    let variables = [("FAULT", fault.variable()), ("AT", number.as_str()), ("COUNT", fault.calls().variable())];
    run_noting(command, folder, &variables)
}

/// The calls of a run without a fault.
pub fn count(command: &mut Command, folder: &Path, calls: Calls) -> Ended {
    run_noting(command, folder, &[("AT", "0"), ("COUNT", calls.variable())])
}

fn run_noting(command: &mut Command, folder: &Path, variables: &[(&str, &str)]) -> Ended {
    let notes = tempfile::NamedTempFile::new().unwrap();
    command.env("LD_PRELOAD", library()).env("TORTURE_FOLDER", folder).env("TORTURE_NOTES", notes.path());
    command.envs(variables.iter().map(|(name, value)| (format!("TORTURE_{name}"), value)));
    let mut ended = run(command);
    ended.notes = fs::read_to_string(notes.path()).unwrap().lines().map(str::to_owned).collect();
    ended
}

/// Runs `command` to its end, or until it is clear that it has none.
pub fn run(command: &mut Command) -> Ended {
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program");
    let begun = Instant::now();
    let mut hung = false;
    // What it says fits into the pipes.
    while child.try_wait().unwrap().is_none() {
        std::thread::sleep(Duration::from_millis(2));
        if begun.elapsed() > PATIENCE {
            hung = true;
            child.kill().unwrap();
        }
    }
    let output = child.wait_with_output().unwrap();
    let exit = match (hung, output.status.code(), output.status.signal()) {
        (true, _, _) => Exit::Hung,
        (_, Some(code), _) => Exit::Code(code),
        (_, _, signal) => Exit::Signal(signal.unwrap_or_default()),
    };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ended { exit, stdout: text(&output.stdout), stderr: text(&output.stderr), notes: Vec::new() }
}
