//! A copy of a finished file, open for any change: constraints, triggers and foreign keys out of the way.

use crate::harness::Random;
use crate::metadata::is_not_own;
use crate::plan::{ColumnPlan, Plan, TablePlan};
use crate::quote::quote;
use rusqlite::config::DbConfig;
use rusqlite::types::Value;
use rusqlite::{Connection, ErrorCode, params_from_iter};
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// Where the header has the versions of the format for writing and for reading, 2 for WAL.
const VERSIONS: u64 = 18;

/// A change that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// What was changed: a table, a row, a column, an object, a page.
    pub place: String,
    /// From what to what, where that can be said.
    pub change: String,
}

impl fmt::Display for Applied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.change.as_str() {
            "" => f.write_str(&self.place),
            change => write!(f, "{}: {change}", self.place),
        }
    }
}

/// The file on the bench.
pub struct Bench<'b> {
    pub connection: Connection,
    pub path: PathBuf,
    pub plan: &'b Plan,
    pub random: &'b mut Random,
    /// The file is in WAL mode when it is closed; while it is on the bench, it has no journal.
    pub wal: bool,
}

/// A row of a table.
pub struct FoundRow {
    /// What finds the row again, an expression over its table's columns with parameters from `?1`.
    pub filter: String,
    /// The parameters.
    pub values: Vec<Value>,
}

impl FoundRow {
    /// The row for a person.
    pub fn describe(&self) -> String {
        let told: Vec<_> = self.values.iter().map(describe).collect();
        format!("[{}]", told.join(", "))
    }
}

impl<'b> Bench<'b> {
    pub fn open(path: &Path, plan: &'b Plan, random: &'b mut Random) -> rusqlite::Result<Self> {
        let mut versions = [0; 2];
        File::open(path).and_then(|file| file.read_exact_at(&mut versions, VERSIONS)).map_err(io_error)?;
        let wal = versions == [2, 2];
        Ok(Bench { connection: connect(path)?, path: path.to_owned(), plan, random, wal })
    }

    /// Closes the file; everything is in it, and nothing beside it.
    pub fn close(self) -> rusqlite::Result<()> {
        self.connection.close().map_err(|(_, error)| error)?;
        if !self.wal {
            return Ok(());
        }
        let file = OpenOptions::new().write(true).open(&self.path);
        file.and_then(|file| file.write_all_at(&[2, 2], VERSIONS)).map_err(io_error)
    }

    /// Opens the file anew, so that a changed definition counts.
    pub fn reopen(&mut self) -> rusqlite::Result<()> {
        self.connection = connect(&self.path)?;
        Ok(())
    }

    /// Items in a random order.
    pub fn shuffled<T>(&mut self, items: impl IntoIterator<Item = T>) -> Vec<T> {
        let mut items: Vec<T> = items.into_iter().collect();
        for end in (1..items.len()).rev() {
            items.swap(end, self.random.below(end as u64 + 1) as usize);
        }
        items
    }

