//! Folders of tests in memory, where there is room: most of what a small migration takes is waiting for a disk.

use std::io;
use tempfile::TempDir;

const MEMORY: &str = "/dev/shm";
/// How many bytes have to be free there.
const ROOM_BYTES: u64 = 4 << 30;

/// An empty folder, gone when it is dropped.
pub fn tempdir() -> io::Result<TempDir> {
    let room = rustix::fs::statvfs(MEMORY).map_or(0, |system| system.f_bavail.saturating_mul(system.f_frsize));
    match room >= ROOM_BYTES {
        true => tempfile::tempdir_in(MEMORY),
        false => tempfile::tempdir(),
    }
}
