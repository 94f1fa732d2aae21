//! Folders for what lasts as long as a case.

use crate::error::{Context, Result};
use crate::provision::storage::{MEMORY, free_bytes};
use std::path::Path;

/// Where the files of cases are: memory where the machine has a file system there with room for them, because each
/// migration waits for the disk several times (as it should), and a case has nothing to lose.
pub(super) fn scratch_folder() -> Result<tempfile::TempDir> {
    const ROOM_BYTES_MIN: u64 = 256 << 20;
    let prefix = format!("{CASE_PREFIX}{}-", std::process::id());
    let mut builder = tempfile::Builder::new();
    builder.prefix(&prefix);
    if free_bytes(Path::new(MEMORY)) >= ROOM_BYTES_MIN
        && let Ok(folder) = builder.tempdir_in(MEMORY)
    {
        return Ok(folder);
    }
    builder.tempdir().could_not("create", "a temporary directory")
}

/// How the folders of cases begin; the number of their process follows.
const CASE_PREFIX: &str = "whimbrel-case-";

/// Removes the folders of cases whose process was killed. Only where processes can be told by `/proc`, which is where
/// memory has a file system: elsewhere they are among the temporary files, which the system removes.
pub(super) fn remove_what_killed_runs_left() {
    use std::os::unix::fs::MetadataExt;
    let mine = std::fs::metadata("/proc/self").map(|metadata| metadata.uid()).ok();
    for entry in std::fs::read_dir(MEMORY).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let process = name.to_str().and_then(|name| name.strip_prefix(CASE_PREFIX)?.split('-').next()?.parse().ok());
        let Some(process): Option<u32> = process else { continue };
        let is_mine = entry.metadata().is_ok_and(|metadata| metadata.is_dir() && Some(metadata.uid()) == mine);
        if is_mine && mine.is_some() && !Path::new(&format!("/proc/{process}")).exists() {
            // Left again, it is there for the next run.
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}
