//! "Nothing disappears silently", asked again: each table, view, row, column, key, foreign key with its actions, index,
//! check (a domain's too), default, identity, NOT NULL (a domain's too) and generated column that the server itself lists
//! is in the finished file, or named by the plan among what is not carried; so is each trigger, policy, rule and exclusion
//! constraint. What a check, a default or a view says is not compared, only that there is one, nor whether a constraint is
//! deferred or MATCH FULL.
//!
//! The verification of a run compares the file with the plan; what the plan forgot, it cannot miss. So this takes
//! nothing from the plan but names (source to target) and its list of losses, and neither the source's catalog nor the
//! definitions that the plan wrote: one side is asked of `pg_catalog`, the other of SQLite's pragmas.

use crate::cancel::Cancel;
use crate::catalog::{ObjectKind, QualifiedName};
use crate::endpoint::PostgresUrl;
use crate::endpoint::postgres::Session;
use crate::endpoint::sqlite::read::{describe, open};
use crate::error::{Context, Error, Result};
use crate::plan::{Plan, TablePlan};
use crate::quote::quote;
use crate::types::{Representation, TextForm};
use rusqlite::{Connection, params};
use std::path::Path;

pub(super) const OPERATION: &str = "take the inventory of";

/// Tables of user schemas, members of extensions and partitions left out.
const TABLES: &str = include_str!("inventory/tables.sql");

/// Views of user schemas; those of extensions left out.
const VIEWS: &str = include_str!("inventory/views.sql");

/// What belongs to each table: `[schema, table, kind, name, columns, other table's schema, other table, its columns,
/// actions]`, columns as JSON. An expression in an index is a NULL among its columns. A default that is NULL is none. An
/// action of some columns only has the letter `?`, which no action of SQLite has.
const PARTS: &str = include_str!("inventory/parts.sql");

/// What the server has and the file has not, and the plan does not name; one sentence each. Also columns whose
/// collation is not the one that their rule says.
///
/// # Errors
/// When the server or the file cannot be read.
pub fn missing(url: &PostgresUrl, target: &Path, plan: &Plan) -> Result<Vec<String>> {
    let mut session = Session::connect(url, &Cancel::new())?;
    missing_by(&mut |sql| session.query_rows(OPERATION, "the server", sql), target, plan)
}

/// Asks the server a query, and gives its rows as the server's text.
pub(super) type Ask<'a> = dyn FnMut(&str) -> Result<Vec<Vec<Option<String>>>> + 'a;

/// As [`missing`], over a connection that is open already.
///
/// # Errors
/// As [`missing`].
pub(super) fn missing_by(ask: &mut Ask<'_>, target: &Path, plan: &Plan) -> Result<Vec<String>> {
    let file = open(target, &Cancel::new().flag())?;
    let mut missing = Vec::new();
    let mut counts = Vec::new();
    let tables = format!("{TABLES} SELECT schema, name, kind::text FROM t UNION ALL {VIEWS} ORDER BY 1, 2");
    for row in ask(&tables)? {
        let [Some(schema), Some(name), Some(kind)] = row.as_slice() else { continue };
        let table = QualifiedName::new(schema, name);
        if kind == "v" {
            let is_there = is_carried_view(plan, &table, &file).could_not(OPERATION, format!("view `{table}`"))?;
            if !is_there && !is_listed(plan, &[table.to_string()]) {
                missing.push(format!("view `{table}` is neither carried nor listed"));
            }
            continue;
        }
        match plan.tables.iter().find(|planned| planned.source == table) {
            Some(planned) => {
                let only = if kind == "r" { "ONLY " } else { "" };
                counts.push((planned, format!("SELECT count(*)::text FROM {only}{}.{}", quote(schema), quote(name))));
                if !plan.given_schema {
                    missing.extend(collations(planned, &file).map_err(|error| unread(planned, error))?);
                }
            }
            None if is_listed(plan, &[table.to_string()]) => {}
            None => missing.push(format!("table `{table}` is neither carried nor listed")),
        }
    }
    for (planned, there) in counts_of(ask, &counts)? {
        let found: i64 = file
            .query_row(&format!("SELECT count(*) FROM {}", quote(&planned.target)), [], |row| row.get(0))
            .map_err(|error| unread(planned, error))?;
        if there != found.to_string() {
            missing.push(format!("table `{}` has {there} rows on the server and {found} in the file", planned.source));
        }
    }
    for row in ask(&format!("{} {PARTS}", TABLES.replacen("WITH t", "WITH RECURSIVE t", 1)))? {
        let (table, part) = Part::read(row)?;
        let Some(planned) = plan.tables.iter().find(|planned| planned.source == table) else { continue };
        if !part.is_carried(plan, planned, &file).map_err(|error| unread(planned, error))?
            && !part.is_listed(plan, &table)
        {
            missing.push(format!("{} `{}` of table `{table}` is neither carried nor listed", part.kind, part.name));
        }
    }
    Ok(missing)
}

