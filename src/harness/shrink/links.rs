//! Which rows refer to which, by the catalog's foreign keys.

use crate::catalog::{Catalog, ForeignKey, Shape, Table};
use crate::harness::generate::{Dataset, Row};
use std::borrow::Cow;
use std::collections::HashMap;

/// For every row, counted through all tables, the rows that it cannot be without.
pub(super) struct Links {
    parents: Vec<Vec<usize>>,
}

impl Links {
    pub(super) fn new(dataset: &Dataset, catalog: &Catalog) -> Self {
        let mut parents = vec![Vec::new(); dataset.row_count()];
        let mut first = Vec::with_capacity(dataset.tables.len());
        let mut count = 0;
        for table in &dataset.tables {
            first.push(count);
            count += table.rows.len();
        }
        for (place, rows) in dataset.tables.iter().enumerate() {
            let Some(table) = catalog.table(&rows.table) else { continue };
            for key in &table.foreign_keys {
                let Some(target) = dataset.tables.iter().position(|other| other.table == key.references) else {
                    continue;
                };
                let other = &dataset.tables[target];
                let Some(parent) = catalog.table(&other.table) else { continue };
                let (Some(from), Some(to)) =
                    (places(&key.columns, &rows.columns), places(&key.referenced_columns, &other.columns))
                else {
                    continue;
                };
                let known: HashMap<Vec<Cow<'_, str>>, usize> = (other.rows.iter().enumerate())
                    .filter_map(|(row, cells)| Some((key_of(parent, &key.referenced_columns, cells, &to)?, row)))
                    .collect();
                for (row, cells) in rows.rows.iter().enumerate() {
                    let Some(wanted) = key_of(table, &key.columns, cells, &from) else { continue };
                    let links: &mut Vec<usize> = &mut parents[first[place] + row];
                    match known.get(&wanted) {
                        Some(found) => links.push(first[target] + found),
                        // Equal to the server and not to us: any of them might be the one.
                        None => links.extend(first[target]..first[target] + other.rows.len()),
                    }
                }
            }
        }
        Links { parents }
    }

    /// Keeps also what the kept rows refer to, and so on.
    pub(super) fn add_parents(&self, kept: &mut [bool]) {
        let mut waiting: Vec<usize> = (0..kept.len()).filter(|row| kept[*row]).collect();
        while let Some(row) = waiting.pop() {
            for parent in &self.parents[row] {
                if !kept[*parent] {
                    kept[*parent] = true;
                    waiting.push(*parent);
                }
            }
        }
    }

    /// Drops also what refers to the dropped rows, and so on.
    pub(super) fn drop_orphans(&self, kept: &mut [bool]) {
        let mut children = vec![Vec::new(); kept.len()];
        for (row, parents) in self.parents.iter().enumerate() {
            for parent in parents {
                children[*parent].push(row);
            }
        }
        let mut waiting: Vec<usize> = (0..kept.len()).filter(|row| !kept[*row]).collect();
        while let Some(row) = waiting.pop() {
            for child in &children[row] {
                if kept[*child] {
                    kept[*child] = false;
                    waiting.push(*child);
                }
            }
        }
    }
}

/// The places of columns; `None` where one is not among those that are inserted.
pub(super) fn places(names: &[String], columns: &[String]) -> Option<Vec<usize>> {
    names.iter().map(|name| columns.iter().position(|column| column == name)).collect()
}

/// The key's values as far as text tells equality; `None` where one is NULL, so that the row refers to nothing.
fn key_of<'r>(table: &Table, names: &[String], row: &'r Row, places: &[usize]) -> Option<Vec<Cow<'r, str>>> {
    let cell = |(name, place): (&String, &usize)| {
        let text = row.get(*place)?.as_deref()?;
        Some(match table.column(name).map(|column| &column.data_type.base().shape) {
            Some(Shape::Numeric { .. }) => decimal(text),
            Some(Shape::Char { .. }) => Cow::Borrowed(text.trim_end_matches(' ')),
            Some(Shape::Citext) => Cow::Owned(text.to_lowercase()),
            _ => Cow::Borrowed(text),
        })
    };
    names.iter().zip(places).map(cell).collect()
}

/// A plain decimal without the zeros that do not count.
fn decimal(text: &str) -> Cow<'_, str> {
    if text.contains('.') && !text.contains(['e', 'E']) {
        Cow::Borrowed(text.trim_end_matches('0').trim_end_matches('.'))
    } else {
        Cow::Borrowed(text)
    }
}

/// Whether a foreign key's columns are all in the row, so that it can be followed.
pub(super) fn names_column(key: &ForeignKey, column: &str) -> bool {
    key.columns.iter().any(|name| name == column)
}
