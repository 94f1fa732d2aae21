//! Drift: the schema that is there against the one that the migrations produce from nothing, object by object.
//!
//! Definitions are compared token by token, so that white space, comments, the case of keywords and needless quotes
//! do not count. Invariant: two equal lists of objects give no difference, and every difference names one object.

pub(crate) mod postgres;
pub(crate) mod sqlite;
mod table;

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use super::tokens::{Dialect, folded, same_definition};

/// One object of a schema: a table, an index, a trigger, a view, a column, a constraint, …
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Object {
    /// `table`, `index`, `trigger`, `view`, `column`, `constraint`, …
    pub kind: String,
    /// The name; of a column or constraint with its table in front: `users.email`.
    pub name: String,
    /// What it is, in the database's own words.
    pub definition: String,
}

/// How an object differs from what the migrations produce.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "difference")]
#[non_exhaustive]
pub enum Difference {
    /// The migrations produce it, and it is not there.
    Missing {
        /// What the migrations produce.
        expected: Object,
    },
    /// It is there, and no migration produces it.
    Unexpected {
        /// What is there.
        found: Object,
    },
    /// It is there, and is something else.
    Changed {
        /// What the migrations produce.
        expected: Object,
        /// What is there.
        found: Object,
    },
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Difference::Missing { expected } => write!(f, "{} `{}` is missing", expected.kind, expected.name),
            Difference::Unexpected { found } => {
                write!(f, "{} `{}` is there, and no migration creates it", found.kind, found.name)
            }
            Difference::Changed { expected, found } => {
                if let Some(told) = table::differences(&expected.definition, &found.definition) {
                    return write!(f, "{} `{}` differs: {}", found.kind, found.name, told.join("; "));
                }
                let (was, is) = (table::one_line(&expected.definition), table::one_line(&found.definition));
                write!(f, "{} `{}` differs: the migrations make `{was}`, there is `{is}`", found.kind, found.name)
            }
        }
    }
}

/// Where other tools keep which of their migrations ran: bookkeeping, as our own history is.
pub(crate) const OTHER_HISTORIES: [&str; 14] = [
    "_sqlx_migrations",
    "_prisma_migrations",
    "__diesel_schema_migrations",
    "alembic_version",
    "ar_internal_metadata",
    "databasechangelog",
    "databasechangeloglock",
    "django_migrations",
    "flyway_schema_history",
    "goose_db_version",
    "knex_migrations",
    "knex_migrations_lock",
    "refinery_schema_history",
    "schema_migrations",
];

/// Every difference between two schemas, ordered by kind and name.
pub fn compare(expected: &[Object], found: &[Object], dialect: Dialect) -> Vec<Difference> {
    let index = |objects: &[Object]| -> BTreeMap<(String, String), Object> {
        let key = |object: &Object| (object.kind.clone(), folded(&object.name, dialect));
        objects.iter().map(|object| (key(object), object.clone())).collect()
    };
    let (expected, mut found) = (index(expected), index(found));
    let mut differences = Vec::new();
    for (key, expected) in expected {
        match found.remove(&key) {
            None => differences.push(Difference::Missing { expected }),
            Some(found) if !same_definition(&expected.definition, &found.definition, dialect) => {
                differences.push(Difference::Changed { expected, found });
            }
            Some(_) => {}
        }
    }
    differences.extend(found.into_values().map(|found| Difference::Unexpected { found }));
    without_what_follows(differences)
}

/// A column that is missing or was added is told by itself, and not once more as another order of the columns.
fn without_what_follows(mut differences: Vec<Difference>) -> Vec<Difference> {
    let columns: Vec<String> = (differences.iter())
        .filter_map(|difference| match difference {
            Difference::Missing { expected: object } | Difference::Unexpected { found: object } => Some(object),
            Difference::Changed { .. } => None,
        })
        .filter(|object| object.kind == "column")
        .map(|object| object.name.clone())
        .collect();
    differences.retain(|difference| match difference {
        Difference::Changed { found, .. } if found.kind == COLUMN_ORDER => {
            !columns.iter().any(|column| column.strip_prefix(&found.name).is_some_and(|rest| rest.starts_with('.')))
        }
        _ => true,
    });
    differences
}

/// What objects are called that tell the order of a table's columns, where columns are objects of their own.
const COLUMN_ORDER: &str = "column order";

#[cfg(test)]
mod tests {
    use super::*;

    fn table(name: &str, definition: &str) -> Object {
        Object { kind: "table".into(), name: name.into(), definition: definition.into() }
    }

    #[test]
    fn layout_and_quotes_are_not_drift_and_content_is() {
        let expected = [table("a", "CREATE TABLE a(b TEXT DEFAULT 'x') -- note")];
        assert!(
            compare(&expected, &[table("a", "create table \"a\" (\n b text default 'x')")], Dialect::Sqlite).is_empty()
        );
        let changed = compare(&expected, &[table("a", "CREATE TABLE a(b TEXT DEFAULT 'X')")], Dialect::Sqlite);
        assert!(changed[0].to_string().starts_with("table `a` differs"), "{changed:?}");
    }

    #[test]
    fn a_quoted_name_is_no_value_and_names_are_compared_as_the_engine_does() {
        let differ = |one: &str, other: &str, dialect| !same_definition(one, other, dialect);
        for (value, name) in
            [("NULL", "\"NULL\""), ("true", "\"true\""), ("1", "\"1\""), ("CURRENT_TIMESTAMP", "[current_timestamp]")]
        {
            let definition = |what: &str| format!("CREATE VIEW v AS SELECT {what} AS c");
            assert!(differ(&definition(value), &definition(name), Dialect::Sqlite), "{value} {name}");
            assert!(differ(&definition(value), &definition(name), Dialect::Postgres), "{value} {name}");
        }
        assert!(!differ("SELECT \"One\" FROM t", "select one from \"T\"", Dialect::Sqlite));
        assert!(differ("SELECT \"One\"", "SELECT one", Dialect::Postgres));
        let names =
            |dialect| compare(&[table("É", "x"), table("A", "x")], &[table("é", "x"), table("a", "x")], dialect).len();
        assert_eq!((names(Dialect::Sqlite), names(Dialect::Postgres)), (2, 4));
    }

    #[test]
    fn an_added_column_is_not_told_as_another_order_too() {
        let object = |kind: &str, name: &str, definition: &str| Object {
            kind: kind.into(),
            name: name.into(),
            definition: definition.into(),
        };
        let expected =
            [object("column", "s.t.a", "int"), object(COLUMN_ORDER, "s.t", "a"), object(COLUMN_ORDER, "s.u", "a, b")];
        let found = [
            object("column", "s.t.a", "int"),
            object("column", "s.t.b", "int"),
            object(COLUMN_ORDER, "s.t", "a, b"),
            object(COLUMN_ORDER, "s.u", "b, a"),
        ];
        let told: Vec<String> = compare(&expected, &found, Dialect::Postgres).iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "column order `s.u` differs: the migrations make `a, b`, there is `b, a`",
                "column `s.t.b` is there, and no migration creates it",
            ]
        );
    }

    #[test]
    fn what_is_missing_and_what_is_unexpected_is_named() {
        let found = compare(&[table("a", "x")], &[table("b", "x")], Dialect::Sqlite);
        let told: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert_eq!(told, ["table `a` is missing", "table `b` is there, and no migration creates it"]);
    }
}
