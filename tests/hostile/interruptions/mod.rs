//! What can end a run at any moment: SIGKILL, a full disk, a cut connection. Each time the target is the old file or
//! the complete new one, nothing of the run is left over once the next one is through, and that one succeeds.

mod cut;
mod disk;
mod killed;
pub mod support;
