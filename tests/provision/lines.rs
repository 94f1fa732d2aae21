//! A machine without Docker, one without server binaries, and one with neither: each says in one line what it used, or
//! what it needs. The machine's parts are hidden from a child process: the engine by `DOCKER_HOST`, the binaries by an
//! empty file system over their place, which takes root.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use whimbrel::provision::shared;

use super::answers;
use super::support::{entries, runner, soon, tell, temporary};

/// Says what a test run on this machine would use.
#[test]
#[ignore = "run as a process of its own, with parts of the machine hidden"]
fn used() {
    match shared() {
        Ok(server) => tell(&["used", server.footing().name()]),
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "whimbrel: {error}; {}", error.way_out().unwrap_or_default());
            tell(&["used", "nothing"]);
        }
    }
}

/// What the process said on standard error, and which footing it used.
fn say(without_docker: bool, without_binaries: bool, programs: Option<&Path>) -> (String, String) {
    let temporary = temporary();
    let hide = "if [ -d /usr/lib/postgresql ]; then mount -t tmpfs none /usr/lib/postgresql || exit; fi\n";
    let script =
        format!("{}{{ test lines::used; status=$?; exit $status; }}", if without_binaries { hide } else { "" });
    let mut command = runner(&script, temporary.path());
    if without_binaries {
        let inner = command;
        command = Command::new("unshare");
        command.args(["--mount", "--propagation", "private"]).arg(inner.get_program()).args(inner.get_args());
        command.env("TMPDIR", temporary.path()).env_remove("NEXTEST_RUN_ID");
    }
    command.env_remove("WHIMBREL_POSTGRES").env_remove("WHIMBREL_PROVISION").env_remove("CI").stdin(Stdio::null());
    if without_docker {
        command.env("DOCKER_HOST", "unix:///nowhere/docker.sock");
    }
    if let Some(programs) = programs {
        command.env("PATH", programs);
    }
    let output = command.output().expect("it runs");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let told: Vec<&str> = err.lines().filter(|line| line.starts_with("whimbrel: ")).collect();
    assert_eq!(told.len(), 1, "one line, and not\n{out}\n{err}");
    let used = out.lines().find_map(|line| line.split_once("used\t")).map(|(_, used)| used.to_owned());
    soon("nothing is left", || entries(temporary.path()).is_empty());
    let _ = writeln!(std::io::stderr(), "{}", told[0]);
    (told[0].to_owned(), used.unwrap_or_else(|| panic!("{out}\n{err}")))
}

fn has_binaries() -> bool {
    Path::new("/usr/lib/postgresql").is_dir()
}

fn has_container() -> bool {
    let image = std::env::var("WHIMBREL_POSTGRES_IMAGE").unwrap_or_default();
    !image.is_empty() && answers(&["image", "inspect", &image])
}

/// Whether the server binaries can be hidden, and whether nothing else would be found: on PATH there are only links.
fn can_hide_binaries() -> bool {
    let script = "mount -t tmpfs none /usr/lib && true";
    let status = Command::new("unshare").args(["--mount", "sh", "-c", script]).stderr(Stdio::null()).status();
    let can = status.is_ok_and(|status| status.success());
    if !can {
        let _ = writeln!(std::io::stderr(), "NOT RUN: hiding the server binaries needs root and `unshare`");
    }
    can
}

#[test]
fn without_docker_the_server_binaries_are_used() {
    let (line, used) = say(true, false, None);
    if has_binaries() {
        assert_eq!(used, "local");
        assert!(line.contains(" from /usr/lib/postgresql/") && line.contains("private server on 127.0.0.1:"), "{line}");
    } else {
        assert!(used == "local" || line.contains("no socket at /nowhere/docker.sock"), "{line}");
    }
}

#[test]
fn without_server_binaries_a_container_is_used() {
    if !can_hide_binaries() {
        return;
    }
    let (line, used) = say(false, true, None);
    if has_container() {
        assert_eq!(used, "container");
        assert!(line.contains(" in a container of ") && line.contains("private server on 127.0.0.1:"), "{line}");
    } else {
        assert!(used == "container" || line.contains("there are no server binaries"), "{line}");
    }
}

#[test]
fn with_neither_it_says_what_is_missing_and_how_to_get_it() {
    if !can_hide_binaries() {
        return;
    }
    let (line, used) = say(true, true, None);
    assert_eq!(used, "nothing");
    for words in [
        "WHIMBREL_POSTGRES is not set",
        "no Docker engine answers (no socket at /nowhere/docker.sock)",
        "no server binaries",
        "install",
    ] {
        assert!(line.contains(words), "`{words}` is missing: {line}");
    }
}

#[test]
fn with_the_engine_but_without_a_program_for_it_the_process_removes_its_container() {
    if !has_container() || !can_hide_binaries() {
        let _ = writeln!(std::io::stderr(), "NOT RUN: it takes an engine with the image in WHIMBREL_POSTGRES_IMAGE");
        return;
    }
    let programs = tempfile::tempdir().expect("a folder");
    for program in ["sh", "mount", "unshare", "sleep", "rm", "mv"] {
        let place = ["/bin", "/usr/bin"].map(|folder| Path::new(folder).join(program));
        let place = place.iter().find(|place| place.exists()).expect("a program of every system");
        std::os::unix::fs::symlink(place, programs.path().join(program)).expect("a link");
    }
    let (line, used) = say(false, true, Some(programs.path()));
    assert_eq!(used, "container", "{line}");
    let port: u16 = line.rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port");
    soon("its container is gone", || std::net::TcpStream::connect(("127.0.0.1", port)).is_err());
}
