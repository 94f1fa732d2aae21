//! The target's DDL in pieces, so that a piece which SQLite does not take can be left out and named.

use super::names::{quote, quote_all};
use crate::catalog::ObjectKind;
use serde::Serialize;

/// One part of a statement that the table can do without, and the object of the source that it carries.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct Piece {
    /// The SQL of the piece alone.
    pub sql: String,
    /// The kind of object.
    pub kind: ObjectKind,
    /// The object in the source, for example `public.film.rating_check`; empty for what a rule adds of itself.
    pub origin: String,
}

/// A column's definition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ColumnDdl {
    /// Its name in the target.
    pub name: String,
    /// Its declared type.
    pub declared_type: String,
    /// The rowid's own column: `INTEGER PRIMARY KEY`, with the constraint's name and whether numbers are never used
    /// again (AUTOINCREMENT).
    pub rowid_key: Option<(String, bool)>,
    /// NOT NULL.
    pub not_null: bool,
    /// COLLATE, where it is not BINARY.
    pub collation: Option<&'static str>,
    /// DEFAULT, with its parentheses where it needs them.
    pub default: Option<Piece>,
    /// The expression of a generated column.
    pub generated: Option<Piece>,
    /// CHECK conditions.
    pub checks: Vec<Piece>,
}

/// A table's definition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TableDdl {
    /// Its name in the target.
    pub name: String,
    /// Its columns.
    pub columns: Vec<ColumnDdl>,
    /// The primary key, unique keys, foreign keys and checks of the table.
    pub constraints: Vec<Piece>,
}

impl TableDdl {
    /// The CREATE TABLE statement.
    pub fn sql(&self) -> String {
        let columns = self.columns.iter().map(ColumnDdl::sql);
        let constraints = self.constraints.iter().map(|piece| piece.sql.clone());
        let lines: Vec<_> = columns.chain(constraints).map(|line| format!("  {line}")).collect();
        format!("CREATE TABLE {} (\n{}\n) STRICT", quote(&self.name), lines.join(",\n"))
    }

    /// The CREATE TABLE statement for loading: without the keys that an index backs, without AUTOINCREMENT, and without the
    /// guards of later rows, of which the integrity check asks every row in the end.
    pub fn loading_sql(&self) -> String {
        let mut bare = self.clone();
        bare.constraints.retain(|piece| !matches!(piece.kind, ObjectKind::PrimaryKey | ObjectKind::UniqueKey));
        for column in &mut bare.columns {
            column.checks.retain(|piece| piece.kind != ObjectKind::Guard);
            if let Some((_, never_again)) = &mut column.rowid_key {
                *never_again = false;
            }
        }
        bare.sql()
    }

    /// Every piece that the table can do without.
    pub fn pieces(&self) -> impl Iterator<Item = &Piece> {
        self.columns
            .iter()
            .flat_map(|column| column.default.iter().chain(&column.generated).chain(&column.checks))
            .chain(&self.constraints)
    }

    /// The same table with only those pieces.
    #[must_use]
    pub fn keeping(&self, keep: impl Fn(&Piece) -> bool) -> TableDdl {
        let mut table = self.clone();
        for column in &mut table.columns {
            column.default = column.default.take().filter(&keep);
            column.generated = column.generated.take().filter(&keep);
            column.checks.retain(&keep);
        }
        table.constraints.retain(&keep);
        table
    }
}

impl ColumnDdl {
    fn sql(&self) -> String {
        let mut sql = format!("{} {}", quote(&self.name), self.declared_type);
        if let Some((name, never_again)) = &self.rowid_key {
            let again = if *never_again { " AUTOINCREMENT" } else { "" };
            sql.push_str(&format!(" CONSTRAINT {} PRIMARY KEY{again}", quote(name)));
        }
        if self.not_null {
            sql.push_str(" NOT NULL");
        }
        if let Some(collation) = self.collation {
            sql.push_str(&format!(" COLLATE {collation}"));
        }
        if let Some(default) = &self.default {
            sql.push_str(&format!(" DEFAULT {}", default.sql));
        }
        if let Some(generated) = &self.generated {
            sql.push_str(&format!(" GENERATED ALWAYS AS ({}) STORED", generated.sql));
        }
        for check in &self.checks {
            sql.push(' ');
            sql.push_str(&check.sql);
        }
        sql
    }
}

/// `CONSTRAINT name CHECK (condition)`.
pub fn check(name: &str, condition: &str) -> String {
    format!("CONSTRAINT {} CHECK ({condition})", quote(name))
}

/// `CONSTRAINT name PRIMARY KEY|UNIQUE (columns)`.
pub fn key(name: &str, kind: &str, columns: &[String]) -> String {
    format!("CONSTRAINT {} {kind} ({})", quote(name), quote_all(columns.iter().map(String::as_str)))
}
