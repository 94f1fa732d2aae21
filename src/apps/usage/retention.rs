//! Retention that runs by itself: snapshots that have become too old go, from time to time, in a thread of its own.
//!
//! Invariants: it ends with its guard, within one transaction; a run that fails is told and tried again the next time; each
//! transaction is short, so that those who write wait for it no longer than for each other.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::UsageStore;
use super::snapshot::{DAY_MS, DELETED_AT_ONCE};
use crate::error::Context;
use crate::{Error, Result};

/// What retention has done so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Retained {
    /// How often it has run.
    pub runs: u64,
    /// How many snapshots it has deleted.
    pub deleted: u64,
    /// Why the last run did not come to its end; none where it did.
    pub failure: Option<String>,
}

#[derive(Debug, Default)]
struct State {
    stopped: bool,
    retained: Retained,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

/// Deletes snapshots that have become too old, until it is dropped.
#[derive(Debug)]
pub struct Retention {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl UsageStore {
    /// Begins to delete the snapshots that are more than `days_old` days old: now, and then each time that `pause` has passed.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn retain(&self, days_old: u32, pause: Duration) -> Result<Retention> {
        let shared = Arc::new(Shared::default());
        let (store, of_thread) = (self.clone(), Arc::clone(&shared));
        let run = move || {
            while !of_thread.is_stopped() {
                let outcome = of_thread.delete(&store, days_old);
                let mut state = of_thread.lock();
                state.retained.runs += 1;
                state.retained.failure = outcome.err().map(|error| error.to_string());
                of_thread.changed.notify_all();
                let wait = of_thread.changed.wait_timeout_while(state, pause, |state| !state.stopped);
                drop(wait.unwrap_or_else(PoisonError::into_inner));
            }
        };
        let builder = std::thread::Builder::new().name("usage retention".to_owned());
        let thread = builder.spawn(run).could_not("begin retention of", self.pool().object())?;
        Ok(Retention { shared, thread: Some(thread) })
    }
}

impl Retention {
    /// What it has done so far.
    pub fn retained(&self) -> Retained {
        self.shared.lock().retained.clone()
    }
}

impl Drop for Retention {
    fn drop(&mut self) {
        self.shared.lock().stopped = true;
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            // A panic of it was told when it happened.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        // Each field is set by itself, so a panic leaves nothing half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_stopped(&self) -> bool {
        self.lock().stopped
    }

    fn delete(&self, store: &UsageStore, days_old: u32) -> Result<(), Error> {
        let before_ms = store.ago(i64::from(days_old), DAY_MS);
        while !self.is_stopped() {
            let deleted = store.delete_some_before(before_ms)?;
            self.lock().retained.deleted += deleted as u64;
            if deleted < DELETED_AT_ONCE as usize {
                break;
            }
        }
        Ok(())
    }
}
