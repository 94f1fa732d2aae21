//! What a migration must not do unseen: lose rows, or break a foreign key.
//!
//! Counting every table before and after every migration would make a thousand migrations quadratic. SQLite tells,
//! while it prepares a statement, which tables the statement (its triggers and cascades included) can write to; only
//! those are counted, each before the first statement that can touch it. A table that no statement can write to has
//! as many rows after as before. So every table is compared, and the cost follows the migration, not the schema. A
//! script that only creates things cannot lose a row, and nothing is counted. Where a migration touches only tables
//! that it made itself, only their foreign keys are looked at.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fmt;

use rusqlite::Connection;

use super::super::plan::{Direction, Step};
use super::super::script::{Lost, Reversal, table_rename};
use super::super::step::counted;
use super::super::tokens::Statement;
use super::watch::Touched;
use crate::error::Context;
use crate::{Error, Result};

/// What SQLite calls the file that is migrated.
const MAIN: &str = "main";

/// How many rows of a foreign-key violation a message names,
const TOLD: usize = 5;
/// and how many are compared with those that were there before.
const COMPARED: usize = 1000;

/// What is behind an error about foreign keys that are broken after a script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BrokenKeys {
    /// A table that rows refer to is not there.
    pub(super) table_is_missing: bool,
}

impl fmt::Display for BrokenKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.table_is_missing { "a table that rows refer to is missing" } else { "parents are missing" })
    }
}

impl std::error::Error for BrokenKeys {}

/// The row counts of one migration.
#[derive(Debug, Default)]
pub(super) struct Guard {
    before: BTreeMap<String, i64>,
    renamed: Vec<(String, String)>,
    /// The tables that the migration itself made, also by renaming one.
    made: HashSet<String>,
    made_virtual: HashSet<String>,
    /// The virtual tables that were touched, by the table that keeps their rows.
    virtual_names: HashMap<String, String>,
    /// Whether a table was touched that was there before.
    touched_old: bool,
    touched_made: HashSet<String>,
    /// Every table whose rows or indexes were touched, for the integrity check.
    touched: BTreeSet<String>,
}

impl Guard {
    /// Whether a script can lose anything: it has a statement that does more than create something, an index over rows
    /// that are there included.
    pub(super) fn is_needed(statements: &[Statement]) -> bool {
        let only_creates = |statement: &Statement| {
            statement.starts_with(&["CREATE"]) && !statement.tokens().take(3).any(|token| token.is("INDEX"))
        };
        !statements.iter().all(only_creates)
    }

    /// The tables that have to be sound before COMMIT, by the names that they have then.
    pub(super) fn touched(&self) -> Vec<String> {
        let renamed = self.touched.iter().filter_map(|table| self.new_name(table));
        renamed.chain(self.touched.iter().cloned()).collect()
    }

    /// Counts what the statement, prepared and not yet run, can write to for the first time.
    pub(super) fn before(&mut self, connection: &Connection, statement: &Statement, touched: Touched) -> Result<()> {
        for table in touched.created {
            // IF NOT EXISTS: one that is there is not made.
            if !connection.table_exists(Some(MAIN), table.as_str()).could_not("look for", format!("`{table}`"))? {
                self.made.insert(table);
            }
        }
        self.touched.extend(touched.tables.iter().chain(&touched.indexed).cloned());
        self.made_virtual.extend(touched.created_virtual.into_iter().filter(|table| self.made.contains(table)));
        for table in touched.tables {
            if self.is_made(&table) {
                self.touched_made.insert(table);
                continue;
            }
            self.touched_old = true;
            if let Some(table) = self.store(connection, table)?
                && !self.before.contains_key(&table)
            {
                let rows = count(connection, &table)?;
                self.before.insert(table, rows);
            }
        }
        if let Some((old, new)) = table_rename(statement) {
            let (old, new) = (old.to_ascii_lowercase(), new.to_ascii_lowercase());
            for suffix in [STORES.as_slice(), &[""]].concat() {
                let (old, new) = (format!("{old}{suffix}"), format!("{new}{suffix}"));
                self.made.insert(new.clone());
                self.renamed.push((old, new));
            }
        }
        Ok(())
    }

