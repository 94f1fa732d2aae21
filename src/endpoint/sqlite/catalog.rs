//! A SQLite file's schema as the file declares it, as a [`Catalog`].
//!
//! A type has the name that was declared, and the shape that holds what its affinity makes of values: INTEGER and
//! NUMERIC are 64-bit integers, REAL a double, TEXT text, BLOB bytes. ANY leaves values as they are in a STRICT table, and is read
//! as text there; elsewhere it is one more word for NUMERIC. A column can hold other values all the same; who reads them tells. Of virtual tables only the name is told, what is behind them and what this program keeps is left out.

use crate::catalog::{
    Action, Catalog, Check, Column, DataType, Deferrable, Dialect, ForeignKey, Generated, Index, IndexKey, IndexPart,
    Key, ObjectKind, OtherObject, QualifiedName, Table, TableKind, View,
};
use crate::metadata::is_own;
use crate::metadata::tree::is_of_tree;
use crate::types::Affinity;
use rusqlite::Connection;
use sqlparser::ast::{ColumnOption, CreateTable, Statement, TableConstraint};
use sqlparser::dialect::SQLiteDialect;
use sqlparser::parser::Parser;

/// Reads the schema of an open file.
///
/// # Errors
/// When the file cannot be read.
pub fn declared(connection: &Connection) -> rusqlite::Result<Catalog> {
    declared_with(connection, false)
}

