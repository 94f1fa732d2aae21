//! A prepared INSERT that binds straight from a batch's buffer.
//!
//! The only unsafe code of the crate. rusqlite binds text by copying it, once per value; a loader that binds a
//! million values a second spends a quarter of its time there. Here SQLite reads the batch's own bytes: they are
//! bound as static for the length of one step, and the bindings are cleared before the batch can change.

use super::batch::{Batch, Packed};
use crate::value::large::KeptBytes;
use rusqlite::{Connection, ffi};
use std::ffi::{CStr, c_int};
use std::ptr::NonNull;

/// A connection, and the statement that takes rows on it at the moment.
pub(super) struct Inserting {
    // Dropped first: a statement must not outlive its connection.
    insert: Option<Insert>,
    connection: Connection,
}

// SAFETY: the statement belongs to the connection beside it and is reached through `&mut self` alone, so both are used by
// one thread at a time, which is all that SQLite asks of a connection without a mutex.
unsafe impl Send for Inserting {}

impl Inserting {
    /// No statement yet.
    pub(super) fn on(connection: Connection) -> Self {
        Inserting { insert: None, connection }
    }

    /// The connection, for what is not rows.
    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Prepares the statement that takes the rows from now on.
    pub(super) fn prepare(&mut self, sql: &str) -> Result<(), StepError> {
        self.insert = None;
        self.insert = Some(Insert::prepare(&self.connection, sql)?);
        Ok(())
    }

    /// The statement that was prepared last.
    pub(super) fn insert(&mut self) -> Option<&mut Insert> {
        self.insert.as_mut()
    }

    /// Lets go of the statement and closes the connection.
    pub(super) fn close(self) -> Result<(), rusqlite::Error> {
        let Inserting { insert, connection } = self;
        drop(insert);
        connection.close().map_err(|(_, error)| error)
    }
}

/// A prepared statement; only [`Inserting`] has one, which keeps its connection open.
pub(super) struct Insert {
    statement: NonNull<ffi::sqlite3_stmt>,
    database: *mut ffi::sqlite3,
}

/// SQLite's extended result code and its message.
#[derive(Debug, Clone)]
pub(super) struct StepError {
    pub(super) code: c_int,
    pub(super) message: String,
}

impl Insert {
    /// Prepares one statement.
    fn prepare(connection: &Connection, sql: &str) -> Result<Self, StepError> {
        // SAFETY: the handle is valid while the connection is borrowed, and nothing here closes it.
        let database = unsafe { connection.handle() };
        let mut statement = std::ptr::null_mut();
        let length = c_int::try_from(sql.len())
            .map_err(|_| StepError { code: ffi::SQLITE_TOOBIG, message: "the statement is too long".into() })?;
        // SAFETY: `sql` is `length` bytes long and lives through the call; the flag is a documented one.
        let code = unsafe {
            ffi::sqlite3_prepare_v3(
                database,
                sql.as_ptr().cast(),
                length,
                ffi::SQLITE_PREPARE_PERSISTENT,
                &mut statement,
                std::ptr::null_mut(),
            )
        };
        match NonNull::new(statement) {
            Some(statement) if code == ffi::SQLITE_OK => Ok(Insert { statement, database }),
            _ => Err(last_error(database, code)),
        }
    }

    /// Executes the statement once with the values of one row of the batch.
    pub(super) fn execute(&mut self, batch: &Batch, values: &[Packed]) -> Result<(), StepError> {
        let statement = self.statement.as_ptr();
        for (index, value) in values.iter().enumerate() {
            let place = index as c_int + 1;
            // SAFETY: the places come from `Batch::push`, which took them inside `batch.bytes`; the batch is borrowed
            // until the bindings are cleared below, so SQLite never reads bytes that have moved.
            let code = unsafe {
                match *value {
                    Packed::Null => ffi::sqlite3_bind_null(statement, place),
                    Packed::Integer(value) => ffi::sqlite3_bind_int64(statement, place, value),
                    Packed::Real(value) => ffi::sqlite3_bind_double(statement, place, value),
                    Packed::Text { start, length } => ffi::sqlite3_bind_text64(
                        statement,
                        place,
                        batch.bytes.as_ptr().add(start as usize).cast(),
                        u64::from(length),
                        ffi::SQLITE_STATIC(),
                        ffi::SQLITE_UTF8 as u8,
                    ),
                    Packed::Blob { start, length } => ffi::sqlite3_bind_blob64(
                        statement,
                        place,
                        batch.bytes.as_ptr().add(start as usize).cast(),
                        u64::from(length),
                        ffi::SQLITE_STATIC(),
                    ),
                    Packed::Large(number) => {
                        let length = batch.large.get(number as usize).map_or(0, KeptBytes::length);
                        ffi::sqlite3_bind_zeroblob64(statement, place, length)
                    }
                }
            };
            if code != ffi::SQLITE_OK {
                let error = last_error(self.database, code);
                self.clear();
                return Err(error);
            }
        }
        // SAFETY: the statement is valid; step and reset are called in their documented order.
        let (step, reset) = unsafe { (ffi::sqlite3_step(statement), ffi::sqlite3_reset(statement)) };
        if step == ffi::SQLITE_DONE && reset == ffi::SQLITE_OK {
            return Ok(());
        }
        let error = last_error(self.database, reset);
        self.clear();
        Err(error)
    }

    /// Lets go of the batch's bytes.
    pub(super) fn clear(&mut self) {
        // SAFETY: the statement is valid and reset.
        unsafe { ffi::sqlite3_clear_bindings(self.statement.as_ptr()) };
    }
}

impl Drop for Insert {
    fn drop(&mut self) {
        // SAFETY: prepared by this value and finalized once.
        unsafe { ffi::sqlite3_finalize(self.statement.as_ptr()) };
    }
}

fn last_error(database: *mut ffi::sqlite3, code: c_int) -> StepError {
    // SAFETY: the handle is valid; the message is a C string that lives until the next call on it, and is copied.
    let (code, message) = unsafe {
        let extended = ffi::sqlite3_extended_errcode(database);
        let text = ffi::sqlite3_errmsg(database);
        let message = if text.is_null() { String::new() } else { CStr::from_ptr(text).to_string_lossy().into_owned() };
        (if extended == ffi::SQLITE_OK { code } else { extended }, message)
    };
    StepError { code, message }
}
