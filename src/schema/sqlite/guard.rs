//! What a migration must not do unseen: lose rows, or break a foreign key.
//!
//! Counting every table before and after every migration would make a thousand migrations quadratic. SQLite tells,
//! while it prepares a statement, which tables the statement (its triggers and cascades included) can write to; only
//! those are counted, each before the first statement that can touch it. A table that no statement can write to has
//! as many rows after as before. So every table is compared, and the cost follows the migration, not the schema. A
//! script that only creates things cannot lose a row and is not watched at all.

use std::collections::{BTreeMap, HashMap, HashSet};

use rusqlite::Connection;
use rusqlite::hooks::{AuthAction, AuthContext};

use super::super::plan::{Direction, Step};
use super::super::script::{Reversal, table_rename};
use super::super::tokens::Statement;
use crate::error::Context;
use crate::{Error, Result};

/// How many rows of a foreign-key violation a message names.
const TOLD: usize = 5;

/// Collects, while on, the tables that statements being prepared can write to.
#[derive(Debug, Default)]
pub(super) struct Watch {
    on: bool,
    touched: Vec<String>,
}

impl Watch {
    /// Takes note of one action that SQLite asks leave for.
    pub(super) fn note(&mut self, context: &AuthContext<'_>) {
        if !self.on || context.database_name.is_some_and(|name| !name.eq_ignore_ascii_case("main")) {
            return;
        }
        match context.action {
            AuthAction::Insert { table_name }
            | AuthAction::Delete { table_name }
            | AuthAction::Update { table_name, .. }
            | AuthAction::DropTable { table_name }
            | AuthAction::DropVtable { table_name, .. }
            | AuthAction::AlterTable { database_name: "main", table_name } => {
                // As SQLite compares names: only ASCII letters have two cases.
                let name = table_name.to_ascii_lowercase();
                if !name.starts_with("sqlite_") && self.touched.last() != Some(&name) {
                    self.touched.push(name);
                }
            }
            _ => {}
        }
    }

    /// Begins or stops to collect.
    pub(super) fn turn(&mut self, on: bool) {
        self.on = on;
        self.touched.clear();
    }
}

/// The row counts of one migration.
#[derive(Debug, Default)]
pub(super) struct Guard {
    /// The ordinary tables that were there when the migration began.
    tables: HashSet<String>,
    before: BTreeMap<String, i64>,
    renamed: HashMap<String, String>,
    /// The virtual tables that were touched, by the table that keeps their rows.
    virtual_names: HashMap<String, String>,
    touched_any: bool,
}

impl Guard {
    /// Whether a script has to be watched: it has a statement that does more than create something.
    pub(super) fn is_needed(statements: &[Statement]) -> bool {
        statements.iter().any(|statement| !statement.starts_with(&["CREATE"]))
    }

    /// Takes down which tables there are, before the first statement.
    pub(super) fn new(connection: &Connection) -> Result<Guard> {
        Ok(Guard { tables: ordinary_tables(connection)?, ..Guard::default() })
    }

    /// Counts what the statement, prepared and not yet run, can write to for the first time.
    pub(super) fn before(&mut self, connection: &Connection, statement: &Statement, watch: &mut Watch) -> Result<()> {
        let touched = std::mem::take(&mut watch.touched);
        if let Some((old, new)) = table_rename(statement) {
            let (old, new) = (old.to_ascii_lowercase(), new.to_ascii_lowercase());
            for suffix in STORES {
                self.renamed.insert(format!("{old}{suffix}"), format!("{new}{suffix}"));
            }
            self.renamed.insert(old, new);
        }
        self.touched_any |= !touched.is_empty();
        for table in touched {
            let table = self.store(table);
            if self.tables.contains(&table) && !self.before.contains_key(&table) {
                let rows = count(connection, &table)?;
                self.before.insert(table, rows);
            }
        }
        Ok(())
    }

    /// Fails where rows are lost that the migration does not declare, or a foreign key is broken.
    pub(super) fn after(&self, connection: &Connection, step: &Step) -> Result<()> {
        if !self.touched_any {
            return Ok(());
        }
        self.rows_kept(connection, step)?;
        let broken = foreign_key_violations(connection)?;
        if broken.is_empty() {
            return Ok(());
        }
        Err(Error::differs("keep the foreign keys of", step.label(), broken.join("; ")))
    }

