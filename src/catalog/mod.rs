//! The neutral model of a schema: what a source has, whatever engine it lives in.
//!
//! The model keeps every name as the engine spells it, every type with its full shape, and every expression in the
//! source's own SQL; translating is the plan's work. It is plain data: it serialises to JSON, which is how a target
//! remembers the schema that it came from.

mod collation;
mod data_type;
mod kind;
mod name;

pub use collation::{Collations, NamedCollation, TextOrder};
pub use data_type::{Composite, DataType, Domain, DomainCheck, Enumeration, Field, Known, Shape};
pub use kind::ObjectKind;
pub use name::QualifiedName;

use serde::{Deserialize, Serialize};

/// Whose SQL the expressions of a catalog are, and whose types its columns have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Dialect {
    /// PostgreSQL's.
    #[default]
    Postgres,
    /// SQLite's: a type is what was declared, and decides over values by its affinity.
    Sqlite,
}

impl Dialect {
    fn is_default(&self) -> bool {
        *self == Dialect::default()
    }
}

/// A whole database as it was read from the source.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Catalog {
    /// Whose SQL it is.
    #[serde(default, skip_serializing_if = "Dialect::is_default")]
    pub dialect: Dialect,
    /// The engine and its version as it names itself, for example `PostgreSQL 15.18`.
    pub engine: String,
    /// The database's name.
    pub database: String,
    /// The database's character encoding, for example `UTF8`.
    pub encoding: String,
    /// How texts compare.
    #[serde(default)]
    pub collations: Collations,
    /// Everything that has rows of its own: tables, partitioned tables as one, materialized views.
    pub tables: Vec<Table>,
    /// Views, in the order in which each can be created after those before it.
    pub views: Vec<View>,
    /// Sequences, those behind identity and serial columns included.
    pub sequences: Vec<Sequence>,
    /// Objects of kinds that no SQLite file holds: triggers, functions, policies and so on.
    pub others: Vec<OtherObject>,
    /// Of a tree of files, the layout by which its files are these tables, as `layout.toml` says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layout: Option<String>,
}

impl Catalog {
    /// The same catalog as a target remembers it: no longer what somebody declares.
    #[must_use]
    pub fn remembered(mut self) -> Self {
        for column in self.tables.iter_mut().flat_map(|table| &mut table.columns) {
            column.data_type.known = Known::Remembered;
        }
        self
    }

    /// The table of that name.
    pub fn table(&self, name: &QualifiedName) -> Option<&Table> {
        self.tables.iter().find(|table| table.name == *name)
    }
}

/// What kind of relation a table's rows come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum TableKind {
    /// An ordinary table. Rows of tables that inherit from it are not its own.
    Ordinary,
    /// A partitioned table, read as one; `partitions` names its leaves.
    Partitioned {
        /// The leaf partitions.
        partitions: Vec<QualifiedName>,
        /// Under which condition each of them takes a row, in the source's SQL; `true` for one that takes every row.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        conditions: Vec<String>,
        /// Foreign keys that only some of them have; the whole has not, so that they are not carried.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        foreign_keys: Vec<ForeignKey>,
    },
    /// A materialized view, carried as a table that holds the rows it held.
    MaterializedView {
        /// Its query.
        definition: String,
        /// Whether it has been filled; one that has not cannot be read.
        populated: bool,
    },
}

/// One table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Table {
    /// Its name.
    pub name: QualifiedName,
    /// What it is in the source.
    pub kind: TableKind,
    /// The tables it inherits from, in order; empty for a partition root.
    pub inherits: Vec<QualifiedName>,
    /// Whether other tables inherit from it (their rows are read with those tables).
    pub has_heirs: bool,
    /// Its columns in their order; dropped columns are not among them.
    pub columns: Vec<Column>,
    /// The primary key.
    pub primary_key: Option<Key>,
    /// Unique constraints (not unique indexes).
    pub unique_keys: Vec<Key>,
    /// Foreign keys that start here.
    pub foreign_keys: Vec<ForeignKey>,
    /// Check constraints; those of domains are with the type.
    pub checks: Vec<Check>,
    /// Indexes that do not back a constraint.
    pub indexes: Vec<Index>,
    /// COMMENT ON TABLE.
    pub comment: Option<String>,
    /// The engine's own estimate of its rows; negative where it has none.
    pub row_estimate: i64,
    /// Its size on disk in bytes, indexes not counted.
    pub size_bytes: i64,
}

