//! The connection that asks: stored values go out in one COPY, the answers of all tables come back in one batch.
//!
//! Invariants: everything happens in one transaction that is rolled back, so the server keeps nothing; no error shows
//! a password.

use super::opinion::{Disagreement, DisagreementKind, Opinion, SHOWN_MAX};
use super::statement::{self, COLUMNS_MAX, Care};
use super::stored::{self, Foreign, Ledger, ServerText};
use crate::cancel::Cancel;
use crate::endpoint::PostgresUrl;
use crate::endpoint::postgres::{Access, Blocking, Connector, explain_statement, fenced_wait};
use crate::endpoint::sqlite::read::open;
use crate::error::{Error, Result};
use crate::plan::{Plan, TablePlan};
use std::collections::BTreeMap;
use std::path::Path;

/// Stored values are sent on when so many bytes are ready.
const SENT_AT_BYTES: usize = 1 << 20;

/// PostgreSQL's documentation, "COPY: Binary Format": signature, no flags, no extension; and the end.
const COPY_HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
const COPY_TRAILER: &[u8] = &(-1_i16).to_be_bytes();

/// An open connection to a source that can be asked again and again.
pub struct Asker {
    blocking: Blocking,
    label: String,
    functions_created: bool,
}

/// A table that is being asked about.
struct Asked<'p> {
    table: &'p TablePlan,
    kept: Vec<bool>,
    /// The names of its rows, by their numbers.
    names: Vec<String>,
    foreign: Vec<Foreign>,
}

impl Asker {
    /// Connects to the source.
    ///
    /// # Errors
    /// When the server cannot be reached, or in an async context: this blocks.
    pub fn connect(url: &PostgresUrl) -> Result<Self> {
        let connector = Connector::new(url, "whimbrel second opinion")?;
        let blocking = Blocking::connect(&connector, Access::Writes, &Cancel::new())?;
        Ok(Asker { blocking, label: connector.label(), functions_created: false })
    }

    /// Asks whether the values in `target` are the source's own.
    ///
    /// # Errors
    /// When the server or the file cannot be read. What differs is not an error.
    pub fn ask(&mut self, target: &Path, plan: &Plan) -> Result<Opinion> {
        let functions = plan.tables.iter().any(statement::needs_functions);
        match self.ask_with(target, plan, Care::None, functions) {
            Ok(opinion) => Ok(opinion),
            // Something that stands in the file is no value of its type. Which one, the slow way tells.
            Err(Refused::Values(_)) => match self.ask_with(target, plan, Care::EachValue, true) {
                Ok(opinion) => Ok(opinion),
                Err(Refused::Values(error) | Refused::Other(error)) => Err(error),
            },
            Err(Refused::Other(error)) => Err(error),
        }
    }

    fn ask_with(&mut self, target: &Path, plan: &Plan, care: Care, functions: bool) -> Result<Opinion, Refused> {
        let mut opinion = Opinion::default();
        let (tables, wide): (Vec<_>, Vec<_>) = plan.tables.iter().partition(|t| t.columns.len() <= COLUMNS_MAX);
        opinion
            .not_asked
            .extend(wide.iter().map(|t| format!("table `{}`: it has more than {COLUMNS_MAX} columns", t.source)));
        let width = tables.iter().map(|table| table.columns.len()).max().unwrap_or(0);
        if functions && !self.functions_created {
            self.run("prepare", include_str!("back.sql"))?;
            self.functions_created = true;
        }
        self.run("prepare", &(include_str!("session.sql").to_owned() + &statement::create_stored(width)))?;
        let outcome = self.compare(target, &tables, width, care, opinion);
        // After a failure the transaction is over, or the connection is, and the next statement would say so.
        let ended = self.run("leave", "ROLLBACK");
        let opinion = outcome?;
        ended?;
        Ok(opinion)
    }

    fn compare(
        &mut self,
        target: &Path,
        tables: &[&TablePlan],
        width: usize,
        care: Care,
        mut opinion: Opinion,
    ) -> Result<Opinion, Refused> {
        let asked = self.send(target, tables, width, &mut opinion)?;
        let mut sql = String::new();
        let mut columns = BTreeMap::new();
        for (number, one) in &asked {
            let comparison = statement::compare(*number, one.table, &one.kept, care);
            sql.push_str(&comparison.sql);
            columns.insert(*number, comparison.columns);
        }
        let mut client = self.blocking.take("ask", &self.label)?;
        let rows = self.blocking.wait(client.texts(sql));
        self.blocking.put_back(client);
        let rows = rows.map_err(|error| {
            let refused = matches!(error, sqlx::Error::Database(_));
            let told = explain_statement("ask", &self.label, &error);
            if refused { Refused::Values(told) } else { Refused::Other(told) }
        })?;
        for texts in &rows {
            let number: usize = texts.first().cloned().flatten().and_then(|text| text.parse().ok()).unwrap_or_default();
            let (Some(one), Some(columns)) = (asked.get(&number), columns.get(&number)) else { continue };
            take_answer(one, columns, texts, &mut opinion);
        }
        for one in asked.values() {
            add_foreign(one, &mut opinion);
        }
        Ok(opinion)
    }

