//! What was loaded, read back in the transaction that loaded it: rows by COPY, definitions from the server's catalogs.

use super::draft::PostgresDraft;
use super::encode::in_text;
use crate::cancel::Cancel;
use crate::catalog::Catalog;
use crate::endpoint::findings::ForeignKeys;
use crate::endpoint::postgres::copy::{self, quote_name};
use crate::endpoint::postgres::introspect::introspect_own;
use crate::endpoint::postgres::snapshot::Held;
use crate::endpoint::postgres::source::RowReader;
use crate::endpoint::postgres::writer::Connection;
use crate::endpoint::{Findings, Finished, Level, Proof, ReadBack, ReadTable, RowSink, Source, TableProof};
use crate::error::{Error, Result};
use crate::event::{Event, Listener};
use crate::plan::home::{Difference, compare};
use crate::value::{Cell, RowHasher, TableDigest};
use std::sync::Arc;

impl Finished for PostgresDraft {
    fn prove(&mut self, level: Level, cancel: &Cancel, listener: &Listener<'_>) -> Result<Proof> {
        let plan = Arc::clone(&self.plan);
        let mut tables = Vec::with_capacity(plan.tables.len());
        for (place, table) in plan.tables.iter().enumerate() {
            cancel.check("verify")?;
            tables.push(match level {
                // What travels as text is read by the server, which may round it, cut it or take it for something else.
                Level::Counts if !in_text(&table.columns) => {
                    TableProof { rows: Some(self.count(place)?), ..TableProof::default() }
                }
                _ => {
                    let digest = self.digest(place, &ReadTable::of(table))?;
                    listener(Event::RowsVerified { rows: digest.rows });
                    let read = ReadBack { digest, texts: None, ledger_surplus: 0 };
                    TableProof { rows: Some(digest.rows), read: Some(read), failure: None }
                }
            });
        }
        let found = introspect_own(&mut self.connection)?;
        let mut findings = Findings::default();
        for difference in compare(self.home()?, &found) {
            match difference {
                Difference::Other(text) => findings.objects.push(text),
                Difference::Words(text) => findings.not_checked.push(format!("that the server means the same: {text}")),
            }
        }
        // The server has checked each of them, and would have refused to make one that does not hold.
        findings.foreign_keys = (level >= Level::Full).then(ForeignKeys::default);
        Ok(Proof { tables, findings })
    }

    fn reread(&mut self, _cancel: &Cancel) -> Result<Box<dyn Source + '_>> {
        Ok(Box::new(Loaded { label: format!("`{}`", self.label), draft: self }))
    }
}

impl PostgresDraft {
    fn count(&mut self, place: usize) -> Result<u64> {
        let name = &self.names[place];
        let object = format!("table `{name}`");
        let rows = self.connection.query(format!("SELECT count(*) FROM ONLY {}", quote_name(name)), &object)?;
        let count = rows.into_iter().flatten().flatten().next().and_then(|count| count.parse().ok());
        count.ok_or_else(|| Error::could_not("count", object, "the server tells no number"))
    }

    fn digest(&mut self, place: usize, request: &ReadTable<'_>) -> Result<TableDigest> {
        let own = ReadTable { table: &self.names[place], ..request.clone() };
        digest_of(&mut self.connection, &own)
    }
}

/// The digest of the requested columns of a table, read by a connection that writes.
pub(super) fn digest_of(connection: &mut Connection, request: &ReadTable<'_>) -> Result<TableDigest> {
    let (mut digest, mut hasher) = (TableDigest::default(), RowHasher::default());
    read_table(connection, 0, request, &mut |_: usize, cells: &[Cell<'_>]| {
        cells.iter().for_each(|cell| hasher.cell(cell));
        digest.add(hasher.finish());
        Ok(())
    })?;
    Ok(digest)
}

/// Reads the requested columns of a table, and hands its rows over as those of the table `told`.
fn read_table(connection: &mut Connection, told: usize, request: &ReadTable<'_>, sink: &mut dyn RowSink) -> Result<()> {
    // Generated columns are not asked for, and a planner computes what it likes: it is all our own.
    let (statement, form) = copy::statement(request, Held { is_plain: true, has_expressions: false });
    let mut reader = RowReader::new(request, form);
    let object = format!("table `{}`", request.table);
    connection.copy_out(statement, object, &mut |bytes| reader.take(bytes, told, sink))?;
    reader.finish()
}

/// The rows of a draft as a source.
struct Loaded<'d> {
    label: String,
    draft: &'d mut PostgresDraft,
}

impl Source for Loaded<'_> {
    fn label(&self) -> &str {
        &self.label
    }

    fn catalog(&mut self) -> Result<Arc<Catalog>> {
        introspect_own(&mut self.draft.connection).map(Arc::new)
    }

    fn read(&mut self, tables: &[ReadTable<'_>], sink: &mut dyn RowSink) -> Result<()> {
        tables.iter().enumerate().try_for_each(|(told, request)| {
            let known = self.draft.plan.tables.iter().position(|table| table.source == *request.table);
            let place = known.ok_or_else(|| {
                Error::could_not("read back", format!("table `{}`", request.table), "it is not of the plan")
            })?;
            sink.begin(told)?;
            let own = ReadTable { table: &self.draft.names[place], only: true, ..request.clone() };
            read_table(&mut self.draft.connection, told, &own, sink)?;
            sink.end(told)
        })
    }
}
