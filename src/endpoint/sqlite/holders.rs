//! Who else has a file open, as far as the operating system tells.
//!
//! On Linux every process' descriptors are compared with the file's device and inode. A process' arguments are never
//! shown: they may hold a password.

use std::fs;

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
}

impl Holders {
    /// Looks for processes that have the file with this device and inode open. The file itself is not opened.
    pub fn of(identity: (u64, u64)) -> Holders {
        find(identity)
    }

    /// Tells them for people, as in "process 4711 (`sqlite3`)".
    pub fn told(&self) -> String {
        let mut told: Vec<String> =
            self.known.iter().map(|holder| format!("process {} (`{}`)", holder.process_id, holder.program)).collect();
        if told.is_empty() {
            // One descriptor is that of the connection that asks.
            return match (self.own_descriptors > 1, self.incomplete) {
                (true, _) => "another connection of this process".into(),
                (false, true) => "a process that this user cannot see".into(),
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

#[cfg(target_os = "linux")]
fn find(identity: (u64, u64)) -> Holders {
    use std::os::unix::fs::MetadataExt;
    let Ok(processes) = fs::read_dir("/proc") else {
        return Holders { incomplete: true, ..Holders::default() };
    };
    let mut holders = Holders::default();
    for process in processes.flatten() {
        let Some(process_id) = process.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        let descriptors = match fs::read_dir(process.path().join("fd")) {
            Ok(descriptors) => descriptors,
            Err(error) => {
                // A process that has ended meanwhile holds nothing.
                holders.incomplete |= error.kind() == std::io::ErrorKind::PermissionDenied;
                continue;
            }
        };
        let held = descriptors.flatten().filter(|descriptor| {
            fs::metadata(descriptor.path()).is_ok_and(|metadata| (metadata.dev(), metadata.ino()) == identity)
        });
        let held = held.count();
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
fn find(_identity: (u64, u64)) -> Holders {
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
        assert_eq!(holders.known.len(), 1);
        assert_eq!(holders.told(), format!("process {} (`sleep`)", child.id()));
        assert!(Holders::of((metadata.dev(), metadata.ino())).known.is_empty());
    }
}
