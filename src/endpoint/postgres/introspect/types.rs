//! From the server's type numbers and modifiers to a [`DataType`] with its full shape.

use super::rows::{Oid, TypeRow};
use crate::catalog::{
    Composite, DataType, Domain, DomainCheck, Enumeration, Field, ObjectKind, OtherObject, QualifiedName, Shape,
};
use std::collections::{HashMap, HashSet};

/// PostgreSQL does not let a type contain itself; this bound only keeps a damaged catalog from hanging us.
const DEPTH_MAX: usize = 100;

/// Every type of the database, and which of them some column uses.
pub(super) struct Types {
    rows: HashMap<Oid, TypeRow>,
    used: HashSet<Oid>,
}

impl Types {
    pub(super) fn new(rows: Vec<TypeRow>) -> Self {
        Types { rows: rows.into_iter().map(|row| (row.oid, row)).collect(), used: HashSet::new() }
    }

    /// The type of a column: its number, its modifier (-1 for none), and the server's spelling of both.
    pub(super) fn resolve(&mut self, oid: Oid, modifier: i32, spelling: &str) -> DataType {
        let mut used = std::mem::take(&mut self.used);
        let data_type = self.data_type(oid, modifier, spelling, DEPTH_MAX, &mut used);
        self.used = used;
        data_type
    }

    /// The types that users made and that no resolved column uses, in the order of their names.
    pub(super) fn unused(&self) -> Vec<OtherObject> {
        let unused = self.rows.values().filter(|row| row.of_user && !self.used.contains(&row.oid));
        let mut unused: Vec<OtherObject> = unused
            .map(|row| {
                let kind = match row.kind {
                    'e' => ObjectKind::EnumType,
                    'd' => ObjectKind::Domain,
                    'c' => ObjectKind::CompositeType,
                    'r' => ObjectKind::RangeType,
                    _ => ObjectKind::BaseType,
                };
                let name = format!("{}.{}", row.schema, row.name);
                OtherObject { kind, name, definition: definition(row) }
            })
            .collect();
        unused.sort_by(|one, other| (one.kind.name(), &one.name).cmp(&(other.kind.name(), &other.name)));
        unused
    }

    fn data_type(&self, oid: Oid, modifier: i32, spelling: &str, depth: usize, used: &mut HashSet<Oid>) -> DataType {
        used.insert(oid);
        let shape = match self.rows.get(&oid) {
            Some(row) if depth > 0 => self.shape(row, modifier, spelling, depth - 1, used),
            _ => Shape::Other,
        };
        DataType::new(spelling, shape)
    }

    fn shape(&self, row: &TypeRow, modifier: i32, spelling: &str, depth: usize, used: &mut HashSet<Oid>) -> Shape {
        let name = || QualifiedName::new(&row.schema, &row.name);
        if let Some(element) = row.element {
            // The modifier of an array is its element's.
            let element_spelling = spelling.strip_suffix("[]").unwrap_or(spelling);
            let element = self.data_type(element, modifier, element_spelling, depth, used);
            return Shape::Array { element: Box::new(element), delimiter: row.delimiter.unwrap_or(',') };
        }
        match row.kind {
            'e' => Shape::Enum(Enumeration { name: name(), labels: row.labels.clone().unwrap_or_default() }),
            'd' => {
                let spelling = row.base_spelling.as_deref().unwrap_or_default();
                let base = row.base.unwrap_or_default();
                let base = self.data_type(base, row.base_modifier.unwrap_or(-1), spelling, depth, used);
                let check = |check: &super::rows::DomainCheckRow| DomainCheck {
                    name: check.name.clone(),
                    expression: check.expression.clone(),
                    validated: check.validated,
                };
                let checks = row.checks.iter().flatten().map(check).collect();
                let (collation, default) = (row.collation.clone(), row.default.clone());
                Shape::Domain(Box::new(Domain {
                    name: name(),
                    base,
                    not_null: row.not_null,
                    collation,
                    default,
                    checks,
                }))
            }
            'c' => {
                let fields = row.fields.iter().flatten().map(|field| Field {
                    name: field.name.clone(),
                    data_type: self.data_type(field.type_oid, field.modifier, &field.spelling, depth, used),
                });
                let fields = fields.collect();
                Shape::Composite(Composite { name: name(), fields })
            }
            _ => match (row.extension.as_deref(), row.name.as_str()) {
                (Some("citext"), "citext") => Shape::Citext,
                (Some("hstore"), "hstore") => Shape::Hstore,
                _ if row.schema == "pg_catalog" => built_in(&row.name, modifier),
                _ => Shape::Other,
            },
        }
    }
}

