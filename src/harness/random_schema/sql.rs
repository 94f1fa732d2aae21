//! The DDL of a schema, one statement per line or block, for a database that is empty.

use super::model::{
    Check, Column, Condition, Expression, FilledBy, ForeignKey, Id, Index, IndexKey, Key, Partitioning, Predicate,
    Query, RandomSchema, Table, Type, UserType, UserTypeKind, View,
};
use crate::quote::{quote, quote_all};
use std::collections::BTreeSet;
use std::fmt::{self, Write};

/// A text as a literal under `standard_conforming_strings`.
pub(super) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn qualified(schema: &str, name: &str) -> String {
    format!("{}.{}", quote(schema), quote(name))
}

impl fmt::Display for RandomSchema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_sql())
    }
}

impl RandomSchema {
    /// The DDL, for psql or for one simple query: types, tables, indexes, foreign keys, views, comments.
    pub fn to_sql(&self) -> String {
        let mut sql = String::new();
        let schemas: BTreeSet<&str> = (self.types.iter().map(|item| item.schema.as_str()))
            .chain(self.tables.iter().map(|item| item.schema.as_str()))
            .chain(self.views.iter().map(|item| item.schema.as_str()))
            .filter(|schema| *schema != "public")
            .collect();
        let mut say = |statement: String| {
            sql.push_str(&statement);
            sql.push_str(";\n");
        };
        for schema in schemas {
            say(format!("CREATE SCHEMA {}", quote(schema)));
        }
        for user_type in &self.types {
            say(self.create_type(user_type));
        }
        for table in &self.tables {
            say(self.create_table(table));
            for statement in self.create_partitions(table) {
                say(statement);
            }
        }
        for table in &self.tables {
            for index in &table.indexes {
                say(create_index(table, index));
            }
        }
        for table in &self.tables {
            for key in &table.foreign_keys {
                if let Some(parent) = self.table(key.references) {
                    say(add_foreign_key(table, key, parent));
                }
            }
        }
        for view in &self.views {
            if let Some(statement) = self.create_view(view) {
                say(statement);
            }
        }
        for table in &self.tables {
            let name = qualified(&table.schema, &table.name);
            if let Some(comment) = &table.comment {
                say(format!("COMMENT ON TABLE {name} IS {}", literal(comment)));
            }
            for column in &table.columns {
                if let Some(comment) = &column.comment {
                    say(format!("COMMENT ON COLUMN {name}.{} IS {}", quote(&column.name), literal(comment)));
                }
            }
        }
        for view in &self.views {
            if let Some(comment) = &view.comment {
                say(format!("COMMENT ON VIEW {} IS {}", qualified(&view.schema, &view.name), literal(comment)));
            }
        }
        sql
    }

    /// A type as SQL spells it.
    pub fn type_sql(&self, data_type: &Type) -> String {
        match data_type {
            Type::BuiltIn(family, modifier) => format!("{}{modifier}", family.name),
            Type::User(id) => match self.user_type(*id) {
                Some(user_type) => qualified(&user_type.schema, &user_type.name),
                None => "text".to_owned(),
            },
            Type::Array(element) => format!("{}[]", self.type_sql(element)),
        }
    }

    fn create_type(&self, user_type: &UserType) -> String {
        let name = qualified(&user_type.schema, &user_type.name);
        match &user_type.kind {
            UserTypeKind::Enum(labels) => {
                let labels: Vec<_> = labels.iter().map(|label| literal(label)).collect();
                format!("CREATE TYPE {name} AS ENUM ({})", labels.join(", "))
            }
            UserTypeKind::Domain { base, not_null, check } => {
                let mut sql = format!("CREATE DOMAIN {name} AS {}", self.type_sql(base));
                if *not_null {
                    sql.push_str(" NOT NULL");
                }
                if let Some(check) = check {
                    let _ = write!(sql, " CHECK ({check})");
                }
                sql
            }
            UserTypeKind::Composite(fields) => {
                let fields: Vec<_> =
                    fields.iter().map(|(name, own)| format!("{} {}", quote(name), self.type_sql(own))).collect();
                format!("CREATE TYPE {name} AS ({})", fields.join(", "))
            }
        }
    }

    fn create_table(&self, table: &Table) -> String {
        let mut parts: Vec<String> = table.columns.iter().map(|column| self.column_sql(table, column)).collect();
        parts.extend(table.primary_key.iter().map(|key| key_sql(table, key, "PRIMARY KEY")));
        parts.extend(table.unique_keys.iter().map(|key| key_sql(table, key, "UNIQUE")));
        parts.extend(table.checks.iter().map(|check| check_sql(table, check)));
        let partitioning = table.partitioning.as_ref();
        let by = partitioning.map(|own| format!(" PARTITION BY {} ({})", own.method, name_of(table, own.column)));
        let name = qualified(&table.schema, &table.name);
        format!("CREATE TABLE {name} (\n    {}\n){}", parts.join(",\n    "), by.unwrap_or_default())
    }

