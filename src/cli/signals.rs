//! Ctrl-C and its like: a request to stop, so that everything is cleaned up before the program ends.

use crate::cancel::Cancel;
use crate::error::{Context, Result};
use std::thread;
use tokio::signal::unix::{SignalKind, signal};

/// Turns SIGINT, SIGTERM and SIGHUP into a request to stop, for as long as the program runs. A second signal changes
/// nothing: the clean-up that is under way must not be cut short.
///
/// # Errors
/// When the system does not let a signal be caught, or start a thread.
pub fn listen(cancel: &Cancel) -> Result<()> {
    const OPERATION: &str = "listen for signals";
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().could_not(OPERATION, "")?;
    let catch = |kind| {
        let _inside = runtime.enter();
        signal(kind).could_not(OPERATION, "")
    };
    let mut interrupt = catch(SignalKind::interrupt())?;
    let mut terminate = catch(SignalKind::terminate())?;
    let mut hangup = catch(SignalKind::hangup())?;
    let cancel = cancel.clone();
    thread::Builder::new()
        .name("signals".into())
        .spawn(move || {
            runtime.block_on(async {
                loop {
                    tokio::select! {
                        _ = interrupt.recv() => {}
                        _ = terminate.recv() => {}
                        _ = hangup.recv() => {}
                    }
                    cancel.cancel();
                }
            });
        })
        .could_not(OPERATION, "")?;
    Ok(())
}
