//! Which values may be changed, and how: to NULL, or to a simpler one.

use super::links::{names_column, places};
use super::simpler;
use crate::catalog::{Catalog, Column, DataType, IndexKey, ObjectKind, Shape, Table, TableKind};
use crate::harness::generate::Dataset;

/// A change of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    /// To NULL.
    Null,
    /// To the simpler value of that number.
    Simpler(usize),
}

impl Change {
    /// How many changes there are.
    pub(super) const COUNT: usize = 1 + simpler::COUNT_MAX;

    pub(super) fn nth(number: usize) -> Change {
        if number == 0 { Change::Null } else { Change::Simpler(number - 1) }
    }
}

/// A value: places of the table, the row and the column.
pub(super) type Place = (usize, usize, usize);

/// For every column of every table of a dataset, what may be done with its values.
#[derive(Debug)]
pub(super) struct Editable {
    columns: Vec<Vec<Rights>>,
}

#[derive(Debug, Clone, Default)]
struct Rights {
    /// The places that become NULL together with this one; empty where this one may not.
    nulls: Vec<usize>,
    /// The type of which simpler values may be taken.
    simpler: Option<DataType>,
}

impl Editable {
    pub(super) fn new(dataset: &Dataset, catalog: &Catalog) -> Self {
        let columns = dataset.tables.iter().map(|rows| match catalog.table(&rows.table) {
            Some(table) => rows.columns.iter().map(|name| rights(catalog, table, name, &rows.columns)).collect(),
            None => vec![Rights::default(); rows.columns.len()],
        });
        Editable { columns: columns.collect() }
    }

    /// The values that the change would change.
    pub(super) fn cells(&self, dataset: &Dataset, change: Change) -> Vec<Place> {
        let mut cells = Vec::new();
        for (table, rows) in dataset.tables.iter().enumerate() {
            for (number, row) in rows.rows.iter().enumerate() {
                for (column, cell) in row.iter().enumerate() {
                    let Some(text) = cell else { continue };
                    let rights = &self.columns[table][column];
                    let fits = match (change, &rights.simpler) {
                        (Change::Null, _) => !rights.nulls.is_empty(),
                        (Change::Simpler(nth), Some(own)) => simpler::nth(own, text, nth).is_some(),
                        (Change::Simpler(_), None) => false,
                    };
                    if fits {
                        cells.push((table, number, column));
                    }
                }
            }
        }
        cells
    }

    pub(super) fn apply(&self, dataset: &mut Dataset, cells: &[Place], change: Change) {
        for (table, row, column) in cells {
            let rights = &self.columns[*table][*column];
            let row = &mut dataset.tables[*table].rows[*row];
            match (change, &rights.simpler) {
                (Change::Null, _) => rights.nulls.iter().for_each(|place| row[*place] = None),
                (Change::Simpler(nth), Some(own)) => {
                    if let Some(text) = row[*column].as_ref().and_then(|text| simpler::nth(own, text, nth)) {
                        row[*column] = Some(text);
                    }
                }
                (Change::Simpler(_), None) => {}
            }
        }
    }
}

fn rights(catalog: &Catalog, table: &Table, name: &str, columns: &[String]) -> Rights {
    let Some(column) = table.column(name) else { return Rights::default() };
    if is_bound(catalog, table, column) {
        return Rights::default();
    }
    let mut own = Rights::default();
    let own_place: Vec<usize> = columns.iter().position(|known| known == name).into_iter().collect();
    let foreign: Vec<_> = table.foreign_keys.iter().filter(|key| names_column(key, name)).collect();
    if !column.not_null && !has_checks(&column.data_type) {
        own.nulls = own_place;
    }
    if !own.nulls.is_empty() {
        for key in foreign.iter().filter(|key| key.match_full && key.columns.len() > 1) {
            // All or none of its columns are NULL.
            let free = key.columns.iter().all(|part| {
                table.column(part).is_some_and(|part| !part.not_null && !is_bound(catalog, table, part))
                    && table.foreign_keys.iter().filter(|other| names_column(other, part)).count() == 1
            });
            match places(&key.columns, columns) {
                Some(together) if free => own.nulls.extend(together),
                _ => own.nulls.clear(),
            }
        }
    }
    let referred_to =
        catalog.tables.iter().flat_map(|other| &other.foreign_keys).any(|key| {
            key.references == table.name && key.referenced_columns.iter().any(|referenced| referenced == name)
        });
    if referred_to {
        // A row that others refer to by this value would be lost to them.
        return Rights::default();
    }
    if foreign.is_empty() && !has_checks(&column.data_type) {
        own.simpler = Some(column.data_type.base().clone());
    }
    own
}

/// Whether a constraint that is not understood here might depend on the column's values.
fn is_bound(catalog: &Catalog, table: &Table, column: &Column) -> bool {
    let name = &column.name;
    let quoted = name.replace('"', "\"\"");
    let mentions = |sql: &str| sql.contains(name.as_str()) || sql.contains(&quoted);
    let in_key = table.primary_key.iter().chain(&table.unique_keys).any(|key| key.columns.contains(name));
    let in_index = table.indexes.iter().filter(|index| index.unique).any(|index| {
        index.predicate.as_deref().is_some_and(mentions)
            || index.parts.iter().any(|part| match &part.key {
                IndexKey::Column(own) => own == name,
                IndexKey::Expression(sql) => mentions(sql),
            })
    });
    // The catalog does not say by which column rows are divided, nor what an exclusion constraint reads.
    let divided = matches!(table.kind, TableKind::Partitioned { .. });
    let excluding = catalog
        .others
        .iter()
        .any(|other| other.kind == ObjectKind::ExclusionConstraint && other.name.contains(&table.name.name));
    // A generated column may be in a key or overflow.
    let generating = table.columns.iter().filter_map(|other| other.generated.as_ref());
    let computed = generating.into_iter().any(|generated| mentions(&generated.expression));
    in_key
        || in_index
        || divided
        || excluding
        || computed
        || table.checks.iter().any(|check| mentions(&check.expression))
}

/// Whether a domain has something to say.
fn has_checks(data_type: &DataType) -> bool {
    match &data_type.shape {
        Shape::Domain(domain) => domain.not_null || !domain.checks.is_empty() || has_checks(&domain.base),
        _ => false,
    }
}
