//! The rows of a case: generated for the source's catalog, or, where a project has only a target, generated into that
//! target and copied into a twin.
//!
//! Invariant: every row was accepted by a database before it becomes part of a case. A twin's rows were accepted by the
//! target's own schema, its checks and triggers active; the PostgreSQL side repeats only what it can: NOT NULL, primary,
//! unique and foreign keys.

use super::client::Client;
use super::fixture::Settings;
use crate::catalog::{Catalog, IndexKey, Key, QualifiedName, Shape, Table, TableKind};
use crate::endpoint::PostgresUrl;
use crate::error::{Context, Error, Result};
use crate::harness::generate::{
    Cell, Dataset, GenerateOptions, Generator, Hints, PostgresJudge, SqliteJudge, TableRows, load_postgres,
    load_sqlite, sqlite_catalog,
};
use crate::harness::random_schema::SchemaTree;
use crate::harness::scratch::scratch_folder;
use crate::harness::{RandomSchema, SchemaSize, Seed};
use crate::plan::Plan;
use crate::quote::{quote, quote_all};
use crate::types::Remainder;
use proptest::strategy::ValueTree;
use rusqlite::Connection;
use rusqlite::types::ValueRef;
use std::fmt::Write;

/// Rows for the tables of a PostgreSQL catalog; `url` is a database with that schema, which decides what the generator
/// cannot.
///
/// # Errors
/// As [`Generator`].
pub(super) fn generate(catalog: &Catalog, options: GenerateOptions, url: &PostgresUrl) -> Result<Dataset> {
    Generator::new(catalog, options)?.dataset(&mut PostgresJudge::new(url))
}

/// Keeps values out at which a run stops by design, with an error that names the column and its way out; a case would
/// end before it began. They are NaN in a column that may not be NULL, or of which a check asks whether it is, and whose
/// representation has no room for it; and times after the year 294246 in a unique key, or in a check that compares: as
/// microseconds they are one and the same number. What such a column refers to is kept from them as well.
pub(super) fn without_stops(hints: &mut Hints, plan: &Plan, catalog: &Catalog) {
    const LAST_OF_MICROSECONDS: &str = "294246-12-31 23:59:59";
    let mut bounded: Vec<(&QualifiedName, &str, String)> = Vec::new();
    for table in &plan.tables {
        let own = catalog.table(&table.source);
        let is_unique = |column: &str| own.is_some_and(|table| in_unique_key(table, column));
        for column in &table.columns {
            let checks = own.map(|table| checks_of(table, &column.source)).unwrap_or_default();
            let asks_for_null = || checks.iter().any(|check| check.contains("null") || check.contains("coalesce"));
            let compares = || checks.iter().any(|check| check.contains(['<', '>']));
            if column.remainder.is_some_and(Remainder::has_nan) && (column.not_null || asks_for_null()) {
                bounded.push((&table.source, &column.source, largest_number(&column.shape)));
            } else if matches!(column.remainder, Some(Remainder::FarTimes | Remainder::FarDates))
                && (is_unique(&column.source) || compares())
            {
                bounded.push((&table.source, &column.source, LAST_OF_MICROSECONDS.to_owned()));
            }
        }
    }
    let mut next = 0;
    while let Some((table, column, largest)) = bounded.get(next).cloned() {
        next += 1;
        let keys = catalog.table(table).into_iter().flat_map(|table| table.foreign_keys_of_any_part());
        for key in keys {
            let pairs = key.columns.iter().zip(&key.referenced_columns).filter(|(own, _)| *own == column);
            for (_, referenced) in pairs {
                if !bounded.iter().any(|(table, column, _)| *table == &key.references && *column == referenced) {
                    bounded.push((&key.references, referenced, largest.clone()));
                }
            }
        }
    }
    for (table, column, largest) in bounded {
        bound(hints, table, column, largest);
    }
}

/// The checks that may be about a column, in lower case.
fn checks_of(table: &Table, column: &str) -> Vec<String> {
    let column = column.to_lowercase();
    let checks = table.checks.iter().map(|check| check.expression.to_lowercase());
    checks.filter(|check| check.contains(&column)).collect()
}

/// Whether no two rows may have the same value there, alone or with others.
fn in_unique_key(table: &Table, column: &str) -> bool {
    let keys = table.primary_key.iter().chain(&table.unique_keys).flat_map(|key| &key.columns);
    let indexes = table.indexes.iter().filter(|index| index.unique).flat_map(|index| &index.parts);
    keys.into_iter().any(|name| name == column)
        || indexes.into_iter().any(|part| match &part.key {
            IndexKey::Column(name) => name == column,
            IndexKey::Expression(text) => text.contains(column),
        })
}

