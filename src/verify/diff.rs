//! The rows that differ, by key and column.
//!
//! Only runs for a table whose digests differ. Both sides' keys and row hashes go into a temporary database on disk,
//! which tells the keys that differ and how many there are; the first of them are then read again on both sides
//! and shown column by column. Memory does not grow with the rows.

use crate::endpoint::inexact::{apart, shortened};
use crate::endpoint::{ReadTable, Source, hash_texts};
use crate::error::{Context, Result};
use crate::plan::{ColumnPlan, TablePlan};
use crate::types::Codec;
use crate::value::{Cell, RowHasher, TextHasher, row_key};
use rusqlite::{Connection, Row, Statement, params};
use serde::Serialize;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// How the rows of one table differ.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Differences {
    /// Rows of the source that the target lacks.
    pub missing: u64,
    /// Rows of the target that the source does not have.
    pub surplus: u64,
    /// Rows with the same key and other values.
    pub changed: u64,
    /// The first of them.
    pub rows: Vec<RowDifference>,
    /// Reading the source gives what the target has, and the source itself has something else: the rows were told by
    /// their hashes alone, and one that was changed is in the target only.
    pub misread: bool,
}

impl Differences {
    /// How many rows differ.
    pub fn total(&self) -> u64 {
        self.missing + self.surplus + self.changed
    }
}

/// One row that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RowDifference {
    /// The row's key as the target stores it; for a table without a key, its values. What is long is cut.
    pub key: String,
    /// The hash by which both sides know it.
    #[serde(skip)]
    pub(super) identity: u128,
    /// What is the matter with it.
    pub kind: RowDifferenceKind,
    /// The columns that differ; empty for a row that one side does not have.
    pub columns: Vec<ColumnDifference>,
}

/// What is the matter with a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RowDifferenceKind {
    /// The target lacks it.
    Missing,
    /// The source does not have it.
    Surplus,
    /// Its values differ.
    Changed,
}

/// One value that differs; `None` is NULL.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ColumnDifference {
    /// The column in the source.
    pub column: String,
    /// The source's value.
    pub source: Option<String>,
    /// The target's value.
    pub target: Option<String>,
}

/// Finds the rows that differ and shows the first `shown_max` of them. Without a `ledger`, the target is held to what
/// its columns keep of each value.
///
/// # Errors
/// When either side cannot be read, or the temporary database cannot be written.
pub fn rows(
    source: &mut dyn Source,
    target: &mut dyn Source,
    table: &TablePlan,
    ledger: bool,
    shown_max: usize,
) -> Result<Differences> {
    let spill = Spill::new(format!("table `{}`", table.source))?;
    spill_source(source, &spill, table, ledger)?;
    spill_target(target, &spill, table)?;
    let mut found = spill.outcome(shown_max)?;
    show_columns(source, target, table, ledger, &mut found.rows)?;
    Ok(found)
}

const OPERATION: &str = "compare rows of";

/// One of two sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// The one that is right.
    Source,
    /// The one that is held against it.
    Target,
}

/// By what a row is known on both sides.
pub(super) struct RowKey {
    /// As it is shown; what is long is cut, so that two keys may look alike.
    pub shown: String,
    /// The hash of the key's values; of all values where there is no key, or it has a NULL, which is like no other.
    pub identity: u128,
}

impl RowKey {
    /// The identity of a row by the places of its key among its cells.
    pub fn identity(hasher: &mut RowHasher, cells: &[Cell<'_>], key: &[usize]) -> u128 {
        let is_key = !key.is_empty() && key.iter().all(|place| !matches!(cells[*place], Cell::Null));
        match is_key {
            true => key.iter().for_each(|place| hasher.cell(&cells[*place])),
            false => cells.iter().for_each(|cell| hasher.cell(cell)),
        }
        hasher.finish()
    }
}

/// The keys and hashes of rows of both sides, in a temporary database on disk.
pub(super) struct Spill {
    connection: Connection,
    object: String,
}

/// Takes rows of one side.
pub(super) struct Taker<'s> {
    insert: Statement<'s>,
    object: &'s str,
}

impl Taker<'_> {
    /// Takes a row by its key and its hash.
    pub fn take(&mut self, key: &RowKey, hash: u128) -> Result<()> {
        let RowKey { shown, identity } = key;
        let inserted = self.insert.execute(params![identity.to_be_bytes(), shown, hash.to_be_bytes()]);
        inserted.map(drop).could_not(OPERATION, self.object)
    }
}

