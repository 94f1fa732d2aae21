//! A catalog in pieces, one for each object, so that what was asked for and what a database then has can be held against
//! each other.

use super::Definitions;
use crate::catalog::{Catalog, Column, DataType, ObjectKind, Shape, Table, TableKind};
use std::collections::BTreeMap;

/// What of a definition the database has otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Difference {
    /// It does not have the object, or has another one.
    Other(String),
    /// It has the object, and writes its text in other words.
    Words(String),
}

/// A piece: what has to be the same, and the text in the words of the server.
type Piece = (String, String);
type Pieces = BTreeMap<(ObjectKind, String), Piece>;

/// Holds what a database has against what it was to get.
pub fn compare(definitions: &Definitions, found: &Catalog) -> Vec<Difference> {
    let (wanted, found) = (of_catalog(&definitions.catalog), of_catalog(found));
    let mut differences = Vec::new();
    for ((kind, object), (form, text)) in &wanted {
        let defined = match kind {
            // A column is defined with its table.
            ObjectKind::Column => {
                let table = object.rsplit_once('\n').map_or("", |(table, _)| table);
                definitions.has(ObjectKind::Table, table) || definitions.has(ObjectKind::MaterializedView, table)
            }
            kind => definitions.has(*kind, object),
        };
        if !defined {
            continue;
        }
        let shown = object.replace('\n', ".");
        match found.get(&(*kind, object.clone())) {
            None => differences.push(Difference::Other(format!("{kind} {shown} is not there"))),
            Some((other, _)) if other != form => {
                differences.push(Difference::Other(format!("{kind} {shown} is {other}, and was to be {form}")));
            }
            Some((_, other)) if other != text && !text.is_empty() => {
                differences
                    .push(Difference::Words(format!("{kind} {shown} is now written as `{other}`, before as `{text}`")));
            }
            Some(_) => {}
        }
    }
    differences
}

fn of_catalog(catalog: &Catalog) -> Pieces {
    let mut pieces = Pieces::new();
    for table in &catalog.tables {
        of_table(table, &mut pieces);
    }
    for view in &catalog.views {
        let form = format!("{:?}", view.columns);
        pieces.insert((ObjectKind::View, view.name.to_string()), (form, view.definition.clone()));
        if let Some(comment) = &view.comment {
            pieces.insert((ObjectKind::Comment, view.name.to_string()), (comment.clone(), String::new()));
        }
    }
    for sequence in &catalog.sequences {
        let crate::catalog::Sequence { start, increment, min_value, max_value, cache, cycle, data_type, .. } = sequence;
        let form = format!(
            "{data_type} from {start} by {increment}, {min_value} to {max_value}, {cache} at once, {}",
            if *cycle { "in circles" } else { "once" }
        );
        pieces.insert((ObjectKind::Sequence, sequence.name.to_string()), (form, String::new()));
    }
    for other in &catalog.others {
        let text = other.definition.clone().unwrap_or_default();
        pieces.insert((other.kind, other.name.clone()), (String::new(), text));
    }
    pieces
}

fn of_table(table: &Table, pieces: &mut Pieces) {
    let name = table.name.to_string();
    let kind = match &table.kind {
        TableKind::MaterializedView { .. } => ObjectKind::MaterializedView,
        TableKind::Ordinary | TableKind::Partitioned { .. } => ObjectKind::Table,
    };
    let query = match &table.kind {
        TableKind::MaterializedView { definition, .. } => definition.clone(),
        TableKind::Ordinary | TableKind::Partitioned { .. } => String::new(),
    };
    let names: Vec<_> = table.columns.iter().map(|column| column.name.as_str()).collect();
    pieces.insert((kind, name.clone()), (format!("of {names:?}"), query));
    for column in &table.columns {
        of_column(&name, column, pieces);
    }
    if let Some(key) = &table.primary_key {
        pieces.insert((ObjectKind::PrimaryKey, format!("{} on {name}", key.name)), (format!("{key:?}"), String::new()));
    }
    for key in &table.unique_keys {
        pieces.insert((ObjectKind::UniqueKey, format!("{} on {name}", key.name)), (format!("{key:?}"), String::new()));
    }
    for key in &table.foreign_keys {
        pieces.insert((ObjectKind::ForeignKey, format!("{} on {name}", key.name)), (format!("{key:?}"), String::new()));
    }
    for check in &table.checks {
        let form = if check.validated { "valid" } else { "not valid" };
        pieces.insert(
            (ObjectKind::Check, format!("{} on {name}", check.name)),
            (form.to_owned(), check.expression.clone()),
        );
    }
    for index in &table.indexes {
        let form = format!("{} {} {:?}", index.method, index.unique, index.include);
        pieces.insert((ObjectKind::Index, format!("{} on {name}", index.name)), (form, index.definition.clone()));
    }
    if let Some(comment) = &table.comment {
        pieces.insert((ObjectKind::Comment, name), (comment.clone(), String::new()));
    }
}

