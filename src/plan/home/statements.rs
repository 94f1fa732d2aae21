//! The statements of PostgreSQL for the parts of a catalog. Names are quoted here, expressions stand in parentheses; that texts are
//! one piece of their kind is the caller's matter.

use crate::catalog::{
    Action, Check, Column, Composite, Deferrable, Domain, DomainCheck, Enumeration, ForeignKey, Identity, Index,
    IndexKey, IndexPart, Key, QualifiedName, Sequence, Table,
};
use crate::quote::{postgres_literal, quote, quote_all};
use std::fmt::Write;

/// A name with its schema.
pub(super) fn name(name: &QualifiedName) -> String {
    format!("{}.{}", quote(&name.schema), quote(&name.name))
}

/// A name whose schema stands before its first point.
fn dotted(text: &str) -> String {
    match text.split_once('.') {
        Some((schema, rest)) => format!("{}.{}", quote(schema), quote(rest)),
        None => quote(text),
    }
}

fn columns(names: &[String]) -> String {
    quote_all(names.iter().map(String::as_str))
}

pub(super) fn create_enum(one: &Enumeration) -> String {
    let labels: Vec<_> = one.labels.iter().map(|label| postgres_literal(label)).collect();
    format!("CREATE TYPE {} AS ENUM ({})", name(&one.name), labels.join(", "))
}

pub(super) fn create_composite(composite: &Composite) -> String {
    let fields = composite.fields.iter().map(|field| format!("{} {}", quote(&field.name), field.data_type.name));
    format!("CREATE TYPE {} AS ({})", name(&composite.name), fields.collect::<Vec<_>>().join(", "))
}

pub(super) fn create_domain(domain: &Domain) -> String {
    let mut sql = format!("CREATE DOMAIN {} AS {}", name(&domain.name), domain.base.name);
    if let Some(collation) = &domain.collation {
        let _ = write!(sql, " COLLATE {}", dotted(collation));
    }
    if let Some(default) = &domain.default {
        let _ = write!(sql, " DEFAULT ({default})");
    }
    if domain.not_null {
        sql.push_str(" NOT NULL");
    }
    sql
}

pub(super) fn check_of_domain(domain: &Domain, check: &DomainCheck) -> String {
    let unchecked = if check.validated { "" } else { " NOT VALID" };
    format!(
        "ALTER DOMAIN {} ADD CONSTRAINT {} CHECK ({}){unchecked}",
        name(&domain.name),
        quote(&check.name),
        check.expression
    )
}

pub(super) fn create_sequence(sequence: &Sequence) -> String {
    format!("CREATE SEQUENCE {} AS {}{}", name(&sequence.name), sequence.data_type, options(sequence))
}

fn options(sequence: &Sequence) -> String {
    let Sequence { start, increment, min_value, max_value, cache, cycle, .. } = sequence;
    let cycle = if *cycle { "CYCLE" } else { "NO CYCLE" };
    format!(
        " INCREMENT BY {increment} MINVALUE {min_value} MAXVALUE {max_value} START WITH {start} CACHE {cache} {cycle}"
    )
}

pub(super) fn owned_by(sequence: &Sequence, table: &QualifiedName, column: &str) -> String {
    format!("ALTER SEQUENCE {} OWNED BY {}.{}", name(&sequence.name), name(table), quote(column))
}

/// The table with the columns that are its own; `not_null` says of each whether the table itself forbids NULL.
pub(super) fn create_table(table: &Table, own: &[(&Column, bool)]) -> String {
    let lines: Vec<_> = own.iter().map(|(column, not_null)| format!("  {}", define(column, *not_null))).collect();
    let mut sql = format!("CREATE TABLE {} (\n{}\n)", name(&table.name), lines.join(",\n"));
    if own.is_empty() {
        sql = format!("CREATE TABLE {} ()", name(&table.name));
    }
    if !table.inherits.is_empty() {
        let parents: Vec<_> = table.inherits.iter().map(name).collect();
        let _ = write!(sql, " INHERITS ({})", parents.join(", "));
    }
    sql
}

fn define(column: &Column, not_null: bool) -> String {
    let mut sql = format!("{} {}", quote(&column.name), column.data_type.name);
    if let Some(collation) = &column.collation {
        let _ = write!(sql, " COLLATE {}", dotted(collation));
    }
    if let Some(generated) = &column.generated {
        let kept = if generated.stored { "STORED" } else { "VIRTUAL" };
        let _ = write!(sql, " GENERATED ALWAYS AS ({}) {kept}", generated.expression);
    }
    if not_null {
        sql.push_str(" NOT NULL");
    }
    sql
}

/// Of the table alone: tables that inherit from it have their own.
pub(super) fn set_default(table: &QualifiedName, column: &str, default: &str) -> String {
    format!("ALTER TABLE ONLY {} ALTER COLUMN {} SET DEFAULT ({default})", name(table), quote(column))
}

