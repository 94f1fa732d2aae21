//! Whose turn it is to change a target: runs of this program queue for it.
//!
//! To hold a database alone takes a connection, and an open connection is what keeps everybody else from holding it
//! alone. Two runs that waited for each other with their connections open would both see that the target is in use, and
//! both give up. So a run first takes this lock, a file of its own beside the target, and only its holder opens the
//! target to replace it.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::endpoint::sqlite::access::MOMENT;
use crate::endpoint::sqlite::file::{REPLACE, quoted, resolve};
use crate::endpoint::sqlite::lock_file::LockFile;
use crate::endpoint::sqlite::staging::lock_path;
use crate::error::{Error, Result};

/// The right to change a target; dropping it lets the next run have it.
#[derive(Debug)]
pub struct TargetLock {
    target: PathBuf,
    deadline: Instant,
    _lock: LockFile,
}

impl TargetLock {
    /// Waits until no other run of this program changes `target` (links followed): at most `wait_ms` milliseconds, but
    /// always a moment, and not after `cancel` is set.
    ///
    /// # Errors
    ///
    /// When the other run takes longer, somebody asks to stop, or the target's directory cannot be written.
    pub fn take(target: &Path, wait_ms: u32, cancel: &AtomicBool) -> Result<TargetLock> {
        TargetLock::take_to(REPLACE, target, wait_ms, cancel)
    }

    /// As [`TargetLock::take`], for errors that speak of that operation.
    ///
    /// # Errors
    ///
    /// The same.
    pub fn take_to(operation: &str, target: &Path, wait_ms: u32, cancel: &AtomicBool) -> Result<TargetLock> {
        let target = resolve(target)?;
        let patience = Duration::from_millis(u64::from(wait_ms));
        let deadline = Instant::now() + patience;
        let lock = LockFile::take(&lock_path(&target), patience.max(MOMENT), &mut |_| !cancel.load(Ordering::Relaxed))?;
        match lock {
            Some(lock) => Ok(TargetLock { target, deadline, _lock: lock }),
            None if cancel.load(Ordering::Relaxed) => Err(Error::interrupted(operation)),
            None => Err(Error::could_not(operation, quoted(&target), "another run of whimbrel is changing it")
                .hint("run again when it has ended, or wait for it with `--wait-ms`; the file was not touched")),
        }
    }

    /// The target's path, links followed.
    pub fn target(&self) -> &Path {
        &self.target
    }

    /// How many milliseconds are left for other programs to let go of the target.
    pub fn remaining_ms(&self) -> u32 {
        let left = self.deadline.saturating_duration_since(Instant::now());
        u32::try_from(left.as_millis()).unwrap_or(u32::MAX)
    }
}