impl Table {
    /// A table of columns, each with its type and whether it is NOT NULL, and a primary key.
    pub fn of_columns(
        name: QualifiedName,
        columns: impl IntoIterator<Item = (String, DataType, bool)>,
        key: Vec<String>,
    ) -> Table {
        let columns = columns.into_iter().map(|(name, data_type, not_null)| Column {
            name,
            data_type,
            not_null,
            default: None,
            identity: None,
            generated: None,
            sequence: None,
            collation: None,
            comment: None,
        });
        let key = Key {
            name: format!("{}_pkey", name.name),
            columns: key,
            nulls_not_distinct: false,
            deferrable: Deferrable::No,
            include: Vec::new(),
        };
        Table {
            name,
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

    /// Its foreign keys, and behind them those that only some of its partitions have.
    pub fn foreign_keys_of_any_part(&self) -> impl Iterator<Item = &ForeignKey> {
        let of_parts = match &self.kind {
            TableKind::Partitioned { foreign_keys, .. } => foreign_keys.as_slice(),
            TableKind::Ordinary | TableKind::MaterializedView { .. } => &[],
        };
        self.foreign_keys.iter().chain(of_parts)
    }

    /// The column of that name.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }
}

/// One column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its type.
    pub data_type: DataType,
    /// NOT NULL, by the column, its primary key, or its domain.
    pub not_null: bool,
    /// Its DEFAULT in the source's SQL; a generated column has none.
    pub default: Option<String>,
    /// GENERATED … AS IDENTITY.
    pub identity: Option<Identity>,
    /// GENERATED ALWAYS AS (…).
    pub generated: Option<Generated>,
    /// The sequence that feeds it: of an identity, or of a serial's default that the column owns.
    pub sequence: Option<QualifiedName>,
    /// A collation other than that of its base type (for texts the database's own), as `schema.name`: by COLLATE, or by
    /// its domain.
    pub collation: Option<String>,
    /// COMMENT ON COLUMN.
    pub comment: Option<String>,
}

/// How an identity column treats a value that was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Identity {
    /// A given value is refused.
    Always,
    /// A given value is taken.
    ByDefault,
}

/// A generated column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Generated {
    /// The expression in the source's SQL.
    pub expression: String,
    /// Whether its value is stored; a virtual one (PostgreSQL 18) is computed on read.
    pub stored: bool,
    /// Whether the source does not tell its values: a dump.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub untold: bool,
}

/// A primary key or a unique constraint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    /// The constraint's name.
    pub name: String,
    /// Its columns in order.
    pub columns: Vec<String>,
    /// UNIQUE NULLS NOT DISTINCT.
    pub nulls_not_distinct: bool,
    /// DEFERRABLE, and if so whether INITIALLY DEFERRED.
    pub deferrable: Deferrable,
    /// INCLUDE columns.
    pub include: Vec<String>,
}

/// When a constraint is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Deferrable {
    /// At once, always.
    No,
    /// At once unless the transaction says otherwise.
    Immediate,
    /// At commit unless the transaction says otherwise.
    Deferred,
}

/// A foreign key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForeignKey {
    /// The constraint's name.
    pub name: String,
    /// The referring columns.
    pub columns: Vec<String>,
    /// The table referred to.
    pub references: QualifiedName,
    /// The columns referred to, one for each of `columns`.
    pub referenced_columns: Vec<String>,
    /// ON DELETE.
    pub on_delete: Action,
    /// ON UPDATE.
    pub on_update: Action,
    /// The columns of ON DELETE SET NULL/DEFAULT (…); empty means all.
    pub on_delete_columns: Vec<String>,
    /// MATCH FULL; else MATCH SIMPLE.
    pub match_full: bool,
    /// When it is checked.
    pub deferrable: Deferrable,
    /// Whether the source has checked every row (not NOT VALID, and enforced).
    pub validated: bool,
}

