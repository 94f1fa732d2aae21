//! The copy: one thread reads and decodes, one thread binds and steps, batches go between them and back.
//!
//! A row is decoded once, where it is read; its digest is taken there too. The writing thread knows nothing of types.
//! The channel is bounded, so the reader waits when SQLite does, and memory does not grow with the rows. Tables may come
//! interleaved: each has a batch of its own while it has rows, and there are few of them.

use crate::cancel::Cancel;
use crate::endpoint::sqlite::loader::{Loader, NO_ROOM_HINT, Refusal, RowRefused};
use crate::endpoint::sqlite::{Batch, LedgerEntry};
use crate::endpoint::{ReadTable, RowSink, Source};
use crate::error::{Error, Result};
use crate::event::{Event, Listener};
use crate::plan::{ColumnPlan, Plan, TablePlan};
use crate::quote::quote;
use crate::types::{Codec, Rule};
use crate::value::{Cell, RowHasher, Stored, TableDigest, row_key};
use crate::verify::inexact::{self, InexactColumn, key_of};
use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread;

/// Batches under way at most: one being filled, one being written, and these.
const BATCHES_BETWEEN: usize = 3;
/// Batches that are being filled at most, where rows of several tables interleave.
const BATCHES_OPEN: usize = 8;
/// A key that is longer than this is not shown in a message about a row's size.
const KEY_SHOWN_BYTES_MAX: usize = 200;
/// What an entry of the ledger has besides the key and the value: two names and the record's own.
const LEDGER_BYTES_MAX: usize = 1024;

/// What was read of one table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Copied {
    /// The digest of the source's rows, taken while they streamed.
    pub digest: TableDigest,
    /// Bytes of text and blobs.
    pub bytes: u64,
    /// Values that their columns do not hold whole; the ledger keeps them, where there is one.
    pub inexact_values: u64,
    /// The columns with such values, where there is no ledger.
    pub inexact: Vec<InexactColumn>,
}

/// Rows of one table, under way to the writer.
struct Message {
    table: usize,
    rows: Batch,
}

/// Copies every table of the plan and returns the loader with what was read of each.
///
/// # Errors
/// When a row cannot be read, cannot be represented, or is refused by the target; it is named with its key.
pub fn copy(
    source: &mut dyn Source,
    plan: &Plan,
    loader: Loader,
    metadata: bool,
    cancel: &Cancel,
    listener: &Listener<'_>,
) -> Result<(Loader, Vec<Copied>)> {
    let row_bytes_max = loader.row_bytes_max()?;
    let (to_writer, from_reader) = sync_channel(BATCHES_BETWEEN);
    let (to_reader, from_writer) = channel();
    let interrupt = loader.connection().get_interrupt_handle();
    let _registration = cancel.on_cancel(move || interrupt.interrupt());
    thread::scope(|scope| {
        let writer = scope.spawn(move || write(plan, loader, &from_reader, &to_reader, metadata));
        let mut reader = Reader {
            tables: plan.tables.iter().map(|table| Reading::new(table, metadata, row_bytes_max)).collect(),
            open: VecDeque::new(),
            to_writer,
            from_writer,
            under_way: 0,
            waits: false,
            hasher: RowHasher::default(),
            cancel,
            listener,
        };
        let requests: Vec<_> = plan.tables.iter().map(ReadTable::of).collect();
        let read = source.read(&requests, &mut reader);
        let copied = reader.close();
        let written =
            writer.join().unwrap_or_else(|_| Err(Error::could_not("write the target", "", "the writer panicked")));
        if cancel.is_cancelled() {
            return Err(Error::interrupted("copy"));
        }
        // The writer's failure is the cause; the reader then only saw that nobody takes its batches.
        let loader = written?;
        read?;
        Ok((loader, copied?))
    })
}

/// Takes the rows of the source, in whatever order they come.
struct Reader<'r> {
    tables: Vec<Reading<'r>>,
    /// The tables with rows that are not handed over yet, that of the oldest ones first.
    open: VecDeque<usize>,
    to_writer: SyncSender<Message>,
    from_writer: Receiver<Batch>,
    /// How many batches the writer has.
    under_way: usize,
    /// One of them is so large that the next row waits until it is written.
    waits: bool,
    hasher: RowHasher,
    cancel: &'r Cancel,
    listener: &'r Listener<'r>,
}