    fn column_sql(&self, table: &Table, column: &Column) -> String {
        let own_type = match (&column.filled_by, self.type_sql(&column.data_type).as_str()) {
            (FilledBy::Serial, "smallint") => "smallserial".to_owned(),
            (FilledBy::Serial, "integer") => "serial".to_owned(),
            (FilledBy::Serial, "bigint") => "bigserial".to_owned(),
            (_, own) => own.to_owned(),
        };
        let mut sql = format!("{} {own_type}", quote(&column.name));
        if let Some(collation) = &column.collation {
            let _ = write!(sql, " COLLATE {collation}");
        }
        match &column.filled_by {
            FilledBy::User | FilledBy::Serial => {}
            FilledBy::IdentityAlways => sql.push_str(" GENERATED ALWAYS AS IDENTITY"),
            FilledBy::IdentityByDefault => sql.push_str(" GENERATED BY DEFAULT AS IDENTITY"),
            FilledBy::Generated(expression) => {
                let _ = write!(sql, " GENERATED ALWAYS AS ({}) STORED", expression_sql(table, expression));
            }
        }
        if let Some((default, _)) = &column.default {
            let _ = write!(sql, " DEFAULT {default}");
        }
        if column.not_null {
            sql.push_str(" NOT NULL");
        }
        sql
    }

    fn create_partitions(&self, table: &Table) -> Vec<String> {
        let Some(Partitioning { method, column, partitions }) = &table.partitioning else { return Vec::new() };
        let whole = qualified(&table.schema, &table.name);
        let is_text = table.column(*column).is_some_and(|column| {
            self.family(&column.data_type).is_some_and(|family| family.class == super::Class::Text)
        });
        let is_boolean = table.column(*column).is_some_and(|column| self.type_sql(&column.data_type) == "boolean");
        let middle = match (*method, is_text, is_boolean) {
            ("RANGE", true, _) => "FROM (MINVALUE) TO ('m')",
            ("RANGE", ..) => "FROM (MINVALUE) TO (100)",
            (_, _, true) => "IN (true)",
            (_, true, _) => "IN ('a', 'b', NULL)",
            _ => "IN (1, 2, 3, NULL)",
        };
        let count = partitions.len();
        let bounds = |place: usize| match (*method, place + 1 == count) {
            ("HASH", _) => format!("FOR VALUES WITH (MODULUS {count}, REMAINDER {place})"),
            (_, true) => "DEFAULT".to_owned(),
            _ => format!("FOR VALUES {middle}"),
        };
        let create = |(place, name): (usize, &String)| {
            format!("CREATE TABLE {} PARTITION OF {whole} {}", qualified(&table.schema, name), bounds(place))
        };
        partitions.iter().enumerate().map(create).collect()
    }

    fn create_view(&self, view: &View) -> Option<String> {
        let table = self.table(view.query.table())?;
        let from = qualified(&table.schema, &table.name);
        let query = match &view.query {
            Query::Columns { columns, predicate, .. } => {
                let filter = predicate.as_ref().map(|own| format!(" WHERE {}", predicate_sql(table, own)));
                format!("SELECT {} FROM {from}{}", names_of(table, columns), filter.unwrap_or_default())
            }
            Query::Count { column, .. } => {
                let column = name_of(table, *column);
                format!("SELECT {column}, count(*) AS rows FROM {from} GROUP BY {column}")
            }
            Query::Join { .. } => {
                let key = table.foreign_keys.first()?;
                let parent = self.table(key.references)?;
                let pairs = key.columns.iter().zip(&key.referenced_columns);
                let on: Vec<_> =
                    pairs.map(|(a, b)| format!("a.{} = b.{}", name_of(table, *a), name_of(parent, *b))).collect();
                let first = name_of(table, table.columns.first()?.id);
                let second = name_of(parent, parent.columns.first()?.id);
                let other = qualified(&parent.schema, &parent.name);
                let on = on.join(" AND ");
                format!("SELECT a.{first} AS one, b.{second} AS other FROM {from} a LEFT JOIN {other} b ON {on}")
            }
        };
        Some(format!("CREATE VIEW {} AS {query}", qualified(&view.schema, &view.name)))
    }
}

fn name_of(table: &Table, id: Id) -> String {
    quote(table.column(id).map_or("", |column| column.name.as_str()))
}

fn names_of(table: &Table, ids: &[Id]) -> String {
    quote_all(ids.iter().filter_map(|id| table.column(*id)).map(|column| column.name.as_str()))
}

fn key_sql(table: &Table, key: &Key, kind: &str) -> String {
    let nulls = if key.nulls_not_distinct { " NULLS NOT DISTINCT" } else { "" };
    let mut sql = format!("CONSTRAINT {} {kind}{nulls} ({})", quote(&key.name), names_of(table, &key.columns));
    if !key.include.is_empty() {
        let _ = write!(sql, " INCLUDE ({})", names_of(table, &key.include));
    }
    if key.deferrable {
        sql.push_str(" DEFERRABLE INITIALLY DEFERRED");
    }
    sql
}

