//! Fills a whole database: reads its catalog, looks at what is there, generates, loads, all in one transaction.

use super::dataset::table_name;
use super::history::is_history;
use super::watched::{WatchedJudge, WatchedSink};
use super::{
    GenerateOptions, Generated, Generator, Judge, PostgresJudge, PostgresSink, Row, Sink, SqliteJudge, SqliteSink,
    sqlite_catalog,
};
use crate::cancel::Cancel;
use crate::catalog::{Catalog, ObjectKind, QualifiedName, TableKind};
use crate::endpoint::postgres::{Connection, Patience, Session, introspect};
use crate::endpoint::{Endpoint, PostgresUrl};
use crate::error::{Context, Error, Kind, Result};
use crate::event::{Event, Listener, Phase};
use crate::plan::choices::names_table;
use crate::quote::quote;
use std::path::Path;

/// What is filled, and whether tables with rows may be among it.
#[derive(Debug, Clone, Default)]
pub struct Filling {
    /// How many rows, which, and from what.
    pub options: GenerateOptions,
    /// Only tables that match: `table`, `schema.table`, `*` for any characters; all where it is empty.
    pub tables: Vec<String>,
    /// Whether tables may have rows already; new ones do not repeat their keys, and refer to them, too.
    pub append: bool,
    /// How a server is waited for.
    pub patience: Patience,
    /// Keys of hints that need name nothing here: they are for another database of the same project.
    pub elsewhere: Vec<String>,
}

impl Filling {
    fn chooses(&self, table: &QualifiedName) -> bool {
        self.tables.is_empty() || self.tables.iter().any(|pattern| names_table(pattern, table))
    }
}

/// What was filled.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filled {
    /// The rows by table, in the order in which they were inserted.
    pub generated: Generated,
    /// Names of the triggers of the tables that were filled: they fired as for any other row.
    pub triggers: Vec<String>,
    /// Histories of migrations, which were left as they are; columns that no row has a value of; statistics that could not be
    /// gathered when the rows were there.
    pub notes: Vec<String>,
}

/// Fills a database. A failure leaves it as it was.
///
/// # Errors
/// A usage error where a table has rows and `append` is not set, or a pattern matches no table or only the
/// history of migrations; as
/// [`Generator::new`] and [`Generator::stream`]; whatever the database refuses; an interrupt when `cancel` asks for one.
pub fn fill(endpoint: &Endpoint, filling: &Filling, cancel: &Cancel, listener: &Listener<'_>) -> Result<Filled> {
    let watch = Watch { cancel, listener };
    let filled = match endpoint {
        Endpoint::Postgres(url) => fill_postgres(url, filling, watch),
        Endpoint::Sqlite(path) => fill_sqlite(path, filling, watch),
        Endpoint::Files(_) | Endpoint::Dump(_) => {
            Err(Error::usage("fill", format!("`{endpoint}`"), "rows are generated into databases only"))
        }
    };
    filled.map_err(|error| match error.kind() == Kind::Interrupted {
        true => error.while_doing("fill").hint("the database is what it was before"),
        false => error,
    })
}

/// Whoever may stop the work, and whoever follows it.
#[derive(Clone, Copy)]
struct Watch<'w> {
    cancel: &'w Cancel,
    listener: &'w Listener<'w>,
}

impl Watch<'_> {
    /// Makes the rows, under watch.
    fn stream(self, generator: &Generator<'_>, judge: &mut dyn Judge, sink: &mut dyn Sink) -> Result<Generated> {
        let Watch { cancel, listener } = self;
        let (tables, row_estimate) = generator.totals();
        listener(Event::PlanReady { tables, row_estimate });
        listener(Event::PhaseStarted { phase: Phase::Generate });
        let mut sink = WatchedSink { sink, generator, cancel, listener, table: None, rows: 0, unreported: 0 };
        let generated = generator.stream(&mut WatchedJudge { judge, cancel }, &mut sink)?;
        listener(Event::PhaseStarted { phase: Phase::Finish });
        cancel.check("fill")?;
        Ok(generated)
    }
}