/// A type's name without quotes that it does not need: the server writes some, and those of key words, by itself.
fn plainly(name: &str) -> String {
    let is_plain = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
            && part.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    };
    // `"char"` is another type than `char`.
    let mut parts: Vec<&str> = name.split('"').collect();
    if parts.len() < 3
        || parts.len().is_multiple_of(2)
        || name == "\"char\""
        || !parts.iter().skip(1).step_by(2).all(|part| is_plain(part))
    {
        return name.to_owned();
    }
    parts.retain(|part| !part.is_empty());
    parts.concat()
}

fn of_column(table: &str, column: &Column, pieces: &mut Pieces) {
    let form = format!(
        "{}{}{}",
        plainly(&column.data_type.name),
        if column.not_null { " NOT NULL" } else { "" },
        column.collation.as_ref().map(|name| format!(" COLLATE {name}")).unwrap_or_default()
    );
    let text = column.generated.as_ref().map(|generated| generated.expression.clone()).unwrap_or_default();
    pieces.insert((ObjectKind::Column, format!("{table}\n{}", column.name)), (form, text));
    let object = format!("{table}.{}", column.name);
    if let Some(default) = &column.default {
        pieces.insert((ObjectKind::Default, object.clone()), (String::new(), default.clone()));
    }
    if let Some(identity) = column.identity {
        pieces.insert((ObjectKind::Identity, object.clone()), (format!("{identity:?}"), String::new()));
    }
    if let Some(comment) = &column.comment {
        pieces.insert((ObjectKind::Comment, object), (comment.clone(), String::new()));
    }
    of_type(&column.data_type, pieces);
}

/// The types of users that a column is made of.
fn of_type(data_type: &DataType, pieces: &mut Pieces) {
    match &data_type.shape {
        Shape::Enum(one) => {
            let form = format!("{:?}", one.labels);
            pieces.insert((ObjectKind::EnumType, one.name.to_string()), (form, String::new()));
        }
        Shape::Domain(domain) => {
            let form = format!("{} {} {:?}", plainly(&domain.base.name), domain.not_null, domain.collation);
            let text = domain.default.clone().unwrap_or_default();
            pieces.insert((ObjectKind::Domain, domain.name.to_string()), (form, text));
            for check in &domain.checks {
                let object = format!("{} on {}", check.name, domain.name);
                pieces.insert((ObjectKind::Check, object), (format!("{}", check.validated), check.expression.clone()));
            }
            of_type(&domain.base, pieces);
        }
        Shape::Composite(composite) => {
            let fields = composite.fields.iter().map(|field| (&field.name, plainly(&field.data_type.name)));
            let fields: Vec<_> = fields.collect();
            let piece = (format!("{fields:?}"), String::new());
            pieces.insert((ObjectKind::CompositeType, composite.name.to_string()), piece);
            composite.fields.iter().for_each(|field| of_type(&field.data_type, pieces));
        }
        Shape::Array { element, .. } => of_type(element, pieces),
        Shape::Boolean
        | Shape::SmallInt
        | Shape::Integer
        | Shape::BigInt
        | Shape::Oid
        | Shape::Real
        | Shape::Double
        | Shape::Numeric { .. }
        | Shape::Text
        | Shape::VarChar { .. }
        | Shape::Char { .. }
        | Shape::Citext
        | Shape::Name
        | Shape::Bytea
        | Shape::Uuid
        | Shape::Timestamp { .. }
        | Shape::TimestampTz { .. }
        | Shape::Date
        | Shape::Json
        | Shape::Jsonb
        | Shape::Hstore
        | Shape::Xml
        | Shape::Other => {}
    }
}
