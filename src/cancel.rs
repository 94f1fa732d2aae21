//! The one way to ask a running job to stop.
//!
//! A `Cancel` is cheap to clone and to ask. Setting it is final: there is no way back to "not cancelled". Whoever
//! blocks in a library that knows nothing of it registers a closure that wakes that library up.

use crate::error::{Error, Result};
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// A request to stop, shared by everything that works on one job.
#[derive(Clone, Default)]
pub struct Cancel(Arc<Shared>);

#[derive(Default)]
struct Shared {
    cancelled: Arc<AtomicBool>,
    notify: Notify,
    hooks: Mutex<Hooks>,
}

#[derive(Default)]
struct Hooks {
    next: u64,
    list: Vec<(u64, Box<dyn FnOnce() + Send>)>,
}

impl Cancel {
    /// A job that nobody has asked to stop.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks for a stop: wakes every waiter and calls every registered closure, once each, on this thread.
    pub fn cancel(&self) {
        // The flag is set under the lock, so that a closure registered meanwhile is either in the list or sees it.
        let hooks = {
            let mut hooks = self.hooks();
            self.0.cancelled.store(true, Ordering::SeqCst);
            std::mem::take(&mut hooks.list)
        };
        self.0.notify.notify_waiters();
        for (_, hook) in hooks {
            hook();
        }
    }

    /// Whether a stop was asked for. One atomic load: fit for a loop over rows.
    #[inline]
    pub fn is_cancelled(&self) -> bool {
        self.0.cancelled.load(Ordering::Relaxed)
    }

    /// An error if a stop was asked for.
    ///
    /// # Errors
    /// [`Kind::Interrupted`](crate::error::Kind::Interrupted), naming `operation`.
    #[inline]
    pub fn check(&self, operation: &str) -> Result<()> {
        if self.is_cancelled() { Err(Error::interrupted(operation)) } else { Ok(()) }
    }

    /// The flag itself, for code that only asks.
    pub fn flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.0.cancelled)
    }

    /// Completes when a stop is asked for; at once if it already was.
    pub async fn cancelled(&self) {
        // A waiter counts from its creation, so a stop between the two lines is not missed.
        let notified = self.0.notify.notified();
        if !self.0.cancelled.load(Ordering::SeqCst) {
            notified.await;
        }
    }

    /// Calls `hook` when a stop is asked for, at once if it already was; not after the returned guard is dropped.
    ///
    /// The closure runs on the thread that cancels and must not block; one that is being called while its guard is
    /// dropped may still be running.
    #[must_use = "dropping the guard takes the closure off the list"]
    pub fn on_cancel(&self, hook: impl FnOnce() + Send + 'static) -> Registration {
        let mut hooks = self.hooks();
        let key = hooks.next;
        hooks.next += 1;
        if self.0.cancelled.load(Ordering::SeqCst) {
            drop(hooks);
            hook();
        } else {
            hooks.list.push((key, Box::new(hook)));
        }
        Registration { shared: Arc::clone(&self.0), key }
    }

    fn hooks(&self) -> MutexGuard<'_, Hooks> {
        self.0.hooks()
    }
}

impl Shared {
    fn hooks(&self) -> MutexGuard<'_, Hooks> {
        // No closure runs under the lock, so a poisoned one still guards a whole list.
        self.hooks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Cancel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cancel").field("cancelled", &self.is_cancelled()).finish()
    }
}

/// Keeps a closure registered with [`Cancel::on_cancel`]; dropping it takes the closure off the list.
pub struct Registration {
    shared: Arc<Shared>,
    key: u64,
}

impl Drop for Registration {
    fn drop(&mut self) {
        let mut hooks = self.shared.hooks();
        let removed = hooks.list.iter().position(|(key, _)| *key == self.key).map(|at| hooks.list.swap_remove(at));
        drop(hooks);
        // The closure may own anything: it is dropped outside the lock.
        drop(removed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;

    #[test]
    fn a_closure_is_called_once_and_not_after_its_guard_is_gone() {
        let cancel = Cancel::new();
        let calls = Arc::new(AtomicUsize::new(0));
        let count = |weight: usize| {
            let calls = Arc::clone(&calls);
            move || {
                calls.fetch_add(weight, Ordering::SeqCst);
            }
        };
        let kept = cancel.on_cancel(count(1));
        drop(cancel.on_cancel(count(10)));
        assert!(cancel.check("copy").is_ok());
        cancel.cancel();
        cancel.cancel();
        assert_eq!(calls.load(Ordering::SeqCst), 1);
        drop(kept);
        let late = cancel.on_cancel(count(100));
        assert_eq!(calls.load(Ordering::SeqCst), 101, "a late closure is called at once");
        drop(late);
        assert_eq!(cancel.check("copy").unwrap_err().to_string(), "copy: it was interrupted before it was done");
    }

    #[test]
    fn a_waiter_is_woken_from_another_thread() {
        let cancel = Cancel::new();
        let other = cancel.clone();
        let waiter = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(other.cancelled());
        });
        cancel.cancel();
        waiter.join().unwrap();
    }
}
