//! Renders plans, outcomes and findings: as text for people, as JSON for programs. Opens no database and prints
//! nothing; the command line does that.

pub mod backups;
pub mod check;
#[cfg(feature = "scenarios")]
pub mod generated;
pub mod home;
#[cfg(feature = "scenarios")]
pub mod latency;
pub mod message;
pub mod outcome;
pub mod plan;
mod remainder;
#[cfg(feature = "scenarios")]
pub mod scenario;
pub mod schema;
pub mod store;
pub mod sync;
pub mod verification;

mod text;

pub use text::{bytes, count, duration, number};

use std::path::PathBuf;

/// What a report on a run needs to know besides its outcome.
#[derive(Debug, Clone)]
pub struct RunContext {
    /// The target has the metadata tables.
    pub metadata: bool,
    /// Where backups go, if not beside the target.
    pub backups: Option<PathBuf>,
    /// The target.
    pub target: PathBuf,
    /// How many milliseconds to wait for other programs to let go of the target.
    pub wait_ms: u32,
}

impl RunContext {
    /// The command that undoes the run.
    pub fn way_back(&self) -> String {
        let mut command = format!("whimbrel rollback {}", text::shell(&self.target));
        if let Some(directory) = &self.backups {
            command.push_str(&format!(" --backups {}", text::shell(directory)));
        }
        command
    }
}
