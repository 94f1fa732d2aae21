//! What a table has to have again after it was rebuilt: its indexes and triggers, its ids, its kind.
//!
//! `DROP TABLE` takes the indexes and triggers of a table with it, and its highest id out of `sqlite_sequence`, without
//! a word; a view that was dropped for the rebuild, and a trigger elsewhere that names the table, are as easily
//! forgotten. A script is read for the tables and views that it drops or renames away and makes again; what was bound
//! to them before it has to be there after it, or be declared in the header. The declaration is held to the same facts:
//! what it says goes must have been there and must be gone. The higher id is put back by the runner itself.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension, params};

use super::super::kept::{gone_unsaid, wrongly_declared};
use super::super::plan::Step;
use super::super::script::{Loss, Lost, made, rebuilt};
use super::super::tokens::{Dialect, Statement, Token, scan};
use super::sound::Broken;
use crate::Result;
use crate::error::Context;

/// What was there before a script.
#[derive(Debug)]
pub(super) struct Kept {
    /// What the script rebuilds, as far as it was there.
    tables: Vec<(String, Table)>,
    /// What names one of these, or is on one.
    bound: Vec<Object>,
    /// What the header says goes and was there; nothing where a run goes on in the middle of the script.
    declared: Option<Vec<Loss>>,
}

/// An index, a trigger or a view.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Object {
    lost: Lost,
    name: String,
    /// The table or view that it is on; of a view its own name.
    on: String,
    sql: String,
}

/// What a rebuild can take from a table besides.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Table {
    /// As it is written.
    name: String,
    /// The highest id that was given, 0 where there was none yet; nothing without AUTOINCREMENT.
    highest_id: Option<i64>,
    strict: bool,
    without_rowid: bool,
    primary_key: bool,
}

impl Kept {
    /// Looks at what the script of a step rebuilds or declares; nothing where it does neither.
    pub(super) fn before(connection: &Connection, step: &Step) -> Result<Option<Kept>> {
        let names = rebuilt(&step.script.statements);
        let declares = step.script.header.loses.iter().any(|loss| loss.lost != Lost::Rows);
        if names.is_empty() && !declares {
            return Ok(None);
        }
        let objects = objects(connection)?;
        let mut tables = Vec::new();
        for name in &names {
            tables.extend(Table::read(connection, name)?.map(|table| (name.clone(), table)));
        }
        let declared = step.script.header.loses.iter().filter(|loss| loss.lost != Lost::Rows);
        let mut there = Vec::new();
        for loss in declared {
            if is_there(connection, &objects, loss)? {
                there.push(loss.clone());
            }
        }
        let declared = step.resume_after.is_none_or(|finished| finished == 0).then_some(there);
        Ok(Some(Kept { tables, bound: bound(objects, names), declared }))
    }

    /// After a statement that made a table again: no id that the old one gave is given by the new one.
    pub(super) fn put_ids_back(&self, connection: &Connection, step: &Step, statement: &Statement) -> Result<()> {
        let Some(made) = made(statement) else { return Ok(()) };
        let Some((name, before)) = self.tables.iter().find(|(name, _)| *name == made) else { return Ok(()) };
        let Some(highest_id) = before.highest_id.filter(|_| !step.script.header.declares(Lost::Autoincrement, name))
        else {
            return Ok(());
        };
        let now = Table::read(connection, name)?;
        match now.as_ref().and_then(|table| table.highest_id) {
            Some(id) if id < highest_id => {
                set_highest_id(connection, &now.map_or_else(String::new, |t| t.name), highest_id)
            }
            _ => Ok(()),
        }
    }

    /// Fails where something went that does not come back and is not declared, or is declared and did not go. What is
    /// `broken` is there and of no use.
    pub(super) fn after(&self, connection: &Connection, step: &Step, broken: &Broken) -> Result<()> {
        let objects = objects(connection)?;
        let header = &step.script.header;
        let mut lost: Vec<(Lost, String, String)> = Vec::new();
        for (name, before) in &self.tables {
            if let Some(now) = Table::read(connection, name)? {
                one_row_of_ids(connection, &now.name)?;
                lost.extend(before.went(&now).into_iter().map(|(what, told)| (what, now.name.clone(), told)));
            }
        }
        for object in &self.bound {
            if !object.is_among(&objects) && object.could_be_there(connection)? {
                let on = if object.lost == Lost::View { String::new() } else { format!(" of `{}`", object.on) };
                let told = format!("the {} `{}`{on}", object.lost.words(), object.name);
                lost.push((object.lost, object.name.clone(), told));
            }
        }
        let went = |loss: &Loss| {
            lost.iter().any(|(what, name, _)| *what == loss.lost && name.eq_ignore_ascii_case(&loss.name))
        };
        for loss in header.loses.iter().filter(|loss| loss.lost != Lost::Rows && !went(loss) && !broken.has(loss)) {
            let stays = is_there(connection, &objects, loss)?;
            if stays || self.declared.as_ref().is_some_and(|there| !there.contains(loss)) {
                return Err(wrongly_declared(step, loss, stays));
            }
        }
        lost.retain(|(what, name, _)| !header.declares(*what, name));
        gone_unsaid(step, lost)
    }
}

