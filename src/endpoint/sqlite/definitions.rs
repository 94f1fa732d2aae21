//! The definitions of a SQLite file as they stand in it, for a new file that is to have the same.
//!
//! They are not translated: SQLite gets its own words back. What belongs to a table that is left out is left out with it,
//! and what SQLite then does not take any more. A virtual table goes along where it can be filled from other tables; what
//! another one holds is known to its module alone.
//!
//! Invariants: what is applied was tried in an empty database before; the rest is listed with its reason.

use super::object_list::{self, Object, ObjectList};
use super::optimize::external_content;
use super::pragma;
use super::read::describe;
use super::rowids::renumbered;
use crate::catalog::{ObjectKind, QualifiedName};
use crate::error::{Context, Result};
use crate::metadata::{PREFIX, is_own, tree};
use crate::plan::choices::Choices;
use crate::plan::given::SchemaOfSource;
use crate::plan::{Loss, Reason, TablePlan};
use crate::quote::{quote, quote_all};
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, params_from_iter};
use std::collections::HashSet;
use std::path::Path;

const OPERATION: &str = "read the schema of";

/// What a SQLite file says about its own form.
#[derive(Debug, Clone)]
pub struct Definitions {
    /// Every object that goes along, in an order in which each can be made.
    objects: Vec<Object>,
    /// Settings that last in a file, as names and values of pragmas.
    settings: Vec<(&'static str, i64)>,
    encoding: String,
    /// The last number that each AUTOINCREMENT key has handed out.
    numbers: Vec<(String, i64)>,
    /// Rows of tables that are nobody's source: the history of the schema.
    rows: Vec<Rows>,
    /// What there is to say about all of it.
    pub of_source: SchemaOfSource,
}

/// The rows of a small table.
#[derive(Debug, Clone)]
struct Rows {
    table: String,
    columns: Vec<String>,
    rows: Vec<Vec<Value>>,
}

/// Lasting settings that a new file can take over; page size and journal mode are the run's.
const SETTINGS: [&str; 3] = ["auto_vacuum", "user_version", "application_id"];

impl Definitions {
    /// Reads them from an open file. `tables` are those with rows for a target, `choices` say which of them are carried,
    /// `earlier` by which the file itself was made, and `schema` is that of objects in choices that name them in full.
    pub(super) fn of(
        connection: &Connection,
        tables: &[TablePlan],
        schema: &str,
        choices: &Choices,
        earlier: Choices,
    ) -> Result<Definitions> {
        let read = || -> rusqlite::Result<_> {
            let number = |name: &&'static str| -> rusqlite::Result<(&'static str, i64)> {
                Ok((*name, connection.pragma_query_value(None, name, |row| row.get(0))?))
            };
            Ok(Definitions {
                objects: Vec::new(),
                settings: SETTINGS.iter().map(number).collect::<rusqlite::Result<_>>()?,
                encoding: connection.pragma_query_value(None, "encoding", |row| row.get(0))?,
                numbers: numbers(connection)?,
                rows: Vec::new(),
                of_source: SchemaOfSource { choices: earlier, ..SchemaOfSource::default() },
            })
        };
        let failed = |error: rusqlite::Error| describe(OPERATION, "the source", error);
        let mut definitions = read().map_err(failed)?;
        let all = object_list::read(connection).map_err(failed)?;
        let carried = Carried { tables, schema, choices, shadows: shadows(connection).map_err(failed)? };
        let is_whole = definitions.select(all, &carried);
        definitions.settle(is_whole)?;
        let objects = &definitions.objects;
        let is_there = |name: &str| objects.iter().any(|object| object.name.eq_ignore_ascii_case(name));
        definitions.numbers.retain(|(table, _)| is_there(table));
        let copied = tables.iter().filter(|table| choices.carries(&table.source) && !is_own(&table.target));
        definitions.of_source.renumbered = renumbered(connection, copied, objects).map_err(failed)?;
        for object in objects.iter().filter(|object| Stage::of(object) == Stage::Table) {
            if carried.planned(&object.name).is_none() {
                definitions.rows.push(rows(connection, &object.name).map_err(failed)?);
            }
        }
        Ok(definitions)
    }

    /// Takes what goes along; `false` where anything does not.
    fn select(&mut self, all: Vec<Object>, carried: &Carried<'_>) -> bool {
        let mut is_whole = true;
        for object in all {
            let Some(sql) = object.sql.as_deref() else { continue };
            let is_own = is_own(&object.name) || is_own(&object.table);
            if is_own && !tree::is_known(&object.table) {
                self.leave_out(
                    &object,
                    format!("names that begin with `{PREFIX}` are this program's own; give it another name"),
                );
                is_whole = false;
                continue;
            }
            if is_own || object.name.starts_with("sqlite_") || carried.shadows.contains(&object.name) {
                continue;
            }
            let verdict = carried.verdict(&object, sql);
            is_whole &= verdict == Verdict::Carried;
            match verdict {
                Verdict::Carried => self.objects.push(object),
                Verdict::ToldByPlan => {}
                Verdict::LeftOut(reason) => self.leave_out(&object, reason),
            }
        }
        // Each in the order of the file, behind what it is built on.
        self.objects.sort_by_key(Stage::of);
        is_whole
    }

