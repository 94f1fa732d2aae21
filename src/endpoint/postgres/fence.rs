//! A fence around the client library: sqlx 0.9 panics on some messages that are not of the protocol (a length that is
//! none, a field that is missing), and what comes over a wire must never end this program.
//!
//! Invariant: whoever gets an error from here drops the connection, which may stand in the middle of a message.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::pin::pin;
use std::task::Poll;

thread_local! {
    /// Whether this thread is inside the client library.
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// Runs a piece of the client library; a panic of it is an error of the protocol.
pub(crate) fn fenced<T>(work: impl FnOnce() -> T) -> Result<T, sqlx::Error> {
    let before = INSIDE.replace(true);
    // What the closure leaves behind is the connection, which is dropped.
    let outcome = catch_unwind(AssertUnwindSafe(work));
    INSIDE.set(before);
    outcome.map_err(|_| sqlx::Error::Protocol("a message of another form than its kind has".to_owned()))
}

/// Reads a row of the client library: one with fewer fields than its columns is a panic, too.
pub(crate) fn fenced_read<T>(read: impl FnOnce() -> Result<T, sqlx::Error>) -> Result<T, sqlx::Error> {
    fenced(read).and_then(|outcome| outcome)
}

/// Waits for a future of the client library; a panic of it is an error of the protocol.
pub(crate) async fn fenced_wait<T>(future: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, sqlx::Error> {
    let mut future = pin!(future);
    poll_fn(|context| match fenced(|| future.as_mut().poll(context)) {
        Ok(poll) => poll,
        Err(error) => Poll::Ready(Err(error)),
    })
    .await
}

/// Keeps the panics that are caught here from being printed: each is told as the error that it becomes. For a program,
/// once, at its start; a library leaves the hook of its program alone.
pub fn silence_caught_panics() {
    let print = take_hook();
    set_hook(Box::new(move |panic| {
        if !INSIDE.get() {
            print(panic);
        }
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_inside_is_an_error_and_leaves_nothing_behind() {
        let error = fenced(|| -> u8 { panic!("index out of bounds") }).unwrap_err();
        assert!(matches!(error, sqlx::Error::Protocol(_)), "{error}");
        assert!(!INSIDE.get());
        assert_eq!(fenced(|| 7).unwrap(), 7);
    }

    #[tokio::test]
    async fn a_future_that_panics_when_it_is_polled_again_is_an_error_too() {
        let damaged = async {
            tokio::task::yield_now().await;
            let bytes: &[u8] = &[];
            Ok::<u8, sqlx::Error>(bytes[0])
        };
        assert!(matches!(fenced_wait(damaged).await, Err(sqlx::Error::Protocol(_))));
        assert_eq!(fenced_wait(async { Ok(1) }).await.unwrap(), 1);
    }
}
