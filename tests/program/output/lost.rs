//! A report that is lost is no success: exit code 4, on a full device, behind a reader that has gone, without a
//! descriptor; a failure keeps its code.

use super::world::{World, describe as told, program, speaks_json, verbs};
use std::fs::File;
use std::os::unix::process::CommandExt;
use std::process::{Command, Output, Stdio};

fn full() -> Stdio {
    File::options().write(true).open("/dev/full").expect("the device").into()
}

fn code(output: &Output) -> i32 {
    output.status.code().expect("the program ends by itself")
}

fn assert_lost(output: &Output) {
    assert_eq!(code(output), 4, "{}", told(output));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("write to standard output"), "{said}");
    assert!(!said.contains("panicked") && !said.contains("fault"), "{said}");
}

#[test]
fn every_verb_notices_that_its_report_is_lost() {
    let world = World::new("");
    for verb in verbs() {
        let words = world.words(&verb);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        assert_lost(&world.command(&words).stdout(full()).output().unwrap());
        if speaks_json(&verb) {
            let words = [world.words(&verb), vec!["--json".to_owned()]].concat();
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            assert_lost(&world.command(&words).stdout(full()).output().unwrap());
        }
    }
}

#[test]
fn the_job_is_done_all_the_same() {
    let world = World::new("");
    let repeats = "hint: run it again with somewhere to write to";
    let keeps = "hint: the job itself is done; do not repeat it for its report alone";
    let target = world.fresh("lost.db");
    let (url, path) = (world.database.url(), world.text(&target));
    let cases: [(&[&str], &str); 7] = [
        (&["migrate", &url, &path, "--dry-run"], repeats),
        (&["migrate", &url, &path], keeps),
        (&["plan", &url], repeats),
        (&["verify", &url, &path], repeats),
        (&["backups", &path], repeats),
        (&["backups", "prune", &path, "--keep", "9"], keeps),
        (&["--help"], repeats),
    ];
    for (words, hint) in cases {
        let output = world.command(words).stdout(full()).output().unwrap();
        assert_lost(&output);
        assert!(String::from_utf8_lossy(&output.stderr).contains(hint), "{words:?}: {}", told(&output));
    }
    let verified = world.run(&["verify", &url, &path]);
    assert_eq!(code(&verified), 0, "{}", told(&verified));
}

/// A reader that takes nothing holds nobody up who asks for a stop.
#[cfg(target_os = "linux")]
#[test]
fn a_stop_is_noticed_while_nobody_reads() {
    use std::io::Write;
    use std::os::fd::AsRawFd;
    use std::time::{Duration, Instant};
    let folder = tempfile::tempdir().unwrap();
    let sound = folder.path().join("sound.db");
    rusqlite::Connection::open(&sound).unwrap().execute_batch("CREATE TABLE a (b)").unwrap();
    for errors_too in [false, true] {
        let (_reader, mut writer) = std::io::pipe().unwrap();
        // SAFETY: the descriptor is open, and the flag is one of its own.
        let set = |flags: libc::c_int| assert_eq!(unsafe { libc::fcntl(writer.as_raw_fd(), libc::F_SETFL, flags) }, 0);
        set(libc::O_NONBLOCK);
        while (&writer).write(&[b'x'; 4096]).is_ok() {}
        set(0);
        writer.flush().unwrap();
        let mut command = program();
        command.arg("check").arg(&sound).stdout(writer.try_clone().unwrap());
        if errors_too {
            command.stderr(writer);
        } else {
            command.stderr(Stdio::null());
        }
        let mut child = command.spawn().unwrap();
        let status = format!("/proc/{}/status", child.id());
        let catches = || {
            let status = std::fs::read_to_string(&status).unwrap();
            let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap().trim().to_owned();
            u64::from_str_radix(&caught, 16).unwrap() & 1 << (libc::SIGTERM - 1) != 0
        };
        let begun = Instant::now();
        while !catches() && begun.elapsed() < Duration::from_secs(60) {
            std::thread::sleep(Duration::from_millis(10));
        }
        std::thread::sleep(Duration::from_secs(1));
        assert!(child.try_wait().unwrap().is_none(), "it waits for its reader");
        // SAFETY: a signal to a child that has not been waited for.
        assert_eq!(unsafe { libc::kill(child.id() as libc::pid_t, libc::SIGTERM) }, 0);
        let begun = Instant::now();
        let ended = loop {
            match child.try_wait().unwrap() {
                Some(ended) => break ended,
                None if begun.elapsed() > Duration::from_secs(30) => {
                    child.kill().unwrap();
                    panic!("it waits for its reader still");
                }
                None => std::thread::sleep(Duration::from_millis(10)),
            }
        };
        assert_eq!(ended.code(), Some(130), "standard error too: {errors_too}");
    }
}

