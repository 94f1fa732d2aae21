//! The copy: one thread reads, decodes and encodes, one thread writes, batches go between them and back.
//!
//! A row is decoded once, where it is read; its digest is taken there too, and there the target's encoder puts it into a
//! batch. The writing thread knows nothing of types. The channel is bounded, so the reader waits when the target does, and
//! memory does not grow with the rows. Tables may come interleaved: each has a batch of its own while it has rows, and there
//! are few of them.

use crate::cancel::Cancel;
use crate::endpoint::inexact::InexactColumn;
use crate::endpoint::{Draft, Encode, Held, Inexact, ReadTable, Rejected, RowBatch, RowSink, Source};
use crate::error::{Error, Result};
use crate::event::{Event, Listener};
use crate::plan::{Plan, TablePlan};
use crate::value::{Cell, RowHasher, TableDigest};
use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread;

/// Batches under way at most: one being filled, one being written, and these.
const BATCHES_BETWEEN: usize = 3;
/// Batches that are being filled at most, where rows of several tables interleave.
const BATCHES_OPEN: usize = 8;
/// How many bytes of rows are read at most while a row waits in a batch that is being filled: rows of several tables come
/// to the writer nearly in the order in which they were read.
const WAITING_BYTES_MAX: u64 = 4 << 20;

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
struct Message<B> {
    table: usize,
    rows: B,
}

/// Copies every table of the plan into the draft and returns what was read of each; with `quarantine` also what of the source
/// was set aside.
///
/// # Errors
/// When a row cannot be read, cannot be represented, or is refused by the target; it is named with its key.
pub fn copy<D: Draft>(
    source: &mut dyn Source,
    plan: &Plan,
    draft: &mut D,
    quarantine: bool,
    cancel: &Cancel,
    listener: &Listener<'_>,
) -> Result<(Vec<Copied>, Vec<Rejected>)> {
    let (to_writer, from_reader) = sync_channel(BATCHES_BETWEEN);
    let (to_reader, from_writer) = channel();
    let encoders = (0..plan.tables.len()).map(|table| draft.encoder(table));
    let tables = plan.tables.iter().zip(encoders).map(|(plan, encoder)| Reading::<D>::new(plan, encoder));
    let (tables, turns) = (tables.collect(), draft.turns());
    thread::scope(|scope| {
        let writer = scope.spawn(move || write(draft, &from_reader, &to_reader));
        let mut reader = Reader {
            tables,
            open: VecDeque::new(),
            read_bytes: 0,
            to_writer,
            from_writer,
            under_way: 0,
            waits: false,
            hasher: RowHasher::default(),
            rejected: quarantine.then(Vec::new),
            cancel,
            listener,
        };
        let requests: Vec<_> = plan.tables.iter().map(ReadTable::of).collect();
        let read = match turns.is_empty() {
            true => source.read(&requests, &mut reader),
            false => source.read_in_turns(&requests, &turns, &mut reader),
        };
        let copied = reader.close();
        let written =
            writer.join().unwrap_or_else(|_| Err(Error::could_not("write the target", "", "the writer panicked")));
        if cancel.is_cancelled() {
            return Err(Error::interrupted("copy"));
        }
        // The writer's failure is the cause; the reader then only saw that nobody takes its batches.
        written?;
        read?;
        copied
    })
}

/// A table with rows that are not handed over yet.
struct Open {
    table: usize,
    /// What had been read when the first of them came.
    since_bytes: u64,
}

/// Takes the rows of the source, in whatever order they come.
struct Reader<'r, D: Draft> {
    tables: Vec<Reading<'r, D>>,
    /// The tables with rows that are not handed over yet, that of the oldest ones first.
    open: VecDeque<Open>,
    /// Bytes of the rows that were read so far.
    read_bytes: u64,
    to_writer: SyncSender<Message<D::Batch>>,
    from_writer: Receiver<D::Batch>,
    /// How many batches the writer has.
    under_way: usize,
    /// One of them is so large that the next row waits until it is written.
    waits: bool,
    hasher: RowHasher,
    /// What was set aside, where anything may be.
    rejected: Option<Vec<Rejected>>,
    cancel: &'r Cancel,
    listener: &'r Listener<'r>,
}