    /// Whether the migration made the table, or the virtual table that it belongs to.
    fn is_made(&self, table: &str) -> bool {
        let behind = |owner: &String| table.strip_prefix(owner.as_str()).is_some_and(|rest| rest.starts_with('_'));
        !self.before.contains_key(table) && (self.made.contains(table) || self.made_virtual.iter().any(behind))
    }

    /// Fails where rows are lost that the migration does not declare, or a foreign key is broken. Where some were broken
    /// before it, all of them are looked at.
    pub(super) fn after(&self, connection: &Connection, step: &Step, before: &Violations) -> Result<()> {
        self.rows_kept(connection, step)?;
        let broken = if self.touched_old || !before.is_empty() {
            foreign_key_violations(connection)?
        } else {
            // Nobody else can refer to what is new here.
            violations_of(connection, &self.touched_made)?
        };
        broken.expect_none(step, before)
    }

    /// Fails where a table has fewer rows than before and the migration does not say so.
    pub(super) fn rows_kept(&self, connection: &Connection, step: &Step) -> Result<()> {
        let mut lost = Vec::new();
        for (table, before) in self.before.iter().filter(|(_, before)| **before > 0) {
            let mut after = None;
            for name in [Some(table), self.new_name(table).as_ref()].into_iter().flatten() {
                if is_ordinary(connection, name)? {
                    after = after.max(Some(count(connection, name)?));
                }
            }
            let dropped_lossily =
                after.is_none() && step.direction == Direction::Down && step.reversal == Reversal::Lossy;
            // People know a virtual table by its own name.
            let table = self.virtual_names.get(table).unwrap_or(table);
            if after.unwrap_or(0) < *before && !step.script.header.declares(Lost::Rows, table) && !dropped_lossily {
                let now = after.map_or("is gone".to_owned(), |rows| format!("has {rows}"));
                lost.push((
                    table.clone(),
                    format!("table `{table}` had {} and {now}", counted(*before, "row", "rows")),
                ));
            }
        }
        if let Some((first, _)) = lost.first() {
            let told: Vec<&str> = lost.iter().map(|(_, told)| told.as_str()).collect();
            return Err(Error::differs("keep the rows of", step.label(), told.join("; ")).hint(format!(
                "copy the rows, or say that they go with `-- whimbrel: loses {first}` in the header of `{}`",
                step.script.file
            )));
        }
        Ok(())
    }

    /// The table that keeps the rows of this one: itself, or for a virtual table one of its own; none for a view.
    fn store(&mut self, connection: &Connection, table: String) -> Result<Option<String>> {
        if is_ordinary(connection, &table)? {
            return Ok(Some(table));
        }
        for store in STORES.map(|suffix| format!("{table}{suffix}")) {
            if is_ordinary(connection, &store)? {
                self.virtual_names.insert(store.clone(), table);
                return Ok(Some(store));
            }
        }
        Ok(None)
    }

    /// Where the renames led, in their order, so that two tables can exchange their names.
    fn new_name(&self, table: &str) -> Option<String> {
        let followed = self.renamed.iter().fold(table, |name, (old, new)| if name == old { new } else { name });
        (followed != table).then(|| followed.to_owned())
    }
}

/// How the tables are called behind the name of a virtual table that keep what was inserted there: FTS3 to FTS5 with
/// content of their own, R*Tree.
const STORES: [&str; 2] = ["_content", "_rowid"];

/// Whether a table holds rows of its own: no view, and of virtual tables those in [`STORES`], not what can be built
/// again from them.
fn is_ordinary(connection: &Connection, table: &str) -> Result<bool> {
    connection
        .prepare_cached(include_str!("is_ordinary.sql"))
        .and_then(|mut statement| statement.query_row([table], |row| row.get(0)))
        .could_not("look for", format!("`{table}`"))
}

fn count(connection: &Connection, table: &str) -> Result<i64> {
    let sql = format!("SELECT count(*) FROM main.{}", crate::quote::quote(table));
    connection.query_row(&sql, [], |row| row.get(0)).could_not("count rows of", format!("`{table}`"))
}

