//! Views, triggers and foreign keys that nobody can use any more.
//!
//! SQLite drops and renames tables and columns under what names them, and says so only when somebody reads the view or
//! fires the trigger. So each view and each trigger is prepared, by a statement that reads or fires it and is not run,
//! and each foreign key is asked for its parent, before a script that drops or alters something and after it. What was
//! of no use before is not the script's doing.

use std::collections::BTreeMap;

use rusqlite::Connection;

use super::super::plan::Step;
use super::super::script::{Loss, Lost, table_rename};
use super::super::tokens::{Dialect, Statement, Token, scan};
use crate::endpoint::sqlite::structure::is_of_the_connection;
use crate::error::Context;
use crate::quote::quote;
use crate::{Error, Result};

/// What is there and cannot be used, by kind and name, with what is wrong.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Broken(BTreeMap<(Lost, String), String>);

/// Whether a script can break what it does not name: it drops or alters something.
pub(super) fn is_needed(statements: &[Statement]) -> bool {
    statements.iter().any(|statement| statement.starts_with(&["ALTER"]) || statement.starts_with(&["DROP"]))
}

impl Broken {
    /// Tries everything. A transaction that may write has to be open; nothing is changed in it.
    pub(super) fn find(connection: &Connection) -> Result<Broken> {
        let mut broken = Broken::default();
        for name in names(connection, "SELECT name FROM main.sqlite_schema WHERE type = 'view'")? {
            broken.note(Lost::View, &name, prepared(connection, &format!("SELECT * FROM main.{}", quote(&name))));
        }
        broken.triggers(connection)?;
        broken.foreign_keys(connection)?;
        Ok(broken)
    }

    /// Whether this is what a header names.
    pub(super) fn has(&self, loss: &Loss) -> bool {
        self.0.keys().any(|(lost, name)| *lost == loss.lost && name.eq_ignore_ascii_case(&loss.name))
    }

    /// Fails where a script broke something and does not declare it.
    pub(super) fn expect_no_more_than(&self, before: &Broken, step: &Step) -> Result<()> {
        let header = &step.script.header;
        let new = self.0.iter().filter(|(key, _)| !before.0.contains_key(key) && !header.declares(key.0, &key.1));
        let (mut told, mut names) = (Vec::new(), Vec::new());
        for ((lost, name), why) in new {
            told.push(match lost {
                Lost::ForeignKey => format!("foreign key of `{name}`: {why}"),
                lost => format!("{} `{name}`: {why}", lost.words()),
            });
            names.push(format!("{} {name}", lost.words()));
        }
        if told.is_empty() {
            return Ok(());
        }
        // References follow a table that is renamed away, and are lost with it.
        let renamed = step.script.statements.iter().filter_map(table_rename);
        let follows =
            renamed.map(|(_, new)| new).find(|new| told.iter().any(|told| told.ends_with(&format!(".{new}"))));
        let first = match follows {
            Some(name) => format!(
                "references followed the table to `{name}`: create the new table under another name, copy, drop the old \
                 one, and only then rename"
            ),
            None => "make it again in the script as the new schema asks".to_owned(),
        };
        Err(Error::differs("keep usable what names the tables of", step.label(), told.join("; ")).hint(format!(
            "{first}; or say that it goes with `-- whimbrel: loses {}` in the header of `{}`",
            names.join(", "),
            step.script.file
        )))
    }

    fn note(&mut self, lost: Lost, name: &str, why: Option<String>) {
        if let Some(why) = why {
            self.0.insert((lost, name.to_owned()), why);
        }
    }

    fn triggers(&mut self, connection: &Connection) -> Result<()> {
        let reading = "SELECT name, tbl_name, sql FROM main.sqlite_schema WHERE type = 'trigger'";
        let mut statement = connection.prepare_cached(reading).could_not("read schema", "")?;
        let rows =
            statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).could_not("read schema", "")?;
        let all: Vec<(String, String, String)> = rows.collect::<rusqlite::Result<_>>().could_not("read schema", "")?;
        for (name, on, sql) in &all {
            let Some(fire) = Fire::read(sql) else { continue };
            let columns = columns(connection, on)?;
            if columns.is_empty() {
                // A view that cannot be read has a line of its own.
                continue;
            }
            let missing =
                fire.columns.iter().find(|column| !columns.iter().any(|(there, _)| there.eq_ignore_ascii_case(column)));
            if let Some(missing) = missing {
                self.note(
                    Lost::Trigger,
                    name,
                    Some(format!("`{on}` has no column `{missing}`, whose update it waits for")),
                );
                continue;
            }
            let Some(sql) = fire.statement(on, &columns) else { continue };
            if prepared(connection, &sql).is_some() {
                let others = all.iter().filter(|(other, ..)| other != name).map(|(other, ..)| other.as_str());
                self.note(Lost::Trigger, name, prepared_without(connection, &sql, others)?);
            }
        }
        Ok(())
    }

    fn foreign_keys(&mut self, connection: &Connection) -> Result<()> {
        let referring = "SELECT name FROM main.sqlite_schema WHERE type = 'table' AND sql LIKE '%references%'";
        for table in names(connection, referring)? {
            let mut statement =
                connection.prepare_cached(include_str!("missing_parents.sql")).could_not("read schema", "")?;
            let missing: Option<String> = statement
                .query_map([&table], |row| row.get(0))
                .and_then(|mut rows| rows.next().transpose())
                .could_not("read schema", "")?;
            // What does not fit is found while the check is prepared.
            let check = format!("PRAGMA main.foreign_key_check({})", quote(&table));
            self.note(Lost::ForeignKey, &table, missing.or_else(|| prepared(connection, &check)));
        }
        Ok(())
    }
}

