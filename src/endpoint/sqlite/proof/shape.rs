//! What has to be proven of a file: its tables with their indexes and references, as its schema tells them.

use super::definition::{self, Definition};
use super::order::{Collation, Term};
use crate::quote::quote;
use crate::types::Affinity;
use rusqlite::Connection;
use std::collections::HashMap;

/// A table with rows in the file.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) name: String,
    /// What has to be read of each of its rows, as SQL.
    pub(super) selected: Vec<String>,
    /// The name under which a row's number can be asked for; `None` where it has none.
    pub(super) rowid: Option<String>,
    pub(super) columns: Vec<Column>,
    /// Those with a tree of their own.
    pub(super) indexes: Vec<Index>,
    /// The key by which a WITHOUT ROWID table is itself a tree.
    pub(super) own_key: Option<OwnKey>,
    /// The primary key's columns in order.
    pub(super) key: Vec<String>,
}

/// A column of a table.
#[derive(Debug)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) affinity: Affinity,
}

/// An index, and what its entries are.
#[derive(Debug)]
pub(super) struct Index {
    pub(super) name: String,
    pub(super) root: u32,
    /// Where each value of an entry stands among what is selected of a row.
    pub(super) values: Vec<usize>,
    pub(super) order: Vec<Term>,
    /// So many of them are a key that no two entries have, unless it has a NULL; 0 where there is none.
    pub(super) unique: usize,
    /// Where it stands whether a row has an entry; `None` where each has one.
    pub(super) filter: Option<usize>,
    /// Its entries are values of the row as they are, so that a difference is no matter of computing.
    pub(super) plain: bool,
}

/// The key of a WITHOUT ROWID table.
#[derive(Debug)]
pub(super) struct OwnKey {
    pub(super) values: Vec<usize>,
    pub(super) order: Vec<Term>,
    /// The name by which SQLite lists it.
    pub(super) name: String,
}

/// The tables of a file, and the names of its virtual ones.
#[derive(Debug, Default)]
pub(super) struct Shape {
    pub(super) tables: Vec<Table>,
    pub(super) virtual_tables: Vec<String>,
    /// The place of each table, by its name in lower case.
    places: HashMap<String, usize>,
}

impl Shape {
    /// The place of a table.
    pub(super) fn place(&self, table: &str) -> Option<usize> {
        self.places.get(&table.to_ascii_lowercase()).copied()
    }
}

impl Table {
    /// The table in a FROM that reads the rows themselves. `NOT INDEXED` does not keep SQLite from reading an index that has
    /// all that is asked for in place of a table without rowids; the name of its key does.
    pub(super) fn from(&self) -> String {
        let name = quote(&self.name);
        match &self.own_key {
            Some(key) => format!("main.{name} INDEXED BY {}", quote(&key.name)),
            None => format!("main.{name} NOT INDEXED"),
        }
    }

    /// The place of an expression among what is selected.
    pub(super) fn select(&mut self, sql: String) -> usize {
        self.selected.iter().position(|known| *known == sql).unwrap_or_else(|| {
            self.selected.push(sql);
            self.selected.len() - 1
        })
    }

    pub(super) fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name.eq_ignore_ascii_case(name))
    }
}

/// An object of the schema: its root page, and its definition where it has one of its own.
type Objects = HashMap<String, (u32, Option<String>)>;

/// Reads the shape of a file; `None` where something in it has a meaning that only SQLite knows.
///
/// # Errors
/// When the schema cannot be read.
pub(super) fn read(connection: &Connection) -> rusqlite::Result<Option<Shape>> {
    let encoding: String = connection.query_row("PRAGMA main.encoding", [], |row| row.get(0))?;
    if encoding != "UTF-8" {
        return Ok(None);
    }
    let (mut indexes, mut tables) = (Objects::new(), Vec::new());
    let mut shape = Shape::default();
    let mut objects = connection.prepare(include_str!("trees.sql"))?;
    let mut rows = objects.query([])?;
    while let Some(row) = rows.next()? {
        let (name, kind, root, sql): (String, String, u32, Option<String>) =
            (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
        match (kind.as_str(), root) {
            ("index", _) => drop(indexes.insert(name, (root, sql))),
            (_, 0) => shape.virtual_tables.push(name),
            _ => tables.push((name, sql.unwrap_or_default())),
        }
    }
    let mut reader = Reader::new(connection)?;
    for (name, sql) in tables {
        match reader.table(name, &sql, &indexes)? {
            Some(table) => {
                shape.places.insert(table.name.to_ascii_lowercase(), shape.tables.len());
                shape.tables.push(table);
            }
            None => return Ok(None),
        }
    }
    Ok(Some(shape))
}

/// The questions that are asked of each table.
struct Reader<'c> {
    columns: rusqlite::Statement<'c>,
    indexes: rusqlite::Statement<'c>,
    values: rusqlite::Statement<'c>,
}

/// One value of an index's entries, as SQLite lists it.
struct Listed {
    column: i64,
    name: Option<String>,
    descending: bool,
    collation: String,
    is_key: bool,
}

impl<'c> Reader<'c> {
    fn new(connection: &'c Connection) -> rusqlite::Result<Self> {
        Ok(Reader {
            columns: connection.prepare("SELECT name, type, pk FROM pragma_table_xinfo(?1, 'main') ORDER BY cid")?,
            indexes: connection.prepare("SELECT name, \"unique\", origin = 'pk' FROM pragma_index_list(?1, 'main')")?,
            values: connection
                .prepare("SELECT cid, name, \"desc\", coll, key FROM pragma_index_xinfo(?1, 'main') ORDER BY seqno")?,
        })
    }

