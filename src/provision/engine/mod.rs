//! The Docker engine: is it there, has it the image, what does a container say, which containers did a killed
//! supervisor leave.
//!
//! It is spoken to in one of two ways: through testcontainers where tests are built (the feature `harness`), and
//! through the `docker` program in whimbrel's own program, which so does without a client's hundred crates.
//!
//! The engine is the one of `DOCKER_HOST`, else behind one of the usual sockets, in either way. A context of the
//! `docker` command is not read.

#[cfg(feature = "harness")]
mod client;
mod interface;
#[cfg(any(not(feature = "harness"), test))]
mod program;

use std::path::Path;
use std::sync::{Mutex, Once, PoisonError};

use super::process::Owner;
pub(super) use interface::{Engine, Request, address};

/// The way to the engine that this build has.
pub(super) fn engine() -> &'static dyn Engine {
    #[cfg(feature = "harness")]
    return &client::Client;
    #[cfg(not(feature = "harness"))]
    return &program::Program;
}

/// The version of the engine that answers, or where it was looked for and why none does.
pub(super) fn version() -> Result<String, String> {
    engine().version().map_err(|cause| {
        let address = address();
        match address.strip_prefix("unix://") {
            Some(socket) if !Path::new(socket).exists() => format!("no socket at {socket}"),
            Some(socket) => format!("the socket {socket}: {cause}"),
            None => format!("{address}: {cause}"),
        }
    })
}

/// The end of a container's log, as the end of a sentence.
pub(super) fn log_tail(name: &str) -> String {
    let text = engine().log(name).trim().replace('\n', " / ");
    if text.is_empty() { text } else { format!("; its log ends with: {text}") }
}

/// A container that this process itself removes, when this is dropped or when the process exits without dropping it,
/// because it is in a `static`.
#[derive(Debug)]
pub(super) struct RemovedAtEnd(String);

static REMOVED_AT_EXIT: Mutex<Vec<String>> = Mutex::new(Vec::new());

extern "C" fn remove_at_exit() {
    let names = std::mem::take(&mut *REMOVED_AT_EXIT.lock().unwrap_or_else(PoisonError::into_inner));
    // A container that this misses is found by its label in the next run.
    names.iter().for_each(|name| _ = engine().remove(name));
}

impl RemovedAtEnd {
    pub(super) fn new(name: String) -> Self {
        static REGISTERED: Once = Once::new();
        // SAFETY: the function takes nothing, unwinds never (it panics nowhere), and lives as long as the program.
        REGISTERED.call_once(|| _ = unsafe { libc::atexit(remove_at_exit) });
        REMOVED_AT_EXIT.lock().unwrap_or_else(PoisonError::into_inner).push(name.clone());
        RemovedAtEnd(name)
    }
}

impl Drop for RemovedAtEnd {
    fn drop(&mut self) {
        REMOVED_AT_EXIT.lock().unwrap_or_else(PoisonError::into_inner).retain(|name| *name != self.0);
        let _ = engine().remove(&self.0);
    }
}

/// Removes the containers whose supervisor is gone from this machine.
pub(super) fn remove_orphans() {
    for (id, owner) in engine().labelled().unwrap_or_default() {
        if Owner::parse(&owner).is_some_and(|owner| owner.is_gone()) {
            // Another run may remove it at the same moment.
            let _ = engine().remove(&id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_engine_has_an_address_on_every_machine() {
        assert!(address().contains("://"), "{}", address());
    }

    /// Both ways ask one engine, so they tell the same of it: its version, or that it is not there.
    #[cfg(feature = "harness")]
    #[test]
    fn both_ways_to_the_engine_tell_the_same() {
        match (client::Client.version(), program::Program.version()) {
            (Ok(client), Ok(program)) => assert_eq!(client, program),
            (Ok(_), Err(cause)) => assert_eq!(cause, program::NO_PROGRAM),
            (Err(_), program) => assert!(program.is_err(), "{program:?}"),
        }
    }
}