    /// The planned tables in a random order.
    pub fn tables(&mut self) -> Vec<&'b TablePlan> {
        self.shuffled(&self.plan.tables)
    }

    /// The planned columns whose values are stored, in a random order.
    pub fn columns(&mut self, wanted: impl Fn(&ColumnPlan) -> bool) -> Vec<(&'b TablePlan, &'b ColumnPlan)> {
        let plan: &'b Plan = self.plan;
        let all = plan.tables.iter().flat_map(|table| table.columns.iter().map(move |column| (table, column)));
        self.shuffled(all.filter(|(_, column)| !column.computed && wanted(column)))
    }

    /// What tells the rows of a table apart: the row id, or the primary key of a table without one.
    pub fn locator(&self, table: &str) -> rusqlite::Result<Vec<String>> {
        let without: bool = self.connection.query_row(
            "SELECT coalesce(max(wr), 0) FROM pragma_table_list(?1) WHERE schema = 'main'",
            [table],
            |row| row.get(0),
        )?;
        let names = |sql: &str| -> rusqlite::Result<Vec<String>> {
            let mut statement = self.connection.prepare(sql)?;
            statement.query_map([table], |row| row.get(0))?.collect()
        };
        if without {
            return names("SELECT name FROM pragma_table_xinfo(?1) WHERE pk > 0 ORDER BY pk")
                .map(|names| names.iter().map(|name| quote(name)).collect());
        }
        let columns = names("SELECT lower(name) FROM pragma_table_xinfo(?1)")?;
        let free = ["rowid", "_rowid_", "oid"].into_iter().find(|name| !columns.iter().any(|column| column == name));
        Ok(free.map(|name| vec![name.to_owned()]).unwrap_or_default())
    }

    /// A random row of a table for which a condition holds, and the values of some expressions over it.
    pub fn row(&mut self, table: &str, filter: &str, wanted: &str) -> rusqlite::Result<Option<(FoundRow, Vec<Value>)>> {
        let name = quote(table);
        let locator = self.locator(table)?;
        if locator.is_empty() {
            return Ok(None);
        }
        let count: i64 =
            self.connection.query_row(&format!("SELECT count(*) FROM {name} WHERE {filter}"), [], |row| row.get(0))?;
        if count == 0 {
            return Ok(None);
        }
        let offset = self.random.below(count.unsigned_abs()) as i64;
        let list = locator.join(", ");
        let sql = format!("SELECT {list}, {wanted} FROM {name} WHERE {filter} ORDER BY {list} LIMIT 1 OFFSET {offset}");
        self.connection.query_row(&sql, [], |row| {
            let width = row.as_ref().column_count();
            let values = (0..width).map(|place| row.get(place)).collect::<rusqlite::Result<Vec<Value>>>()?;
            let conditions: Vec<_> =
                locator.iter().enumerate().map(|(place, name)| format!("{name} IS ?{}", place + 1)).collect();
            let (key, wanted) = values.split_at(locator.len());
            Ok(Some((FoundRow { filter: conditions.join(" AND "), values: key.to_vec() }, wanted.to_vec())))
        })
    }

    /// Gives one column of one row another value; false where the file does not take it, or takes it as what was there.
    pub fn set(&mut self, table: &str, column: &str, place: &FoundRow, value: &Value) -> rusqlite::Result<bool> {
        let (name, column) = (quote(table), quote(column));
        let read = format!("SELECT {column} FROM {name} WHERE {}", place.filter);
        let before: Value = self.connection.query_row(&read, params_from_iter(&place.values), |row| row.get(0))?;
        let next = place.values.len() + 1;
        let sql = format!("UPDATE {name} SET {column} = ?{next} WHERE {}", place.filter);
        let parameters = place.values.iter().chain(std::iter::once(value));
        match self.connection.execute(&sql, params_from_iter(parameters)) {
            Err(error) if is_refused(&error) => return Ok(false),
            outcome => outcome?,
        };
        // A changed row id is found under its new value only; then something did change.
        let after = self.connection.query_row(&read, params_from_iter(&place.values), |row| row.get::<_, Value>(0));
        match after {
            Err(rusqlite::Error::QueryReturnedNoRows) => Ok(true),
            after => Ok(!same(&after?, &before)),
        }
    }

    /// Gives an object another definition. False where SQLite does not take it; the old one is then there again.
    pub fn define(&mut self, name: &str, sql: &str) -> rusqlite::Result<bool> {
        let before: String =
            self.connection.query_row("SELECT sql FROM sqlite_schema WHERE name = ?1", [name], |row| row.get(0))?;
        if before == sql {
            return Ok(false);
        }
        let write = "UPDATE sqlite_schema SET sql = ?2 WHERE name = ?1";
        self.connection.execute(write, [name, sql])?;
        self.reopen()?;
        let kind: rusqlite::Result<String> =
            self.connection.query_row("SELECT type FROM sqlite_schema WHERE name = ?1", [name], |row| row.get(0));
        let usable = kind.and_then(|kind| match kind.as_str() {
            "table" | "view" => self.connection.prepare(&format!("SELECT * FROM {}", quote(name))).map(drop),
            _ => Ok(()),
        });
        if usable.is_ok() {
            return Ok(true);
        }
        // With a schema that cannot be read, only a connection that has not read it can write it.
        self.connection = connect(&self.path)?;
        self.connection.execute(write, [name, &before])?;
        self.reopen()?;
        Ok(false)
    }

    /// The names and definitions of the objects of a kind, in a random order; SQLite's own and the program's left out.
    pub fn objects(&mut self, kind: &str) -> rusqlite::Result<Vec<(String, String)>> {
        let mut statement =
            self.connection.prepare(&include_str!("objects.sql").replace("{not_own}", &is_not_own("name")))?;
        let found: Vec<(String, String)> =
            statement.query_map([kind], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<rusqlite::Result<_>>()?;
        drop(statement);
        Ok(self.shuffled(found))
    }

    /// The planned tables with their definitions, in a random order.
    pub fn definitions(&mut self) -> rusqlite::Result<Vec<(String, String)>> {
        let planned: Vec<&str> = self.plan.tables.iter().map(|table| table.target.as_str()).collect();
        let mut tables = self.objects("table")?;
        tables.retain(|(name, _)| planned.contains(&name.as_str()));
        Ok(tables)
    }

    /// Whether a table of that name is there.
    pub fn has(&self, table: &str) -> rusqlite::Result<bool> {
        self.connection.query_row(
            "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?1)",
            [table],
            |row| row.get(0),
        )
    }

    /// What the planned tables hold, as one number; `None` where they cannot be read.
    pub fn contents(&self) -> Option<u64> {
        let mut hash = xxhash_rust::xxh3::Xxh3::new();
        for table in &self.plan.tables {
            let columns: Vec<_> = table.columns.iter().map(|column| quote(&column.target)).collect();
            let sql = format!("SELECT {} FROM {} NOT INDEXED", columns.join(", "), quote(&table.target));
            let mut statement = self.connection.prepare(&sql).ok()?;
            let mut rows = statement.query([]).ok()?;
            while let Some(row) = rows.next().ok()? {
                for place in 0..columns.len() {
                    let value: Value = row.get(place).ok()?;
                    hash.update(format!("{value:?},").as_bytes());
                }
                hash.update(b";");
            }
        }
        Some(hash.digest())
    }
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, false)?;
    connection.execute_batch(
        "PRAGMA writable_schema = ON; PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA foreign_keys = OFF;
         PRAGMA ignore_check_constraints = ON; PRAGMA legacy_alter_table = ON",
    )?;
    Ok(connection)
}