impl RowSink for Reader<'_> {
    fn begin(&mut self, table: usize) -> Result<()> {
        self.cancel.check("copy")?;
        let TablePlan { source, row_estimate, .. } = self.tables[table].plan;
        (self.listener)(Event::TableStarted { table: source.clone(), row_estimate: *row_estimate });
        Ok(())
    }

    #[inline]
    fn row(&mut self, table: usize, cells: &[Cell<'_>]) -> Result<()> {
        if self.waits {
            self.wait_for_writer()?;
        }
        if self.tables[table].batch.is_empty() {
            self.open(table)?;
        }
        let reading = &mut self.tables[table];
        reading.row(cells, &mut self.hasher)?;
        if reading.batch.is_full() { self.flush(table) } else { Ok(()) }
    }

    fn end(&mut self, table: usize) -> Result<()> {
        if !self.tables[table].batch.is_empty() {
            self.flush(table)?;
        }
        let Reading { plan, copied, ended, .. } = &mut self.tables[table];
        *ended = true;
        (self.listener)(Event::TableFinished { table: plan.source.clone(), rows: copied.digest.rows });
        Ok(())
    }
}

impl Reader<'_> {
    /// Finds memory for the next rows of a table.
    fn open(&mut self, table: usize) -> Result<()> {
        if self.open.len() >= BATCHES_OPEN
            && let Some(oldest) = self.open.front()
        {
            self.flush(*oldest)?;
        }
        if let Ok(batch) = self.from_writer.try_recv() {
            self.under_way -= 1;
            self.tables[table].batch = batch;
        }
        self.open.push_back(table);
        Ok(())
    }

    /// Waits until every batch is written: with several rows of hundreds of megabytes on their way, memory would be
    /// theirs times the batches between the threads.
    #[cold]
    fn wait_for_writer(&mut self) -> Result<()> {
        while self.under_way > 0 {
            self.from_writer.recv().map_err(|_| gone())?;
            self.under_way -= 1;
        }
        self.waits = false;
        Ok(())
    }

    /// Hands the rows of a table over to the writer.
    fn flush(&mut self, table: usize) -> Result<()> {
        self.open.retain(|open| *open != table);
        let reading = &mut self.tables[table];
        let rows = std::mem::take(&mut reading.batch);
        let (count, bytes) = (rows.row_count() as u64, rows.byte_count() as u64);
        reading.copied.bytes += bytes;
        self.waits = rows.is_oversized();
        self.under_way += 1;
        self.to_writer.send(Message { table, rows }).map_err(|_| gone())?;
        (self.listener)(Event::RowsCopied { rows: count, bytes });
        Ok(())
    }

    /// Lets the writer end, and tells what was read of each table.
    fn close(self) -> Result<Vec<Copied>> {
        let told = |reading: Reading<'_>| match reading.ended {
            true => Ok(reading.copied),
            false => {
                Err(Error::could_not("copy", format!("table `{}`", reading.plan.source), "it was not read to its end"))
            }
        };
        self.tables.into_iter().map(told).collect()
    }
}

/// One table while its rows come in.
struct Reading<'r> {
    plan: &'r TablePlan,
    codecs: Vec<Codec>,
    batch: Batch,
    copied: Copied,
    ended: bool,
    metadata: bool,
    /// More than this SQLite does not take for one row.
    row_bytes_max: usize,
}

impl<'r> Reading<'r> {
    fn new(plan: &'r TablePlan, metadata: bool, row_bytes_max: usize) -> Self {
        let codecs = plan.columns.iter().map(ColumnPlan::codec).collect();
        let (batch, copied) = (Batch::default(), Copied::default());
        Reading { plan, codecs, batch, copied, ended: false, metadata, row_bytes_max }
    }

