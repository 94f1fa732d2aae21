//! From blocking code into async code, also where the caller is itself inside an async runtime.

use std::future::Future;

use tokio::runtime::{Builder, Handle, Runtime};

use crate::Result;
use crate::error::Context;

/// A runtime of its own, on the thread of whoever waits.
pub(super) struct Bridge {
    /// Only ever absent while being dropped.
    runtime: Option<Runtime>,
}

impl Bridge {
    pub(super) fn new() -> Result<Bridge> {
        let runtime = Builder::new_current_thread().enable_all().build().could_not("start", "async runtime")?;
        Ok(Bridge { runtime: Some(runtime) })
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
