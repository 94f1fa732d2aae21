//! What columns of other tables ask of a key that they refer to: that its values fit into them.

use super::values::{Bound, Limits};
use crate::catalog::{Catalog, Column, QualifiedName, Shape, Table};
use std::collections::BTreeSet;

/// Narrows a column to what every column takes that refers to it, over any number of tables.
pub(super) fn narrow(catalog: &Catalog, table: &Table, column: &Column, limits: &mut Limits) {
    let own = column.data_type.base();
    for referrer in referrers(catalog, table, column) {
        let shape = &referrer.data_type.base().shape;
        let end = match (shape, &own.shape) {
            (Shape::SmallInt, Shape::Integer | Shape::BigInt | Shape::Numeric { .. }) => i64::from(i16::MAX),
            (Shape::Integer, Shape::BigInt | Shape::Numeric { .. }) => i64::from(i32::MAX),
            (Shape::VarChar { length: Some(length) }, Shape::Text | Shape::VarChar { .. }) => {
                let length = u32::try_from(*length).unwrap_or(u32::MAX);
                limits.length_max = Some(limits.length_max.unwrap_or(u32::MAX).min(length));
                continue;
            }
            _ => continue,
        };
        let number = |bound: &Option<Bound>| bound.as_ref().and_then(|bound| bound.value.parse::<i64>().ok());
        if number(&limits.maximum).is_none_or(|maximum| maximum > end) {
            limits.maximum = Some(Bound::inclusive(end.to_string()));
        }
        if number(&limits.minimum).is_none_or(|minimum| minimum < -end - 1) {
            limits.minimum = Some(Bound::inclusive((-end - 1).to_string()));
        }
    }
}

/// The columns that refer to a column, directly or through others.
fn referrers<'c>(catalog: &'c Catalog, table: &Table, column: &Column) -> Vec<&'c Column> {
    let mut known: BTreeSet<(&QualifiedName, &str)> = BTreeSet::new();
    let mut open: Vec<(&QualifiedName, &str)> = vec![(&table.name, column.name.as_str())];
    let mut found = Vec::new();
    while let Some((name, column)) = open.pop() {
        for other in &catalog.tables {
            for key in other.foreign_keys_of_any_part().filter(|key| key.references == *name) {
                let pairs = key.referenced_columns.iter().zip(&key.columns);
                for (_, referring) in pairs.filter(|(referenced, _)| *referenced == column) {
                    if known.insert((&other.name, referring.as_str())) {
                        found.extend(other.column(referring));
                        open.push((&other.name, referring.as_str()));
                    }
                }
            }
        }
    }
    found
}