/// Whether two values are the same in every bit.
pub fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Real(one), Value::Real(other)) => one.to_bits() == other.to_bits(),
        _ => one == other,
    }
}

/// A value for a person, cut where it is long.
pub fn describe(value: &Value) -> String {
    const CHARS_MAX: usize = 40;
    let text = match value {
        Value::Null => "NULL".into(),
        Value::Integer(value) => value.to_string(),
        Value::Real(value) => format!("{value:?}"),
        Value::Text(value) => format!("{value:?}"),
        Value::Blob(value) => {
            format!("x'{}'", value.iter().take(CHARS_MAX / 2).map(|byte| format!("{byte:02x}")).collect::<String>())
        }
    };
    match text.char_indices().nth(CHARS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// A change of one object.
pub fn changed(place: impl Into<String>, change: impl Into<String>) -> Option<Applied> {
    Some(Applied { place: place.into(), change: change.into() })
}

/// Whether SQLite refused a change because of what the file demands, so that another place may do.
pub(super) fn is_refused(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::ConstraintViolation | ErrorCode::TypeMismatch))
}

/// A failure of the file system in the clothes of the database.
pub(super) fn io_error(error: io::Error) -> rusqlite::Error {
    rusqlite::Error::ToSqlConversionFailure(Box::new(error))
}