/// The largest number of a type; NaN is above it.
fn largest_number(shape: &Shape) -> String {
    match shape {
        Shape::Domain(domain) => largest_number(&domain.base.shape),
        Shape::Numeric { precision_and_scale: Some((precision, scale)) } => {
            let (digits, scale) = (i64::from(*precision) - i64::from(*scale), i64::from(*scale).max(0));
            let whole = if digits > 0 { "9".repeat(digits as usize) } else { "0".to_owned() };
            if scale > 0 { format!("{whole}.{}", "9".repeat(scale as usize)) } else { whole }
        }
        _ => "Infinity".to_owned(),
    }
}

/// Draws nothing above `largest`, unless a hint says how far already.
fn bound(hints: &mut Hints, table: &QualifiedName, column: &str, largest: String) {
    let mut hint = hints.column(&table.schema, &table.name, column).cloned().unwrap_or_default();
    hint.maximum.get_or_insert(largest);
    hints.columns.insert(format!("{table}.{column}"), hint);
}

/// Loads rows into a PostgreSQL database: few as the SQL that a failure prints, in one exchange; many by COPY.
///
/// # Errors
/// Whatever the server refuses.
pub(super) fn load(client: &mut Client, url: &PostgresUrl, catalog: &Catalog, dataset: &Dataset) -> Result<()> {
    const BY_SQL_MAX: usize = 1_000;
    match dataset.row_count() {
        0..=BY_SQL_MAX => client.execute(dataset.to_sql(catalog), "insert", "the rows"),
        _ => load_postgres(url, catalog, dataset),
    }
}

/// Fills the materialized views from the rows that are there now. Where a view's query fails on them, it keeps what it
/// had: whether it can be filled is no question of the migration.
///
/// # Errors
/// When the server cannot be asked.
pub(super) fn refresh(client: &mut Client, catalog: &Catalog) -> Result<()> {
    if !catalog.tables.iter().any(|table| matches!(table.kind, TableKind::MaterializedView { populated: true, .. })) {
        return Ok(());
    }
    // In the order in which they were made, because one may read another.
    const REFRESH: &str = "DO $$ DECLARE v regclass; BEGIN
        FOR v IN SELECT c.oid FROM pg_catalog.pg_class c
                 WHERE c.relkind = 'm' AND c.relispopulated AND NOT pg_catalog.pg_is_other_temp_schema(c.relnamespace)
                 ORDER BY c.oid LOOP
          BEGIN EXECUTE pg_catalog.format('REFRESH MATERIALIZED VIEW %s', v); EXCEPTION WHEN OTHERS THEN NULL; END;
        END LOOP; END $$";
    client.execute(REFRESH, "fill", "the materialized views")
}

/// A PostgreSQL database with the tables of a SQLite target: the source that a project does not have.
pub(super) struct Twin {
    /// The target with its schema and no rows, as a file.
    empty: Vec<u8>,
    /// Its tables as the generator sees them.
    catalog: Catalog,
    /// Those to which the target's schema itself brings rows: they have no source.
    brought: Vec<QualifiedName>,
}

/// The schema of PostgreSQL that the twin's tables are in.
const SCHEMA: &str = "public";

impl Twin {
    /// Applies the project's target schema to a new file and looks at what it makes.
    ///
    /// # Errors
    /// When the schema cannot be applied.
    pub fn new(settings: &Settings) -> Result<Twin> {
        const OPERATION: &str = "make the twin's target";
        let folder = scratch_folder()?;
        let path = folder.path().join("twin.db");
        settings.apply_schema(&path)?;
        let connection = Connection::open(&path).could_not(OPERATION, "")?;
        let mut catalog = sqlite_catalog(&connection)?;
        // The history of the schema itself is no data of the project.
        catalog.tables.retain(|table| table.name.name != "schema_migrations");
        let mut brought = Vec::new();
        for table in &catalog.tables {
            let sql = format!("SELECT EXISTS (SELECT 1 FROM {})", quote(&table.name.name));
            if connection.query_row(&sql, [], |row| row.get(0)).could_not(OPERATION, &table.name.name)? {
                brought.push(table.name.clone());
            }
        }
        connection.close().map_err(|(_, error)| error).could_not(OPERATION, "")?;
        Ok(Twin { empty: std::fs::read(&path).could_not(OPERATION, "")?, catalog, brought })
    }

