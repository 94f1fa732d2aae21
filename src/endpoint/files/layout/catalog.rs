//! The tables of a layout as a neutral schema: what a plan is made from.

use super::model::{Layout, TableLayout, ValueForm};
use crate::catalog::{Catalog, DataType, Dialect, QualifiedName, Shape, Table};

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
    let name_of = |place: &usize| layout.columns[*place].name.clone();
    let columns = layout.columns.iter().enumerate();
    let columns =
        columns.map(|(place, column)| (column.name.clone(), data_type(&column.form), layout.key.contains(&place)));
    Table::of_columns(QualifiedName::new(SCHEMA, &layout.name), columns, layout.key.iter().map(name_of).collect())
}

/// What the values of a form are.
pub fn data_type(form: &ValueForm) -> DataType {
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
