//! Rows that changed, written into the bytes of a SQLite file.

use super::super::document::{Document, NodeId, NodeKind, json};
use super::{LOGGED, Spelling, Table, VERSIONS, Wanted, open, tables, told};
use crate::quote::quote as identifier;
use rusqlite::Connection;
use rusqlite::types::Value;
use std::borrow::Cow;
use std::collections::{HashMap, VecDeque};

/// The bytes of a file, changed so that its document is `new` where it was `old`. What neither says stays as it is.
///
/// # Errors
/// When SQLite refuses the change; the reason.
pub fn patched(bytes: &[u8], wanted: &[Wanted], old: &str, new: &str) -> Result<Vec<u8>, String> {
    let connection = open(bytes)?;
    let tables = tables(&connection, wanted)?;
    let (old, new) = (json::read(old).map_err(|flaw| flaw.reason)?, json::read(new).map_err(|flaw| flaw.reason)?);
    connection.execute_batch("BEGIN").map_err(refused)?;
    for (name, list) in new.entries(0) {
        let name = new.key(name);
        let Some(table) = tables.iter().find(|table| table.wanted.name == name) else {
            return Err(format!("the file has no table `{name}`"));
        };
        let before = old.entries(0).find(|(key, _)| old.key(*key) == name).map(|(_, list)| list);
        let before = before.into_iter().flat_map(|list| old.elements(list)).collect();
        let after = new.elements(list).collect();
        Patch { connection: &connection, table, old: &old, new: &new }.rows(before, after)?;
    }
    connection.execute_batch("COMMIT").map_err(refused)?;
    let mut done = connection.serialize("main").map_err(told)?.to_vec();
    if bytes.get(VERSIONS) == Some(&LOGGED) {
        done[VERSIONS].copy_from_slice(&LOGGED);
    }
    Ok(done)
}

fn refused(error: rusqlite::Error) -> String {
    format!("SQLite refuses the change: {error}")
}

struct Patch<'p, 't> {
    connection: &'p Connection,
    table: &'p Table<'p>,
    old: &'p Document<'t>,
    new: &'p Document<'t>,
}

impl Patch<'_, '_> {
    fn rows(&self, before: Vec<NodeId>, after: Vec<NodeId>) -> Result<(), String> {
        let before = before.into_iter().enumerate().collect();
        let Matched { pairs, gone, new } = match self.has_key() {
            true => self.by_key(before, after),
            false => self.in_order(before, after),
        };
        let addresses = self.addresses()?;
        let address = |place: usize| addresses.get(place).ok_or("the file has other rows than its document");
        // Deletions first: what is new may have what an old row had alone.
        for (place, _) in &gone {
            let sql = format!("DELETE FROM {} WHERE {}", self.name(), self.condition(0));
            self.run(&sql, address(*place)?.iter().cloned())?;
        }
        let mut changed = Vec::new();
        for ((place, old), new) in &pairs {
            let changes = self.changes(*old, *new)?;
            if !changes.is_empty() {
                changed.push((address(*place)?.as_slice(), changes));
            }
        }
        self.connection.execute_batch("SAVEPOINT updates").map_err(refused)?;
        if let Err(reason) = changed.iter().try_for_each(|(address, changes)| self.update(address, changes)) {
            // What two rows exchange, one of them has for a moment twice: all go, and come back as they are then.
            self.connection.execute_batch("ROLLBACK TO updates").map_err(refused)?;
            self.replace(&changed).map_err(|_| reason)?;
        }
        self.connection.execute_batch("RELEASE updates").map_err(refused)?;
        new.into_iter().try_for_each(|node| self.insert(node))
    }