    /// Fails where a table has fewer rows than before and the migration does not say so.
    pub(super) fn rows_kept(&self, connection: &Connection, step: &Step) -> Result<()> {
        let tables = ordinary_tables(connection)?;
        let mut lost = Vec::new();
        for (table, before) in self.before.iter().filter(|(_, before)| **before > 0) {
            let mut after = None;
            for name in [Some(table), self.new_name(table).as_ref()].into_iter().flatten() {
                if tables.contains(name) {
                    after = after.max(Some(count(connection, name)?));
                }
            }
            let dropped_lossily =
                after.is_none() && step.direction == Direction::Down && step.reversal == Reversal::Lossy;
            // People know a virtual table by its own name.
            let table = self.virtual_names.get(table).unwrap_or(table);
            if after.unwrap_or(0) < *before && !step.script.header.declares_loss(table) && !dropped_lossily {
                let now = after.map_or("is gone".to_owned(), |rows| format!("has {rows}"));
                lost.push((table.clone(), format!("table `{table}` had {before} rows and {now}")));
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

    /// The table that keeps the rows of this one: itself, or for a virtual table one of its own.
    fn store(&mut self, table: String) -> String {
        if self.tables.contains(&table) {
            return table;
        }
        match STORES.iter().map(|suffix| format!("{table}{suffix}")).find(|store| self.tables.contains(store)) {
            Some(store) => {
                self.virtual_names.insert(store.clone(), table);
                store
            }
            None => table,
        }
    }

    /// Where a table's last `ALTER TABLE … RENAME TO` led.
    fn new_name(&self, table: &str) -> Option<String> {
        let mut name = self.renamed.get(table)?;
        for _ in 0..self.renamed.len() {
            match self.renamed.get(name) {
                Some(next) => name = next,
                None => break,
            }
        }
        Some(name.clone())
    }
}

/// How the tables are called behind the name of a virtual table that keep what was inserted there: FTS3 to FTS5 with
/// content of their own, R*Tree.
const STORES: [&str; 2] = ["_content", "_rowid"];

/// The tables that hold rows of their own, in lower case: no views, and of virtual tables those in [`STORES`], not
/// what can be built again from them.
fn ordinary_tables(connection: &Connection) -> Result<HashSet<String>> {
    let sql = "SELECT lower(name) FROM pragma_table_list WHERE schema = 'main' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' \
               AND (type = 'table' OR (type = 'shadow' AND (name LIKE '%\\_content' ESCAPE '\\' \
               OR name LIKE '%\\_rowid' ESCAPE '\\')))";
    let mut statement = connection.prepare(sql).could_not("list tables", "")?;
    let names = statement.query_map([], |row| row.get::<_, String>(0)).could_not("list tables", "")?;
    names.collect::<rusqlite::Result<_>>().could_not("list tables", "")
}

fn count(connection: &Connection, table: &str) -> Result<i64> {
    let sql = format!("SELECT count(*) FROM main.{}", crate::quote::quote(table));
    connection.query_row(&sql, [], |row| row.get(0)).could_not("count rows of", format!("`{table}`"))
}

/// How a violation reads whose parent table is gone.
pub(super) const NO_TABLE: &str = "the missing table";

fn is_there(connection: &Connection, table: &str) -> Result<bool> {
    let sql = "SELECT EXISTS (SELECT 1 FROM main.sqlite_schema WHERE type = 'table' AND name = ?1 COLLATE NOCASE)";
    connection.query_row(sql, [table], |row| row.get(0)).could_not("look for", format!("`{table}`"))
}

/// How a row reads whose parent is missing.
pub(super) fn orphan(connection: &Connection, table: &str, row_id: Option<i64>, parent: &str) -> Result<String> {
    let row = row_id.map_or("a row".to_owned(), |id| format!("row {id}"));
    Ok(if is_there(connection, parent)? {
        format!("{row} of `{table}` refers to a row of `{parent}` that does not exist")
    } else {
        format!("{row} of `{table}` refers to {NO_TABLE} `{parent}`")
    })
}

/// The first rows whose parent is missing, one sentence each, and how many there are.
pub(super) fn foreign_key_violations(connection: &Connection) -> Result<Vec<String>> {
    let checking = "check foreign keys";
    let mut statement = connection.prepare("PRAGMA foreign_key_check").could_not(checking, "")?;
    let mut rows = statement.query([]).could_not(checking, "")?;
    let (mut told, mut total) = (Vec::new(), 0_usize);
    while let Some(row) = rows.next().could_not(checking, "")? {
        total += 1;
        if told.len() < TOLD {
            let (table, row_id, parent): (String, Option<i64>, String) =
                row.get(0).and_then(|t| Ok((t, row.get(1)?, row.get(2)?))).could_not(checking, "")?;
            told.push(orphan(connection, &table, row_id, &parent)?);
        }
    }
    if total > told.len() {
        told.push(format!("{} more such rows", total - told.len()));
    }
    Ok(told)
}
