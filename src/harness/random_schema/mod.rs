//! Random schemas: tables, keys and types that nobody thought of, as DDL that PostgreSQL 13 and later take without an
//! extension, and as a proptest strategy that shrinks.
//!
//! ```
//! use whimbrel::harness::{RandomSchema, Seed, SchemaSize};
//! let schema = RandomSchema::from_seed(Seed(7), &SchemaSize::default());
//! assert!(schema.to_sql().contains("CREATE TABLE"));
//! ```
//!
//! Invariants:
//! - The same seed and size give the same schema on every machine.
//! - A schema can be filled: no column is in two checks, every cycle of foreign keys has an edge that is nullable or
//!   deferrable, and foreign keys that share a column agree on the tables behind it.
//! - A schema can be planned without a choice of the user's. Names that collide without case get a number in the
//!   target, so they are drawn, too. All that a plan refuses by itself is a database without a table: a schema has at
//!   least one, and each table a column that is not generated.
//! - What shrinking makes of a schema is one again: `valid` drops what dangles.

mod build;
mod constraints;
mod edits;
mod families;
mod model;
mod names;
mod sql;
mod strategy;
mod tenants;
mod valid;

pub use families::{Class, Family, Modifier};
pub use model::*;
pub use strategy::{RandomSchemas, SchemaTree, random_schemas};

/// How large a random schema may become, and for which server it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaSize {
    /// Tables, at most; at least one is made.
    pub tables_max: u32,
    /// Columns that a table has at most before foreign keys add theirs.
    pub columns_max: u32,
    /// The major version of the oldest PostgreSQL that has to take the schema: 14 adds multiranges, 15 adds NULLS NOT
    /// DISTINCT.
    pub server_version: u32,
}

impl Default for SchemaSize {
    /// Up to six tables of up to seven columns, for PostgreSQL 13.
    fn default() -> Self {
        SchemaSize { tables_max: 6, columns_max: 7, server_version: 13 }
    }
}

#[cfg(test)]
mod tests;