/// A foreign key's action.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// NO ACTION.
    NoAction,
    /// RESTRICT.
    Restrict,
    /// CASCADE.
    Cascade,
    /// SET NULL.
    SetNull,
    /// SET DEFAULT.
    SetDefault,
}

impl Action {
    /// The action's SQL words.
    pub fn sql(self) -> &'static str {
        match self {
            Action::NoAction => "NO ACTION",
            Action::Restrict => "RESTRICT",
            Action::Cascade => "CASCADE",
            Action::SetNull => "SET NULL",
            Action::SetDefault => "SET DEFAULT",
        }
    }
}

/// A check constraint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// The constraint's name.
    pub name: String,
    /// The condition in the source's SQL, without CHECK and its outer parentheses.
    pub expression: String,
    /// Whether the source has checked every row.
    pub validated: bool,
}

/// An index that does not back a constraint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Index {
    /// Its name; SQLite's index names share one room with tables, so the plan may have to change it.
    pub name: String,
    /// UNIQUE.
    pub unique: bool,
    /// UNIQUE … NULLS NOT DISTINCT.
    pub nulls_not_distinct: bool,
    /// The access method, for example `btree`, `gin`.
    pub method: String,
    /// Its key parts in order.
    pub parts: Vec<IndexPart>,
    /// INCLUDE columns.
    pub include: Vec<String>,
    /// The WHERE condition in the source's SQL.
    pub predicate: Option<String>,
    /// Whether the source considers it usable.
    pub valid: bool,
    /// The whole CREATE INDEX statement of the source.
    pub definition: String,
}

/// One key part of an index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexPart {
    /// A column's name, or an expression in the source's SQL.
    pub key: IndexKey,
    /// DESC.
    pub descending: bool,
    /// NULLS FIRST.
    pub nulls_first: bool,
    /// A collation other than the column's own.
    pub collation: Option<String>,
    /// An operator class other than the type's default.
    pub operator_class: Option<String>,
}

/// What an index part indexes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IndexKey {
    /// A column.
    Column(String),
    /// An expression in the source's SQL.
    Expression(String),
}

/// A view.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct View {
    /// Its name.
    pub name: QualifiedName,
    /// Its column names.
    pub columns: Vec<String>,
    /// Its query in the source's SQL, without a closing semicolon.
    pub definition: String,
    /// COMMENT ON VIEW.
    pub comment: Option<String>,
    /// Whether the source passes INSERT, UPDATE or DELETE through it to its table.
    #[serde(default)]
    pub takes_writes: bool,
    /// Whether it refuses rows that it would not show: WITH CHECK OPTION.
    #[serde(default)]
    pub checks_writes: bool,
    /// The names of the tables with row-level security behind it.
    #[serde(default)]
    pub secured: Vec<String>,
}

/// A sequence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sequence {
    /// Its name.
    pub name: QualifiedName,
    /// The integer type that it counts in, for example `bigint`.
    pub data_type: String,
    /// The last value handed out; `None` where none was yet, or where the role may not know it (then it is among
    /// the catalog's `others`).
    pub last_value: Option<i64>,
    /// The value that it hands out first, where none was yet and the role may know: START, or what RESTART or `setval` said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_value: Option<i64>,
    /// START.
    pub start: i64,
    /// INCREMENT.
    pub increment: i64,
    /// MINVALUE.
    pub min_value: i64,
    /// MAXVALUE.
    pub max_value: i64,
    /// CACHE.
    pub cache: i64,
    /// CYCLE.
    pub cycle: bool,
    /// The column it belongs to, as table and column.
    pub owned_by: Option<(QualifiedName, String)>,
}

/// An object of a kind that no SQLite file holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OtherObject {
    /// Its kind.
    pub kind: ObjectKind,
    /// Its name with what it belongs to, for example `last_updated on public.film`.
    pub name: String,
    /// The source's own definition where it has one.
    pub definition: Option<String>,
}

impl OtherObject {
    /// An object of that kind.
    pub fn new(kind: ObjectKind, name: String, definition: Option<String>) -> OtherObject {
        OtherObject { kind, name, definition }
    }
}