    fn leave_out(&mut self, object: &Object, reason: impl Into<String>) {
        let name = match Stage::of(object) {
            Stage::Table | Stage::VirtualTable | Stage::View => object.name.clone(),
            Stage::Index | Stage::Trigger => format!("{} on {}", object.name, object.table),
        };
        let kind = match Stage::of(object) {
            Stage::Table => ObjectKind::Table,
            Stage::VirtualTable => ObjectKind::VirtualTable,
            Stage::View => ObjectKind::View,
            Stage::Index => ObjectKind::Index,
            Stage::Trigger => ObjectKind::Trigger,
        };
        self.of_source.left_out.push(Loss { kind, object: name, reason: Reason::NotAsItStands(reason.into()) });
    }

    /// Makes everything in an empty database, and leaves out what SQLite does not take there.
    fn settle(&mut self, mut is_whole: bool) -> Result<()> {
        const OPERATION: &str = "try the source's definitions";
        let scratch = Connection::open_in_memory().could_not(OPERATION, "")?;
        scratch.execute_batch("PRAGMA foreign_keys = OFF").could_not(OPERATION, "")?;
        let mut kept = Vec::with_capacity(self.objects.len());
        for object in std::mem::take(&mut self.objects) {
            match scratch.execute_batch(object.sql.as_deref().unwrap_or_default()) {
                Ok(()) => kept.push(object),
                Err(error) => {
                    self.leave_out(&object, format!("SQLite does not take it in a new file: {error}"));
                    is_whole = false;
                }
            }
        }
        // Where everything goes along, what cannot be used there cannot be used in the source. Else what is left out can
        // take others with it, and those again others.
        let mut is_settled = is_whole;
        while !is_settled {
            is_settled = true;
            for object in std::mem::take(&mut kept) {
                let Some(error) = why_unusable(&scratch, &object) else {
                    kept.push(object);
                    continue;
                };
                // A view takes its triggers along.
                let sql = format!("DROP {} IF EXISTS {}", object.kind, quote(&object.name));
                scratch.execute_batch(&sql).could_not(OPERATION, format!("`{}`", object.name))?;
                self.leave_out(&object, format!("it needs what is left out: {error}"));
                is_settled = false;
            }
        }
        self.objects = kept;
        Ok(())
    }

    /// Applies them to a new, empty file.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn apply(&self, target: &Path, page_size_bytes: u32) -> Result<()> {
        const OPERATION: &str = "apply the source's definitions";
        let shown = format!("`{}`", target.display());
        let connection = Connection::open(target).could_not(OPERATION, &shown)?;
        let apply = || {
            pragma::set(&connection, "page_size", i64::from(page_size_bytes))?;
            pragma::set(&connection, "foreign_keys", 0)?;
            pragma::set(&connection, "synchronous", 0)?;
            pragma::set(&connection, "journal_mode", "memory")?;
            connection.execute_batch(&format!("PRAGMA encoding = '{}'", self.encoding))?;
            for (name, value) in &self.settings {
                connection.execute_batch(&format!("PRAGMA {name} = {value}"))?;
            }
            connection.execute_batch("BEGIN")?;
            for stage in [Stage::Table, Stage::VirtualTable, Stage::Index, Stage::View] {
                self.create(&connection, stage)?;
            }
            // Before the triggers, which would act on the rows.
            self.fill(&connection)?;
            self.create(&connection, Stage::Trigger)?;
            connection.execute_batch("COMMIT")
        };
        apply().could_not(OPERATION, &shown)?;
        connection.close().map_err(|(_, error)| error).could_not(OPERATION, &shown)
    }

    fn create(&self, connection: &Connection, stage: Stage) -> rusqlite::Result<()> {
        let mut statements =
            self.objects.iter().filter(|object| Stage::of(object) == stage).filter_map(|object| object.sql.as_deref());
        if stage == Stage::VirtualTable {
            // Each makes tables of its own and looks for them in the list.
            return statements.try_for_each(|sql| connection.execute_batch(sql));
        }
        let mut list = ObjectList::hold(connection)?;
        statements.try_for_each(|sql| list.create(sql))?;
        list.release()
    }

    fn fill(&self, connection: &Connection) -> rusqlite::Result<()> {
        for Rows { table, columns, rows } in &self.rows {
            let places = vec!["?"; columns.len()].join(", ");
            let names = quote_all(columns.iter().map(String::as_str));
            let sql = format!("INSERT INTO {} ({names}) VALUES ({places})", quote(table));
            let mut insert = connection.prepare(&sql)?;
            rows.iter().try_for_each(|row| insert.execute(params_from_iter(row)).map(drop))?;
        }
        for (table, last) in &self.numbers {
            connection.execute("DELETE FROM sqlite_sequence WHERE name = ?1", [table])?;
            connection.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (?1, ?2)", (table, last))?;
        }
        Ok(())
    }
}