fn fill_postgres(url: &PostgresUrl, filling: &Filling, watch: Watch<'_>) -> Result<Filled> {
    (watch.listener)(Event::PhaseStarted { phase: Phase::Introspect });
    let catalog = {
        let mut session = Session::connect_within(url, filling.patience.clone(), watch.cancel)?;
        introspect(&mut session)?
    };
    let mut connection = Connection::open_until(url, super::FILLING, &filling.patience, watch.cancel)?;
    connection.query(
        "SET DateStyle = 'ISO, MDY'; SET IntervalStyle = 'postgres'; SET TimeZone = 'UTC'; SET row_security = off; \
         SET lc_monetary = 'C'",
        format!("`{url}`"),
    )?;
    let mut read = |table: &QualifiedName, columns: &[String], limit: Option<u32>| -> Result<Vec<Row>> {
        // As COPY writes them, so as the generator writes them: a cast to text says `true` for `t`, and a host's length.
        let is_money = |name: &String| {
            let column = catalog.table(table).and_then(|table| table.column(name));
            column.is_some_and(|column| column.data_type.base().name == "money")
        };
        let columns: Vec<String> = (columns.iter())
            .map(|column| format!("{}{}", quote(column), if is_money(column) { "::numeric" } else { "" }))
            .collect();
        let limit = limit.map(|limit| format!(" LIMIT {limit}")).unwrap_or_default();
        let only = match catalog.table(table).map(|table| &table.kind) {
            Some(TableKind::Ordinary) => "ONLY ",
            _ => "",
        };
        let sql = format!("SELECT {} FROM {only}{}{limit}", columns.join(", "), table_name(table, false));
        connection.query(sql, format!("`{table}`"))
    };
    let generator = prepare(&catalog, filling, &mut read)?;
    drop(connection);
    let mut sink = PostgresSink::open_until(url, &catalog, &filling.patience, watch.cancel)?;
    let generated = watch.stream(&generator, &mut PostgresJudge::new(url), &mut sink)?;
    ensure_some(&generated, filling.options.rows)?;
    let without_statistics = sink.commit()?;
    Ok(filled(&catalog, filling, generated, without_statistics))
}

fn fill_sqlite(path: &Path, filling: &Filling, watch: Watch<'_>) -> Result<Filled> {
    (watch.listener)(Event::PhaseStarted { phase: Phase::Introspect });
    let object = format!("`{}`", path.display());
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_WRITE | rusqlite::OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let file = rusqlite::Connection::open_with_flags(path, flags).could_not("open", &object)?;
    file.busy_timeout(std::time::Duration::from_secs(5)).could_not("open", &object)?;
    file.execute_batch("PRAGMA foreign_keys = ON").could_not("open", &object)?;
    let catalog = sqlite_catalog(&file)?;
    let mut read = |table: &QualifiedName, columns: &[String], limit: Option<u32>| {
        sqlite_rows(&file, table, columns, limit).could_not("read", format!("`{}`", table.name))
    };
    let generator = prepare(&catalog, filling, &mut read)?;
    let mut judge = SqliteJudge::new(&file)?;
    let mut sink = SqliteSink::open(&file)?;
    let generated = watch.stream(&generator, &mut judge, &mut sink)?;
    ensure_some(&generated, filling.options.rows)?;
    sink.commit()?;
    let without_statistics = file.execute_batch("PRAGMA optimize").could_not("gather statistics of", &object).err();
    Ok(filled(&catalog, filling, generated, without_statistics))
}

/// Rows of a file as cells; keys that hold a number or a blob in a text column are kept as their text.
pub(super) fn sqlite_rows(
    file: &rusqlite::Connection,
    table: &QualifiedName,
    columns: &[String],
    limit: Option<u32>,
) -> rusqlite::Result<Vec<Row>> {
    let limit = limit.map(|limit| format!(" LIMIT {limit}")).unwrap_or_default();
    let listed: Vec<String> = columns.iter().map(|column| quote(column)).collect();
    let listed = if listed.is_empty() { "NULL".to_owned() } else { listed.join(", ") };
    let mut statement = file.prepare(&format!("SELECT {listed} FROM {}{limit}", table_name(table, true)))?;
    let width = columns.len();
    let rows = statement.query_map([], |row| {
        (0..width)
            .map(|place| {
                Ok(match row.get_ref(place)? {
                    rusqlite::types::ValueRef::Null => None,
                    rusqlite::types::ValueRef::Integer(number) => Some(number.to_string()),
                    rusqlite::types::ValueRef::Real(number) => Some(number.to_string()),
                    rusqlite::types::ValueRef::Text(text) => Some(String::from_utf8_lossy(text).into_owned()),
                    rusqlite::types::ValueRef::Blob(bytes) => {
                        let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
                        Some(format!("\\x{digits}"))
                    }
                })
            })
            .collect()
    })?;
    rows.collect()
}

type Read<'r> = dyn FnMut(&QualifiedName, &[String], Option<u32>) -> Result<Vec<Row>> + 'r;