impl<D: Draft> RowSink for Reader<'_, D> {
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
        if self.tables[table].batch.rows() == 0 {
            self.open(table)?;
        }
        let reading = &mut self.tables[table];
        let before = reading.batch.bytes();
        reading.row(cells, &mut self.hasher)?;
        self.read_bytes += reading.batch.bytes() - before;
        if reading.batch.is_full() {
            self.flush(table)?;
        }
        match self.open.front() {
            Some(oldest) if self.read_bytes - oldest.since_bytes > WAITING_BYTES_MAX => self.flush(oldest.table),
            Some(_) | None => Ok(()),
        }
    }

    fn takes_large(&self, table: usize) -> bool {
        self.tables[table].encoder.takes_large()
    }

    fn sets_aside(&self) -> bool {
        self.rejected.is_some()
    }

    fn reject(&mut self, rejected: Rejected) -> Result<()> {
        match &mut self.rejected {
            Some(list) => {
                list.push(rejected);
                Ok(())
            }
            None => Err(rejected.error()),
        }
    }

    fn end(&mut self, table: usize) -> Result<()> {
        if self.tables[table].batch.rows() > 0 {
            self.flush(table)?;
        }
        let Reading { plan, digest, ended, .. } = &mut self.tables[table];
        *ended = true;
        (self.listener)(Event::TableFinished { table: plan.source.clone(), rows: digest.rows });
        Ok(())
    }
}

impl<D: Draft> Reader<'_, D> {
    /// Finds memory for the next rows of a table.
    fn open(&mut self, table: usize) -> Result<()> {
        if self.open.len() >= BATCHES_OPEN
            && let Some(oldest) = self.open.front()
        {
            self.flush(oldest.table)?;
        }
        if let Ok(batch) = self.from_writer.try_recv() {
            self.under_way -= 1;
            self.tables[table].batch = batch;
        }
        self.open.push_back(Open { table, since_bytes: self.read_bytes });
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
        self.open.retain(|open| open.table != table);
        let reading = &mut self.tables[table];
        let batch = std::mem::take(&mut reading.batch);
        let (rows, bytes) = (batch.rows(), batch.bytes());
        reading.bytes += bytes;
        self.waits = batch.is_oversized();
        self.under_way += 1;
        self.to_writer.send(Message { table, rows: batch }).map_err(|_| gone())?;
        (self.listener)(Event::RowsCopied { rows, bytes });
        Ok(())
    }

    /// Lets the writer end, and tells what was read of each table, and what was set aside.
    fn close(self) -> Result<(Vec<Copied>, Vec<Rejected>)> {
        let copied = self.tables.into_iter().map(Reading::close).collect::<Result<_>>()?;
        Ok((copied, self.rejected.unwrap_or_default()))
    }
}

/// The writer has failed, which is told instead.
fn gone() -> Error {
    Error::could_not("copy", "", "the target takes no more rows")
}

/// One table while its rows come in.
struct Reading<'r, D: Draft> {
    plan: &'r TablePlan,
    encoder: D::Encoder,
    batch: D::Batch,
    digest: TableDigest,
    bytes: u64,
    ended: bool,
}

impl<'r, D: Draft> Reading<'r, D> {
    fn new(plan: &'r TablePlan, encoder: D::Encoder) -> Self {
        let (batch, digest) = (D::Batch::default(), TableDigest::default());
        Reading { plan, encoder, batch, digest, bytes: 0, ended: false }
    }

    /// Encodes a row for the target, and adds what the target will give back of it to the digest.
    #[inline]
    fn row(&mut self, cells: &[Cell<'_>], hasher: &mut RowHasher) -> Result<()> {
        match self.encoder.row(cells, &mut self.batch)? {
            Held::Whole => cells.iter().for_each(|cell| hasher.cell(cell)),
            Held::Partly => {
                let held = cells.iter().enumerate().map(|(column, cell)| self.encoder.held(column, cell));
                held.for_each(|cell| hasher.cell(&cell));
            }
        }
        self.digest.add(hasher.finish());
        Ok(())
    }

    fn close(self) -> Result<Copied> {
        if !self.ended {
            let object = format!("table `{}`", self.plan.source);
            return Err(Error::could_not("copy", object, "it was not read to its end"));
        }
        let Inexact { values, columns } = self.encoder.inexact();
        Ok(Copied { digest: self.digest, bytes: self.bytes, inexact_values: values, inexact: columns })
    }
}

fn write<D: Draft>(
    draft: &mut D,
    from_reader: &Receiver<Message<D::Batch>>,
    to_reader: &Sender<D::Batch>,
) -> Result<()> {
    for Message { table, mut rows } in from_reader {
        draft.write(table, &mut rows)?;
        // The reader may be gone already; then nobody needs the memory.
        let _ = to_reader.send(rows);
    }
    Ok(())
}
