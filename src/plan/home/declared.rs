//! What came into a file since it was made has the words of SQLite: such tables and columns get the types of PostgreSQL
//! that hold what their columns can hold, and what is written in SQLite's SQL is left out by name.

use crate::catalog::{
    Catalog, Column, DataType, ForeignKey, Index, IndexKey, Known, ObjectKind, QualifiedName, Shape, Table,
};
use crate::plan::{Loss, Reason};

/// The catalog in the words of PostgreSQL; what has none is added to the losses.
pub(super) fn in_words_of_postgres(mut catalog: Catalog, losses: &mut Vec<Loss>) -> Catalog {
    let names: Vec<QualifiedName> = catalog.tables.iter().map(|table| table.name.clone()).collect();
    for table in &mut catalog.tables {
        let name = table.name.to_string();
        for column in &mut table.columns {
            if column.data_type.known == Known::Declared {
                translate(column, &name, losses);
            }
        }
        if is_declared(table) {
            translate_table(table, &names, losses);
        }
    }
    catalog
}

/// Whether the whole table came into the file since.
fn is_declared(table: &Table) -> bool {
    !table.columns.is_empty() && table.columns.iter().all(|column| column.data_type.known == Known::Declared)
}

/// The type that holds every value of that shape.
fn type_of(shape: &Shape) -> &'static str {
    match shape {
        Shape::BigInt | Shape::Integer | Shape::SmallInt | Shape::Oid => "bigint",
        Shape::Real | Shape::Double => "double precision",
        Shape::Bytea => "bytea",
        _ => "text",
    }
}

fn translate(column: &mut Column, table: &str, losses: &mut Vec<Loss>) {
    let object = format!("{table}.{}", column.name);
    let known = column.data_type.known;
    column.data_type =
        DataType { known, ..DataType::new(type_of(&column.data_type.shape), column.data_type.shape.clone()) };
    column.collation = None;
    if let Some(default) = column.default.take() {
        match is_literal(&default) {
            true => column.default = Some(default),
            false => losses.push(Loss {
                kind: ObjectKind::Default,
                object: object.clone(),
                reason: Reason::InSqlOfSqlite(default),
            }),
        }
    }
    if let Some(generated) = column.generated.take() {
        let reason = Reason::InSqlOfSqlite(generated.expression);
        losses.push(Loss { kind: ObjectKind::GeneratedColumn, object, reason });
    }
}

/// A number or a text, which both engines write alike.
fn is_literal(sql: &str) -> bool {
    let number = sql.strip_prefix(['-', '+']).unwrap_or(sql);
    let is_number =
        !number.is_empty() && number.parse::<f64>().is_ok() && number.starts_with(|c: char| c.is_ascii_digit());
    let text = sql.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\''));
    is_number || text.is_some_and(|inner| !inner.replace("''", "").contains('\''))
}

fn translate_table(table: &mut Table, names: &[QualifiedName], losses: &mut Vec<Loss>) {
    let name = table.name.to_string();
    // SQLite lets other keys than integers be NULL.
    let keyed: Vec<String> = table.primary_key.iter().flat_map(|key| key.columns.clone()).collect();
    table.columns.iter_mut().filter(|column| keyed.contains(&column.name)).for_each(|column| column.not_null = true);
    for check in table.checks.drain(..) {
        let object = format!("{} on {name}", check.name);
        losses.push(Loss { kind: ObjectKind::Check, object, reason: Reason::InSqlOfSqlite(check.expression) });
    }
    let plain = |index: &Index| {
        index.predicate.is_none() && index.parts.iter().all(|part| matches!(part.key, IndexKey::Column(_)))
    };
    table.indexes.retain_mut(|index| {
        // Made of its parts.
        let definition = std::mem::take(&mut index.definition);
        let is_plain = plain(index);
        if !is_plain {
            let object = format!("{} on {name}", index.name);
            losses.push(Loss { kind: ObjectKind::Index, object, reason: Reason::InSqlOfSqlite(definition) });
        }
        is_plain
    });
    // SQLite names a key's index itself.
    for (place, key) in table.unique_keys.iter_mut().enumerate() {
        key.name = format!("{}_key{}", table.name.name, place + 1);
    }
    for key in &mut table.foreign_keys {
        key.references = known_as(key, names);
    }
}

/// The table that a reference of the file means, as the catalog names it.
fn known_as(key: &ForeignKey, names: &[QualifiedName]) -> QualifiedName {
    let natural = |name: &&QualifiedName| crate::plan::names::natural(name).eq_ignore_ascii_case(&key.references.name);
    names.iter().find(natural).cloned().unwrap_or_else(|| key.references.clone())
}