/// What a trigger waits for.
#[derive(Debug, PartialEq, Eq)]
struct Fire {
    event: Event,
    /// Of an UPDATE OF.
    columns: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Event {
    Insert,
    Update,
    Delete,
}

impl Fire {
    /// Reads it from a trigger's definition: `CREATE TRIGGER name [when] event [OF columns] ON table`.
    fn read(sql: &str) -> Option<Fire> {
        let scan = scan(sql, Dialect::Sqlite).ok()?;
        let tokens: Vec<Token<'_>> = scan.statements.first()?.tokens().collect();
        // Behind CREATE TRIGGER and the name, which may be called like an event.
        let head = tokens.get(3..)?;
        let events = [("INSERT", Event::Insert), ("UPDATE", Event::Update), ("DELETE", Event::Delete)];
        let (place, event) = head.iter().enumerate().find_map(|(place, token)| {
            events.iter().find(|(word, _)| token.is(word)).map(|(_, event)| (place, *event))
        })?;
        let rest = &head[place + 1..];
        let columns = match rest.first() {
            Some(of) if of.is("OF") => rest[1..]
                .iter()
                .take_while(|token| !token.is("ON"))
                .filter(|token| token.text != ",")
                .map(Token::unquoted)
                .collect(),
            _ => Vec::new(),
        };
        Some(Fire { event, columns })
    }

    /// A statement that fires it; nothing where none can, because only generated columns are waited for.
    fn statement(&self, on: &str, columns: &[(String, bool)]) -> Option<String> {
        let table = format!("main.{}", quote(on));
        Some(match self.event {
            Event::Insert => format!("INSERT INTO {table} DEFAULT VALUES"),
            Event::Delete => format!("DELETE FROM {table}"),
            Event::Update => {
                let is_waited_for = |name: &String| {
                    self.columns.is_empty() || self.columns.iter().any(|column| column.eq_ignore_ascii_case(name))
                };
                let (column, _) = columns.iter().find(|(name, can_be_set)| *can_be_set && is_waited_for(name))?;
                let column = quote(column);
                format!("UPDATE {table} SET {column} = {column}")
            }
        })
    }
}

/// The columns of a table or view, and whether a statement can set them.
fn columns(connection: &Connection, table: &str) -> Result<Vec<(String, bool)>> {
    let sql = "SELECT name, hidden = 0 FROM pragma_table_xinfo(?1, 'main')";
    let mut statement = connection.prepare_cached(sql).could_not("read columns of", format!("`{table}`"))?;
    let read = statement.query_map([table], |row| Ok((row.get(0)?, row.get(1)?))).and_then(Iterator::collect);
    match read {
        Ok(columns) => Ok(columns),
        Err(rusqlite::Error::SqliteFailure(..)) => Ok(Vec::new()),
        Err(error) => Err(error).could_not("read columns of", format!("`{table}`")),
    }
}

fn names(connection: &Connection, sql: &str) -> Result<Vec<String>> {
    let mut statement = connection.prepare_cached(sql).could_not("read schema", "")?;
    let rows = statement.query_map([], |row| row.get(0)).could_not("read schema", "")?;
    rows.collect::<rusqlite::Result<_>>().could_not("read schema", "")
}

/// What SQLite says against a statement; nothing where it would run it, or where it is the connection that lacks something.
fn prepared(connection: &Connection, sql: &str) -> Option<String> {
    let error = connection.prepare(sql).err()?;
    let message = match &error {
        rusqlite::Error::SqliteFailure(_, Some(message)) => message.clone(),
        other => other.to_string(),
    };
    (!is_of_the_connection(&message)).then_some(message)
}

/// The same without these triggers, which stay: a statement is compiled with everything that it fires.
fn prepared_without<'t>(
    connection: &Connection,
    sql: &str,
    mut triggers: impl Iterator<Item = &'t str>,
) -> Result<Option<String>> {
    let trying = |sql: &str| connection.execute_batch(sql).could_not("try triggers one by one", "");
    trying("SAVEPOINT whimbrel_try")?;
    let dropped = triggers.try_for_each(|name| trying(&format!("DROP TRIGGER main.{}", quote(name))));
    let told = prepared(connection, sql);
    trying("ROLLBACK TO whimbrel_try; RELEASE whimbrel_try")?;
    dropped.map(|()| told)
}