    /// The target's schema as the generator sees it.
    pub fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// The same with the names that its rows have.
    pub fn catalog_of_rows(&self) -> Catalog {
        let mut catalog = self.catalog.clone();
        let named = |name: &mut QualifiedName| name.schema = SCHEMA.to_owned();
        for table in &mut catalog.tables {
            named(&mut table.name);
            table.foreign_keys.iter_mut().for_each(|key| named(&mut key.references));
        }
        catalog
    }

    /// Rows as the target itself names their tables.
    pub fn own_names(&self, rows: &Dataset) -> Dataset {
        let mut own = rows.clone();
        for table in &mut own.tables {
            if let Some(here) = self.catalog.tables.iter().find(|here| here.name.name == table.table.name) {
                table.table = here.name.clone();
            }
        }
        own
    }

    /// The rows that statements bring.
    ///
    /// # Errors
    /// Where the target refuses one.
    pub fn of_sql(&self, sql: &str) -> Result<Dataset> {
        self.in_copy(|connection| {
            connection.execute_batch(sql).could_not("insert", "the kept rows")?;
            self.read(connection)
        })
    }

    /// The tables that have a source.
    fn tables(&self) -> impl Iterator<Item = &Table> {
        self.catalog.tables.iter().filter(|table| !self.brought.contains(&table.name))
    }

    /// The twin's tables as PostgreSQL creates them.
    pub fn schema_sql(&self) -> String {
        let mut sql = String::new();
        for table in self.tables() {
            let mut parts: Vec<String> = Vec::new();
            for column in &table.columns {
                // SQLite computes it from the others, on both sides of the migration.
                if column.generated.is_some() {
                    continue;
                }
                let not_null = if column.not_null { " NOT NULL" } else { "" };
                parts.push(format!("{} {}{not_null}", quote(&column.name), type_sql(&column.data_type.base().shape)));
            }
            let list = |key: &Key| quote_all(key.columns.iter().map(String::as_str));
            parts.extend(table.primary_key.iter().map(|key| format!("PRIMARY KEY ({})", list(key))));
            parts.extend(unique(table).iter().map(|columns| format!("UNIQUE ({columns})")));
            let _ = writeln!(sql, "CREATE TABLE {} (\n  {}\n);", qualified(table), parts.join(",\n  "));
        }
        for table in self.tables() {
            for key in table.foreign_keys.iter().filter(|key| !self.brought.contains(&key.references)) {
                let _ = writeln!(
                    sql,
                    "ALTER TABLE {} ADD FOREIGN KEY ({}) REFERENCES {} ({}) ON DELETE {} ON UPDATE {} DEFERRABLE;",
                    qualified(table),
                    quote_all(key.columns.iter().map(String::as_str)),
                    quote(&key.references.name),
                    quote_all(key.referenced_columns.iter().map(String::as_str)),
                    key.on_delete.sql(),
                    key.on_update.sql(),
                );
            }
        }
        sql
    }

    /// Rows that the target's schema accepted, as they are once its triggers have run.
    ///
    /// # Errors
    /// As [`Generator`]; also where the target refuses a row.
    pub fn generate(&self, mut options: GenerateOptions) -> Result<Dataset> {
        options.per_table.extend(self.brought.iter().map(|table| (table.clone(), 0)));
        for table in &self.catalog.tables {
            for column in &table.columns {
                // No SQLite file holds a NaN.
                let shape = &column.data_type.base().shape;
                if *shape == Shape::Double {
                    bound(&mut options.hints, &table.name, &column.name, largest_number(shape));
                }
            }
        }
        self.in_copy(|connection| {
            let mut judge = SqliteJudge::new(connection)?;
            let rows = Generator::new(&self.catalog, options)?.dataset(&mut judge)?;
            load_sqlite(connection, &self.catalog, &rows)?;
            self.read(connection)
        })
    }

    /// The same rows, once the target's schema has accepted them and its triggers have run.
    ///
    /// # Errors
    /// Where the target refuses a row.
    pub fn settle(&self, rows: &Dataset) -> Result<Dataset> {
        let here = self.own_names(rows);
        self.in_copy(|connection| {
            load_sqlite(connection, &self.catalog, &here)?;
            self.read(connection)
        })
    }

    fn in_copy<T>(&self, work: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        const OPERATION: &str = "fill the twin's target";
        let folder = scratch_folder()?;
        let path = folder.path().join("twin.db");
        std::fs::write(&path, &self.empty).could_not(OPERATION, "")?;
        let connection = Connection::open(&path).could_not(OPERATION, "")?;
        connection.execute_batch("PRAGMA foreign_keys = ON; PRAGMA synchronous = OFF").could_not(OPERATION, "")?;
        work(&connection)
    }

