//! The bulk loader: creates the tables of a new file, takes batches, builds indexes.
//!
//! The file is new, private and thrown away on any failure, so nothing is paid for durability: no journal, no sync,
//! one transaction for all rows. Foreign keys are off; they are checked as a whole when the rows are there. The
//! caller makes the file durable before anybody else sees it.

use super::batch::{Batch, Packed};
use super::blob;
use super::object_list::ObjectList;
use super::pragma;
use super::statement::{Inserting, StepError};
use crate::error::{Context, Error, Result};
use crate::fault::{self, Fault};
use crate::metadata::ledger;
use crate::quote::quote;
use rusqlite::limits::Limit;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use std::path::Path;

/// Memory for pages in KiB. The sorter of CREATE INDEX takes up to as much again, and so does each of its threads.
const CACHE_KIB: i32 = 20 * 1024;
/// Helper threads of the sorter; SQLite's own default is none.
const SORTER_THREADS: i32 = 2;

const CREATE: &str = "create in the target";

/// The way out where the file cannot grow.
pub const NO_ROOM_HINT: &str = "make room for the target, or choose another place for it";

/// A new SQLite file that is being filled.
pub struct Loader {
    inserting: Inserting,
    /// The table whose rows it takes now, and their columns.
    table: String,
    columns: Vec<String>,
    /// The file's path in backticks.
    label: String,
}

/// Why a row was not taken.
#[derive(Debug)]
pub struct RowRefused {
    /// The row's place in its batch.
    pub row: usize,
    /// SQLite's message, for example `UNIQUE constraint failed: t.a`.
    pub message: String,
    /// What refused it.
    pub reason: Refusal,
}

/// What refuses a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// A constraint of the target is broken, or could not be computed.
    Constraint,
    /// A value, or the whole row, has more bytes than SQLite takes.
    TooLarge,
    /// The file could not be written.
    Unwritten,
}