    #[inline]
    fn row(&mut self, cells: &[Cell<'_>], hasher: &mut RowHasher) -> Result<()> {
        let Reading { plan: table, codecs, .. } = self;
        let mut inexact = false;
        let mut bytes_left = self.row_bytes_max;
        for ((cell, codec), column) in cells.iter().zip(codecs.iter()).zip(&table.columns) {
            let placed = codec.place(cell);
            inexact |= !placed.exact;
            if placed.exact || self.metadata {
                hasher.cell(cell);
            } else {
                // Without a ledger the target can only be held to what its column keeps of the value.
                hasher.cell(&codec.without_ledger(cell));
            }
            if column.computed {
                continue;
            }
            if !placed.exact && column.not_null && placed.stored == Stored::Null {
                return Err(no_room_for(
                    table,
                    column,
                    &codec.text(cell).unwrap_or_default(),
                    &key_of(table, codecs, cells, self.copied.digest.rows),
                ));
            }
            // Told before the value is kept a second time.
            let Some(left) = bytes_left.checked_sub(placed.stored.byte_count()) else {
                let key = key_of_large(table, codecs, cells, self.copied.digest.rows);
                return Err(too_large(table, column, &key, placed.stored.byte_count(), self.row_bytes_max));
            };
            bytes_left = left;
            self.batch.push(&placed.stored);
        }
        if inexact {
            self.file(cells)?;
        }
        self.batch.end_row();
        self.copied.digest.add(hasher.finish());
        Ok(())
    }

    /// Files what the columns do not hold of a row.
    #[cold]
    fn file(&mut self, cells: &[Cell<'_>]) -> Result<()> {
        let Reading { plan: table, codecs, copied, .. } = self;
        let key = key_of(table, codecs, cells, copied.digest.rows);
        for ((cell, codec), column) in cells.iter().zip(codecs.iter()).zip(&table.columns) {
            if codec.place(cell).exact {
                continue;
            }
            copied.inexact_values += 1;
            if !self.metadata {
                inexact::note(&mut copied.inexact, table, column, &key, codec.text(cell).unwrap_or_default());
            }
            if let Some(exact) = codec.text(cell).filter(|_| self.metadata) {
                let exact = exact.into_owned();
                if exact.len() + key.len() > self.row_bytes_max.saturating_sub(LEDGER_BYTES_MAX) {
                    let key = key_of_large(table, codecs, cells, copied.digest.rows);
                    return Err(too_large(table, column, &key, exact.len(), self.row_bytes_max));
                }
                self.batch.push_ledger(LedgerEntry { row_key: key.clone(), column: column.target.clone(), exact });
            }
        }
        Ok(())
    }
}

/// The writer has failed, which is told instead.
fn gone() -> Error {
    Error::could_not("copy", "", "the target takes no more rows")
}

/// The row's name in a message about its size: of a key that may itself be the large value, its place is told.
fn key_of_large(table: &TablePlan, codecs: &[Codec], cells: &[Cell<'_>], rows_before: u64) -> String {
    let bytes = |place: &usize| codecs[*place].place(&cells[*place]).stored.byte_count();
    if table.key.iter().map(bytes).sum::<usize>() > KEY_SHOWN_BYTES_MAX {
        return format!("{} of the scan", rows_before + 1);
    }
    key_of(table, codecs, cells, rows_before)
}

/// What SQLite does not take, before it is asked.
fn too_large(table: &TablePlan, column: &ColumnPlan, key: &str, bytes: usize, row_bytes_max: usize) -> Error {
    let object = format!("table `{}`, row {key}, column `{}`", table.source, column.source);
    let cause = if bytes > row_bytes_max {
        format!("the value has {bytes} bytes; SQLite takes {row_bytes_max} at most")
    } else {
        format!("with this value of {bytes} bytes the row has more than {row_bytes_max}, which SQLite takes at most")
    };
    let name = &table.source.name;
    // Under these rules JSON's quotes and backslashes can be what is too much.
    let shorter = match column.rule {
        Rule::JsonArray | Rule::JsonObject => format!(
            "give it the rule `server-text` where that is shorter (`--rule {name}.{}=server-text`), ",
            column.source
        ),
        _ => String::new(),
    };
    Error::could_not("copy", object, cause).hint(format!(
        "{shorter}leave the column out with `drop.\"{name}.{}\" = \"why\"` in a project's `project.toml`, or the table \
         with `--exclude-table {name}`, or make the value smaller in the source",
        column.source
    ))
}

fn no_room_for(table: &TablePlan, column: &ColumnPlan, value: &str, key: &str) -> Error {
    let object = format!("table `{}`, row {key}, column `{}`", table.source, column.source);
    let cause = format!("SQLite has no {value}, and NULL, which would stand for it, is not allowed there (NOT NULL)");
    Error::could_not("copy", object, cause).hint(format!(
        "keep the column as text: `--rule {0}.{1}=server-text`, or `rules.columns.\"{0}.{1}\" = \"server-text\"`",
        table.source.name, column.source
    ))
}

fn write(
    plan: &Plan,
    loader: Loader,
    from_reader: &Receiver<Message>,
    to_reader: &Sender<Batch>,
    metadata: bool,
) -> Result<Loader> {
    let mut next = from_reader.recv().ok();
    while let Some(Message { table: index, .. }) = next {
        let table = &plan.tables[index];
        let columns: Vec<_> =
            table.columns.iter().filter(|column| !column.computed).map(|column| column.target.as_str()).collect();
        let mut into = loader.rows_into(&table.target, &columns)?;
        while let Some(Message { rows: batch, .. }) = next.as_mut().filter(|message| message.table == index) {
            into.take(batch).map_err(|refused| refused_row(plan, table, batch, &refused, &loader))?;
            if metadata && !batch.ledger.is_empty() {
                loader.file_ledger(&table.target, batch)?;
            }
            batch.clear();
            // The reader may be gone already; then nobody needs the memory.
            let _ = to_reader.send(std::mem::take(batch));
            next = from_reader.recv().ok();
        }
    }
    Ok(loader)
}

/// The key of a row that was refused, from the batch's own values.
fn refused_key(table: &TablePlan, batch: &Batch, row: usize) -> String {
    let inserted: Vec<usize> = (0..table.columns.len()).filter(|place| !table.columns[*place].computed).collect();
    let places: Vec<_> = table.key.iter().filter_map(|key| inserted.iter().position(|place| place == key)).collect();
    if places.is_empty() {
        return "without a key".to_owned();
    }
    if places.iter().map(|place| batch.value(row, *place, inserted.len()).byte_count()).sum::<usize>()
        > KEY_SHOWN_BYTES_MAX
    {
        return "with a long key".to_owned();
    }
    row_key(places.into_iter().map(|place| batch.value(row, place, inserted.len())))
}

fn refused_row(plan: &Plan, table: &TablePlan, batch: &Batch, refused: &RowRefused, loader: &Loader) -> Error {
    let key = refused_key(table, batch, refused.row);
    let object = format!("table `{}`, row {key}", table.source);
    match refused.reason {
        Refusal::Constraint => {}
        Refusal::Unwritten => {
            let object = format!("{object}, to {}", loader.shown());
            return Error::could_not("copy", object, &refused.message).hint(NO_ROOM_HINT);
        }
        Refusal::TooLarge => {
            let inserted: Vec<&ColumnPlan> = table.columns.iter().filter(|column| !column.computed).collect();
            let bytes = |place: usize| batch.value(refused.row, place, inserted.len()).byte_count();
            let largest = (0..inserted.len()).max_by_key(|place| bytes(*place));
            return match (largest, loader.row_bytes_max()) {
                (Some(place), Ok(max)) => too_large(table, inserted[place], &key, bytes(place), max),
                _ => Error::could_not("copy", object, &refused.message),
            };
        }
    }
    let error = Error::could_not("copy", object, &refused.message);
    // SQLite names an unnamed check by its text, and of a text that begins with a quoted name by that name alone.
    let check = refused.message.strip_prefix("CHECK constraint failed: ");
    let is_named = |column: &&ColumnPlan| {
        let json = matches!(column.rule, Rule::Json | Rule::JsonArray | Rule::JsonObject);
        let whole = format!("json_valid({})", quote(&column.target));
        json && check.is_some_and(|check| check == whole || check == column.target)
    };
    if let Some(column) = table.columns.iter().find(is_named) {
        return error.hint(format!(
            "SQLite reads JSON up to a depth of 1000; keep the column as plain text: \
             `rules.columns.\"{}.{}\" = \"server-text\"`",
            table.source.name, column.source
        ));
    }
    if plan.given_schema {
        return error.hint(super::finish::OF_GIVEN_SCHEMA_HINT);
    }
    if let Some(check) = check
        && let Some(hint) = plan.known_difference(&format!("{}.{check}", table.source))
    {
        return error.hint(hint);
    }
    if !refused.message.contains("NOT NULL") && !refused.message.contains("datatype") {
        return error.hint(
            "the source holds it for true: leave the constraint out by its name under `tables.exclude_objects`, or choose \
             another rule for the column",
        );
    }
    error.hint("choose another rule for the column under `rules.columns`")
}

#[cfg(test)]
mod tests;