    fn table(&mut self, name: String, sql: &str, roots: &Objects) -> rusqlite::Result<Option<Table>> {
        let strict = is_strict(sql);
        let (mut columns, mut key) = (Vec::new(), Vec::new());
        let mut rows = self.columns.query([&name])?;
        while let Some(row) = rows.next()? {
            let (column, declared): (String, String) = (row.get(0)?, row.get(1)?);
            let place: i64 = row.get(2)?;
            key.extend((place > 0).then(|| (place, column.clone())));
            columns.push(Column { affinity: kept(&declared, strict), name: column });
        }
        drop(rows);
        key.sort();
        let listed = self.indexes.query_map([&name], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        let listed: Vec<(String, bool, bool)> = listed.collect::<rusqlite::Result<_>>()?;
        // The key of a table that is itself the tree has no place of its own.
        let own = listed.iter().find(|(index, ..)| !roots.contains_key(index)).map(|(index, ..)| index.clone());
        let has_key_index = listed.iter().any(|(_, _, is_key)| *is_key);
        let rowid_column = key.first().filter(|_| key.len() == 1 && !has_key_index).map(|(_, name)| quote(name));
        let hidden = |name: &str| columns.iter().any(|column| column.name.eq_ignore_ascii_case(name));
        let rowid_name = ["rowid", "_rowid_", "oid"].into_iter().find(|name| !hidden(name)).map(str::to_owned);
        let rowid = if own.is_some() { None } else { rowid_column.or(rowid_name) };
        let key = key.into_iter().map(|(_, column)| column).collect();
        let mut table = Table { name, selected: Vec::new(), rowid, columns, indexes: Vec::new(), own_key: None, key };
        for (index, unique, _) in listed {
            let values = self.listed(&index)?;
            let understood = if own.as_ref() == Some(&index) {
                own_key(&mut table, index, &values)
            } else {
                let (root, sql) = roots.get(&index).cloned().unwrap_or_default();
                self::index(&mut table, index, root, sql.as_deref(), unique, &values)
            };
            if understood.is_none() {
                return Ok(None);
            }
        }
        Ok(Some(table))
    }

    fn listed(&mut self, index: &str) -> rusqlite::Result<Vec<Listed>> {
        let listed = self.values.query_map([index], |row| {
            Ok(Listed {
                column: row.get(0)?,
                name: row.get(1)?,
                descending: row.get(2)?,
                collation: row.get(3)?,
                is_key: row.get(4)?,
            })
        })?;
        listed.collect()
    }
}

fn own_key(table: &mut Table, name: String, values: &[Listed]) -> Option<()> {
    let (mut places, mut order) = (Vec::new(), Vec::new());
    for value in values.iter().filter(|value| value.is_key) {
        places.push(table.select(quote(value.name.as_deref()?)));
        order.push(term(value)?);
    }
    table.own_key = Some(OwnKey { values: places, order, name });
    Some(())
}

fn index(table: &mut Table, name: String, root: u32, sql: Option<&str>, unique: bool, listed: &[Listed]) -> Option<()> {
    const ROWID: i64 = -1;
    const EXPRESSION: i64 = -2;
    let definition = match sql {
        Some(sql) => Some(definition::read(sql)?),
        None => None,
    };
    let (mut values, mut order, mut plain) = (Vec::new(), Vec::new(), true);
    for (place, value) in listed.iter().enumerate() {
        let sql = match value.column {
            ROWID => table.rowid.clone()?,
            EXPRESSION => {
                plain = false;
                let Definition { terms, filter } = definition.as_ref()?;
                let term = terms.get(place)?;
                // Of a row that has no entry, the expression may be an error.
                filter
                    .as_ref()
                    .map_or_else(|| format!("({term})"), |filter| format!("CASE WHEN ({filter}) THEN ({term}) END"))
            }
            _ => quote(value.name.as_deref()?),
        };
        values.push(table.select(sql));
        order.push(term(value)?);
    }
    let condition = definition.and_then(|definition| definition.filter);
    plain &= condition.is_none();
    let filter = condition.map(|condition| table.select(format!("({condition}) IS TRUE")));
    let keys = listed.iter().filter(|value| value.is_key).count();
    table.indexes.push(Index { name, root, values, order, unique: if unique { keys } else { 0 }, filter, plain });
    Some(())
}

fn term(value: &Listed) -> Option<Term> {
    Some(Term { collation: Collation::named(&value.collation)?, descending: value.descending })
}

/// Whether the words behind a table's columns say STRICT. Where a comment hides them, a column called ANY is taken for
/// what it is elsewhere, and references to it are looked up by SQLite.
fn is_strict(sql: &str) -> bool {
    let behind = sql.rsplit_once(')').map_or("", |(_, behind)| behind);
    behind.split(|c: char| c.is_whitespace() || c == ',').any(|word| word.eq_ignore_ascii_case("strict"))
}

/// How a column keeps values, for keys that are compared: INTEGER as NUMERIC does, and ANY of a STRICT table as they come.
fn kept(declared: &str, strict: bool) -> Affinity {
    match Affinity::of(declared) {
        _ if strict && declared.eq_ignore_ascii_case("ANY") => Affinity::Blob,
        Affinity::Integer => Affinity::Numeric,
        other @ (Affinity::Numeric | Affinity::Real | Affinity::Text | Affinity::Blob) => other,
    }
}