fn unread(table: &TablePlan, error: rusqlite::Error) -> Error {
    describe(OPERATION, format!("table `{}`", table.target), error)
}

/// Asks all counts at once.
fn counts_of<'p>(ask: &mut Ask<'_>, counts: &[(&'p TablePlan, String)]) -> Result<Vec<(&'p TablePlan, String)>> {
    if counts.is_empty() {
        return Ok(Vec::new());
    }
    let asked: Vec<_> = counts.iter().map(|(_, sql)| format!("({sql})")).collect();
    // One array and not one column each: a row of the server has a limit to its columns.
    let sql = format!("SELECT to_json(ARRAY[{}])::text", asked.join(", "));
    let rows = ask(&sql)?;
    let said = rows.into_iter().flatten().flatten().next().unwrap_or_default();
    let said: Vec<String> = serde_json::from_str(&said).could_not(OPERATION, "the server")?;
    Ok(counts.iter().map(|(table, _)| *table).zip(said).collect())
}

fn is_listed(plan: &Plan, names: &[String]) -> bool {
    plan.losses.iter().any(|loss| names.contains(&loss.object))
}

fn is_carried_view(plan: &Plan, view: &QualifiedName, file: &Connection) -> rusqlite::Result<bool> {
    let Some(planned) = plan.views.iter().find(|planned| planned.source == *view) else { return Ok(false) };
    let sql = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'view' AND lower(name) = lower(?1))";
    file.query_row(sql, [&planned.target], |row| row.get(0))
}

/// Something that belongs to a table of the server.
struct Part {
    kind: String,
    name: String,
    columns: Vec<Option<String>>,
    other: QualifiedName,
    other_columns: Vec<Option<String>>,
    /// Of a foreign key: what its table does when a row that is referred to is deleted, and when its key changes.
    actions: [&'static str; 2],
}

impl Part {
    /// The table, and the part of it.
    fn read(row: Vec<Option<String>>) -> Result<(QualifiedName, Part)> {
        let mut texts = row.into_iter().map(Option::unwrap_or_default);
        let mut next = || texts.next().unwrap_or_default();
        let list = |text: String| serde_json::from_str(&text).could_not(OPERATION, "the server");
        let table = QualifiedName::new(next(), next());
        let (kind, name, columns) = (next(), next(), list(next())?);
        let other = QualifiedName::new(next(), next());
        let other_columns = list(next())?;
        let mut codes = next().chars().map(action).collect::<Vec<_>>().into_iter();
        let actions = [(); 2].map(|()| codes.next().unwrap_or_default());
        Ok((table, Part { kind, name, columns, other, other_columns, actions }))
    }

    fn is_listed(&self, plan: &Plan, table: &QualifiedName) -> bool {
        let of_table = format!("{table}.{}", self.name);
        let kind = match self.kind.as_str() {
            // What a column has besides its values is listed under its name, by kind.
            "counting default" => "default",
            "not null" | "default" | "identity" | "generated column" => self.kind.as_str(),
            "domain check" => {
                let check = self.columns.iter().flatten().next().map_or("", String::as_str);
                return is_listed(plan, &[format!("{}.{check} on {of_table}", self.other)])
                    || plan.losses.iter().any(|loss| loss.object == of_table && loss.kind == ObjectKind::Column);
            }
            // SQLite has nothing of their kinds, so no other object of that name may vouch for one.
            "trigger" | "policy" | "rule" | "exclusion constraint" => {
                let name = format!("{} on {table}", self.name);
                return plan.losses.iter().any(|loss| loss.object == name && loss.kind.name() == self.kind);
            }
            _ => return is_listed(plan, &[of_table, format!("{} on {table}", self.name)]),
        };
        plan.losses.iter().any(|loss| loss.object == of_table && [kind, "column"].contains(&loss.kind.name()))
    }

