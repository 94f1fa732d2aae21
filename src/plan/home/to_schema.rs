//! The same catalog with everything in one schema.

use super::text::moved;
use crate::catalog::{Catalog, DataType, IndexKey, QualifiedName, Shape, TableKind};
use std::collections::BTreeSet;

/// Puts everything that the catalog defines into the schema `to`, and every name in its texts with it.
pub(super) fn in_schema(mut catalog: Catalog, to: &str) -> Catalog {
    let from = schemas(&catalog);
    let mover = Mover { from: &from, to };
    for table in &mut catalog.tables {
        mover.name(&mut table.name);
        table.inherits.iter_mut().for_each(|name| mover.name(name));
        if let TableKind::MaterializedView { definition, .. } = &mut table.kind {
            mover.sql(definition);
        }
        for column in &mut table.columns {
            mover.data_type(&mut column.data_type);
            column.sequence.iter_mut().for_each(|name| mover.name(name));
            column.default.iter_mut().for_each(|sql| mover.sql(sql));
            column.generated.iter_mut().for_each(|generated| mover.sql(&mut generated.expression));
        }
        table.foreign_keys.iter_mut().for_each(|key| mover.name(&mut key.references));
        table.checks.iter_mut().for_each(|check| mover.sql(&mut check.expression));
        for index in &mut table.indexes {
            mover.sql(&mut index.definition);
            index.predicate.iter_mut().for_each(|sql| mover.sql(sql));
            for part in &mut index.parts {
                if let IndexKey::Expression(sql) = &mut part.key {
                    mover.sql(sql);
                }
            }
        }
    }
    for view in &mut catalog.views {
        mover.name(&mut view.name);
        mover.sql(&mut view.definition);
    }
    for sequence in &mut catalog.sequences {
        mover.name(&mut sequence.name);
        sequence.owned_by.iter_mut().for_each(|(table, _)| mover.name(table));
    }
    catalog
}

/// The schemas of what it defines, those of types included.
fn schemas(catalog: &Catalog) -> BTreeSet<String> {
    let mut found: BTreeSet<String> = catalog.tables.iter().map(|table| table.name.schema.clone()).collect();
    found.extend(catalog.views.iter().map(|view| view.name.schema.clone()));
    found.extend(catalog.sequences.iter().map(|sequence| sequence.name.schema.clone()));
    let columns = catalog.tables.iter().flat_map(|table| &table.columns);
    columns.for_each(|column| of_type(&column.data_type.shape, &mut found));
    found
}

fn of_type(shape: &Shape, found: &mut BTreeSet<String>) {
    match shape {
        Shape::Enum(one) => drop(found.insert(one.name.schema.clone())),
        Shape::Domain(domain) => {
            found.insert(domain.name.schema.clone());
            of_type(&domain.base.shape, found);
        }
        Shape::Composite(composite) => {
            found.insert(composite.name.schema.clone());
            composite.fields.iter().for_each(|field| of_type(&field.data_type.shape, found));
        }
        Shape::Array { element, .. } => of_type(&element.shape, found),
        _ => {}
    }
}

struct Mover<'m> {
    from: &'m BTreeSet<String>,
    to: &'m str,
}

impl Mover<'_> {
    fn name(&self, name: &mut QualifiedName) {
        if self.from.contains(&name.schema) {
            self.to.clone_into(&mut name.schema);
        }
    }

    fn sql(&self, sql: &mut String) {
        *sql = moved(sql, self.from, self.to);
    }

    fn data_type(&self, data_type: &mut DataType) {
        self.sql(&mut data_type.name);
        match &mut data_type.shape {
            Shape::Enum(one) => self.name(&mut one.name),
            Shape::Domain(domain) => {
                self.name(&mut domain.name);
                self.data_type(&mut domain.base);
                domain.default.iter_mut().for_each(|sql| self.sql(sql));
                domain.checks.iter_mut().for_each(|check| self.sql(&mut check.expression));
            }
            Shape::Composite(composite) => {
                self.name(&mut composite.name);
                composite.fields.iter_mut().for_each(|field| self.data_type(&mut field.data_type));
            }
            Shape::Array { element, .. } => self.data_type(element),
            _ => {}
        }
    }
}