fn check_sql(table: &Table, check: &Check) -> String {
    let name = |id: &Id| name_of(table, *id);
    let condition = match &check.condition {
        Condition::AtLeast(a, low) => format!("{} >= {low}", name(a)),
        Condition::Between(a, low, high) => format!("{} BETWEEN {low} AND {high}", name(a)),
        Condition::OneOf(a, list) => format!("{} IN ({})", name(a), list.join(", ")),
        Condition::LengthAtMost(a, length) => format!("length({}) <= {length}", name(a)),
        Condition::NotEmpty(a) => format!("{} <> ''", name(a)),
        Condition::Matches(a, pattern) => format!("{} ~ {}", name(a), literal(pattern)),
        Condition::Like(a, pattern) => format!("{} LIKE {}", name(a), literal(pattern)),
        Condition::InOrder(a, b) => format!("{} <= {}", name(a), name(b)),
        Condition::Different(a, b) => format!("{} <> {}", name(a), name(b)),
        Condition::Either(a, b) => format!("{} IS NOT NULL OR {} IS NOT NULL", name(a), name(b)),
        Condition::ExactlyOne(a, b) => format!("num_nonnulls({}, {}) = 1", name(a), name(b)),
        Condition::Implies(a, b) => format!("{} IS NULL OR {} IS NOT NULL", name(a), name(b)),
    };
    format!("CONSTRAINT {} CHECK ({condition})", quote(&check.name))
}

fn expression_sql(table: &Table, expression: &Expression) -> String {
    let name = |id: &Id| name_of(table, *id);
    match expression {
        Expression::Lower(a) => format!("lower({})", name(a)),
        Expression::Upper(a) => format!("upper({})", name(a)),
        Expression::Length(a) => format!("length({})", name(a)),
        Expression::Concat(a, b) => format!("({} || {})", name(a), name(b)),
        Expression::Sum(a, b) => format!("({}::bigint + {}::bigint)", name(a), name(b)),
        Expression::Coalesce(a) => format!("coalesce({}, 0)", name(a)),
        Expression::IsNull(a) => format!("({} IS NULL)", name(a)),
    }
}

fn predicate_sql(table: &Table, predicate: &Predicate) -> String {
    let name = name_of(table, predicate.column());
    match predicate {
        Predicate::IsNotNull(_) => format!("{name} IS NOT NULL"),
        Predicate::Positive(_) => format!("{name} > 0"),
        Predicate::IsTrue(_) => name,
        Predicate::NotEmpty(_) => format!("{name} <> ''"),
    }
}

fn create_index(table: &Table, index: &Index) -> String {
    let part = |part: &super::IndexPart| {
        let mut sql = match &part.key {
            IndexKey::Column(id) => name_of(table, *id),
            IndexKey::Expression(expression) => format!("({})", expression_sql(table, expression)),
        };
        if part.descending {
            sql.push_str(" DESC");
        }
        if part.nulls_turned {
            sql.push_str(if part.descending { " NULLS LAST" } else { " NULLS FIRST" });
        }
        sql
    };
    let unique = if index.unique { "UNIQUE " } else { "" };
    let on = qualified(&table.schema, &table.name);
    let parts: Vec<_> = index.parts.iter().map(part).collect();
    let mut sql =
        format!("CREATE {unique}INDEX {} ON {on} USING {} ({})", quote(&index.name), index.method, parts.join(", "));
    if !index.include.is_empty() {
        let _ = write!(sql, " INCLUDE ({})", names_of(table, &index.include));
    }
    if index.nulls_not_distinct {
        sql.push_str(" NULLS NOT DISTINCT");
    }
    if let Some(predicate) = &index.predicate {
        let _ = write!(sql, " WHERE {}", predicate_sql(table, predicate));
    }
    sql
}

fn add_foreign_key(table: &Table, key: &ForeignKey, parent: &Table) -> String {
    let mut sql = format!(
        "ALTER TABLE {} ADD CONSTRAINT {} FOREIGN KEY ({}) REFERENCES {} ({})",
        qualified(&table.schema, &table.name),
        quote(&key.name),
        names_of(table, &key.columns),
        qualified(&parent.schema, &parent.name),
        names_of(parent, &key.referenced_columns),
    );
    if key.match_full {
        sql.push_str(" MATCH FULL");
    }
    let _ = write!(sql, " ON DELETE {} ON UPDATE {}", key.on_delete, key.on_update);
    match key.deferrable {
        None => {}
        Some(true) => sql.push_str(" DEFERRABLE INITIALLY DEFERRED"),
        Some(false) => sql.push_str(" DEFERRABLE INITIALLY IMMEDIATE"),
    }
    sql
}
