//! The way home: from the catalog that a file remembers to what a PostgreSQL database is to get.
//!
//! A definition is one statement for one object, so that the server can be asked about each and what it does not take can be named.
//! What is there before the rows stands in [`Definitions::before`], what is built over them in [`Definitions::after`].
//! Texts of the file (types, expressions, queries) are put into statements only where they are one piece (`text`).

mod build;
mod declared;
mod pieces;
mod statements;
mod text;
mod to_schema;

pub use build::plan;
pub use pieces::{Difference, compare};

use crate::catalog::{Catalog, ObjectKind, QualifiedName};
use serde::Serialize;
use std::collections::BTreeSet;

/// How a database is to be filled.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wishes {
    /// The schema that everything goes to; `None` where each thing goes to its own.
    pub into: Option<String>,
    /// Whether statements run that the file remembers of what SQLite has no place for: functions, triggers, policies.
    pub restore_definitions: bool,
}

/// What a database is to get besides rows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Definitions {
    /// Before the rows, in their order.
    pub before: Vec<Definition>,
    /// Over the rows, in their order.
    pub after: Vec<Definition>,
    /// The names of the plan's tables there, in their order.
    pub tables: Vec<QualifiedName>,
    /// Where sequences stand.
    pub positions: Vec<Position>,
    /// What is read back then, as far as its definitions stand.
    #[serde(skip)]
    pub catalog: Catalog,
}

/// One statement for one object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Definition {
    /// The kind of the object.
    pub kind: ObjectKind,
    /// The object as the database will name it.
    pub object: String,
    /// The statement.
    pub sql: String,
    /// The functions that the server calls for it while it loads, by all names that could be one.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub calls: BTreeSet<String>,
}

/// Where a sequence stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Position {
    /// The sequence.
    pub sequence: QualifiedName,
    /// Its value, and whether that was handed out already; `None` for one that stands at its start.
    pub value: Option<(i64, bool)>,
    /// Whether it counts upwards.
    pub upwards: bool,
    /// The table in the source, and in the database, and the column that counts by it.
    pub feeds: Option<(QualifiedName, QualifiedName, String)>,
}

impl Definitions {
    /// All statements in their order.
    pub fn all(&self) -> impl Iterator<Item = &Definition> {
        self.before.iter().chain(&self.after)
    }

    /// Those of one table alone: its definition and what belongs to it.
    pub fn has(&self, kind: ObjectKind, object: &str) -> bool {
        self.all().any(|definition| definition.kind == kind && definition.object == object)
    }
}
