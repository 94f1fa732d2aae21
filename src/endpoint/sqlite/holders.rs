//! Who else has a file open, as far as the operating system tells.
//!
//! On Linux the kernel is asked first, by a lease that it grants only where the file is open once: a process of another
//! user or in another container counts, one that inherited our own descriptor does not, nor does one that has the file
//! open below an overlay. Where it does not grant one, every process' descriptors are compared with the file's device and
//! inode to say who it is. A process' arguments are never shown: they may hold a password.

use std::fs;
use std::path::Path;

/// Another process that has the file open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Its process id.
    pub process_id: u32,
    /// The name of its program, without arguments.
    pub program: String,
}

/// What could be found out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Holders {
    /// The processes found, this one left out.
    pub known: Vec<Holder>,
    /// How many descriptors of this process lead to the file.
    pub own_descriptors: usize,
    /// Some processes could not be looked into, or the system has no way to ask.
    pub incomplete: bool,
    /// The kernel knows that somebody else has the file open, and no process that could be looked into has.
    pub hidden: bool,
}

/// Which of those who have a file open are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Who {
    /// All of them.
    All,
    /// Those that may write to it.
    Writers,
}

impl Holders {
    /// Looks for processes that have the file with this device and inode open. The file itself is not opened.
    pub fn of(identity: (u64, u64)) -> Holders {
        Holders::looked_for(identity, Who::All)
    }

    /// Looks for processes that have it open for writing. The caller has it open for reading, once.
    pub fn writing(identity: (u64, u64)) -> Holders {
        Holders::looked_for(identity, Who::Writers)
    }

    fn looked_for(identity: (u64, u64), who: Who) -> Holders {
        match lease(identity, who) {
            Lease::Granted => Holders { own_descriptors: 1, ..Holders::default() },
            Lease::Unknown => find(identity, who),
            Lease::Refused => {
                let found = find(identity, who);
                Holders { hidden: found.known.is_empty(), ..found }
            }
        }
    }

    /// Whether somebody else has the file open.
    pub fn any(&self) -> bool {
        self.hidden || !self.known.is_empty()
    }

    /// Tells them for people, as in "process 4711 (`sqlite3`)".
    pub fn sentence(&self) -> String {
        let mut told: Vec<String> =
            self.known.iter().map(|holder| format!("process {} (`{}`)", holder.process_id, holder.program)).collect();
        if told.is_empty() {
            // One descriptor is that of the connection that asks.
            return match (self.own_descriptors > 1, self.incomplete || self.hidden) {
                (true, _) => "another connection of this process".into(),
                (false, true) => "a process that this user cannot see, or that has just let go".into(),
                (false, false) => "a process that has just let go".into(),
            };
        }
        const SHOWN_MAX: usize = 5;
        if told.len() > SHOWN_MAX {
            let more = told.len() - SHOWN_MAX;
            told.truncate(SHOWN_MAX);
            told.push(format!("{more} more"));
        }
        told.join(", ")
    }
}

/// The command of `fcntl` that chooses the signal of a lease, from Linux' `asm-generic/fcntl.h`; libc does not have it.
#[cfg(target_os = "linux")]
const F_SETSIG: libc::c_int = 10;

/// What the kernel says to a lease on a file that this process has open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lease {
    /// Nobody else has it open.
    Granted,
    /// Somebody else has.
    Refused,
    /// It cannot be asked: not by this user, not on this file system, or not with several descriptors of our own.
    Unknown,
}

/// Asks for a lease and gives it back at once: one for writing is granted where nobody else has the file open, one for reading where
/// nobody has it open for writing.
#[cfg(target_os = "linux")]
fn lease(identity: (u64, u64), who: Who) -> Lease {
    let own = descriptors_of(Path::new("/proc/self/fd"), identity).unwrap_or_default();
    let [descriptor] = own[..] else { return Lease::Unknown };
    let kind = match who {
        Who::All => libc::F_WRLCK,
        Who::Writers => libc::F_RDLCK,
    };
    // SAFETY: fcntl with these commands touches no memory, and the descriptor is one of this process. If somebody opens
    // the file in the moment of the lease, the kernel lets them wait for its end and sends a signal: SIGIO would end this
    // process, SIGURG is ignored where nobody asks for it.
    unsafe {
        if libc::fcntl(descriptor, F_SETSIG, libc::SIGURG) != 0 {
            return Lease::Unknown;
        }
        let answer = match libc::fcntl(descriptor, libc::F_SETLEASE, kind) {
            0 => {
                libc::fcntl(descriptor, libc::F_SETLEASE, libc::F_UNLCK);
                Lease::Granted
            }
            _ if std::io::Error::last_os_error().raw_os_error() == Some(libc::EAGAIN) && is_local(descriptor) => {
                Lease::Refused
            }
            _ => Lease::Unknown,
        };
        libc::fcntl(descriptor, F_SETSIG, 0);
        answer
    }
}

/// Whether a refused lease means that somebody has the file open: on the kernel's own file systems it does. One that is
/// another machine's may refuse because it has been promised nothing: NFS without a delegation, SMB without an oplock.
/// The numbers are those of statfs(2).
#[cfg(target_os = "linux")]
fn is_local(descriptor: i32) -> bool {
    const LOCAL: [i64; 9] = [
        0xEF53,      // ext2, ext3, ext4
        0x5846_5342, // XFS
        0x9123_683E, // Btrfs
        0x0102_1994, // tmpfs
        0x8584_58F6, // ramfs
        0x794C_7630, // overlay
        0x2FC1_2FC1, // ZFS
        0xF2F5_2010, // F2FS
        0xCA45_1A4E, // bcachefs
    ];
    // SAFETY: every bit pattern is a `statfs`, zeros among them, and it has room for the answer.
    let mut facts: libc::statfs = unsafe { std::mem::zeroed() };
    unsafe { libc::fstatfs(descriptor, &raw mut facts) == 0 && LOCAL.contains(&(facts.f_type as i64 & 0xFFFF_FFFF)) }
}