    fn is_carried(&self, plan: &Plan, table: &TablePlan, file: &Connection) -> rusqlite::Result<bool> {
        if matches!(self.kind.as_str(), "trigger" | "policy" | "rule" | "exclusion constraint") {
            return Ok(false);
        }
        if self.kind == "domain check" {
            let check = self.columns.iter().flatten().next().map_or("", String::as_str);
            let column = table.columns.iter().find(|column| column.source == self.name);
            return column.map_or(Ok(false), |column| has_check(table, check, Some(&column.target), file));
        }
        let Some(columns) = target_columns(table, &self.columns) else { return Ok(false) };
        Ok(match self.kind.as_str() {
            "column" => {
                let target = target_columns(table, &[Some(self.name.clone())]);
                let there = column(file, "SELECT name FROM pragma_table_xinfo(?1)", &table.target)?;
                target.into_iter().flatten().flatten().next().is_some_and(|name| there.contains(&name))
            }
            "key" => {
                let key = "SELECT name FROM pragma_table_xinfo(?1) WHERE pk > 0 ORDER BY pk";
                let key: Vec<_> = column(file, key, &table.target)?.into_iter().map(Some).collect();
                same_set(&key, &columns)
                    || indexes(file, &table.target, true)?.iter().any(|(_, i)| same_set(i, &columns))
            }
            "foreign key" => {
                let Some(parent) = plan.tables.iter().find(|planned| planned.source == self.other) else {
                    return Ok(false);
                };
                let pairs = columns.into_iter().zip(target_columns(parent, &self.other_columns).unwrap_or_default());
                let mut wanted: Vec<_> =
                    pairs.map(|(from, to)| [from, to].map(|name| name.unwrap_or_default().to_lowercase())).collect();
                wanted.sort();
                let wanted = KeyOfFile {
                    parent: parent.target.to_lowercase(),
                    pairs: wanted,
                    actions: self.actions.map(str::to_owned),
                };
                foreign_keys(file, &table.target)?.contains(&wanted)
            }
            "not null" | "default" | "counting default" | "identity" | "generated column" => {
                let Some(Some(target)) = target_columns(table, &[Some(self.name.clone())]).map(|mut one| one.remove(0))
                else {
                    return Ok(false);
                };
                // The key that is the rowid is never NULL and counts up, and what is computed has its own rules.
                const IS_ROWID: &str =
                    "pk = 1 AND lower(type) = 'integer' AND (SELECT max(pk) = 1 FROM pragma_table_xinfo(?1))";
                let sql = match self.kind.as_str() {
                    "not null" => format!("\"notnull\" OR hidden IN (2, 3) OR {IS_ROWID}"),
                    "default" => "dflt_value IS NOT NULL OR hidden IN (2, 3)".to_owned(),
                    "counting default" | "identity" => format!("{IS_ROWID} OR dflt_value IS NOT NULL"),
                    _ => "hidden IN (2, 3)".to_owned(),
                };
                let sql = format!(
                    "SELECT EXISTS (SELECT 1 FROM pragma_table_xinfo(?1) WHERE lower(name) = lower(?2) AND ({sql}))"
                );
                file.query_row(&sql, params![table.target, target], |row| row.get(0))?
            }
            "check" => has_check(table, &self.name, None, file)?,
            _ => {
                let unique = self.kind == "unique index";
                let there = indexes(file, &table.target, unique)?;
                if plan.given_schema {
                    // A given schema has its own names; an index that goes on behind those columns serves as well.
                    let serves = |index: &Vec<Option<String>>| {
                        let length = if unique { index.len() } else { columns.len().min(index.len()) };
                        same_set(&index[..length], &columns)
                    };
                    return Ok(there.iter().any(|(_, index)| serves(index)));
                }
                let origin = format!("{} on {}", self.name, table.source);
                let planned = table.indexes.iter().find(|index| index.origin == origin).map(|index| &index.name);
                let name = planned.unwrap_or(&self.name);
                there.iter().any(|(there, _)| there.eq_ignore_ascii_case(name))
            }
        })
    }
}

/// Whether the table has a check of that name, about the column where one is given: two columns of a domain have checks
/// of the same name.
fn has_check(table: &TablePlan, name: &str, column: Option<&str>, file: &Connection) -> rusqlite::Result<bool> {
    let sql = "SELECT sql FROM sqlite_schema WHERE type = 'table' AND lower(name) = lower(?1)";
    let definition: String = file.query_row(sql, [&table.target], |row| row.get(0))?;
    let constraint = format!("CONSTRAINT {} CHECK ", quote(name));
    let mut checks =
        definition.match_indices(&constraint).map(|(at, found)| condition(&definition[at + found.len()..]));
    Ok(checks.any(|condition| column.is_none_or(|column| condition.contains(&quote(column)))))
}

/// The text from the parenthesis at its start to the one that closes it.
fn condition(text: &str) -> &str {
    let (mut depth, mut quoted) = (0_i32, None);
    for (at, character) in text.char_indices() {
        match (quoted, character) {
            (Some(mark), _) => quoted = (mark != character).then_some(mark),
            (None, '\'' | '"') => quoted = Some(character),
            (None, '(') => depth += 1,
            (None, ')') => {
                depth -= 1;
                if depth <= 0 {
                    return &text[..=at];
                }
            }
            _ => {}
        }
    }
    text
}

/// The columns' names in the target; `None` where one of them has none there.
fn target_columns(table: &TablePlan, columns: &[Option<String>]) -> Option<Vec<Option<String>>> {
    let find = |name: &String| table.columns.iter().find(|column| column.source == *name);
    columns.iter().map(|name| name.as_ref().map_or(Some(None), |name| Some(Some(find(name)?.target.clone())))).collect()
}

fn same_set(left: &[Option<String>], right: &[Option<String>]) -> bool {
    left.len() == right.len() && left.iter().all(|name| right.contains(name))
}

fn column(file: &Connection, sql: &str, table: &str) -> rusqlite::Result<Vec<String>> {
    file.prepare(sql)?.query_map([table], |row| row.get(0))?.collect()
}

/// The indexes of a table with the columns of their keys; an expression is `None`.
fn indexes(file: &Connection, table: &str, unique_only: bool) -> rusqlite::Result<Vec<(String, Vec<Option<String>>)>> {
    let sql = "SELECT name FROM pragma_index_list(?1) WHERE \"unique\" >= ?2";
    let mut names = file.prepare(sql)?;
    let names = names.query_map(params![table, unique_only], |row| row.get(0))?;
    let mut parts = file.prepare("SELECT name FROM pragma_index_xinfo(?1) WHERE key ORDER BY seqno")?;
    names
        .map(|name| {
            let name: String = name?;
            let columns = parts.query_map([&name], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
            Ok((name, columns))
        })
        .collect()
}

/// A foreign key of the file, all its names in lower case, its pairs of columns in a fixed order.
#[derive(PartialEq)]
struct KeyOfFile {
    parent: String,
    pairs: Vec<[String; 2]>,
    /// On deletion, and on a change.
    actions: [String; 2],
}

/// An action as SQLite tells it, from the letter by which PostgreSQL's `pg_constraint` has it.
fn action(letter: char) -> &'static str {
    match letter {
        'r' => "RESTRICT",
        'c' => "CASCADE",
        'n' => "SET NULL",
        'd' => "SET DEFAULT",
        '?' => "an action of some columns only",
        _ => "NO ACTION",
    }
}

/// The foreign keys of a table.
fn foreign_keys(file: &Connection, table: &str) -> rusqlite::Result<Vec<KeyOfFile>> {
    let mut statement = file.prepare(include_str!("inventory/foreign_keys.sql"))?;
    let mut rows = statement.query([table])?;
    let mut keys: Vec<(i64, KeyOfFile)> = Vec::new();
    while let Some(row) = rows.next()? {
        let (id, pair) = (row.get(1)?, [row.get(2)?, row.get(3)?]);
        match keys.last_mut().filter(|(last, _)| *last == id) {
            Some((_, key)) => key.pairs.push(pair),
            None => {
                let actions = [row.get(4)?, row.get(5)?];
                keys.push((id, KeyOfFile { parent: row.get(0)?, pairs: vec![pair], actions }));
            }
        }
    }
    Ok(keys
        .into_iter()
        .map(|(_, mut key)| {
            key.pairs.sort();
            key
        })
        .collect())
}

/// Columns of text whose collation is not their rule's.
fn collations(table: &TablePlan, file: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut found = Vec::new();
    for column in table.columns.iter().filter(|column| column.representation.declared_type() == "TEXT") {
        let wanted = if column.representation == Representation::Text(TextForm::Nocase) { "NOCASE" } else { "BINARY" };
        let (_, there, ..) = file.column_metadata(None, table.target.as_str(), column.target.as_str())?;
        let there = there.map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if !there.eq_ignore_ascii_case(wanted) {
            found.push(format!("column `{}.{}` has the collation {there}, not {wanted}", table.target, column.target));
        }
    }
    Ok(found)
}
