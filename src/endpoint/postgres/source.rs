//! PostgreSQL as a source of rows.

use super::copy::{self, Form, Frames};
use super::field::FieldDecoder;
use super::not_text::{look, not_text};
use super::wire::WireError;
use super::{Patience, Session, introspect, own_digest};
use crate::cancel::Cancel;
use crate::catalog::{Catalog, QualifiedName};
use crate::endpoint::{PostgresUrl, ReadTable, RowSink, Source, TakeHash};
use crate::error::{Error, Result};
use crate::value::{Cell, TextDigest, recycle};
use std::sync::Arc;

/// A PostgreSQL database, read in one snapshot.
pub struct PostgresSource {
    pub(super) session: Session,
    label: String,
    /// For a second connection.
    pub(super) url: PostgresUrl,
    pub(super) cancel: Cancel,
    /// What the snapshot's catalog says, when it has been asked.
    catalog: Option<Arc<Catalog>>,
}

impl PostgresSource {
    /// Connects and takes the snapshot.
    ///
    /// # Errors
    /// As [`Session::connect`].
    pub fn connect(url: &PostgresUrl, cancel: &Cancel) -> Result<Self> {
        Self::reach(url, Patience::default(), cancel)?.snapshot()
    }

    /// Connects and takes no snapshot yet: for somebody who still writes rows, and does not want to wait afterwards.
    ///
    /// # Errors
    /// As [`Session::connect`].
    pub fn reach(url: &PostgresUrl, patience: Patience, cancel: &Cancel) -> Result<Reached> {
        Ok(Reached {
            session: Session::reach(url, patience, cancel)?,
            label: url.to_string(),
            url: url.clone(),
            cancel: cancel.clone(),
        })
    }
}

/// A PostgreSQL database that is connected to and not read yet.
pub struct Reached {
    session: Session,
    label: String,
    url: PostgresUrl,
    cancel: Cancel,
}

impl Reached {
    /// Reads the catalog and forgets it: the server's process then has at hand what it takes twice as long to look up
    /// for the first time.
    ///
    /// # Errors
    /// As [`Session::connect`] and [`introspect`].
    pub fn warm_up(mut self) -> Result<Self> {
        self.session.begin()?;
        introspect(&mut self.session)?;
        self.session.query_rows("leave", format!("`{}`", self.label), "ROLLBACK")?;
        Ok(self)
    }

    /// Takes the snapshot.
    ///
    /// # Errors
    /// As [`Session::connect`].
    pub fn snapshot(self) -> Result<PostgresSource> {
        let Reached { mut session, label, url, cancel } = self;
        session.begin()?;
        // A scan that starts where another one is, or in several processes, would give the rows in another order
        // each time, and two runs over the same data two different files.
        session.query_rows(
            "pin the order of scans of",
            format!("`{label}`"),
            "SET LOCAL synchronize_seqscans = off; SET LOCAL max_parallel_workers_per_gather = 0",
        )?;
        Ok(PostgresSource { session, label, url, cancel, catalog: None })
    }
}

impl Source for PostgresSource {
    fn label(&self) -> &str {
        &self.label
    }

    fn catalog(&mut self) -> Result<Arc<Catalog>> {
        if let Some(catalog) = &self.catalog {
            return Ok(Arc::clone(catalog));
        }
        let catalog = self.catalog_again()?;
        Ok(Arc::clone(self.catalog.insert(catalog)))
    }

    fn catalog_again(&mut self) -> Result<Arc<Catalog>> {
        introspect(&mut self.session).map(Arc::new)
    }

    fn ensure_readable(&mut self, tables: &[&QualifiedName]) -> Result<()> {
        tables.iter().try_for_each(|table| self.session.held_oid(table).map(|_| ()))?;
        let sql = include_str!("sql/hidden_rows.sql");
        for row in self.session.query_rows("read the policies of", format!("`{}`", self.label), sql)? {
            let [Some(schema), Some(name)] = row.as_slice() else { continue };
            let hidden = QualifiedName::new(schema, name);
            if tables.contains(&&hidden) {
                let cause = "a policy of its row-level security would hide rows from this role";
                return Err(Error::could_not("read", format!("table `{hidden}`"), cause)
                    .hint("connect as the table's owner or as a role with BYPASSRLS, or exclude it"));
            }
        }
        Ok(())
    }