impl Loader {
    /// Opens a file that nobody else knows of. `page_size_bytes` is a power of two from 512 to 65536.
    ///
    /// # Errors
    /// When the file cannot be opened or written.
    pub fn create(path: &Path, page_size_bytes: u32) -> Result<Self> {
        let label = format!("`{}`", path.display());
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags).could_not("create the target", &label)?;
        let settings = [
            ("page_size", i64::from(page_size_bytes)),
            ("synchronous", 0),
            ("foreign_keys", 0),
            ("temp_store", 1),
            ("cache_size", -i64::from(CACHE_KIB)),
            ("threads", i64::from(SORTER_THREADS)),
        ];
        let words = [("journal_mode", "off"), ("locking_mode", "exclusive")];
        let set = || {
            settings.into_iter().try_for_each(|(name, value)| pragma::set(&connection, name, value))?;
            words.into_iter().try_for_each(|(name, word)| pragma::set(&connection, name, word))
        };
        set().could_not("prepare the target", &label)?;
        Ok(Loader { inserting: Inserting::on(connection), table: String::new(), columns: Vec::new(), label })
    }

    /// The file's path in backticks, for messages.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// The connection, for what is not rows.
    pub fn connection(&self) -> &Connection {
        self.inserting.connection()
    }

    /// How many bytes SQLite takes for one value, and for all of one row.
    ///
    /// # Errors
    /// Never for a connection that is open.
    pub fn row_bytes_max(&self) -> Result<usize> {
        let limit =
            self.connection().limit(Limit::SQLITE_LIMIT_LENGTH).could_not("ask for the limits of", &self.label)?;
        Ok(usize::try_from(limit).unwrap_or(usize::MAX))
    }

    /// Executes statements.
    ///
    /// # Errors
    /// When SQLite refuses one; `object` says what it was for.
    pub fn execute(&self, sql: &str, object: &str) -> Result<()> {
        self.connection().execute_batch(sql).map_err(|error| unwritten(CREATE, object, &error).because(error))
    }

    /// Holds the list of objects while many are created.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn hold_objects(&self) -> Result<ObjectList<'_>> {
        ObjectList::hold(self.connection()).map_err(|error| unwritten(CREATE, &self.label, &error).because(error))
    }

    /// Creates an object of a list that is held; `object` says what it is.
    ///
    /// # Errors
    /// When SQLite refuses it.
    pub fn create_object(&self, list: &mut ObjectList<'_>, sql: &str, object: &str) -> Result<()> {
        list.create(sql).map_err(|error| unwritten(CREATE, object, &error).because(error))
    }

    /// Lets go of the list.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn release_objects(&self, list: ObjectList<'_>) -> Result<()> {
        list.release().map_err(|error| unwritten(CREATE, &self.label, &error).because(error))
    }

    /// Starts the transaction that all rows go into.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn begin(&self) -> Result<()> {
        self.execute("BEGIN EXCLUSIVE", "a transaction")
    }

    /// Ends it.
    ///
    /// # Errors
    /// When the file cannot be written, for example because the disk is full.
    pub fn commit(&self) -> Result<()> {
        self.connection()
            .execute_batch("COMMIT")
            .map_err(|error| unwritten("write", &self.label, &error).because(error))
    }

    /// Makes ready for rows of a table: values for those columns, in that order.
    ///
    /// # Errors
    /// When the target has no such table or column.
    pub fn expect_rows(&mut self, table: &str, columns: &[&str]) -> Result<()> {
        let sql = if columns.is_empty() {
            format!("INSERT INTO {} DEFAULT VALUES", quote(table))
        } else {
            let names: Vec<_> = columns.iter().map(|column| quote(column)).collect();
            let places = vec!["?"; columns.len()].join(", ");
            format!("INSERT INTO {} ({}) VALUES ({places})", quote(table), names.join(", "))
        };
        self.table = table.to_owned();
        self.columns = columns.iter().map(|column| (*column).to_owned()).collect();
        self.inserting
            .prepare(&sql)
            .map_err(|error| Error::could_not("prepare the target table", format!("`{table}`"), error.message))
    }

    /// Inserts every row of a batch into the table that it was made ready for.
    ///
    /// # Errors
    /// At the first row that SQLite refuses.
    pub fn take(&mut self, batch: &Batch) -> Result<(), RowRefused> {
        let rows = if fault::active(Fault::LastRowLost) { batch.rows.saturating_sub(1) } else { batch.rows };
        let times = if fault::active(Fault::BatchWrittenTwice) { 2 } else { 1 };
        let width = self.columns.len();
        for row in (0..times).flat_map(|_| 0..rows) {
            let values = &batch.values[row * width..(row + 1) * width];
            let Some(insert) = self.inserting.insert() else { return Ok(()) };
            insert.execute(batch, values).map_err(|error| refused(row, error))?;
            if !batch.large.is_empty() {
                self.write_large(batch, values).map_err(|error| RowRefused {
                    row,
                    message: error.to_string(),
                    reason: Refusal::Unwritten,
                })?;
            }
        }
        if let Some(insert) = self.inserting.insert() {
            insert.clear();
        }
        Ok(())
    }

    /// Writes the large values of the row that was inserted last.
    fn write_large(&self, batch: &Batch, values: &[Packed]) -> std::io::Result<()> {
        let rowid = self.connection().last_insert_rowid();
        for (value, column) in values.iter().zip(&self.columns) {
            if let Packed::Large(number) = value
                && let Some(bytes) = batch.large.get(*number as usize)
            {
                blob::write(self.connection(), &self.table, column, rowid, bytes)?;
            }
        }
        Ok(())
    }

    /// The columns of a table whose values need not be in memory: what else is made of a row (keys, what is checked or computed) needs
    /// its values at once.
    ///
    /// # Errors
    /// When the schema cannot be read.
    pub fn large_columns(&self, table: &str) -> Result<Vec<String>> {
        let read = || -> rusqlite::Result<Vec<String>> {
            let mut all = self.connection().prepare(include_str!("sql/columns_without_more.sql"))?;
            all.query_map([table], |row| row.get(0))?.collect()
        };
        read().could_not("look at", format!("table `{table}`"))
    }

    /// Files what the ledger keeps of one batch of a table.
    ///
    /// # Errors
    /// When the ledger cannot be written.
    pub fn file_ledger(&self, table: &str, batch: &Batch) -> Result<()> {
        let write = || {
            let mut ledger = ledger::Writer::new(self.connection())?;
            let mut entries = batch.ledger.iter();
            entries.try_for_each(|entry| ledger.add(table, &entry.row_key, &entry.column, &entry.exact))
        };
        write().could_not("write the ledger", "")
    }

    /// Closes the file.
    ///
    /// # Errors
    /// When SQLite cannot write the last pages.
    pub fn close(self) -> Result<()> {
        let Loader { inserting, label, .. } = self;
        inserting.close().map_err(|error| unwritten("close", &label, &error).because(error))
    }
}

/// Tells why the file was not written, and what to do where there is no room for it.
fn unwritten(operation: &str, object: &str, error: &rusqlite::Error) -> Error {
    let told = Error::could_not(operation, object, error);
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull | ErrorCode::SystemIoFailure) => told.hint(NO_ROOM_HINT),
        Some(ErrorCode::ConstraintViolation) => told.hint(
            "values that differ in the source are equal in these columns' representation: \
             choose an exact one, as in `rules.columns.\"table.column\" = \"iso8601\"`",
        ),
        _ => told,
    }
}

fn refused(row: usize, error: StepError) -> RowRefused {
    // An expression that ends in an error, such as the overflow of an integer, is told by the code for anything.
    let reason = match error.code & 0xff {
        rusqlite::ffi::SQLITE_CONSTRAINT | rusqlite::ffi::SQLITE_ERROR => Refusal::Constraint,
        rusqlite::ffi::SQLITE_TOOBIG => Refusal::TooLarge,
        _ => Refusal::Unwritten,
    };
    RowRefused { row, message: error.message, reason }
}