    /// The rows of the file as PostgreSQL takes them. The order of the tables is the order of insertion.
    fn read(&self, connection: &Connection) -> Result<Dataset> {
        const OPERATION: &str = "read the twin's rows";
        let mut dataset = Dataset::default();
        for table in self.tables() {
            let columns: Vec<String> = table
                .columns
                .iter()
                .filter(|column| column.generated.is_none())
                .map(|column| column.name.clone())
                .collect();
            let sql =
                format!("SELECT {} FROM {}", quote_all(columns.iter().map(String::as_str)), quote(&table.name.name));
            let mut statement = connection.prepare(&sql).could_not(OPERATION, &table.name.name)?;
            let mut rows = statement.query([]).could_not(OPERATION, &table.name.name)?;
            let mut found = Vec::new();
            while let Some(row) = rows.next().could_not(OPERATION, &table.name.name)? {
                let cells = (0..columns.len()).map(|at| {
                    cell(row.get_ref(at).could_not(OPERATION, &table.name.name)?)
                        .map_err(|cause| Error::could_not(OPERATION, format!("`{}`", table.name.name), cause))
                });
                found.push(cells.collect::<Result<Vec<Cell>>>()?);
            }
            let name = QualifiedName::new(SCHEMA, table.name.name.clone());
            dataset.tables.push(TableRows { table: name, columns, rows: found, later: Vec::new() });
        }
        Ok(dataset)
    }
}

fn qualified(table: &Table) -> String {
    format!("{SCHEMA}.{}", quote(&table.name.name))
}

fn type_sql(shape: &Shape) -> &'static str {
    match shape {
        Shape::BigInt => "bigint",
        Shape::Double => "double precision",
        Shape::Bytea => "bytea",
        // ANY, too: what it holds is told as text.
        _ => "text",
    }
}

/// The columns of each unique key and of each unique index over columns alone, as lists for SQL.
fn unique(table: &Table) -> Vec<String> {
    use crate::catalog::IndexKey;
    let mut lists: Vec<String> =
        table.unique_keys.iter().map(|key| quote_all(key.columns.iter().map(String::as_str))).collect();
    for index in table.indexes.iter().filter(|index| index.unique && index.predicate.is_none()) {
        let columns: Option<Vec<&str>> = index
            .parts
            .iter()
            .map(|part| match &part.key {
                IndexKey::Column(name) => Some(name.as_str()),
                IndexKey::Expression(_) => None,
            })
            .collect();
        lists.extend(columns.map(quote_all));
    }
    lists.sort();
    lists.dedup();
    lists
}

/// A stored value as PostgreSQL's input text.
fn cell(value: ValueRef<'_>) -> Result<Cell, String> {
    Ok(match value {
        ValueRef::Null => None,
        ValueRef::Integer(number) => Some(number.to_string()),
        ValueRef::Real(number) if number.is_infinite() => {
            Some(if number > 0.0 { "Infinity" } else { "-Infinity" }.to_owned())
        }
        // Rust prints the shortest text that reads back as the same number.
        ValueRef::Real(number) => Some(number.to_string()),
        ValueRef::Text(text) => Some(std::str::from_utf8(text).map_err(|error| error.to_string())?.to_owned()),
        ValueRef::Blob(bytes) => {
            let mut text = String::from("\\x");
            bytes.iter().for_each(|byte| {
                let _ = write!(text, "{byte:02x}");
            });
            Some(text)
        }
    })
}

/// A schema of a case's own, with the SQL that creates it.
#[derive(Debug, Clone)]
pub(super) struct OwnSchema {
    schema: RandomSchema,
    sql: String,
}

impl OwnSchema {
    /// The schema of a case with that seed.
    pub fn of(seed: Seed) -> OwnSchema {
        Self::from(RandomSchema::from_seed(seed, &SchemaSize::default()))
    }

    fn from(schema: RandomSchema) -> OwnSchema {
        let sql = schema.to_sql();
        OwnSchema { schema, sql }
    }

    /// The SQL that creates it.
    pub fn sql(&self) -> &str {
        &self.sql
    }

    /// The smallest schema that still fails and was found in so many tries, this one included.
    pub fn shrink(self, tries_max: usize, still_fails: &mut dyn FnMut(&OwnSchema) -> bool) -> OwnSchema {
        let mut tree = SchemaTree::new(self.schema.clone(), tries_max);
        let mut smallest = self;
        let mut go_on = tree.simplify();
        while go_on {
            let candidate = Self::from(tree.current());
            go_on = match still_fails(&candidate) {
                true => {
                    smallest = candidate;
                    tree.simplify()
                }
                false => tree.complicate(),
            };
        }
        smallest
    }
}
