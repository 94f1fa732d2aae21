//! Waiting for the server: until it answers, somebody asks for a stop, or it has been silent for too long.
//!
//! Silence is the time in which not one byte came. What wakes the client library is its socket, so every wake of its own is
//! a byte; a message of a gigabyte over a thin wire is not silent. A server that says nothing may be at work, wait for
//! another session, or be out of reach: after two seconds it is looked at from beside (`lookout`).

use super::failure::explain;
use super::fence::fenced;
use super::lookout::{Lookout, Sight};
use crate::cancel::Cancel;
use crate::error::{Error, Result};
use futures_util::task::AtomicWaker;
use std::fmt;
use std::future::{Future, pending, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// After so much silence the session is looked at, and again and again after so much more.
const LOOK_AFTER: Duration = Duration::from_secs(2);
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// An answer that was on its way while somebody looked arrives within so long.
const ON_ITS_WAY: Duration = Duration::from_secs(2);

/// Why a wait ended without an answer.
#[derive(Debug)]
pub(crate) enum Ended {
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
    /// Whether the server could not convert a text (22021, 22P05).
    pub(crate) fn is_not_text(&self) -> bool {
        let Ended::Failed(error) = self else { return false };
        let code = error.as_database_error().and_then(|error| error.code());
        code.is_some_and(|code| ["22021", "22P05"].contains(&code.as_ref()))
    }

    /// Tells it as operation, object, cause and hint; `so_far` is how far it came.
    pub(crate) fn explain(self, operation: &str, object: impl fmt::Display, so_far: &str) -> Error {
        match self {
            Ended::Cancelled => Error::interrupted_at(operation, object),
            Ended::Failed(error) => explain(operation, object, &error).because(error),
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

/// How long the server may send nothing while it owes an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Silence {
    /// So long; `None` is for ever.
    Limited(Option<Duration>),
    /// As long as it is at work or waits for another session, and then so long; `None` is for ever.
    UnlessAtWork(Option<Duration>),
}

impl Silence {
    fn limit(self) -> Option<Duration> {
        match self {
            Silence::Limited(limit) | Silence::UnlessAtWork(limit) => limit,
        }
    }
}

/// What is looked for while the server is waited for.
#[derive(Clone, Copy)]
pub(crate) struct Watch<'w> {
    pub(crate) cancel: &'w Cancel,
    pub(crate) silence: Silence,
    /// Whoever looks at the session from beside, and tells which lock it waits for.
    pub(crate) lookout: Option<&'w Lookout>,
    /// How long the statement waits for locks, where that is known and not for ever.
    pub(crate) lock_wait: Option<Duration>,
}

impl Watch<'_> {
    /// Polls until something is there. `poll` is the client library's work and what is done with its outcome; it returns
    /// `Poll::Pending` only where the library did.
    pub(crate) async fn poll<T>(
        self,
        poll: impl FnMut(&mut Context<'_>) -> Poll<Result<T, Ended>>,
    ) -> Result<T, Ended> {
        let heard = Heard::now();
        tokio::select! {
            biased;
            () = self.cancel.cancelled() => Err(Ended::Cancelled),
            outcome = heard.listen(poll) => outcome,
            limit = self.silence_ends(&heard) => Err(Ended::Silent(limit)),
        }
    }

    /// Waits for a future of the client library.
    pub(crate) async fn wait<T>(self, future: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, Ended> {
        let mut future = pin!(future);
        self.poll(|context| match fenced(|| future.as_mut().poll(context)) {
            Ok(poll) => poll.map_err(Ended::Failed),
            Err(error) => Poll::Ready(Err(Ended::Failed(error))),
        })
        .await
    }

    /// Returns when the server has been silent for too long, with the limit; tells meanwhile what it waits for.
    async fn silence_ends(&self, heard: &Heard) -> Duration {
        let mut seen = heard.last();
        let ends_at = |from: Instant| self.silence.limit().and_then(|limit| from.checked_add(limit));
        let (mut look_at, mut end) = (seen + LOOK_AFTER, ends_at(seen));
        // What is said to be idle has answered; the answer has to arrive.
        let mut is_idle = false;
        loop {
            match (self.lookout, end) {
                (None, None) => return pending().await,
                (None, Some(end)) => sleep_until(end).await,
                (Some(_), end) => sleep_until(end.map_or(look_at, |end| end.min(look_at))).await,
            }
            if heard.last() > seen {
                (seen, is_idle) = (heard.last(), false);
                (look_at, end) = (seen + LOOK_AFTER, ends_at(seen));
                continue;
            }
            let limit = self.silence.limit().filter(|_| end.is_some_and(|end| end <= Instant::now()));
            let spares_work = matches!(self.silence, Silence::UnlessAtWork(_));
            let (limit, lookout) = match (limit, self.lookout) {
                (Some(limit), None) => return limit,
                (Some(limit), _) if !spares_work || is_idle => return limit,
                (limit, Some(lookout)) => (limit, lookout),
                (None, None) => continue,
            };
            let sight = lookout.look().await;
            look_at = Instant::now() + LOOK_EVERY;
            if heard.last() > seen {
                continue;
            }
            if let Sight::Blocked(waiting) = &sight {
                lookout.tell(waiting, seen.elapsed(), self.lock_wait);
            }
            match (limit, sight) {
                (None, _) => {}
                (Some(limit), Sight::Unreachable | Sight::Gone) => return limit,
                (Some(_), Sight::AtWork | Sight::Blocked(_) | Sight::Unknown) => end = ends_at(Instant::now()),
                (Some(_), Sight::Idle) => (is_idle, end) = (true, Some(Instant::now() + ON_ITS_WAY)),
            }
        }
    }
}

/// When the last byte came: the client library is woken through this, and by nothing else.
struct Heard {
    is_woken: AtomicBool,
    task: AtomicWaker,
    last: Mutex<Instant>,
}

impl Wake for Heard {
    fn wake(self: Arc<Self>) {
        self.is_woken.store(true, Ordering::Release);
        self.task.wake();
    }
}

impl Heard {
    fn now() -> Arc<Heard> {
        let (is_woken, last) = (AtomicBool::new(true), Mutex::new(Instant::now()));
        Arc::new(Heard { is_woken, task: AtomicWaker::new(), last })
    }

    fn last(&self) -> Instant {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn listen<T>(self: &Arc<Self>, mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>) -> T {
        let waker = Waker::from(Arc::clone(self));
        poll_fn(|context| {
            self.task.register(context.waker());
            if !self.is_woken.swap(false, Ordering::AcqRel) {
                return Poll::Pending;
            }
            let outcome = poll(&mut Context::from_waker(&waker));
            // Behind the poll: whoever takes rows may be busy for longer than the server may be silent.
            *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
            outcome
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::sleep;

    fn watch(cancel: &Cancel, limit: Option<Duration>) -> Watch<'_> {
        Watch { cancel, silence: Silence::Limited(limit), lookout: None, lock_wait: None }
    }

    #[tokio::test]
    async fn silence_ends_a_wait_and_a_byte_now_and_then_does_not() {
        let cancel = Cancel::new();
        let never = std::future::pending::<Result<(), sqlx::Error>>();
        let limit = Duration::from_millis(50);
        let ended = watch(&cancel, Some(limit)).wait(never).await.unwrap_err();
        assert!(matches!(ended, Ended::Silent(told) if told == limit), "{ended:?}");
        let slow = async {
            for _ in 0..8 {
                sleep(Duration::from_millis(250)).await;
            }
            Ok::<_, sqlx::Error>(())
        };
        watch(&cancel, Some(Duration::from_millis(1_500))).wait(slow).await.unwrap();
        let late = async {
            sleep(Duration::from_millis(100)).await;
            Ok::<_, sqlx::Error>(())
        };
        watch(&cancel, None).wait(late).await.unwrap();
    }

    #[tokio::test]
    async fn a_stop_ends_a_wait() {
        let cancel = Cancel::new();
        cancel.cancel();
        let never = std::future::pending::<Result<(), sqlx::Error>>();
        assert!(matches!(watch(&cancel, None).wait(never).await, Err(Ended::Cancelled)));
    }
}
