//! Who made something, in words that another process can check later: a process by its number and the moment at which
//! it started (numbers are used again), on a machine by its name, its boot and its space of process numbers.
//!
//! Invariant: what cannot be told for sure counts as alive. `process.sh` says the same in the supervisors' language.

use std::fmt;
use std::path::Path;
use std::process::Command;

/// One process for all time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Process {
    pub(super) id: u32,
    /// Linux: clock ticks since the machine's boot; elsewhere `ps`'s date with underscores.
    pub(super) started: String,
}

impl Process {
    /// The process of that number, unless there is none or only its exit code is left.
    pub(super) fn of(id: u32) -> Option<Process> {
        let started = if has_proc() {
            let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
            let fields: Vec<&str> = stat.rsplit_once(") ")?.1.split_whitespace().collect();
            let alive = !matches!(fields.first().copied(), Some("Z" | "X"));
            fields.get(19).filter(|_| alive)?.to_string()
        } else {
            let told = ps(id, &["stat=", "lstart="])?;
            let (state, date) = told.split_once(char::is_whitespace)?;
            Some(date.split_whitespace().collect::<Vec<_>>().join("_")).filter(|_| !state.starts_with('Z'))?
        };
        Some(Process { id, started })
    }

    /// The process that started this one and waits for it, as a rule.
    pub(super) fn parent() -> Option<Process> {
        Process::of(std::os::unix::process::parent_id())
    }

    pub(super) fn is_alive(&self) -> bool {
        Process::of(self.id).is_some_and(|now| now == *self)
    }

    /// The name of its program, such as `cargo`, without a folder.
    pub(super) fn program(&self) -> String {
        let name = if has_proc() {
            std::fs::read_to_string(format!("/proc/{}/comm", self.id)).ok()
        } else {
            ps(self.id, &["comm="])
        };
        let name = name.unwrap_or_default();
        name.trim().rsplit('/').next().unwrap_or_default().to_owned()
    }
}

impl fmt::Display for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.id, self.started)
    }
}

/// The user and the arguments of a process, separated by blanks.
pub(super) fn user_and_command(id: u32) -> Option<(u32, String)> {
    if has_proc() {
        use std::os::unix::fs::MetadataExt;
        let user = std::fs::metadata(format!("/proc/{id}")).ok()?.uid();
        let command = std::fs::read(format!("/proc/{id}/cmdline")).ok()?;
        return Some((user, String::from_utf8_lossy(&command).replace('\0', " ")));
    }
    let told = ps(id, &["uid=", "command="])?;
    let (user, command) = told.trim().split_once(char::is_whitespace)?;
    Some((user.parse().ok()?, command.to_owned()))
}

fn has_proc() -> bool {
    Path::new("/proc/self/stat").exists()
}

fn ps(id: u32, columns: &[&str]) -> Option<String> {
    let mut command = Command::new("ps");
    command.env("TZ", "UTC0").env("LC_ALL", "C").args(["-p", &id.to_string()]);
    columns.iter().for_each(|column| _ = command.args(["-o", column]));
    let output = command.output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// This machine: name, boot and space of process numbers, joined by `/`; a part that is not known is empty.
pub(super) fn machine() -> String {
    let read = |path: &str| std::fs::read_to_string(path).ok().map(|text| text.trim().to_owned());
    let told = |program: &str, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).output().ok()?;
        Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let name = read("/proc/sys/kernel/hostname").or_else(|| told("uname", &["-n"])).unwrap_or_default();
    let boot = read("/proc/sys/kernel/random/boot_id").or_else(|| told("sysctl", &["-n", "kern.bootsessionuuid"]));
    let space = std::fs::read_link("/proc/self/ns/pid").ok().map(|link| link.display().to_string());
    let digits = |text: String| text.chars().filter(char::is_ascii_digit).collect::<String>();
    let parts = [name, boot.unwrap_or_default(), space.map(digits).unwrap_or_default()];
    parts.map(|part| part.replace(|c: char| c == '/' || c.is_whitespace(), "-")).join("/")
}

/// The process that has to remove something, and the machine that it runs on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Owner {
    pub(super) process: Process,
    pub(super) machine: String,
}

impl Owner {
    /// A process of this machine.
    pub(super) fn here(process: Process) -> Owner {
        Owner { process, machine: machine() }
    }

    /// This process.
    pub(super) fn this() -> Option<Owner> {
        Process::of(std::process::id()).map(Owner::here)
    }

    pub(super) fn parse(text: &str) -> Option<Owner> {
        let mut words = text.split_whitespace();
        let mut word = || words.next().map(str::to_owned);
        let id = word()?.parse().ok()?;
        Some(Owner { process: Process { id, started: word()? }, machine: word()? })
    }

    /// Whether the process is certainly no more: it ran here, and does not run now.
    pub(super) fn is_gone(&self) -> bool {
        self.machine == machine() && !self.process.is_alive()
    }

    /// The same for something that only this machine can have made: another boot of it ended every process.
    pub(super) fn is_gone_from_this_disk(&self) -> bool {
        let parts = |machine: &str| machine.split('/').map(str::to_owned).collect::<Vec<_>>();
        let (own, here) = (parts(&self.machine), parts(&machine()));
        let rebooted = own.first() == here.first() && own.get(1) != here.get(1);
        self.is_gone() || rebooted
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.process, self.machine)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_alive_until_it_ends_and_a_number_used_again_is_another_process() {
        let mut child = Command::new("sleep").arg("60").spawn().expect("a child");
        let process = Process::of(child.id()).expect("it runs");
        assert!(process.is_alive());
        assert!(!Process { started: "1".to_owned(), ..process.clone() }.is_alive());
        child.kill().expect("killed");
        // Its exit code is still to be had; the process is gone.
        while process.is_alive() {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        child.wait().expect("its end");
        assert!(!process.is_alive());
    }

    #[test]
    fn the_shell_tells_the_same_moment() {
        let script = format!("{}when_started \"$1\" && printf '%s' \"$started\"", include_str!("process.sh"));
        let this = std::process::id();
        let output = Command::new("sh").args(["-c", &script, "sh", &this.to_string()]).output().expect("a shell");
        let started = Process::of(this).expect("this process").started;
        assert_eq!(String::from_utf8_lossy(&output.stdout), started);
    }

    #[test]
    fn an_owner_reads_back_and_nobody_elsewhere_counts_as_gone() {
        let owner = Owner::this().expect("this process");
        assert_eq!(Owner::parse(&owner.to_string()), Some(owner.clone()));
        assert!(!owner.is_gone());
        let ended = Process { id: u32::MAX - 1, started: "5".to_owned() };
        assert!(Owner::here(ended.clone()).is_gone());
        assert!(!Owner { process: ended.clone(), machine: "elsewhere/1/2".to_owned() }.is_gone_from_this_disk());
        let here = machine();
        let name = here.split('/').next().expect("a name");
        let rebooted = Owner { process: ended, machine: format!("{name}/another-boot/1") };
        assert!(rebooted.is_gone_from_this_disk() && !rebooted.is_gone());
    }
}