/// What is done to a command's standard output.
type Redirect = Box<dyn Fn(&mut Command)>;

/// Each way in which standard output can take nothing.
fn ways() -> Vec<(&'static str, Redirect)> {
    vec![
        ("a full device", Box::new(|command| _ = command.stdout(full()))),
        (
            "a reader that has gone",
            Box::new(|command| {
                let (reader, writer) = std::io::pipe().unwrap();
                drop(reader);
                command.stdout(writer);
            }),
        ),
        (
            "a closed descriptor",
            Box::new(|command| {
                // SAFETY: between fork and exec only a system call is made.
                unsafe {
                    command.pre_exec(|| match libc::close(libc::STDOUT_FILENO) {
                        0 => Ok(()),
                        _ => Err(std::io::Error::last_os_error()),
                    })
                };
            }),
        ),
        ("a descriptor for reading", Box::new(|command| _ = command.stdout(File::open("/dev/null").unwrap()))),
    ]
}

#[test]
fn every_way_to_lose_it_counts_and_a_failure_keeps_its_code() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let sound = path("sound.db");
    rusqlite::Connection::open(&sound).unwrap().execute_batch("CREATE TABLE a (b)").unwrap();
    std::fs::create_dir(path("checks")).unwrap();
    std::fs::write(path("checks/a.sql"), "SELECT 1").unwrap();
    let cases: &[(i32, &[&str])] = &[
        (4, &["check", &sound]),
        (4, &["check", &sound, "--json"]),
        (4, &["--help"]),
        (4, &["--version"]),
        (4, &["check", "--help"]),
        (4, &["help", "check"]),
        (1, &["check", &sound, "--checks", &path("checks")]),
        (1, &["check", &sound, "--checks", &path("checks"), "--json"]),
        (2, &["check", "--nonsense", "--json"]),
        (3, &["check", &path("missing.db"), "--json"]),
        // Nothing is printed, so nothing is lost.
        (0, &["check", &sound, "--quiet"]),
        (2, &["check", "--nonsense"]),
        (3, &["check", &path("missing.db")]),
    ];
    for (way, lose) in ways() {
        for (expected, words) in cases {
            let mut command = program();
            command.args(*words).stdout(Stdio::null()).stderr(Stdio::piped());
            lose(&mut command);
            let output = command.spawn().unwrap().wait_with_output().unwrap();
            assert_eq!(code(&output), *expected, "{way}, {words:?}: {}", told(&output));
            let said = String::from_utf8_lossy(&output.stderr);
            let is_lost = *expected == 4 || *expected == 1 || words.contains(&"--json");
            assert_eq!(said.contains("write to standard output"), is_lost, "{way}, {words:?}: {said}");
            // Standard error changes no code.
            let mut command = program();
            command.args(*words);
            lose(&mut command);
            let status = command.stderr(full()).status().unwrap();
            assert_eq!(status.code(), Some(*expected), "{way}, {words:?}");
        }
    }
    // Somebody who wants to see nothing has lost nothing, and a terminal that is no longer there is not asked for.
    let output = program().args(["check", &sound]).stdout(Stdio::null()).output().unwrap();
    assert_eq!(code(&output), 0, "{}", told(&output));
    let status = program().args(["check", &sound]).stdout(Stdio::null()).stderr(full()).status().unwrap();
    assert_eq!(status.code(), Some(0));
}