impl Spill {
    /// An empty one; `object` is whose rows they are.
    pub fn new(object: String) -> Result<Self> {
        // An empty name is a database of its own on disk that SQLite removes when it is closed.
        let connection = Connection::open("").could_not(OPERATION, &object)?;
        let spill = Spill { connection, object };
        spill.run(
            "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -16384; BEGIN;
             CREATE TABLE source (identity BLOB NOT NULL, key TEXT NOT NULL, hash BLOB NOT NULL);
             CREATE TABLE target (identity BLOB NOT NULL, key TEXT NOT NULL, hash BLOB NOT NULL);",
        )?;
        Ok(spill)
    }

    fn run(&self, sql: &str) -> Result<()> {
        self.connection.execute_batch(sql).could_not(OPERATION, &self.object)
    }

    /// Takes rows of one side.
    pub fn taker(&self, side: Side) -> Result<Taker<'_>> {
        let sql = match side {
            Side::Source => "INSERT INTO source VALUES (?1, ?2, ?3)",
            Side::Target => "INSERT INTO target VALUES (?1, ?2, ?3)",
        };
        let insert = self.connection.prepare(sql).could_not(OPERATION, &self.object)?;
        Ok(Taker { insert, object: &self.object })
    }

    /// How many rows differ, and the first of them by key.
    pub fn outcome(&self, shown_max: usize) -> Result<Differences> {
        self.run(
            "COMMIT;
             CREATE TABLE s AS SELECT identity, min(key) AS key, hash, count(*) AS n FROM source GROUP BY identity, hash;
             CREATE TABLE t AS SELECT identity, min(key) AS key, hash, count(*) AS n FROM target GROUP BY identity, hash;
             CREATE INDEX s_key ON s (identity, hash); CREATE INDEX t_key ON t (identity, hash);
             CREATE TABLE only_s AS SELECT identity, min(key) AS key, sum(n) AS n FROM
               (SELECT s.identity, s.key, s.n - ifnull(t.n, 0) AS n FROM s LEFT JOIN t USING (identity, hash))
               WHERE n > 0 GROUP BY identity;
             CREATE TABLE only_t AS SELECT identity, min(key) AS key, sum(n) AS n FROM
               (SELECT t.identity, t.key, t.n - ifnull(s.n, 0) AS n FROM t LEFT JOIN s USING (identity, hash))
               WHERE n > 0 GROUP BY identity;
             CREATE INDEX only_s_key ON only_s (identity); CREATE INDEX only_t_key ON only_t (identity);",
        )?;
        // A key that several rows have is changed as often as both sides have one left, and the rest is on one side.
        let changed = "SELECT identity, s.key, min(s.n, t.n) AS n FROM only_s AS s JOIN only_t AS t USING (identity)";
        let (changed, mut rows) = self.listed(RowDifferenceKind::Changed, changed, shown_max)?;
        let rest = |one: &str, other: &str| {
            format!(
                "SELECT identity, a.key, a.n - ifnull(b.n, 0) AS n FROM {one} AS a LEFT JOIN {other} AS b USING (identity)
                 WHERE a.n > ifnull(b.n, 0)"
            )
        };
        let (missing, more) = self.listed(RowDifferenceKind::Missing, &rest("only_s", "only_t"), shown_max)?;
        rows.extend(more);
        let (surplus, more) = self.listed(RowDifferenceKind::Surplus, &rest("only_t", "only_s"), shown_max)?;
        rows.extend(more);
        rows.truncate(shown_max);
        Ok(Differences { missing, surplus, changed, rows, misread: false })
    }

    fn listed(&self, kind: RowDifferenceKind, sql: &str, shown_max: usize) -> Result<(u64, Vec<RowDifference>)> {
        let read = || {
            let total = format!("SELECT ifnull(sum(n), 0) FROM ({sql})");
            let total: i64 = self.connection.query_row(&total, [], |row| row.get(0))?;
            let sql = format!("SELECT key, identity FROM ({sql}) ORDER BY key, identity LIMIT ?1");
            let mut statement = self.connection.prepare(&sql)?;
            let row = |row: &Row<'_>| {
                let identity = u128::from_be_bytes(row.get(1)?);
                Ok(RowDifference { key: row.get(0)?, identity, kind, columns: Vec::new() })
            };
            let rows = statement.query_map([shown_max as i64], row)?.collect::<rusqlite::Result<_>>()?;
            Ok::<_, rusqlite::Error>((total.unsigned_abs(), rows))
        };
        read().could_not(OPERATION, &self.object)
    }
}