pub(super) fn add_identity(
    table: &QualifiedName,
    column: &str,
    identity: Identity,
    sequence: Option<&Sequence>,
) -> String {
    let kind = match identity {
        Identity::Always => "ALWAYS",
        Identity::ByDefault => "BY DEFAULT",
    };
    let counts = sequence.map(|sequence| format!(" (SEQUENCE NAME {}{})", name(&sequence.name), options(sequence)));
    format!(
        "ALTER TABLE {} ALTER COLUMN {} ADD GENERATED {kind} AS IDENTITY{}",
        name(table),
        quote(column),
        counts.unwrap_or_default()
    )
}

/// A CHECK; one that not every row was checked against stays so.
pub(super) fn add_check(table: &QualifiedName, check: &Check) -> String {
    let unchecked = if check.validated { "" } else { " NOT VALID" };
    format!("ALTER TABLE {} ADD CONSTRAINT {} CHECK ({}){unchecked}", name(table), quote(&check.name), check.expression)
}

fn deferrable(deferrable: Deferrable) -> &'static str {
    match deferrable {
        Deferrable::No => "",
        Deferrable::Immediate => " DEFERRABLE",
        Deferrable::Deferred => " DEFERRABLE INITIALLY DEFERRED",
    }
}

/// `definition` is what the server calls one.
pub(super) fn add_exclusion(table: &QualifiedName, constraint: &str, definition: &str) -> String {
    format!("ALTER TABLE ONLY {} ADD CONSTRAINT {} {definition}", name(table), quote(constraint))
}

fn include(names: &[String]) -> String {
    if names.is_empty() { String::new() } else { format!(" INCLUDE ({})", columns(names)) }
}

/// A primary key, or a unique one.
pub(super) fn add_key(table: &QualifiedName, key: &Key, is_primary: bool) -> String {
    let kind = match (is_primary, key.nulls_not_distinct) {
        (true, _) => "PRIMARY KEY",
        (false, true) => "UNIQUE NULLS NOT DISTINCT",
        (false, false) => "UNIQUE",
    };
    format!(
        "ALTER TABLE ONLY {} ADD CONSTRAINT {} {kind} ({}){}{}",
        name(table),
        quote(&key.name),
        columns(&key.columns),
        include(&key.include),
        deferrable(key.deferrable)
    )
}

pub(super) fn add_foreign_key(table: &QualifiedName, key: &ForeignKey) -> String {
    let mut sql = format!(
        "ALTER TABLE ONLY {} ADD CONSTRAINT {} FOREIGN KEY ({}) REFERENCES {} ({})",
        name(table),
        quote(&key.name),
        columns(&key.columns),
        name(&key.references),
        columns(&key.referenced_columns)
    );
    if key.match_full {
        sql.push_str(" MATCH FULL");
    }
    if key.on_update != Action::NoAction {
        let _ = write!(sql, " ON UPDATE {}", key.on_update.sql());
    }
    if key.on_delete != Action::NoAction {
        let _ = write!(sql, " ON DELETE {}", key.on_delete.sql());
        if !key.on_delete_columns.is_empty() {
            let _ = write!(sql, " ({})", columns(&key.on_delete_columns));
        }
    }
    sql.push_str(deferrable(key.deferrable));
    if !key.validated {
        sql.push_str(" NOT VALID");
    }
    sql
}

/// An index from its parts.
pub(super) fn create_index(table: &QualifiedName, index: &Index) -> String {
    let unique = if index.unique { "UNIQUE " } else { "" };
    let parts: Vec<_> = index.parts.iter().map(|part| part_of_index(part, &index.method)).collect();
    let mut sql = format!(
        "CREATE {unique}INDEX {} ON {} USING {} ({}){}",
        quote(&index.name),
        name(table),
        quote(&index.method),
        parts.join(", "),
        include(&index.include)
    );
    if index.nulls_not_distinct {
        sql.push_str(" NULLS NOT DISTINCT");
    }
    if let Some(predicate) = &index.predicate {
        let _ = write!(sql, " WHERE ({predicate})");
    }
    sql
}

fn part_of_index(part: &IndexPart, method: &str) -> String {
    let mut sql = match &part.key {
        IndexKey::Column(column) => quote(column),
        IndexKey::Expression(expression) => format!("({expression})"),
    };
    if let Some(collation) = &part.collation {
        let _ = write!(sql, " COLLATE {}", dotted(collation));
    }
    if let Some(class) = &part.operator_class {
        let _ = write!(sql, " {}", dotted(class));
    }
    // Only an ordered index has an order.
    if method == "btree" {
        sql.push_str(if part.descending { " DESC" } else { " ASC" });
        sql.push_str(if part.nulls_first { " NULLS FIRST" } else { " NULLS LAST" });
    }
    sql
}

pub(super) fn create_view(view: &QualifiedName, query: &str) -> String {
    format!("CREATE VIEW {} AS\n{query}", name(view))
}

pub(super) fn create_materialized_view(view: &QualifiedName, query: &str) -> String {
    format!("CREATE MATERIALIZED VIEW {} AS\n{query}\nWITH DATA", name(view))
}

pub(super) fn comment(kind: &str, object: &str, text: &str) -> String {
    format!("COMMENT ON {kind} {object} IS {}", postgres_literal(text))
}

pub(super) fn comment_on_column(table: &QualifiedName, column: &str, text: &str) -> String {
    comment("COLUMN", &format!("{}.{}", name(table), quote(column)), text)
}
