//! The tables of a layout as a neutral schema: what a plan is made from.

use super::model::{Layout, TableLayout, ValueForm};
use crate::catalog::{Catalog, Column, DataType, Deferrable, Dialect, Key, QualifiedName, Shape, Table, TableKind};

/// The schema that tables of a tree are in: the one whose tables have their bare names in a target.
pub const SCHEMA: &str = "public";

/// The tables of a layout, each with its columns and its key.
pub fn catalog(layout: &Layout) -> Catalog {
    Catalog {
        // The types are named as PostgreSQL names them; no expression is to be translated.
        dialect: Dialect::Postgres,
        engine: "a tree of files".to_owned(),
        database: SCHEMA.to_owned(),
        encoding: "UTF-8".to_owned(),
        collations: Default::default(),
        tables: layout.tables.iter().map(table).collect(),
        views: Vec::new(),
        sequences: Vec::new(),
        others: Vec::new(),
        layout: None,
    }
}

fn table(layout: &TableLayout) -> Table {
    let columns = layout.columns.iter().enumerate().map(|(place, column)| Column {
        name: column.name.clone(),
        data_type: data_type(&column.form),
        not_null: layout.key.contains(&place),
        default: None,
        identity: None,
        generated: None,
        sequence: None,
        collation: None,
        comment: None,
    });
    let key = Key {
        name: format!("{}_pkey", layout.name),
        columns: layout.key.iter().map(|place| layout.columns[*place].name.clone()).collect(),
        nulls_not_distinct: false,
        deferrable: Deferrable::No,
        include: Vec::new(),
    };
    Table {
        name: QualifiedName::new(SCHEMA, &layout.name),
        kind: TableKind::Ordinary,
        inherits: Vec::new(),
        has_heirs: false,
        columns: columns.collect(),
        primary_key: Some(key),
        unique_keys: Vec::new(),
        foreign_keys: Vec::new(),
        checks: Vec::new(),
        indexes: Vec::new(),
        comment: None,
        row_estimate: -1,
        size_bytes: 0,
    }
}

fn data_type(form: &ValueForm) -> DataType {
    match form {
        ValueForm::Text | ValueForm::Words(_) => DataType::new("text", Shape::Text),
        ValueForm::Integer => DataType::new("bigint", Shape::BigInt),
        ValueForm::Real => DataType::new("double precision", Shape::Double),
        ValueForm::Boolean(_) => DataType::new("boolean", Shape::Boolean),
        ValueForm::Json => DataType::new("json", Shape::Json),
        ValueForm::Moment(_) => DataType::new("timestamp with time zone", Shape::TimestampTz { precision: 6 }),
        ValueForm::Bytes => DataType::new("bytea", Shape::Bytea),
    }
}
