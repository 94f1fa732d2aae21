//! A stack that is deep enough for whatever a source defines.
//!
//! Expressions and views nest as deep as their owner likes, and parsers, their syntax trees and SQLite follow them by
//! recursion. A thread of a library's caller may have little stack, and one that is exhausted ends the whole process.

use std::thread;

/// Reserved, not used: memory is taken as far as the recursion goes. The longest text that is translated
/// ([`super::expression::SQL_BYTES_MAX`]) nests its terms less than 200,000 deep.
const STACK_BYTES: usize = 256 << 20;

/// Does the work on a thread with a deep stack.
///
/// # Panics
/// When the work does, or the system gives no thread.
pub fn with_deep_stack<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| match thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, work) {
        Ok(worker) => worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
        Err(error) => panic!("the system gives no thread: {error}"),
    })
}