/// The shape of a type of `pg_catalog`, by its internal name and its modifier.
fn built_in(name: &str, modifier: i32) -> Shape {
    // Lengths are stored with the 4 bytes of a header added.
    let length = (modifier >= 4).then(|| modifier - 4);
    let precision = u8::try_from(modifier).unwrap_or(6).min(6);
    match name {
        "bool" => Shape::Boolean,
        "int2" => Shape::SmallInt,
        "int4" => Shape::Integer,
        "int8" => Shape::BigInt,
        "oid" => Shape::Oid,
        "float4" => Shape::Real,
        "float8" => Shape::Double,
        "numeric" => Shape::Numeric { precision_and_scale: length.map(precision_and_scale) },
        "text" => Shape::Text,
        "varchar" => Shape::VarChar { length },
        "bpchar" => Shape::Char { length },
        "name" => Shape::Name,
        "bytea" => Shape::Bytea,
        "uuid" => Shape::Uuid,
        "timestamp" => Shape::Timestamp { precision },
        "timestamptz" => Shape::TimestampTz { precision },
        "date" => Shape::Date,
        "json" => Shape::Json,
        "jsonb" => Shape::Jsonb,
        "xml" => Shape::Xml,
        _ => Shape::Other,
    }
}

/// Precision in the upper 16 bits; the scale in the lower 11, signed since version 15. Older scales are 0 to 1000,
/// whose sign bit is clear, so that both read alike.
fn precision_and_scale(packed: i32) -> (i32, i32) {
    ((packed >> 16) & 0xffff, ((packed & 0x7ff) ^ 1024) - 1024)
}

/// What the catalog tells of a type that is not carried.
fn definition(row: &TypeRow) -> Option<String> {
    let quoted = |label: &String| format!("'{}'", label.replace('\'', "''"));
    match row.kind {
        'e' => {
            let labels: Vec<String> = row.labels.iter().flatten().map(quoted).collect();
            Some(format!("CREATE TYPE {} AS ENUM ({})", row.spelling, labels.join(", ")))
        }
        'd' => {
            let mut text = format!("CREATE DOMAIN {} AS {}", row.spelling, row.base_spelling.as_deref()?);
            if row.not_null {
                text.push_str(" NOT NULL");
            }
            for check in row.checks.iter().flatten() {
                text.push_str(&format!(" CHECK ({})", check.expression));
            }
            Some(text)
        }
        'c' => {
            let field =
                |field: &super::rows::FieldRow| format!("\"{}\" {}", field.name.replace('"', "\"\""), field.spelling);
            let fields: Vec<String> = row.fields.iter().flatten().map(field).collect();
            Some(format!("CREATE TYPE {} AS ({})", row.spelling, fields.join(", ")))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modifiers_are_decoded() {
        let numeric = |modifier| built_in("numeric", modifier);
        let scaled = |precision, scale| Shape::Numeric { precision_and_scale: Some((precision, scale)) };
        assert_eq!(numeric(-1), Shape::Numeric { precision_and_scale: None });
        assert_eq!(numeric(((10 << 16) | 2) + 4), scaled(10, 2));
        assert_eq!(numeric(((1000 << 16) | 1000) + 4), scaled(1000, 1000));
        assert_eq!(numeric(((3 << 16) | (-2 & 0x7ff)) + 4), scaled(3, -2));
        assert_eq!(numeric(((2 << 16) | (-1000 & 0x7ff)) + 4), scaled(2, -1000));
        assert_eq!(built_in("varchar", 14), Shape::VarChar { length: Some(10) });
        assert_eq!(built_in("bpchar", -1), Shape::Char { length: None });
        assert_eq!(built_in("timestamptz", -1), Shape::TimestampTz { precision: 6 });
        assert_eq!(built_in("timestamp", 0), Shape::Timestamp { precision: 0 });
        assert_eq!(built_in("time", 3), Shape::Other);
    }
}
