//! The process that outlives this one by exactly as long as cleaning up takes.
//!
//! A supervisor is a small `sh` that creates what has to be removed later (a data directory, a container, a list of
//! databases), and removes it when its standard input ends. Only this process holds the other end of that pipe, and
//! it is close-on-exec, so the input ends when this process drops the supervisor, panics, exits, or is killed by any
//! signal. The script starts what it owns itself, so there is no moment at which something exists that nobody
//! will remove. It runs in its own process group and ignores the signals of a terminal: Ctrl-C ends us, not it.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use super::user::User;
use crate::error::{Context, Error, Result};

/// How long dropping a supervisor waits for its clean-up, in total; the scripts themselves give up sooner.
const CLEAN_UP_LIMIT: Duration = Duration::from_secs(40);

/// A running supervisor. Dropping it orders the clean-up and waits until it is done.
#[derive(Debug)]
pub(super) struct Supervisor {
    child: Child,
    orders: Option<ChildStdin>,
    answers: Receiver<String>,
    handed_over: bool,
}

impl Supervisor {
    /// Starts `script` with `arguments`, as `user` where one is given, and hands it `secret` as its first input line.
    pub(super) fn start(script: &str, arguments: &[&str], secret: &str, user: Option<User>) -> Result<Self> {
        let mut command = Command::new("sh");
        command.args(["-c", script, "whimbrel-supervisor"]).args(arguments);
        command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        if let Some(user) = user {
            // With a user, std also empties the list of supplementary groups.
            command.uid(user.id).gid(user.group);
        }
        let mut child = command.spawn().could_not("start the supervisor", "`sh`")?;
        let orders = child.stdin.take();
        let (sender, answers) = channel();
        if let Some(output) = child.stdout.take() {
            std::thread::spawn(move || {
                for line in BufReader::new(output).lines().map_while(std::io::Result::ok) {
                    if sender.send(line).is_err() {
                        break;
                    }
                }
            });
        }
        let mut supervisor = Supervisor { child, orders, answers, handed_over: false };
        supervisor.send(secret)?;
        Ok(supervisor)
    }

    /// The number of its process.
    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The end of the pipe that keeps it waiting, for another process to hold: what it owns lives on without us.
    pub(super) fn hand_over(mut self) -> Option<ChildStdin> {
        self.handed_over = true;
        self.orders.take()
    }

    /// Hands the script one line.
    pub(super) fn send(&mut self, line: &str) -> Result<()> {
        let Some(orders) = self.orders.as_mut() else {
            return Err(Error::could_not("talk to the supervisor", "", "its input is closed"));
        };
        orders.write_all(format!("{line}\n").as_bytes()).could_not("talk to the supervisor", "")
    }

    /// The next line of the script, waiting until `deadline`.
    pub(super) fn answer(&self, deadline: Instant) -> Result<String> {
        self.answers.recv_timeout(deadline.saturating_duration_since(Instant::now())).map_err(|error| {
            let cause = match error {
                RecvTimeoutError::Timeout => "no answer in time",
                RecvTimeoutError::Disconnected => "it ended before it had started anything",
            };
            Error::could_not("hear from the supervisor", "", cause)
        })
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        drop(self.orders.take());
        if self.handed_over {
            return;
        }
        let deadline = Instant::now() + CLEAN_UP_LIMIT;
        // Polled, because std has no wait with a limit; a clean-up that hangs must not hang us. It goes on without us.
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_hears_its_secret_and_cleans_up_before_the_drop_returns() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let file = directory.path().join("cleaned");
        let script = "IFS= read -r first; echo \"heard $first $1\"; while read -r _; do :; done; sleep 0.2; : >\"$2\"";
        let path = file.to_string_lossy().into_owned();
        let supervisor = Supervisor::start(script, &["argument", &path], "secret", None).expect("a supervisor");
        let line = supervisor.answer(Instant::now() + Duration::from_secs(10)).expect("an answer");
        assert_eq!(line, "heard secret argument");
        assert!(!file.exists());
        drop(supervisor);
        assert!(file.exists());
    }

    #[test]
    fn a_silent_script_is_a_named_error_and_not_a_hang() {
        let supervisor = Supervisor::start("cat >/dev/null", &[], "", None).expect("a supervisor");
        let error = supervisor.answer(Instant::now() + Duration::from_millis(50)).expect_err("a timeout");
        assert_eq!(error.cause(), "no answer in time");
        drop(supervisor);
        let supervisor = Supervisor::start("exit 1", &[], "", None);
        // The write may already fail, or the answer does: both are told, neither blocks.
        if let Ok(supervisor) = supervisor {
            assert!(supervisor.answer(Instant::now() + Duration::from_secs(10)).is_err());
        }
    }
}