/// The codecs of a table's columns.
pub(super) fn codecs(table: &TablePlan) -> Vec<Codec> {
    table.columns.iter().map(ColumnPlan::codec).collect()
}

/// Finds the rows of the target that the source, by its own hashes of its rows, does not have.
///
/// # Errors
/// As [`rows`].
pub fn misread_rows(
    source: &mut dyn Source,
    target: &mut dyn Source,
    table: &TablePlan,
    shown_max: usize,
) -> Result<Differences> {
    let object = format!("table `{}`", table.source);
    let codecs = codecs(table);
    let spill = Connection::open("").could_not(OPERATION, &object)?;
    let run = |sql: &str| spill.execute_batch(sql).could_not(OPERATION, &object);
    run("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -16384; BEGIN;
         CREATE TABLE source (first INTEGER NOT NULL, second INTEGER NOT NULL);
         CREATE TABLE target (key TEXT NOT NULL, first INTEGER NOT NULL, second INTEGER NOT NULL);")?;
    let mut insert = spill.prepare("INSERT INTO source VALUES (?1, ?2)").could_not(OPERATION, &object)?;
    let is_able = source.own_hashes(&ReadTable::of(table), &mut |(first, second)| {
        insert.execute(params![first, second]).map(drop).could_not(OPERATION, &object)
    })?;
    if !is_able {
        return Ok(Differences::default());
    }
    let mut insert = spill.prepare("INSERT INTO target VALUES (?1, ?2, ?3)").could_not(OPERATION, &object)?;
    let mut hasher = TextHasher::default();
    target.read(&[ReadTable::of(table)], &mut |_: usize, cells: &[Cell<'_>]| {
        hash_texts(&mut hasher, cells, &codecs);
        let (first, second) = hasher.finish();
        let key = common_key(table, &codecs, cells);
        insert.execute(params![key, first, second]).map(drop).could_not(OPERATION, &object)
    })?;
    run("COMMIT;
         CREATE TABLE s AS SELECT first, second, count(*) AS n FROM source GROUP BY first, second;
         CREATE TABLE t AS SELECT first, second, count(*) AS n, min(key) AS key FROM target GROUP BY first, second;
         CREATE INDEX s_hash ON s (first, second); CREATE INDEX t_hash ON t (first, second);")?;
    let surplus =
        "SELECT t.key, t.n - ifnull(s.n, 0) AS n FROM t LEFT JOIN s USING (first, second) WHERE t.n > ifnull(s.n, 0)";
    let missing =
        "SELECT s.n - ifnull(t.n, 0) AS n FROM s LEFT JOIN t USING (first, second) WHERE s.n > ifnull(t.n, 0)";
    let total = |sql: &str| -> Result<u64> {
        let sql = format!("SELECT ifnull(sum(n), 0) FROM ({sql})");
        let total: i64 = spill.query_row(&sql, [], |row| row.get(0)).could_not(OPERATION, &object)?;
        Ok(total.unsigned_abs())
    };
    let sql = format!("SELECT key FROM ({surplus}) ORDER BY key LIMIT ?1");
    let mut statement = spill.prepare(&sql).could_not(OPERATION, &object)?;
    let kind = RowDifferenceKind::Surplus;
    let rows = statement
        .query_map([shown_max as i64], |row| {
            Ok(RowDifference { key: row.get(0)?, identity: 0, kind, columns: Vec::new() })
        })
        .and_then(Iterator::collect)
        .could_not(OPERATION, &object)?;
    Ok(Differences { missing: total(missing)?, surplus: total(surplus)?, changed: 0, rows, misread: true })
}

/// A value as it is shown: blanks that pad a text are left away, so that one too many is seen.
fn text_of<'c>(codec: &Codec, cell: &'c Cell<'_>) -> Option<Cow<'c, str>> {
    match cell {
        Cell::Text(text) => Some(Cow::Borrowed(text)),
        _ => codec.text(cell),
    }
}

/// The key that both sides can tell: the key's stored values, or for a table without a key all values as text.
fn common_key(table: &TablePlan, codecs: &[Codec], cells: &[Cell<'_>]) -> String {
    if table.key.is_empty() {
        let texts = codecs.iter().zip(cells).map(|(codec, cell)| text_of(codec, cell));
        let values: Vec<_> = texts.map(|text| serde_json::Value::from(text.map(shortened))).collect();
        return serde_json::Value::from(values).to_string();
    }
    let placed: Vec<_> = table.key.iter().map(|place| codecs[*place].place(&cells[*place])).collect();
    row_key(placed.into_iter().map(|placed| placed.stored))
}

/// By what a row is known on both sides; without a `ledger`, the cells of the source are those that the target gives back.
fn key_of(hasher: &mut RowHasher, table: &TablePlan, codecs: &[Codec], cells: &[Cell<'_>], ledger: bool) -> RowKey {
    let shown = common_key(table, codecs, cells);
    let identity = match ledger {
        true => RowKey::identity(hasher, cells, &table.key),
        false => {
            let kept = cells.iter().zip(codecs).map(|(cell, codec)| codec.without_ledger(cell).into_owned());
            let kept: Vec<Cell<'_>> = kept.collect();
            RowKey::identity(hasher, &kept, &table.key)
        }
    };
    RowKey { shown, identity }
}

fn spill_source(source: &mut dyn Source, spill: &Spill, table: &TablePlan, ledger: bool) -> Result<()> {
    let codecs = codecs(table);
    let mut taker = spill.taker(Side::Source)?;
    let mut hasher = RowHasher::default();
    source.read(&[ReadTable::of(table)], &mut |_: usize, cells: &[Cell<'_>]| {
        hash_source(&mut hasher, cells, &codecs, ledger);
        let hash = hasher.finish();
        taker.take(&key_of(&mut hasher, table, &codecs, cells, ledger), hash)
    })
}

/// Hashes the cells of a source's row as the target has to give them back.
pub(super) fn hash_source(hasher: &mut RowHasher, cells: &[Cell<'_>], codecs: &[Codec], ledger: bool) {
    for (cell, codec) in cells.iter().zip(codecs) {
        if ledger { hasher.cell(cell) } else { hasher.cell(&codec.without_ledger(cell)) }
    }
}

fn spill_target(target: &mut dyn Source, spill: &Spill, table: &TablePlan) -> Result<()> {
    let codecs = codecs(table);
    let mut taker = spill.taker(Side::Target)?;
    let mut hasher = RowHasher::default();
    target.read(&[ReadTable::of(table)], &mut |_: usize, cells: &[Cell<'_>]| {
        cells.iter().for_each(|cell| hasher.cell(cell));
        let hash = hasher.finish();
        taker.take(&key_of(&mut hasher, table, &codecs, cells, true), hash)
    })
}

/// Reads the changed rows again on both sides and fills in the columns that differ.
fn show_columns(
    source: &mut dyn Source,
    target: &mut dyn Source,
    table: &TablePlan,
    ledger: bool,
    rows: &mut [RowDifference],
) -> Result<()> {
    let codecs = codecs(table);
    let mut wanted: BTreeMap<u128, [Option<Vec<Option<String>>>; 2]> = rows
        .iter()
        .filter(|row| row.kind == RowDifferenceKind::Changed)
        .map(|row| (row.identity, [None, None]))
        .collect();
    if wanted.is_empty() {
        return Ok(());
    }
    let mut hasher = RowHasher::default();
    let mut note = |side: usize, cells: &[Cell<'_>]| {
        let key = key_of(&mut hasher, table, &codecs, cells, ledger || side == 1);
        if let Some(sides) = wanted.get_mut(&key.identity) {
            let texts = codecs.iter().zip(cells).map(|(codec, cell)| text_of(codec, cell));
            sides[side] = Some(texts.map(|text| text.map(Cow::into_owned)).collect());
        }
    };
    source.read(&[ReadTable::of(table)], &mut |_: usize, cells: &[Cell<'_>]| {
        note(0, cells);
        Ok(())
    })?;
    target.read(&[ReadTable::of(table)], &mut |_: usize, cells: &[Cell<'_>]| {
        note(1, cells);
        Ok(())
    })?;
    for row in rows {
        let Some([Some(source), Some(target)]) = wanted.get(&row.identity) else { continue };
        for (place, column) in table.columns.iter().enumerate() {
            if source[place] != target[place] {
                let [source, target] = apart(source[place].as_deref(), target[place].as_deref());
                row.columns.push(ColumnDifference { column: column.source.clone(), source, target });
            }
        }
    }
    Ok(())
}
