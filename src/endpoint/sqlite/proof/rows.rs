//! What the rows of a table say about its indexes and references, while somebody reads them.

use super::order::{Previous, Step, put};
use super::references::KeyColumns;
use super::{Proof, Wrong};
use crate::value::{RowHasher, TableDigest};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, params};

/// So many keys are collected before a set takes them.
const KEYS_AT_ONCE: usize = 1024;

/// Looks at some of a table's rows. What it has seen counts once it has come to its end.
pub struct Watch<'p> {
    proof: &'p Proof,
    table: usize,
    /// What its indexes have to hold, in their order.
    entries: Vec<TableDigest>,
    /// The keys of each set of the table.
    keys: Vec<(usize, &'p KeyColumns, Vec<u128>)>,
    /// For a table that is itself the tree of its key.
    previous: Previous,
    hasher: RowHasher,
}

impl Proof {
    /// Looks at rows of a table; `None` as with [`Proof::selected`].
    pub fn watch(&self, table: &str) -> Option<Watch<'_>> {
        self.selected(table)?;
        Some(Watch::new(self, self.shape.place(table)?))
    }

    /// Reads rows of a table and looks at them.
    pub(super) fn rows(
        &self,
        connection: &Connection,
        table: usize,
        range: Option<(i64, i64)>,
    ) -> rusqlite::Result<()> {
        let shape = &self.shape.tables[table];
        let (selected, from) = (shape.selected.join(", "), shape.from());
        let filter = match (&shape.rowid, range) {
            (Some(rowid), Some(_)) => format!(" WHERE {rowid} BETWEEN ?1 AND ?2"),
            _ => String::new(),
        };
        let mut statement = connection.prepare(&format!("SELECT {selected} FROM {from}{filter}"))?;
        let mut rows = match range {
            Some((low, high)) => statement.query(params![low, high]),
            None => statement.query([]),
        }?;
        let mut watch = Watch::new(self, table);
        while let Some(row) = rows.next()? {
            watch.row(&|place| row.get_ref(place))?;
        }
        watch.end();
        Ok(())
    }
}

impl<'p> Watch<'p> {
    pub(super) fn new(proof: &'p Proof, table: usize) -> Self {
        let keys = proof.references.keys.iter().enumerate().filter(|(_, key)| key.table == table);
        Watch {
            proof,
            table,
            entries: vec![TableDigest::default(); proof.shape.tables[table].indexes.len()],
            keys: keys.map(|(set, key)| (set, key, Vec::new())).collect(),
            previous: Previous::default(),
            hasher: RowHasher::default(),
        }
    }

    /// Takes a row: the value at each place of what [`Proof::selected`] says.
    ///
    /// # Errors
    /// When `value` fails.
    pub fn row<'v>(&mut self, value: &dyn Fn(usize) -> rusqlite::Result<ValueRef<'v>>) -> rusqlite::Result<()> {
        let table = &self.proof.shape.tables[self.table];
        for (index, entries) in table.indexes.iter().zip(&mut self.entries) {
            if let Some(place) = index.filter
                && value(place)? != ValueRef::Integer(1)
            {
                continue;
            }
            for place in &index.values {
                put(value(*place)?, None, &mut self.hasher);
            }
            entries.add(self.hasher.finish());
        }
        for (set, key, found) in &mut self.keys {
            let mut is_whole = true;
            for (place, collation) in key.values.iter().zip(&key.collations) {
                let value = value(*place)?;
                is_whole &= value != ValueRef::Null;
                put(value, Some(*collation), &mut self.hasher);
            }
            let digest = self.hasher.finish();
            if is_whole {
                found.push(digest);
                if found.len() >= KEYS_AT_ONCE {
                    self.proof.add_keys(*set, found);
                }
            }
        }
        if let Some(own) = &table.own_key {
            let values = own.values.iter().map(|place| value(*place)).collect::<rusqlite::Result<Vec<_>>>()?;
            match self.previous.step(&own.order, own.order.len(), &values) {
                Step::Up => {}
                // All of the key's columns are compared, so an equal key is out of order.
                Step::OutOfOrder | Step::Repeated => {
                    self.proof.note(Wrong::Order(own.name.clone(), table.name.clone()))
                }
            }
        }
        Ok(())
    }

    /// No more rows.
    pub fn end(mut self) {
        for (set, _, found) in &mut self.keys {
            self.proof.add_keys(*set, found);
        }
        self.proof.add_entries(self.table, &self.entries);
    }
}
