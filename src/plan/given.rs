//! A SQLite schema that somebody else has written, as the file that has it tells it.

use super::Loss;
use super::choices::Choices;
use super::version::SqliteVersion;
use serde::{Deserialize, Serialize};

/// A SQLite schema read back from the file that has it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetSchema {
    /// Its tables, virtual ones and those behind them not among them.
    pub tables: Vec<TargetTable>,
    /// The names of its views.
    pub views: Vec<String>,
    /// The version of SQLite that its statements need, as far as they tell.
    #[serde(default)]
    pub needs_sqlite: SqliteVersion,
    /// Where it is not somebody's own work but the very schema of a SQLite source.
    #[serde(skip)]
    pub of_source: Option<SchemaOfSource>,
}

/// What there is to say about the schema of a SQLite source that goes to the target as it stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SchemaOfSource {
    /// The choices by which the source was made, where it remembers them.
    pub choices: Choices,
    /// What of it the target does not get.
    pub left_out: Vec<Loss>,
    /// The tables whose rows get other rowids.
    pub renumbered: Vec<Renumbered>,
}

/// A table whose rows get other rowids than they have.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Renumbered {
    /// Its name.
    pub table: String,
    /// The views and triggers that read rowids of it as far as their words tell, as they are told: "view `v`".
    pub readers: Vec<String>,
}

/// A table of such a schema.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetTable {
    /// Its name.
    pub name: String,
    /// Its columns in order.
    pub columns: Vec<TargetColumn>,
    /// The columns of its primary key in order.
    pub key: Vec<String>,
    /// The columns of each unique key and unique index without condition, the primary key included.
    pub unique: Vec<Vec<String>>,
    /// Its indexes, those behind keys among them.
    pub indexes: Vec<TargetIndex>,
    /// Its foreign keys.
    pub foreign_keys: Vec<TargetForeignKey>,
    /// Whether its rows have no rowid.
    pub without_rowid: bool,
    /// STRICT: a column takes the values of its type only.
    pub strict: bool,
    /// Its definition.
    pub sql: String,
    /// How many rows there are.
    pub rows: u64,
}

/// An index of such a table.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetIndex {
    /// Its name.
    pub name: String,
    /// Its key columns in order; `None` stands for an expression.
    pub columns: Vec<Option<String>>,
    /// UNIQUE.
    pub unique: bool,
    /// It has a condition.
    pub partial: bool,
    /// Its definition; empty for one that backs a key.
    pub sql: String,
}

/// A column of such a table.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetColumn {
    /// Its name.
    pub name: String,
    /// Its declared type as written.
    pub declared_type: String,
    /// NOT NULL, or the rowid's own column.
    pub not_null: bool,
    /// Whether it can be left out of an INSERT.
    pub optional: bool,
    /// Whether it then gets something else than NULL: its default, or the next number of a rowid.
    pub has_default: bool,
    /// GENERATED.
    pub generated: bool,
    /// It is the rowid itself.
    pub is_rowid: bool,
    /// A script of the project computes it when all rows are there.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub computed_later: bool,
}

/// A foreign key of such a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetForeignKey {
    /// The referring columns.
    pub columns: Vec<String>,
    /// The table referred to.
    pub references: String,
    /// ON DELETE, as SQL words.
    pub on_delete: String,
    /// ON UPDATE, as SQL words.
    pub on_update: String,
}