/// Plans, with tables that were not chosen left as they are, and looks at the rows that are there.
fn prepare<'c>(catalog: &'c Catalog, filling: &Filling, read: &mut Read<'_>) -> Result<Generator<'c>> {
    let mut options = filling.options.clone();
    let tables: Vec<_> =
        catalog.tables.iter().filter(|table| !matches!(table.kind, TableKind::MaterializedView { .. })).collect();
    if tables.is_empty() {
        return Err(Error::usage("fill", "the database", "it has no tables").hint("create its schema first"));
    }
    for pattern in &filling.tables {
        if !tables.iter().any(|table| names_table(pattern, &table.name)) {
            return Err(Error::usage("choose tables", format!("`{pattern}`"), "no table matches `--tables`"));
        }
        if tables.iter().filter(|table| names_table(pattern, &table.name)).all(|table| is_history(table)) {
            let cause = "it is the history of migrations: a random row there is a migration that never ran";
            return Err(Error::usage("fill", format!("`{pattern}`"), cause).hint("choose other tables with `--tables`"));
        }
    }
    if tables.iter().all(|table| is_history(table)) {
        return Err(Error::usage("fill", "the database", "it has no table but the history of migrations")
            .hint("create its schema first"));
    }
    for table in &tables {
        if !filling.chooses(&table.name) {
            options.per_table.insert(table.name.clone(), 0);
        }
    }
    let mut generator = Generator::new(catalog, options)?;
    if let Some(key) = generator.idle_hints.iter().find(|key| !filling.elsewhere.contains(key)) {
        let place = filling.options.hints.place(key);
        return Err(Error::usage("fill", place, "it names no table or column of the database"));
    }
    for table in &tables {
        let first = read(&table.name, &[], Some(1));
        if first?.is_empty() {
            continue;
        }
        if generator.wanted_rows(&table.name) > 0 && !filling.append {
            return Err(Error::usage("fill", format!("`{}`", table.name), "it has rows already")
                .hint("add to them with `--append`, or choose other tables with `--tables`"));
        }
        let columns = generator.columns(&table.name).unwrap_or_default().to_vec();
        let places = generator.key_places(&table.name);
        if places.is_empty() {
            continue;
        }
        let wanted: Vec<String> = places.iter().map(|place| columns[*place].clone()).collect();
        let rows = read(&table.name, &wanted, None)?;
        let widened = rows.into_iter().map(|cells| {
            let mut row: Row = vec![None; columns.len()];
            for (place, cell) in places.iter().zip(cells) {
                row[*place] = cell;
            }
            row
        });
        generator.existing(&table.name, widened.collect());
    }
    Ok(generator)
}

/// An error where rows were asked for and none could be made.
fn ensure_some(generated: &Generated, asked_for: u64) -> Result<()> {
    if generated.row_count() > 0 || asked_for == 0 {
        return Ok(());
    }
    let why = generated.tables.iter().find_map(|table| Some((table, table.why_fewer.as_ref()?)));
    Err(match why {
        Some((table, why)) => {
            Error::could_not("fill", format!("`{}`", table.table), format!("no row can be made: {why}"))
        }
        None => {
            Error::could_not("fill", "the database", "no row can be made: there is nothing that they could refer to")
                .hint("fill the tables that those chosen refer to as well")
        }
    })
}

fn filled(catalog: &Catalog, filling: &Filling, mut generated: Generated, without_statistics: Option<Error>) -> Filled {
    generated.tables.retain(|table| filling.chooses(&table.table));
    let is_filled = |name: &str| {
        generated.tables.iter().any(|table| table.rows > 0 && name.ends_with(&format!(" on {}", table.table)))
    };
    let triggers = (catalog.others.iter())
        .filter(|other| other.kind == ObjectKind::Trigger && is_filled(&other.name))
        .map(|other| other.name.clone())
        .collect();
    let empty = generated.tables.iter().flat_map(|table| {
        let name = &table.table;
        table.always_null.iter().map(move |column| {
            format!(
                "`{name}`, column `{column}` is NULL in every row: no value was found that the checks take; say under \
                 `[generate.columns]` what values it has"
            )
        })
    });
    let empty: Vec<String> = empty.collect();
    let histories = (catalog.tables.iter().filter(|table| is_history(table)))
        .map(|table| format!("`{}` is the history of migrations, and gets no rows", table.name));
    let unread = without_statistics.map(|error| format!("the rows are there without statistics: {error}"));
    let notes = histories.chain(empty).chain(unread).collect();
    Filled { generated, triggers, notes }
}
