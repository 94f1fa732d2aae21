//! Where a private server keeps its data: in memory where there is enough of it, else on a disk.
//!
//! A copy of a database is some 300 small files, made and removed with every case of a scenario: on a disk's file system
//! that is most of what a copy costs. Nothing of it has to survive the machine.

use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// The file system that is memory, on Linux.
pub(crate) const MEMORY: &str = "/dev/shm";

/// With less than this much free memory, in bytes, a server takes the disk: rows, copies and the log of a run of tests
/// with ordinary databases stay below a quarter of it.
const FREE_BYTES_MIN: u64 = 4 << 30;

/// What a server needs for itself, a few small databases and their log, in bytes.
const ROOM_BYTES_MIN: u64 = 1 << 30;

/// Where a private server keeps its data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Storage {
    /// In memory: half of what is free when the server starts has to be enough.
    Memory,
    /// On a disk: for databases that are larger than that.
    Disk,
}

impl Storage {
    /// Reads the word in `WHIMBREL_POSTGRES_STORAGE`.
    ///
    /// # Errors
    ///
    /// When it is neither `memory` nor `disk`.
    pub(super) fn parse(word: &str) -> Result<Self> {
        match word {
            "memory" => Ok(Storage::Memory),
            "disk" => Ok(Storage::Disk),
            _ => Err(Error::usage("read", "WHIMBREL_POSTGRES_STORAGE", format!("`{word}` is no storage"))
                .hint("set it to `memory` or `disk`, or unset it")),
        }
    }

    /// How much memory a container's server may take for its data, in bytes; `None` for a server on a disk. `chosen` is
    /// what somebody said; else the machine decides.
    ///
    /// # Errors
    ///
    /// When memory was chosen and nobody knows how much of it is free.
    pub(super) fn container_bytes(chosen: Option<Storage>) -> Result<Option<u64>> {
        let free = free_memory_bytes();
        match chosen {
            Some(Storage::Disk) => Ok(None),
            Some(Storage::Memory) if free == 0 => Err(not_to_be_had("this system does not tell how much is free")),
            Some(Storage::Memory) => Ok(Some(free / 2)),
            None => Ok(Some(free / 2).filter(|_| free >= FREE_BYTES_MIN)),
        }
    }

    /// The folder in which server binaries keep their data. Whoever says by `TMPDIR` where temporary files go, and
    /// nothing else, means these.
    ///
    /// # Errors
    ///
    /// When memory was chosen and has no room.
    pub(super) fn local_folder(chosen: Option<Storage>) -> Result<PathBuf> {
        let (memory, disk) = (PathBuf::from(MEMORY), std::env::temp_dir());
        let room = free_bytes(&memory);
        match chosen {
            Some(Storage::Disk) => Ok(disk),
            Some(Storage::Memory) if room < ROOM_BYTES_MIN => {
                let (there, wanted) = (room >> 20, ROOM_BYTES_MIN >> 20);
                Err(not_to_be_had(&format!("`{MEMORY}` has {there} MiB free, and a server needs {wanted} MiB")))
            }
            Some(Storage::Memory) => Ok(memory),
            None if std::env::var_os("TMPDIR").is_some() => Ok(disk),
            None => Ok(match Storage::container_bytes(None)? {
                Some(bytes) if room >= bytes => memory,
                _ => disk,
            }),
        }
    }
}

fn not_to_be_had(cause: &str) -> Error {
    Error::could_not("keep", "a server's data in memory", cause)
        .hint("set WHIMBREL_POSTGRES_STORAGE to `disk`, or unset it")
}

/// The memory that programs can still take, in bytes, a limit of the control group included; 0 where the system does not
/// tell.
fn free_memory_bytes() -> u64 {
    let read = |name: &str| std::fs::read_to_string(format!("/sys/fs/cgroup/{name}")).ok()?.trim().parse::<u64>().ok();
    let limited = read("memory.max").map(|limit| limit.saturating_sub(read("memory.current").unwrap_or(0)));
    free_of_the_machine_bytes().min(limited.unwrap_or(u64::MAX))
}

fn free_of_the_machine_bytes() -> u64 {
    let facts = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kibibytes = facts.lines().find_map(|line| line.strip_prefix("MemAvailable:")?.trim().strip_suffix(" kB"));
    kibibytes.and_then(|number| number.trim().parse::<u64>().ok()).unwrap_or(0) << 10
}

/// How many bytes this process may still write there; 0 where that is not known.
pub(crate) fn free_bytes(path: &Path) -> u64 {
    let Ok(path) = std::ffi::CString::new(path.as_os_str().as_encoded_bytes()) else { return 0 };
    // SAFETY: statvfs is plain numbers, for which zero is a value; `path` ends in NUL and lives through the call.
    unsafe {
        let mut facts: libc::statvfs = std::mem::zeroed();
        match libc::statvfs(path.as_ptr(), &mut facts) {
            #[allow(clippy::unnecessary_cast)] // Their widths differ between systems.
            0 => facts.f_bavail as u64 * facts.f_frsize as u64,
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_choice_is_one_of_two_words_and_the_disk_takes_no_memory() {
        assert_eq!(Storage::parse("memory").unwrap(), Storage::Memory);
        let disk = Some(Storage::parse("disk").unwrap());
        assert_eq!(Storage::container_bytes(disk).unwrap(), None);
        assert_eq!(Storage::local_folder(disk).unwrap(), std::env::temp_dir());
        let error = Storage::parse("ramdisk").unwrap_err();
        assert!(error.to_string().contains("`ramdisk`"), "{error}");
        assert!(error.way_out().is_some_and(|hint| hint.contains("`memory` or `disk`")), "{error:?}");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn linux_tells_its_free_memory() {
        assert!(free_memory_bytes() > 0);
        assert!(Storage::container_bytes(Some(Storage::Memory)).unwrap().unwrap() <= free_memory_bytes());
        match Storage::local_folder(Some(Storage::Memory)) {
            Ok(folder) => assert_eq!(folder, Path::new(MEMORY)),
            Err(error) => {
                assert!(free_bytes(Path::new(MEMORY)) < ROOM_BYTES_MIN, "{error}");
                assert!(error.to_string().contains(MEMORY), "{error}");
            }
        }
    }
}
