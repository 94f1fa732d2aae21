//! From blocking code into async code, also where the caller is itself inside an async runtime.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

use tokio::runtime::{Builder, Handle, Runtime};

use crate::cancel::Cancel;
use crate::endpoint::postgres::{Ended, Lookout, Silence, Watch, fenced};
use crate::error::{Context, Error, Result};

/// What the bridge and who uses it know of the connection that works.
pub(super) struct Guard {
    pub(super) lookout: Lookout,
    /// How long the server may be silent that is not at work.
    pub(super) stall_timeout: Option<Duration>,
    /// The connection was given up in the middle of a message.
    is_broken: AtomicBool,
}

impl Guard {
    pub(super) fn new(lookout: Lookout, stall_timeout: Option<Duration>) -> Arc<Guard> {
        Arc::new(Guard { lookout, stall_timeout, is_broken: AtomicBool::new(false) })
    }

    /// Whether the connection has to be dropped, once.
    pub(super) fn take_broken(&self) -> bool {
        self.is_broken.swap(false, Ordering::Relaxed)
    }
}

/// A runtime of its own, on the thread of whoever waits.
pub(super) struct Bridge {
    /// Only ever absent while being dropped.
    runtime: Option<Runtime>,
    guard: Arc<Guard>,
}

impl Bridge {
    pub(super) fn new(guard: Arc<Guard>) -> Result<Bridge> {
        let runtime = Builder::new_current_thread().enable_all().build().could_not("start", "async runtime")?;
        Ok(Bridge { runtime: Some(runtime), guard })
    }

    /// As [`Bridge::wait`]; a panic of the client library, for which a damaged message is enough, is an error, and so is a
    /// server that is silent for too long and not at work: what a script does may take its time.
    pub(super) fn talk<T: Send>(&self, future: impl Future<Output = Result<T>> + Send) -> Result<T> {
        const OPERATION: &str = "talk to PostgreSQL";
        let (guard, cancel) = (&self.guard, Cancel::new());
        let silence = Silence::UnlessAtWork(guard.stall_timeout);
        let watch = Watch { cancel: &cancel, silence, lookout: Some(&guard.lookout), lock_wait: None };
        let outcome = self.wait(async {
            let mut future = Box::pin(future);
            let polling = watch.poll(|context| match fenced(|| future.as_mut().poll(context)) {
                Ok(poll) => poll.map_err(Ended::Refused),
                Err(error) => Poll::Ready(Err(Ended::Failed(error))),
            });
            polling.await
        });
        outcome.map_err(|ended| match ended {
            Ended::Refused(error) => error,
            Ended::Failed(_) => {
                Error::could_not(OPERATION, "", "the server sent a message that is not of its protocol")
            }
            Ended::Silent(_) | Ended::Cancelled => {
                guard.is_broken.store(true, Ordering::Relaxed);
                let told = ended.explain(OPERATION, "", ", and it is not at work on anything for this program");
                let hint = told.way_out().unwrap_or_default().to_owned();
                told.hint(format!("{hint}; `whimbrel schema status` says what is committed"))
            }
        })
    }

    /// Waits for `future`. Inside a runtime it is driven from another thread, because a runtime may not be entered
    /// from within one.
    pub(super) fn wait<F>(&self, future: F) -> F::Output
    where
        F: Future + Send,
        F::Output: Send,
    {
        let runtime = self.runtime.as_ref().expect("the runtime is there until the bridge is dropped");
        if Handle::try_current().is_err() {
            return runtime.block_on(future);
        }
        std::thread::scope(|scope| match scope.spawn(|| runtime.block_on(future)).join() {
            Ok(output) => output,
            Err(panic) => std::panic::resume_unwind(panic),
        })
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Dropping a runtime inside another one panics; this does not wait and does not panic.
            runtime.shutdown_background();
        }
    }
}