impl Table {
    fn read(connection: &Connection, name: &str) -> Result<Option<Table>> {
        let sql = include_str!("table.sql");
        let read = connection
            .query_row(sql, [name], |row| {
                let definition: String = row.get(1)?;
                let table = Table {
                    name: row.get(0)?,
                    highest_id: None,
                    strict: row.get(2)?,
                    without_rowid: row.get(3)?,
                    primary_key: row.get(4)?,
                };
                Ok((table, definition))
            })
            .optional()
            .could_not("look at table", format!("`{name}`"))?;
        let Some((mut table, definition)) = read else { return Ok(None) };
        if tokens_of(&definition).iter().any(|token| token == "autoincrement") {
            let sql = "SELECT max(seq) FROM main.sqlite_sequence WHERE name = ?1";
            let id: Option<i64> = connection
                .query_row(sql, [&table.name], |row| row.get(0))
                .could_not("read ids of", format!("`{name}`"))?;
            table.highest_id = Some(id.unwrap_or(0));
        }
        Ok(Some(table))
    }

    /// What this table had and the one in its place has not.
    fn went(&self, now: &Table) -> Vec<(Lost, String)> {
        let name = &self.name;
        let ids = match (self.highest_id, now.highest_id) {
            (Some(_), None) => Some(format!("AUTOINCREMENT of `{name}`")),
            (Some(before), Some(after)) if after < before => {
                Some(format!("the ids of `{name}` up to {before}, which begin again behind {after}"))
            }
            _ => None,
        };
        let of = |word: &str, had: bool, has: bool| (had && !has).then(|| format!("{word} of `{name}`"));
        [
            (Lost::Autoincrement, ids),
            (Lost::Strict, of("STRICT", self.strict, now.strict)),
            (Lost::WithoutRowid, of("WITHOUT ROWID", self.without_rowid, now.without_rowid)),
            (Lost::PrimaryKey, of("the primary key", self.primary_key, now.primary_key)),
        ]
        .into_iter()
        .filter_map(|(lost, told)| Some((lost, told?)))
        .collect()
    }

    fn has(&self, lost: Lost) -> bool {
        match lost {
            Lost::Autoincrement => self.highest_id.is_some(),
            Lost::Strict => self.strict,
            Lost::WithoutRowid => self.without_rowid,
            Lost::PrimaryKey => self.primary_key,
            Lost::Rows | Lost::Index | Lost::Trigger | Lost::View | Lost::ForeignKey => false,
        }
    }
}

impl Object {
    /// Whether one of these is it: the same name in the same place, or an index or trigger there that does the same.
    fn is_among(&self, objects: &[Object]) -> bool {
        objects.iter().filter(|other| other.lost == self.lost && other.on.eq_ignore_ascii_case(&self.on)).any(|other| {
            // An index of the same name may cover other columns, and must not stop refusing duplicates.
            let same_name = other.name.eq_ignore_ascii_case(&self.name) && (other.is_unique() || !self.is_unique());
            same_name || (self.lost != Lost::View && other.nameless() == self.nameless())
        })
    }

    fn is_unique(&self) -> bool {
        self.lost == Lost::Index && tokens_of(&self.sql).get(1).is_some_and(|word| word == "unique")
    }

    /// Whether what it was on is there.
    fn could_be_there(&self, connection: &Connection) -> Result<bool> {
        if self.lost == Lost::View {
            return Ok(true);
        }
        let sql = "SELECT EXISTS (SELECT 1 FROM main.sqlite_schema WHERE type IN ('table', 'view') AND name = ?1 COLLATE NOCASE)";
        connection.query_row(sql, [&self.on], |row| row.get(0)).could_not("look for", format!("`{}`", self.on))
    }

    /// The tokens of the definition without the object's own name.
    fn nameless(&self) -> Vec<String> {
        let own = self.name.to_ascii_lowercase();
        let mut tokens = tokens_of(&self.sql);
        if let Some(place) = tokens.iter().position(|token| *token == own) {
            tokens.remove(place);
        }
        tokens
    }
}

