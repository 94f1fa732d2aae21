//! The references of a file: which key of which table each foreign key leads to.
//!
//! What is not plainly understood here is left to SQLite, table by table: a parent that is missing, a key that fits no
//! unique index, columns that do not store values alike.

use super::keys::SETS_MAX;
use super::order::Collation;
use super::shape::{Shape, Table};
use crate::quote::quote;
use crate::types::Affinity;
use rusqlite::Connection;
use std::collections::{BTreeMap, BTreeSet};

/// The keys that a table has or refers to.
#[derive(Debug)]
pub(super) struct KeyColumns {
    /// The table.
    pub(super) table: usize,
    /// Where its columns stand among what is selected of a row, in the order of the parent's key.
    pub(super) values: Vec<usize>,
    pub(super) collations: Vec<Collation>,
}

/// Each key that is referred to or refers, and which of them have to be part of which.
#[derive(Debug, Default)]
pub(super) struct References {
    pub(super) keys: Vec<KeyColumns>,
    /// The set of a referring table, and that of its parent.
    pub(super) parts: Vec<(usize, usize)>,
    /// The tables whose references SQLite has to check.
    pub(super) left: BTreeSet<String>,
}

/// One foreign key as SQLite lists it.
struct Listed {
    parent: String,
    /// Each referring column, and the one that it refers to where that is named.
    columns: Vec<(String, Option<String>)>,
}

/// A key that can be referred to.
struct ParentKey {
    /// In the order of the index behind it.
    columns: Vec<String>,
    collations: Vec<Collation>,
}

/// Reads the references of a file.
///
/// # Errors
/// When the schema cannot be read.
pub(super) fn read(connection: &Connection, shape: &mut Shape) -> rusqlite::Result<References> {
    let mut found = References::default();
    let mut parents: BTreeMap<(usize, Vec<String>), usize> = BTreeMap::new();
    for child in 0..shape.tables.len() {
        let name = shape.tables[child].name.clone();
        let listed = listed(connection, &name)?;
        if listed.is_empty() {
            continue;
        }
        // SQLite itself says whether each key fits one of its parent; what it says otherwise, it is to say again.
        let check = format!("PRAGMA main.foreign_key_check({})", quote(&name));
        let usable = connection.prepare(&check).is_ok() && found.keys.len() + 2 * listed.len() <= SETS_MAX;
        let understood: Option<Vec<_>> = match usable {
            true => listed.iter().map(|key| lead(connection, shape, child, key).transpose()).collect(),
            false => None,
        };
        let Some(understood) = understood else {
            found.left.insert(name);
            continue;
        };
        for lead in understood {
            let Lead { parent, key, referring } = lead?;
            let select = |table: &mut Table, columns: &[String]| -> Vec<usize> {
                columns.iter().map(|column| table.select(column.clone())).collect()
            };
            let to = *parents.entry((parent, key.columns.clone())).or_insert_with(|| {
                let values = select(&mut shape.tables[parent], &key.columns);
                let collations = key.collations.clone();
                found.keys.push(KeyColumns { table: parent, values, collations });
                found.keys.len() - 1
            });
            let values = select(&mut shape.tables[child], &referring);
            found.parts.push((found.keys.len(), to));
            found.keys.push(KeyColumns { table: child, values, collations: key.collations });
        }
    }
    Ok(found)
}

fn listed(connection: &Connection, table: &str) -> rusqlite::Result<Vec<Listed>> {
    let mut statement = connection.prepare_cached(include_str!("references.sql"))?;
    let mut rows = statement.query([table])?;
    let mut keys: BTreeMap<i64, Listed> = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let parent = row.get(1)?;
        let key = keys.entry(row.get(0)?).or_insert_with(|| Listed { parent, columns: Vec::new() });
        key.columns.push((row.get(2)?, row.get(3)?));
    }
    Ok(keys.into_values().collect())
}

/// Where a foreign key leads.
struct Lead {
    parent: usize,
    key: ParentKey,
    /// The referring columns in the order of the parent's key, as SQL.
    referring: Vec<String>,
}

fn lead(connection: &Connection, shape: &Shape, child: usize, key: &Listed) -> rusqlite::Result<Option<Lead>> {
    let Some(parent) = shape.place(&key.parent) else { return Ok(None) };
    let (child, table) = (&shape.tables[child], &shape.tables[parent]);
    let wanted: Option<Vec<String>> = match key.columns.iter().all(|(_, to)| to.is_none()) {
        true => Some(table.key.clone()),
        false => key.columns.iter().map(|(_, to)| to.clone()).collect(),
    };
    let Some(wanted) = wanted.filter(|wanted| wanted.len() == key.columns.len()) else { return Ok(None) };
    let Some(found) = parent_key(connection, table, &wanted)? else { return Ok(None) };
    let referring = found.columns.iter().map(|column| {
        let place = wanted.iter().position(|name| quote(name).eq_ignore_ascii_case(column))?;
        let own = child.column(&key.columns[place].0)?;
        let other = table.column(&wanted[place])?;
        (own.affinity == other.affinity).then(|| quote(&own.name))
    });
    let referring: Option<Vec<String>> = referring.collect();
    Ok(referring.map(|referring| Lead { parent, key: found, referring }))
}

/// The key of a table over those columns: its rowid, or the only unique index over exactly them. SQLite has said that one
/// fits, so that an only one is the one.
fn parent_key(connection: &Connection, table: &Table, wanted: &[String]) -> rusqlite::Result<Option<ParentKey>> {
    let quoted = |name: &String| quote(name);
    if let (Some(rowid), [column]) = (&table.rowid, wanted)
        && quote(column).eq_ignore_ascii_case(rowid)
    {
        let is_integer = table.column(column).is_some_and(|column| column.affinity == Affinity::Numeric);
        let key = ParentKey { columns: vec![rowid.clone()], collations: vec![Collation::Binary] };
        return Ok(is_integer.then_some(key));
    }
    let mut statement = connection.prepare_cached(include_str!("unique_keys.sql"))?;
    let mut rows = statement.query([&table.name])?;
    let mut indexes: BTreeMap<String, Vec<(Option<String>, String)>> = BTreeMap::new();
    while let Some(row) = rows.next()? {
        indexes.entry(row.get(2)?).or_default().push((row.get(0)?, row.get(1)?));
    }
    let wanted: BTreeSet<String> = wanted.iter().map(|name| name.to_ascii_lowercase()).collect();
    let fits = |columns: &&Vec<(Option<String>, String)>| {
        let names = columns.iter().map(|(name, _)| name.as_ref().map(|name| name.to_ascii_lowercase()));
        names
            .collect::<Option<BTreeSet<String>>>()
            .is_some_and(|names| names == wanted && columns.len() == wanted.len())
    };
    let mut fitting = indexes.values().filter(fits);
    let (Some(columns), None) = (fitting.next(), fitting.next()) else { return Ok(None) };
    let collations = columns.iter().map(|(_, collation)| Collation::named(collation)).collect::<Option<Vec<_>>>();
    let columns = columns.iter().filter_map(|(name, _)| name.as_ref().map(quoted)).collect();
    Ok(collations.map(|collations| ParentKey { columns, collations }))
}
