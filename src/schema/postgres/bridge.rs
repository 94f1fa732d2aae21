//! From blocking code into async code, also where the caller is itself inside an async runtime.

use std::future::{Future, poll_fn};
use std::task::Poll;

use tokio::runtime::{Builder, Handle, Runtime};

use crate::endpoint::postgres::fenced;
use crate::error::{Context, Error, Result};

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

    /// As [`Bridge::wait`]; a panic of the client library, for which a damaged message is enough, is an error.
    pub(super) fn talk<T: Send>(&self, future: impl Future<Output = Result<T>> + Send) -> Result<T> {
        let told =
            |_| Error::could_not("talk to PostgreSQL", "", "the server sent a message that is not of its protocol");
        self.wait(async {
            let mut future = std::pin::pin!(future);
            poll_fn(|context| {
                fenced(|| future.as_mut().poll(context)).unwrap_or_else(|error| Poll::Ready(Err(told(error))))
            })
            .await
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