#[cfg(not(target_os = "linux"))]
fn lease(_identity: (u64, u64), _who: Who) -> Lease {
    Lease::Unknown
}

/// The descriptors in a process' folder that lead to the file.
#[cfg(target_os = "linux")]
fn descriptors_of(folder: &Path, identity: (u64, u64)) -> std::io::Result<Vec<i32>> {
    use std::os::unix::fs::MetadataExt;
    let leads_there = |descriptor: &fs::DirEntry| {
        fs::metadata(descriptor.path()).is_ok_and(|metadata| (metadata.dev(), metadata.ino()) == identity)
    };
    let found = fs::read_dir(folder)?.flatten().filter(leads_there);
    Ok(found.filter_map(|descriptor| descriptor.file_name().to_str()?.parse().ok()).collect())
}

/// Whether a descriptor of a process may write, by its flags.
#[cfg(target_os = "linux")]
fn may_write(process: &Path, descriptor: i32) -> bool {
    let facts = fs::read_to_string(process.join(format!("fdinfo/{descriptor}"))).unwrap_or_default();
    let flags = facts.lines().find_map(|line| i32::from_str_radix(line.strip_prefix("flags:")?.trim(), 8).ok());
    flags.is_none_or(|flags| flags & libc::O_ACCMODE != libc::O_RDONLY)
}

#[cfg(target_os = "linux")]
fn find(identity: (u64, u64), who: Who) -> Holders {
    let Ok(processes) = fs::read_dir("/proc") else {
        return Holders { incomplete: true, ..Holders::default() };
    };
    let mut holders = Holders::default();
    for process in processes.flatten() {
        let Some(process_id) = process.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        let held = match descriptors_of(&process.path().join("fd"), identity) {
            Ok(mut descriptors) => {
                descriptors.retain(|one| who == Who::All || may_write(&process.path(), *one));
                descriptors.len()
            }
            Err(error) => {
                // A process that has ended meanwhile holds nothing.
                holders.incomplete |= error.kind() == std::io::ErrorKind::PermissionDenied;
                continue;
            }
        };
        if process_id == std::process::id() {
            holders.own_descriptors = held;
        } else if held > 0 {
            let program = fs::read_to_string(process.path().join("comm")).unwrap_or_default();
            holders.known.push(Holder { process_id, program: program.trim_end().to_string() });
        }
    }
    holders.known.sort_by_key(|holder| holder.process_id);
    holders
}

#[cfg(not(target_os = "linux"))]
fn find(_identity: (u64, u64), _who: Who) -> Holders {
    Holders { incomplete: true, ..Holders::default() }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn a_process_that_has_the_file_open_is_named() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("held");
        let file = fs::File::create(&path).unwrap();
        let metadata = file.metadata().unwrap();
        let mut child = std::process::Command::new("sleep").arg("60").stdin(file).spawn().unwrap();
        let holders = Holders::of((metadata.dev(), metadata.ino()));
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!((holders.known.len(), holders.any(), holders.hidden), (1, true, false));
        assert_eq!(holders.sentence(), format!("process {} (`sleep`)", child.id()));
        assert!(!Holders::of((metadata.dev(), metadata.ino())).any());
    }

    #[test]
    fn the_kernel_tells_whether_somebody_else_has_the_file_open() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("held");
        let theirs = fs::File::create(&path).unwrap();
        let metadata = theirs.metadata().unwrap();
        let identity = (metadata.dev(), metadata.ino());
        let mut child = std::process::Command::new("sleep").arg("60").stdin(theirs).spawn().unwrap();
        let ours = fs::File::options().read(true).write(true).open(&path).unwrap();
        let with_them = lease(identity, Who::All);
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(with_them, Lease::Refused);
        // Asked twice: the first one was given back.
        assert_eq!((lease(identity, Who::All), lease(identity, Who::All)), (Lease::Granted, Lease::Granted));
        let second = fs::File::open(&path).unwrap();
        assert_eq!(lease(identity, Who::All), Lease::Unknown);
        drop((ours, second));
        assert_eq!(lease(identity, Who::All), Lease::Unknown);
    }

    #[test]
    fn who_only_reads_is_no_writer() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("held");
        fs::write(&path, "a line\n").unwrap();
        let ours = fs::File::open(&path).unwrap();
        let metadata = ours.metadata().unwrap();
        let identity = (metadata.dev(), metadata.ino());
        let with = |theirs: fs::File| {
            let mut child = std::process::Command::new("sleep").arg("60").stdin(theirs).spawn().unwrap();
            let found = (Holders::of(identity), Holders::writing(identity), find(identity, Who::Writers));
            child.kill().unwrap();
            child.wait().unwrap();
            found
        };
        let (all, writing, found) = with(fs::File::open(&path).unwrap());
        assert!(all.any() && !writing.any() && !found.any());
        let (all, writing, found) = with(fs::File::options().append(true).open(&path).unwrap());
        assert!(all.any() && writing.any() && found.any());
        assert!(!Holders::writing(identity).any());
    }
}
