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

use super::tokens::{Dialect, same_definition};

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
                let (was, is) = (one_line(&expected.definition), one_line(&found.definition));
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

fn one_line(definition: &str) -> String {
    definition.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Every difference between two schemas, ordered by kind and name.
pub fn compare(expected: &[Object], found: &[Object], dialect: Dialect) -> Vec<Difference> {
    let index = |objects: &[Object]| -> BTreeMap<(String, String), Object> {
        objects.iter().map(|object| ((object.kind.clone(), object.name.to_lowercase()), object.clone())).collect()
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
    differences
}

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
    fn what_is_missing_and_what_is_unexpected_is_named() {
        let found = compare(&[table("a", "x")], &[table("b", "x")], Dialect::Sqlite);
        let told: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert_eq!(told, ["table `a` is missing", "table `b` is there, and no migration creates it"]);
    }
}