    fn read(&mut self, tables: &[ReadTable<'_>], sink: &mut dyn RowSink) -> Result<()> {
        tables.iter().enumerate().try_for_each(|(place, table)| {
            sink.begin(place)?;
            self.read_table(place, table, sink)?;
            sink.end(place)
        })
    }

    fn own_digest(&mut self, request: &ReadTable<'_>) -> Result<Option<TextDigest>> {
        own_digest::ask(&mut self.session, request).map(Some)
    }

    fn own_hashes(&mut self, request: &ReadTable<'_>, hash: &mut TakeHash<'_>) -> Result<bool> {
        own_digest::hashes(&mut self.session, request, hash).map(|()| true)
    }
}

impl PostgresSource {
    fn read_table(&mut self, table: usize, request: &ReadTable<'_>, sink: &mut dyn RowSink) -> Result<()> {
        let held = self.session.ensure_held(request.table)?;
        let (statement, form) = copy::statement(request, held);
        let mut reader = RowReader::new(request, form);
        let object = format!("table `{}`", request.table);
        let outcome = self.session.copy_out(object, &statement, &mut |message| reader.take(message, table, sink));
        outcome.map_err(|error| match self.session.met_no_text {
            true => self.name_what_is_not_text(request, reader.rows_read, error),
            false => error,
        })?;
        reader.finish()?;
        // What was true before the first row has to be true behind the last one.
        self.session.ensure_held(request.table).map(|_| ())
    }
}

impl PostgresSource {
    /// Names what stopped the server after so many rows. Where that does not succeed, what the server says is told.
    pub(super) fn name_what_is_not_text(&self, request: &ReadTable<'_>, rows_read: u64, told: Error) -> Error {
        let again = || Session::connect_within(&self.url, self.session.patience.clone(), &self.cancel);
        again().and_then(|session| look(session, request, rows_read, &told)).ok().flatten().unwrap_or(told)
    }
}

/// Makes rows of what COPY sends.
pub(super) struct RowReader<'r, 'p> {
    request: &'r ReadTable<'p>,
    form: Form,
    decoders: Vec<FieldDecoder<'p>>,
    frames: Frames,
    rows_read: u64,
    /// The cells of a row borrow its message; the vector's memory goes from row to row.
    spare: Vec<Cell<'static>>,
}

impl<'r, 'p> RowReader<'r, 'p> {
    /// Before the first message of the answer in that form.
    pub(super) fn new(request: &'r ReadTable<'p>, form: Form) -> Self {
        let decoders = FieldDecoder::of_columns(&request.columns);
        let (frames, spare) = (Frames::of(form, decoders.len()), Vec::with_capacity(decoders.len()));
        RowReader { request, form, decoders, frames, rows_read: 0, spare }
    }

    /// Hands the rows of a message over as those of the table `told`.
    ///
    /// # Errors
    /// When the bytes are not COPY's, a field has not its type's form, or the sink fails.
    pub(super) fn take(&mut self, message: &[u8], told: usize, sink: &mut dyn RowSink) -> Result<()> {
        let RowReader { request, form, decoders, frames, rows_read, spare } = self;
        frames.take(message, &mut |fields| {
            let mut cells: Vec<Cell<'_>> = recycle(std::mem::take(spare));
            for (place, (decoder, field)) in decoders.iter().zip(fields).enumerate() {
                let cell = form.decode(decoder, *field);
                cells.push(cell.map_err(|error| undecodable(request, *form, place, fields, *rows_read, &error))?);
            }
            sink.row(told, &cells)?;
            *rows_read += 1;
            *spare = recycle(cells);
            Ok(())
        })
    }

    /// Ends the stream.
    ///
    /// # Errors
    /// When rows are missing.
    pub(super) fn finish(&self) -> Result<()> {
        let told = |error| Error::could_not("read", format!("table `{}`", self.request.table), error);
        self.frames.finish().map_err(told)
    }
}

fn undecodable(
    request: &ReadTable<'_>,
    form: Form,
    place: usize,
    fields: &[Option<&[u8]>],
    rows_read: u64,
    error: &WireError,
) -> Error {
    match error {
        // A server that converts sends nothing else than UTF-8.
        WireError::NotUtf8 => not_text(request, form, place, fields, rows_read, "UTF8"),
        WireError::Malformed => {
            let name = request.columns[place].name;
            let object = format!("table `{}`, row {} of the scan, column `{name}`", request.table, rows_read + 1);
            Error::could_not("read", object, error).hint("give the column the rule `server-text`")
        }
    }
}