/// In which order objects are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Table,
    VirtualTable,
    Index,
    View,
    Trigger,
}

impl Stage {
    fn of(object: &Object) -> Stage {
        match object.kind.as_str() {
            "table" if object.root_page == 0 => Stage::VirtualTable,
            "table" => Stage::Table,
            "index" => Stage::Index,
            "view" => Stage::View,
            _ => Stage::Trigger,
        }
    }
}

/// Whether an object goes along.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Verdict {
    Carried,
    /// It does not, and the plan says so.
    ToldByPlan,
    /// It does not, for this reason.
    LeftOut(&'static str),
}

/// What decides over objects.
struct Carried<'c> {
    tables: &'c [TablePlan],
    schema: &'c str,
    choices: &'c Choices,
    shadows: HashSet<String>,
}

const EXCLUDED: &str = "excluded by name";
const OF_NO_TABLE: &str = "its table is not carried";

impl Carried<'_> {
    fn planned(&self, name: &str) -> Option<&TablePlan> {
        self.tables.iter().find(|table| table.target.eq_ignore_ascii_case(name))
    }

    /// The name by which choices know a table or view.
    fn name(&self, name: &str) -> QualifiedName {
        self.planned(name).map_or_else(|| QualifiedName::new(self.schema, name), |table| table.source.clone())
    }

    fn verdict(&self, object: &Object, sql: &str) -> Verdict {
        let owner = self.name(&object.table);
        let is_planned = self.planned(&object.table).is_some();
        match Stage::of(object) {
            Stage::Table if is_planned && !self.choices.carries(&owner) => Verdict::ToldByPlan,
            Stage::Table => Verdict::Carried,
            Stage::VirtualTable => match external_content(sql) {
                None => Verdict::LeftOut("only its module knows what it holds"),
                Some(content) if self.choices.carries(&self.name(&content)) => Verdict::Carried,
                Some(_) => Verdict::LeftOut(OF_NO_TABLE),
            },
            Stage::Index | Stage::Trigger if is_planned && !self.choices.carries(&owner) => {
                Verdict::LeftOut(OF_NO_TABLE)
            }
            Stage::Index | Stage::Trigger if self.choices.excludes_object(&owner, &object.name) => {
                Verdict::LeftOut(EXCLUDED)
            }
            Stage::View if !self.choices.carries(&owner) || self.choices.excludes_object(&owner, &owner.name) => {
                Verdict::LeftOut(EXCLUDED)
            }
            Stage::Index | Stage::Trigger | Stage::View => Verdict::Carried,
        }
    }
}

/// Why SQLite cannot use a view or a trigger as it stands there.
fn why_unusable(scratch: &Connection, object: &Object) -> Option<rusqlite::Error> {
    let of = quote(&object.table);
    let compiles = |sql: &str| scratch.prepare(sql).err();
    match Stage::of(object) {
        Stage::Table | Stage::VirtualTable | Stage::Index => None,
        Stage::View => compiles(&format!("SELECT * FROM {of}")),
        // The triggers of a table are compiled with what they wait for.
        Stage::Trigger => {
            let columns = scratch.prepare("SELECT name FROM pragma_table_info(?1)");
            let columns = columns.and_then(|mut columns| {
                columns.query_map([&object.table], |row| row.get(0))?.collect::<rusqlite::Result<Vec<String>>>()
            });
            let Ok(columns) = columns else { return None };
            let same = columns.iter().map(|name| format!("{0} = {0}", quote(name))).collect::<Vec<_>>().join(", ");
            [format!("DELETE FROM {of}"), format!("UPDATE {of} SET {same}"), format!("INSERT INTO {of} DEFAULT VALUES")]
                .iter()
                .find_map(|sql| compiles(sql).filter(|error| error.to_string().contains("no such")))
        }
    }
}

fn numbers(connection: &Connection) -> rusqlite::Result<Vec<(String, i64)>> {
    let sql = "SELECT 1 FROM sqlite_schema WHERE name = 'sqlite_sequence'";
    if connection.query_row(sql, [], |_| Ok(())).optional()?.is_none() {
        return Ok(Vec::new());
    }
    // Others can write anything there; SQLite itself goes by what is a number.
    let mut rows = connection.prepare("SELECT name, seq FROM sqlite_sequence WHERE typeof(seq) = 'integer'")?;
    rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

/// The names of the tables behind virtual ones.
fn shadows(connection: &Connection) -> rusqlite::Result<HashSet<String>> {
    let mut names =
        connection.prepare("SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'shadow'")?;
    names.query_map([], |row| row.get(0))?.collect()
}

fn rows(connection: &Connection, table: &str) -> rusqlite::Result<Rows> {
    let mut statement = connection.prepare(&format!("SELECT * FROM {}", quote(table)))?;
    let columns: Vec<String> = statement.column_names().into_iter().map(str::to_owned).collect();
    let rows = statement.query_map([], |row| (0..columns.len()).map(|column| row.get(column)).collect())?;
    let rows = rows.collect::<rusqlite::Result<_>>()?;
    Ok(Rows { table: table.to_owned(), columns: columns.clone(), rows })
}