    fn by_key(&self, before: Vec<Before>, after: Vec<NodeId>) -> Matched {
        let mut waiting: HashMap<Option<String>, VecDeque<Before>> = HashMap::new();
        for row in before {
            waiting.entry(self.key(self.old, row.1)).or_default().push_back(row);
        }
        let mut matched = Matched::default();
        for node in after {
            let partner = self.key(self.new, node).and_then(|key| waiting.get_mut(&Some(key))?.pop_front());
            match partner {
                Some(row) => matched.pairs.push((row, node)),
                None => matched.new.push(node),
            }
        }
        matched.gone = waiting.into_values().flatten().collect();
        matched.gone.sort_unstable();
        matched
    }

    /// Rows without a key are known by their order alone: it stays, and what is new stands behind the last.
    fn in_order(&self, before: Vec<Before>, after: Vec<NodeId>) -> Matched {
        let mut matched = Matched::default();
        let mut surplus = before.len().saturating_sub(after.len());
        let mut after = after.into_iter().peekable();
        for row in before {
            let Some(node) = after.peek().copied() else {
                matched.gone.push(row);
                continue;
            };
            if surplus > 0 && self.old.slice(row.1) != self.new.slice(node) {
                surplus -= 1;
                matched.gone.push(row);
                continue;
            }
            after.next();
            matched.pairs.push((row, node));
        }
        matched.new.extend(after);
        matched
    }

    fn name(&self) -> String {
        identifier(&self.table.wanted.name)
    }

    fn has_key(&self) -> bool {
        let is_taken = |key: &String| self.table.columns.iter().any(|(name, _)| name == key);
        !self.table.key.is_empty() && self.table.key.iter().all(is_taken)
    }

    /// The key of a row, as its document spells it.
    fn key(&self, document: &Document<'_>, node: NodeId) -> Option<String> {
        let member = |name: &String| member(document, node, name).map(|value| document.slice(value));
        let values: Option<Vec<&str>> = self.table.key.iter().map(member).collect();
        values.map(|values| values.join("\n"))
    }

    /// What tells each row apart, in their order.
    fn addresses(&self) -> Result<Vec<Vec<Value>>, String> {
        let (mut all, width) = (Vec::new(), self.table.address.len());
        self.table.each(self.connection, &mut |row| {
            let values = (0..width).map(|place| row.get(place)).collect::<rusqlite::Result<Vec<Value>>>();
            all.push(values.map_err(told)?);
            Ok(())
        })?;
        Ok(all)
    }

    /// The condition that one row meets, with parameters behind that many others.
    fn condition(&self, behind: usize) -> String {
        let one = |(place, name): (usize, &String)| format!("{name} IS ?{}", behind + place + 1);
        self.table.address.iter().enumerate().map(one).collect::<Vec<_>>().join(" AND ")
    }

