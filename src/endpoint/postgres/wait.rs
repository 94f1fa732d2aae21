//! Waiting for the server: until it answers, somebody asks for a stop, or it has been silent for too long.
//!
//! Silence is the time in which not one byte came. What wakes a waiting future is its socket, so every wake that is not
//! the clock's is a byte; a message of a gigabyte over a thin wire is not silent.

use super::failure::explain;
use super::fence::fenced;
use crate::cancel::Cancel;
use crate::error::{Error, Result};
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Why a wait ended without an answer.
#[derive(Debug)]
pub(super) enum Ended {
    /// A stop was asked for.
    Cancelled,
    /// Nothing came for so long.
    Silent(Duration),
    /// The server or the client library says no.
    Failed(sqlx::Error),
    /// Whoever takes what comes says no.
    Refused(Error),
}

impl Ended {
    /// Tells it as operation, object, cause and hint; `so_far` is how far it came.
    pub(super) fn explain(self, operation: &str, object: impl fmt::Display, so_far: &str) -> Error {
        match self {
            Ended::Cancelled => Error::interrupted_at(operation, object),
            Ended::Failed(error) => explain(operation, object, &error),
            Ended::Refused(error) => error,
            Ended::Silent(limit) => {
                let seconds = limit.as_secs_f64();
                Error::could_not(operation, object, format!("nothing has come from the server for {seconds} s{so_far}"))
                    .hint(
                        "see whether the network still forwards, and what the server is doing (`pg_stat_activity`); \
                         `--stall-timeout` gives it more seconds, 0 all the time it needs",
                    )
            }
        }
    }
}

/// Polls until something is there. `poll` is the client library's work and what is done with its outcome; it returns
/// `Poll::Pending` only where the library did. Without a `limit` silence has none.
pub(super) async fn wait_with<T>(
    cancel: &Cancel,
    limit: Option<Duration>,
    mut poll: impl FnMut(&mut Context<'_>) -> Poll<Result<T, Ended>>,
) -> Result<T, Ended> {
    let mut cancelled = pin!(cancel.cancelled());
    // A limit that no clock reaches is none.
    let mut silence = pin!(sleep(limit.unwrap_or_default()));
    let mut begun = false;
    poll_fn(|context| {
        if cancelled.as_mut().poll(context).is_ready() {
            return Poll::Ready(Err(Ended::Cancelled));
        }
        // Asked before the poll: whoever takes rows may be busy for longer than the server may be silent.
        let is_over = begun && silence.is_elapsed();
        begun = true;
        if let Poll::Ready(outcome) = poll(context) {
            return Poll::Ready(outcome);
        }
        let Some(limit) = limit else { return Poll::Pending };
        if is_over {
            return Poll::Ready(Err(Ended::Silent(limit)));
        }
        silence.as_mut().reset(Instant::now() + limit);
        // It cannot be over yet; this has the clock wake us.
        silence.as_mut().poll(context).map(|()| Err(Ended::Silent(limit)))
    })
    .await
}

/// Waits for a future of the client library.
pub(super) async fn wait<T>(
    cancel: &Cancel,
    limit: Option<Duration>,
    future: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, Ended> {
    let mut future = pin!(future);
    wait_with(cancel, limit, |context| match fenced(|| future.as_mut().poll(context)) {
        Ok(poll) => poll.map_err(Ended::Failed),
        Err(error) => Poll::Ready(Err(Ended::Failed(error))),
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn silence_ends_a_wait_and_a_byte_now_and_then_does_not() {
        let never = std::future::pending::<Result<(), sqlx::Error>>();
        let limit = Duration::from_millis(50);
        let ended = wait(&Cancel::new(), Some(limit), never).await.unwrap_err();
        assert!(matches!(ended, Ended::Silent(told) if told == limit), "{ended:?}");
        let slow = async {
            for _ in 0..8 {
                sleep(Duration::from_millis(250)).await;
            }
            Ok::<_, sqlx::Error>(())
        };
        wait(&Cancel::new(), Some(Duration::from_millis(1_500)), slow).await.unwrap();
        let late = async {
            sleep(Duration::from_millis(100)).await;
            Ok::<_, sqlx::Error>(())
        };
        wait(&Cancel::new(), None, late).await.unwrap();
    }

    #[tokio::test]
    async fn a_stop_ends_a_wait() {
        let cancel = Cancel::new();
        cancel.cancel();
        let never = std::future::pending::<Result<(), sqlx::Error>>();
        assert!(matches!(wait(&cancel, None, never).await, Err(Ended::Cancelled)));
    }
}