fn is_there(connection: &Connection, table: &str) -> rusqlite::Result<bool> {
    let sql = "SELECT EXISTS (SELECT 1 FROM main.sqlite_schema WHERE type = 'table' AND name = ?1 COLLATE NOCASE)";
    connection.prepare_cached(sql)?.query_row([table], |row| row.get(0))
}

/// How a row reads whose parent is missing.
pub(super) fn orphan(
    connection: &Connection,
    table: &str,
    row_id: Option<i64>,
    parent: &str,
) -> rusqlite::Result<String> {
    let row = row_id.map_or("a row".to_owned(), |id| format!("row {id}"));
    Ok(if is_there(connection, parent)? {
        format!("{row} of `{table}` refers to a row of `{parent}` that does not exist")
    } else {
        format!("{row} of `{table}` refers to the missing table `{parent}`")
    })
}

/// The rows of the file whose parent is missing.
pub(super) fn foreign_key_violations(connection: &Connection) -> Result<Violations> {
    let mut found = Violations::default();
    found.collect(connection, "PRAGMA main.foreign_key_check")?;
    Ok(found)
}

/// The same of these tables.
fn violations_of(connection: &Connection, tables: &HashSet<String>) -> Result<Violations> {
    let mut found = Violations::default();
    for table in tables {
        if connection.table_exists(Some(MAIN), table.as_str()).could_not("look for", format!("`{table}`"))? {
            found.collect(connection, &format!("PRAGMA main.foreign_key_check({})", crate::quote::quote(table)))?;
        }
    }
    Ok(found)
}

/// Broken foreign keys: the first of them, one sentence each, and how many there are.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Violations {
    first: Vec<String>,
    total: usize,
    /// Of one of the first, the table that it refers to is not there.
    table_is_missing: bool,
}

impl Violations {
    pub(super) fn is_empty(&self) -> bool {
        self.total == 0
    }

    /// Whether each of these was there before, as far as they were kept.
    fn are_among(&self, before: &Violations) -> bool {
        self.total <= before.total && self.first.iter().all(|violation| before.first.contains(violation))
    }

    /// Fails where there is one, and says whose doing it is as far as it is known what was there `before`.
    pub(super) fn expect_none(&self, step: &Step, before: &Violations) -> Result<()> {
        if self.is_empty() {
            return Ok(());
        }
        let told = self.describe();
        let cause = match !before.is_empty() && self.are_among(before) {
            true => format!("they were broken before this migration began, and it does not repair them: {told}"),
            false => told,
        };
        let behind = BrokenKeys { table_is_missing: self.table_is_missing };
        Err(Error::differs("keep the foreign keys of", step.label(), cause).because(behind))
    }

    fn collect(&mut self, connection: &Connection, sql: &str) -> Result<()> {
        match self.collect_rows(connection, sql) {
            Err(rusqlite::Error::SqliteFailure(_, Some(message))) if message.starts_with("foreign key mismatch") => {
                self.note(message);
                Ok(())
            }
            collected => collected.could_not("check foreign keys", ""),
        }
    }

    fn collect_rows(&mut self, connection: &Connection, sql: &str) -> rusqlite::Result<()> {
        let mut statement = connection.prepare(sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let (table, row_id, parent): (String, Option<i64>, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
            match self.first.len() < COMPARED {
                true => {
                    self.table_is_missing |= !is_there(connection, &parent)?;
                    self.note(orphan(connection, &table, row_id, &parent)?);
                }
                false => self.total += 1,
            }
        }
        Ok(())
    }

    fn note(&mut self, violation: String) {
        self.total += 1;
        self.first.push(violation);
    }

    pub(super) fn describe(&self) -> String {
        let mut told: Vec<String> = self.first.iter().take(TOLD).cloned().collect();
        if self.total > told.len() {
            let more = (self.total - told.len()) as u64;
            told.push(counted(more, "more such row", "more such rows"));
        }
        told.join("; ")
    }
}