    /// Sends every row of every table.
    fn send<'p>(
        &mut self,
        target: &Path,
        tables: &[&'p TablePlan],
        width: usize,
        opinion: &mut Opinion,
    ) -> Result<BTreeMap<usize, Asked<'p>>> {
        let file = open(target, &Cancel::new().flag())?;
        const OPERATION: &str = "send values to";
        let mut client = self.blocking.take(OPERATION, &self.label)?;
        let (blocking, label) = (&self.blocking, &self.label);
        let told = |error: &sqlx::Error| explain_statement(OPERATION, label, error);
        let sql = statement::copy_stored(width);
        let mut copy = blocking.wait(client.copy_in(&sql)).map_err(|error| told(&error))?;
        let mut asked = BTreeMap::new();
        let mut bytes = COPY_HEADER.to_vec();
        for (number, table) in tables.iter().enumerate() {
            let mut send = |bytes: &mut Vec<u8>| {
                blocking.wait(fenced_wait(copy.send(bytes.as_slice()))).map_err(|error| told(&error))?;
                bytes.clear();
                Ok(())
            };
            match send_table(&file, number, table, width, &mut bytes, &mut send, opinion) {
                Ok(one) => {
                    asked.insert(number, one);
                }
                Err(SendError::File(error)) => opinion.disagreements.push(Disagreement {
                    table: table.source.clone(),
                    key: String::new(),
                    column: None,
                    kind: DisagreementKind::Unreadable,
                    source: None,
                    target: Some(error.to_string()),
                }),
                Err(SendError::Server(error)) => return Err(error),
            }
        }
        bytes.extend_from_slice(COPY_TRAILER);
        blocking
            .wait(async {
                fenced_wait(copy.send(bytes.as_slice())).await?;
                fenced_wait(copy.finish()).await
            })
            .map_err(|error| told(&error))?;
        self.blocking.put_back(client);
        Ok(asked)
    }

    fn run(&mut self, operation: &str, sql: &str) -> Result<()> {
        let mut client = self.blocking.take(operation, &self.label)?;
        let outcome = self.blocking.wait(client.execute(sql));
        self.blocking.put_back(client);
        outcome.map_err(|error| explain_statement(operation, &self.label, &error))
    }
}

/// Why the server gave no opinion.
enum Refused {
    /// It refused a statement, most likely for a value.
    Values(Error),
    /// Anything else.
    Other(Error),
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Refused::Other(error)
    }
}

enum SendError {
    File(rusqlite::Error),
    Server(Error),
}

impl From<rusqlite::Error> for SendError {
    fn from(error: rusqlite::Error) -> Self {
        SendError::File(error)
    }
}

/// Sends bytes to the server and empties them.
type Send<'s> = dyn FnMut(&mut Vec<u8>) -> Result<()> + 's;

fn send_table<'p>(
    file: &rusqlite::Connection,
    number: usize,
    table: &'p TablePlan,
    width: usize,
    bytes: &mut Vec<u8>,
    send: &mut Send<'_>,
    opinion: &mut Opinion,
) -> Result<Asked<'p>, SendError> {
    let mut ledger = Ledger::read(file, table)?;
    let mut asked = Asked { table, kept: ledger.columns(table), names: Vec::new(), foreign: Vec::new() };
    let mut statement = file.prepare(&stored::select(file, table)?)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let place = asked.names.len() as i64;
        let name = stored::name_of(table, row, place + 1)?;
        let entries = if ledger.is_empty() { &[] } else { ledger.take(&name) };
        opinion.ledger_values += entries.len() as u64;
        // A row is never sent in part: what cannot be read fails before its first byte is among the others.
        let start = bytes.len();
        let outcome = append_row(bytes, number, row, place, entries, width, &mut asked);
        if let Err(error) = outcome {
            bytes.truncate(start);
            return Err(error.into());
        }
        asked.names.push(name.describe());
        if bytes.len() >= SENT_AT_BYTES {
            send(bytes).map_err(SendError::Server)?;
        }
    }
    for (key, column, exact) in ledger.rest(table) {
        opinion.disagreements.push(Disagreement {
            table: table.source.clone(),
            key,
            column: Some(column),
            kind: DisagreementKind::Ledger,
            source: None,
            target: Some(exact),
        });
    }
    Ok(asked)
}