/// The objects that are on one of these tables and views or name one, views over views included.
fn bound(objects: Vec<Object>, names: BTreeSet<String>) -> Vec<Object> {
    let mut names = names;
    let with_tokens = |object: Object| {
        let tokens = tokens_of(&object.sql).into_iter().collect();
        (object, tokens)
    };
    let read: Vec<(Object, BTreeSet<String>)> = objects.into_iter().map(with_tokens).collect();
    loop {
        let more: Vec<String> = read
            .iter()
            .filter(|(object, tokens)| object.lost == Lost::View && !tokens.is_disjoint(&names))
            .map(|(object, _)| object.name.to_ascii_lowercase())
            .filter(|name| !names.contains(name))
            .collect();
        if more.is_empty() {
            break;
        }
        names.extend(more);
    }
    let is_bound = |object: &Object, tokens: &BTreeSet<String>| {
        names.contains(&object.on.to_ascii_lowercase()) || (object.lost != Lost::Index && !tokens.is_disjoint(&names))
    };
    read.into_iter().filter(|(object, tokens)| is_bound(object, tokens)).map(|(object, _)| object).collect()
}

/// Every index, trigger and view that has a definition of its own.
fn objects(connection: &Connection) -> Result<Vec<Object>> {
    let sql = include_str!("bound_objects.sql");
    let mut statement = connection.prepare_cached(sql).could_not("read schema", "")?;
    let rows = statement
        .query_map([], |row| {
            let lost = match row.get_ref(0)?.as_str()? {
                "index" => Lost::Index,
                "trigger" => Lost::Trigger,
                _ => Lost::View,
            };
            Ok(Object { lost, name: row.get(1)?, on: row.get(2)?, sql: row.get(3)? })
        })
        .could_not("read schema", "")?;
    rows.collect::<rusqlite::Result<_>>().could_not("read schema", "")
}

/// Whether what a header names is there.
fn is_there(connection: &Connection, objects: &[Object], loss: &Loss) -> Result<bool> {
    match loss.lost {
        Lost::Index | Lost::Trigger | Lost::View => {
            Ok(objects.iter().any(|object| object.lost == loss.lost && object.name.eq_ignore_ascii_case(&loss.name)))
        }
        Lost::ForeignKey => {
            let sql = "SELECT EXISTS (SELECT 1 FROM pragma_foreign_key_list(?1, 'main'))";
            connection.query_row(sql, [&loss.name], |row| row.get(0)).could_not("look for", format!("`{}`", loss.name))
        }
        lost => Ok(Table::read(connection, &loss.name)?.is_some_and(|table| table.has(lost))),
    }
}

fn set_highest_id(connection: &Connection, table: &str, id: i64) -> Result<()> {
    let setting = || format!("`{table}`");
    let sql = "UPDATE main.sqlite_sequence SET seq = ?2 WHERE name = ?1";
    let changed = connection.execute(sql, params![table, id]).could_not("keep the ids of", setting())?;
    if changed == 0 {
        let sql = "INSERT INTO main.sqlite_sequence(name, seq) VALUES (?1, ?2)";
        connection.execute(sql, params![table, id]).could_not("keep the ids of", setting())?;
    }
    Ok(())
}

/// A script that takes care of the ids itself has added a row to ours: one stays, with the higher id.
fn one_row_of_ids(connection: &Connection, table: &str) -> Result<()> {
    let ids = "SELECT count(*), max(seq) FROM main.sqlite_sequence WHERE name = ?1";
    let Ok((rows, id)) =
        connection.query_row(ids, [table], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, Option<i64>>(1)?)))
    else {
        // No table has ever had AUTOINCREMENT.
        return Ok(());
    };
    if rows > 1 {
        let sql = "DELETE FROM main.sqlite_sequence WHERE name = ?1";
        connection.execute(sql, [table]).could_not("keep the ids of", format!("`{table}`"))?;
        set_highest_id(connection, table, id.unwrap_or(0))?;
    }
    Ok(())
}

/// The tokens of a definition: words and names in lower case, without quotes.
pub(super) fn tokens_of(definition: &str) -> Vec<String> {
    let Ok(scan) = scan(definition, Dialect::Sqlite) else { return Vec::new() };
    scan.statements
        .iter()
        .flat_map(Statement::tokens)
        .map(|token: Token<'_>| token.unquoted().to_ascii_lowercase())
        .collect()
}