/// The same; with `tree`, what is remembered of a tree is among the tables.
pub(super) fn declared_with(connection: &Connection, tree: bool) -> rusqlite::Result<Catalog> {
    let mut catalog = Catalog {
        dialect: Dialect::Sqlite,
        engine: format!("SQLite {}", rusqlite::version()),
        database: "main".to_owned(),
        collations: Default::default(),
        encoding: connection.pragma_query_value(None, "encoding", |row| row.get(0))?,
        tables: Vec::new(),
        views: Vec::new(),
        sequences: Vec::new(),
        others: Vec::new(),
        layout: None,
    };
    let mut list = connection.prepare(include_str!("sql/declared_tables.sql"))?;
    let mut rows = list.query([])?;
    while let Some(row) = rows.next()? {
        let (name, kind, sql): (String, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let strict: bool = row.get(3)?;
        if is_own(&name) && !(tree && is_of_tree(&name)) {
            continue;
        }
        match kind.as_str() {
            "table" => catalog.tables.push(table(connection, name, &sql, strict)?),
            "virtual" => {
                catalog.others.push(OtherObject { kind: ObjectKind::VirtualTable, name, definition: Some(sql) });
            }
            _ => {}
        }
    }
    let mut triggers =
        connection.prepare("SELECT name, tbl_name, sql FROM sqlite_schema WHERE type = 'trigger' ORDER BY rowid")?;
    let mut rows = triggers.query([])?;
    while let Some(row) = rows.next()? {
        let (name, table): (String, String) = (row.get(0)?, row.get(1)?);
        let name = format!("{name} on main.{table}");
        catalog.others.push(OtherObject { kind: ObjectKind::Trigger, name, definition: row.get(2)? });
    }
    read_views(connection, &mut catalog)?;
    Ok(catalog)
}

fn read_views(connection: &Connection, catalog: &mut Catalog) -> rusqlite::Result<()> {
    let mut list = connection.prepare("SELECT name, sql FROM sqlite_schema WHERE type = 'view' ORDER BY rowid")?;
    let mut columns = connection.prepare("SELECT name FROM pragma_table_info(?1) ORDER BY cid")?;
    let mut rows = list.query([])?;
    while let Some(row) = rows.next()? {
        let (name, definition): (String, String) = (row.get(0)?, row.get(1)?);
        // One that refers to what is gone has no columns to tell.
        let columns = columns.query_map([&name], |row| row.get(0)).and_then(Iterator::collect).unwrap_or_default();
        catalog.views.push(View {
            name: qualified(name),
            columns,
            definition,
            comment: None,
            takes_writes: false,
            checks_writes: false,
            secured: Vec::new(),
        });
    }
    Ok(())
}

fn qualified(name: impl Into<String>) -> QualifiedName {
    QualifiedName::new("main", name)
}

fn table(connection: &Connection, name: String, sql: &str, strict: bool) -> rusqlite::Result<Table> {
    let parsed = parse(sql);
    let mut table = Table {
        name: qualified(name.clone()),
        kind: TableKind::Ordinary,
        inherits: Vec::new(),
        has_heirs: false,
        columns: Vec::new(),
        primary_key: None,
        unique_keys: Vec::new(),
        foreign_keys: Vec::new(),
        checks: parsed.as_ref().map(checks).unwrap_or_default(),
        indexes: Vec::new(),
        comment: None,
        row_estimate: -1,
        size_bytes: 0,
    };
    let mut key: Vec<(i64, String)> = Vec::new();
    let mut statement = connection.prepare(include_str!("sql/columns.sql"))?;
    let mut rows = statement.query([&name])?;
    while let Some(row) = rows.next()? {
        let (column, declared): (String, String) = (row.get(0)?, row.get(1)?);
        let (place, hidden): (i64, i64) = (row.get(4)?, row.get(5)?);
        if place > 0 {
            key.push((place, column.clone()));
        }
        let generated = (hidden > 1).then(|| Generated {
            expression: parsed.as_ref().and_then(|parsed| generation(parsed, &column)).unwrap_or_default(),
            stored: hidden == 3,
            untold: false,
        });
        table.columns.push(Column {
            data_type: DataType::new(&declared, read_as(&declared, strict).shape()),
            not_null: row.get(2)?,
            default: row.get(3)?,
            identity: None,
            generated,
            sequence: None,
            collation: None,
            comment: None,
            name: column,
        });
    }
    key.sort();
    let key: Vec<String> = key.into_iter().map(|(_, column)| column).collect();
    if !key.is_empty() {
        table.primary_key = Some(unique(format!("{name}_pkey"), key));
    }
    read_indexes(connection, &name, &mut table)?;
    read_foreign_keys(connection, &name, &mut table, parsed.as_ref())?;
    Ok(table)
}

fn unique(name: String, columns: Vec<String>) -> Key {
    Key { name, columns, nulls_not_distinct: false, deferrable: Deferrable::No, include: Vec::new() }
}

/// The affinity by which a column is read.
fn read_as(declared: &str, strict: bool) -> Affinity {
    match strict && declared.eq_ignore_ascii_case("ANY") {
        true => Affinity::Text,
        false => Affinity::of(declared),
    }
}

fn parse(sql: &str) -> Option<CreateTable> {
    // The words behind the closing parenthesis say nothing about columns, and not every parser knows them.
    let end = sql.rfind(')')?;
    let mut statements = Parser::parse_sql(&SQLiteDialect {}, &sql[..=end]).ok()?;
    match statements.pop() {
        Some(Statement::CreateTable(table)) => Some(table),
        _ => None,
    }
}

/// Whether the definition of a table can be read as far as its CHECKs go.
pub(super) fn is_understood(connection: &Connection, table: &str) -> rusqlite::Result<bool> {
    let sql = "SELECT sql FROM main.sqlite_schema WHERE type = 'table' AND name = ?1";
    let sql: String = connection.query_row(sql, [table], |row| row.get(0))?;
    Ok(parse(&sql).is_some() || !sql.to_ascii_lowercase().contains("check"))
}

fn checks(parsed: &CreateTable) -> Vec<Check> {
    let mut found = Vec::new();
    let table = parsed.name.to_string();
    let table = table.trim_matches('"');
    for column in &parsed.columns {
        for option in &column.options {
            if let ColumnOption::Check(check) = &option.option {
                let name = option.name.as_ref().or(check.name.as_ref()).map(|name| name.value.clone());
                let name = name.unwrap_or_else(|| format!("{table}_{}_check", column.name.value));
                found.push(Check { name, expression: check.expr.to_string(), validated: true });
            }
        }
    }
    for constraint in &parsed.constraints {
        if let TableConstraint::Check(check) = constraint {
            let name = check.name.as_ref().map(|name| name.value.clone());
            let name = name.unwrap_or_else(|| format!("{table}_check"));
            found.push(Check { name, expression: check.expr.to_string(), validated: true });
        }
    }
    found
}

fn generation(parsed: &CreateTable, column: &str) -> Option<String> {
    let column = parsed.columns.iter().find(|other| other.name.value.eq_ignore_ascii_case(column))?;
    column.options.iter().find_map(|option| match &option.option {
        ColumnOption::Generated { generation_expr, .. } => generation_expr.as_ref().map(ToString::to_string),
        _ => None,
    })
}

fn read_indexes(connection: &Connection, name: &str, table: &mut Table) -> rusqlite::Result<()> {
    let mut list = connection.prepare(include_str!("sql/declared_indexes.sql"))?;
    let mut parts = connection.prepare("SELECT name, \"desc\" FROM pragma_index_xinfo(?1) WHERE key ORDER BY seqno")?;
    let mut rows = list.query([name])?;
    while let Some(row) = rows.next()? {
        let (index, unique_index, origin): (String, bool, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let sql: Option<String> = row.get(3)?;
        let sql = sql.unwrap_or_default();
        let columns: Vec<(Option<String>, bool)> =
            parts.query_map([&index], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
        match origin.as_str() {
            "pk" => {}
            "u" => {
                let columns = columns.into_iter().filter_map(|(name, _)| name).collect();
                table.unique_keys.push(unique(index, columns));
            }
            _ => {
                let (expressions, predicate) = expressions_of(&sql);
                let part = |(place, (name, descending)): (usize, (Option<String>, bool))| IndexPart {
                    key: match name {
                        Some(name) => IndexKey::Column(name),
                        None => IndexKey::Expression(expressions.get(place).cloned().unwrap_or_default()),
                    },
                    descending,
                    nulls_first: !descending,
                    collation: None,
                    operator_class: None,
                };
                table.indexes.push(Index {
                    name: index,
                    unique: unique_index,
                    nulls_not_distinct: false,
                    method: "btree".to_owned(),
                    parts: columns.into_iter().enumerate().map(part).collect(),
                    include: Vec::new(),
                    predicate,
                    valid: true,
                    definition: sql,
                });
            }
        }
    }
    Ok(())
}

/// The parts and the condition of a CREATE INDEX.
fn expressions_of(sql: &str) -> (Vec<String>, Option<String>) {
    let parsed = Parser::parse_sql(&SQLiteDialect {}, sql).ok().and_then(|mut statements| statements.pop());
    match parsed {
        Some(Statement::CreateIndex(index)) => (
            index.columns.iter().map(|part| part.column.expr.to_string()).collect(),
            index.predicate.map(|predicate| predicate.to_string()),
        ),
        _ => (Vec::new(), None),
    }
}

fn read_foreign_keys(
    connection: &Connection,
    name: &str,
    table: &mut Table,
    parsed: Option<&CreateTable>,
) -> rusqlite::Result<()> {
    let mut list = connection.prepare(include_str!("sql/declared_references.sql"))?;
    let mut rows = list.query([name])?;
    let mut last = None;
    while let Some(row) = rows.next()? {
        let (id, references, column): (i64, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let referenced: Option<String> = row.get(3)?;
        let (on_delete, on_update): (String, String) = (row.get(4)?, row.get(5)?);
        if last != Some(id) {
            table.foreign_keys.push(ForeignKey {
                name: format!("{name}_{column}_fkey"),
                columns: Vec::new(),
                references: qualified(references.clone()),
                referenced_columns: Vec::new(),
                on_delete: action(&on_delete),
                on_update: action(&on_update),
                on_delete_columns: Vec::new(),
                match_full: false,
                deferrable: Deferrable::No,
                validated: true,
            });
            last = Some(id);
        }
        let Some(key) = table.foreign_keys.last_mut() else { continue };
        // Without a list of columns it refers to the primary key.
        let referenced = match referenced {
            Some(referenced) => Some(referenced),
            None => primary_key(connection, &references)?.into_iter().nth(key.columns.len()),
        };
        key.columns.push(column);
        key.referenced_columns.extend(referenced);
    }
    if let Some(parsed) = parsed {
        set_deferrable(table, parsed);
    }
    Ok(())
}

fn primary_key(connection: &Connection, table: &str) -> rusqlite::Result<Vec<String>> {
    let mut list = connection.prepare_cached("SELECT name FROM pragma_table_info(?1) WHERE pk > 0 ORDER BY pk")?;
    list.query_map([table], |row| row.get(0))?.collect()
}

/// `DEFERRABLE INITIALLY DEFERRED` is told by no pragma.
fn set_deferrable(table: &mut Table, parsed: &CreateTable) {
    use sqlparser::ast::DeferrableInitial;
    let deferrable = |characteristics: &Option<sqlparser::ast::ConstraintCharacteristics>| {
        let found = characteristics.as_ref()?;
        (found.deferrable == Some(true)).then_some(match found.initially {
            Some(DeferrableInitial::Deferred) => Deferrable::Deferred,
            _ => Deferrable::Immediate,
        })
    };
    let mut set = |columns: Vec<String>, to: Deferrable| {
        for key in table.foreign_keys.iter_mut().filter(|key| key.columns == columns) {
            key.deferrable = to;
        }
    };
    for column in &parsed.columns {
        for option in &column.options {
            if let ColumnOption::ForeignKey(key) = &option.option
                && let Some(to) = deferrable(&key.characteristics)
            {
                set(vec![column.name.value.clone()], to);
            }
        }
    }
    for constraint in &parsed.constraints {
        if let TableConstraint::ForeignKey(key) = constraint
            && let Some(to) = deferrable(&key.characteristics)
        {
            set(key.columns.iter().map(|name| name.value.clone()).collect(), to);
        }
    }
}

fn action(words: &str) -> Action {
    [Action::Restrict, Action::Cascade, Action::SetNull, Action::SetDefault]
        .into_iter()
        .find(|action| action.sql().eq_ignore_ascii_case(words))
        .unwrap_or(Action::NoAction)
}