    /// What a row says otherwise: columns, and their values.
    fn changes(&self, old: NodeId, new: NodeId) -> Result<Vec<Change<'_>>, String> {
        let mut changes = Vec::new();
        for (name, spelling) in &self.table.columns {
            let before = member(self.old, old, name).map(|value| self.old.slice(value));
            let after = member(self.new, new, name);
            if before != after.map(|value| self.new.slice(value)) {
                let value = after.map_or(Ok(Value::Null), |after| value(self.new, after, *spelling))?;
                changes.push((name.as_str(), value));
            }
        }
        Ok(changes)
    }

    fn update(&self, address: &[Value], changes: &[Change<'_>]) -> Result<(), String> {
        let places = changes.iter().enumerate();
        let assignments: Vec<String> =
            places.map(|(place, (name, _))| format!("{} = ?{}", identifier(name), place + 1)).collect();
        let condition = self.condition(changes.len());
        let sql = format!("UPDATE {} SET {} WHERE {condition}", self.name(), assignments.join(", "));
        self.run(&sql, changes.iter().map(|(_, value)| value).chain(address).cloned())
    }

    fn replace(&self, changed: &[(&[Value], Vec<Change<'_>>)]) -> Result<(), String> {
        let (whole, name) = (&self.table.whole, self.name());
        let sql = format!("SELECT {} FROM {name} WHERE {}", whole.join(", "), self.condition(0));
        let mut rows = Vec::new();
        for (address, changes) in changed {
            let mut one = self.connection.prepare_cached(&sql).map_err(told)?;
            let all = |row: &rusqlite::Row<'_>| (0..whole.len()).map(|place| row.get(place)).collect();
            let mut row: Vec<Value> = one.query_row(rusqlite::params_from_iter(*address), all).map_err(told)?;
            for (column, value) in changes {
                let place = whole.iter().position(|one| *one == identifier(column)).ok_or("a column is computed")?;
                row[place] = value.clone();
            }
            rows.push(row);
        }
        for (address, _) in changed {
            let sql = format!("DELETE FROM {name} WHERE {}", self.condition(0));
            self.run(&sql, address.iter().cloned())?;
        }
        let places: Vec<String> = (1..=whole.len()).map(|place| format!("?{place}")).collect();
        let sql = format!("INSERT INTO {name} ({}) VALUES ({})", whole.join(", "), places.join(", "));
        rows.into_iter().try_for_each(|row| self.run(&sql, row))
    }

    fn insert(&self, node: NodeId) -> Result<(), String> {
        let (mut names, mut values) = (Vec::new(), Vec::new());
        for (key, at) in self.new.entries(node) {
            let name = self.new.key(key);
            let Some((name, spelling)) = self.table.columns.iter().find(|(column, _)| *column == name) else {
                return Err(format!("table `{}` of the file has no column `{name}`", self.table.wanted.name));
            };
            values.push(value(self.new, at, *spelling)?);
            names.push(identifier(name));
        }
        let sql = match names.is_empty() {
            true => format!("INSERT INTO {} DEFAULT VALUES", self.name()),
            false => {
                let places: Vec<String> = (1..=values.len()).map(|place| format!("?{place}")).collect();
                format!("INSERT INTO {} ({}) VALUES ({})", self.name(), names.join(", "), places.join(", "))
            }
        };
        self.run(&sql, values)
    }

    /// Runs a statement that changes one row.
    fn run(&self, sql: &str, values: impl IntoIterator<Item = Value>) -> Result<(), String> {
        let mut statement = self.connection.prepare_cached(sql).map_err(refused)?;
        match statement.execute(rusqlite::params_from_iter(values)).map_err(refused)? {
            1 => Ok(()),
            other => Err(format!("SQLite changed {other} rows of `{}` where one was meant", self.table.wanted.name)),
        }
    }
}

/// A column, and its new value.
type Change<'p> = (&'p str, Value);

/// A row that was there: its place, and its node.
type Before = (usize, NodeId);

/// Which rows are which.
#[derive(Default)]
struct Matched {
    pairs: Vec<(Before, NodeId)>,
    gone: Vec<Before>,
    new: Vec<NodeId>,
}

fn member(document: &Document<'_>, node: NodeId, name: &str) -> Option<NodeId> {
    document.entries(node).find(|(key, _)| document.key(*key) == name).map(|(_, value)| value)
}

/// A value as SQLite keeps it.
fn value(document: &Document<'_>, node: NodeId, spelling: Spelling) -> Result<Value, String> {
    let slice = document.slice(node);
    Ok(match document.kind(node) {
        NodeKind::Null => Value::Null,
        _ if spelling == Spelling::Json => Value::Text(json::without_blanks(slice).into_owned()),
        NodeKind::Text { .. } | NodeKind::Decoded | NodeKind::Bare | NodeKind::Name(_) => {
            Value::Text(Cow::into_owned(document.string(node)))
        }
        NodeKind::True => Value::Integer(1),
        NodeKind::False => Value::Integer(0),
        NodeKind::Number => match slice.parse::<i64>() {
            Ok(number) => Value::Integer(number),
            Err(_) => Value::Real(slice.parse().map_err(|_| format!("`{slice}` is no number that SQLite has"))?),
        },
        NodeKind::Array | NodeKind::Object => Value::Text(json::without_blanks(slice).into_owned()),
    })
}