fn append_row(
    bytes: &mut Vec<u8>,
    number: usize,
    row: &rusqlite::Row<'_>,
    place: i64,
    entries: &[(usize, String)],
    width: usize,
    asked: &mut Asked<'_>,
) -> rusqlite::Result<()> {
    // The width is at most COLUMNS_MAX, and there are fewer tables than 2^31.
    bytes.extend_from_slice(&((width + 3) as i16).to_be_bytes());
    push(bytes, &(number as i32).to_be_bytes());
    push(bytes, &place.to_be_bytes());
    match entries {
        [] => push_null(bytes),
        entries => {
            let mut kept = String::from(",");
            entries.iter().for_each(|(column, _)| kept.push_str(&format!("{column},")));
            push(bytes, kept.as_bytes());
        }
    }
    for (column, planned) in asked.table.columns.iter().enumerate() {
        let value = row.get_ref(column)?;
        let is_whole = planned.whole_as_integer && value.data_type() == rusqlite::types::Type::Integer;
        let declared = if is_whole { "INTEGER" } else { planned.representation.declared_type() };
        let told = stored::server_text(value, declared).unwrap_or_else(|(what, told)| {
            asked.foreign.push(Foreign { row: place, column, what });
            told
        });
        match (entries.iter().find(|(kept, _)| *kept == column), told) {
            (Some((_, exact)), _) => push(bytes, exact.as_bytes()),
            (None, ServerText::Null) => push_null(bytes),
            (None, ServerText::Text(text)) => push(bytes, text.as_bytes()),
            (None, ServerText::Made(text)) => push(bytes, text.as_bytes()),
        }
    }
    (asked.table.columns.len()..width).for_each(|_| push_null(bytes));
    Ok(())
}

fn push(bytes: &mut Vec<u8>, field: &[u8]) {
    // A value of SQLite is below 2^31 bytes by its own limits; as hexadecimal one of 1 GB is refused by the server.
    bytes.extend_from_slice(&i32::try_from(field.len()).unwrap_or(i32::MAX).to_be_bytes());
    bytes.extend_from_slice(field);
}

fn push_null(bytes: &mut Vec<u8>) {
    bytes.extend_from_slice(&(-1_i32).to_be_bytes());
}

/// Takes one row of the server's answers.
fn take_answer(one: &Asked<'_>, columns: &[usize], texts: &[Option<String>], opinion: &mut Opinion) {
    let text = |place: usize| texts.get(place).and_then(Option::as_deref);
    let table = one.table;
    let kind = match text(1) {
        Some("counts") => {
            let number = |place| text(place).and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
            opinion.tables += 1;
            opinion.rows += number(2);
            opinion.values += number(2) * table.columns.len() as u64;
            opinion.differing_rows += number(3);
            opinion.source_rows += number(4);
            return;
        }
        Some("missing") => DisagreementKind::Missing,
        Some("surplus") => DisagreementKind::Surplus,
        _ => DisagreementKind::Value,
    };
    let side = |place: usize| -> Vec<Option<String>> {
        text(place).and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default()
    };
    let (source, target) = (side(3), side(4));
    let name = text(2).and_then(|row| row.parse::<usize>().ok()).and_then(|row| one.names.get(row).cloned());
    let told = |values: &[Option<String>]| {
        let key: Vec<_> = if table.key.is_empty() { (0..table.columns.len()).collect() } else { table.key.clone() };
        let values: Vec<_> = key.iter().filter_map(|place| values.get(*place)).collect();
        serde_json::to_string(&values).unwrap_or_default()
    };
    let row = |column: Option<String>, source: Option<String>, target: Option<String>, key: String| Disagreement {
        table: table.source.clone(),
        key,
        column,
        kind,
        source,
        target,
    };
    match kind {
        DisagreementKind::Missing => opinion.disagreements.push(row(None, None, None, told(&source))),
        DisagreementKind::Surplus => {
            let key = name.unwrap_or_else(|| told(&target));
            opinion.disagreements.push(row(None, None, None, key));
        }
        _ => {
            let key = name.unwrap_or_default();
            let mut shown = None;
            for (place, column) in columns.iter().enumerate() {
                let (source, target) = (source.get(place).cloned().flatten(), target.get(place).cloned().flatten());
                // A second pair of texts of a column tells nothing where its first differs already.
                if source == target || (place >= table.columns.len() && shown == Some(*column)) {
                    continue;
                }
                shown = Some(*column);
                let name = table.columns[*column].source.clone();
                opinion.disagreements.push(row(Some(name), source, target, key.clone()));
            }
        }
    }
}

/// Adds the values that are not what their rule stores, even where what they say is right.
fn add_foreign(one: &Asked<'_>, opinion: &mut Opinion) {
    for foreign in one.foreign.iter().take(SHOWN_MAX) {
        let key = one.names.get(foreign.row as usize).cloned().unwrap_or_default();
        let column = Some(one.table.columns[foreign.column].source.clone());
        let told = |other: &Disagreement| other.table == one.table.source && other.key == key && other.column == column;
        if !opinion.disagreements.iter().any(told) {
            opinion.differing_rows += 1;
            opinion.disagreements.push(Disagreement {
                table: one.table.source.clone(),
                key,
                column,
                kind: DisagreementKind::Foreign,
                source: None,
                target: Some(foreign.what.clone()),
            });
        }
    }
}
