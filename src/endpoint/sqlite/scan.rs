//! Reading a target's rows back: records through their rules, and the ledger's entries with them.

use crate::endpoint::sqlite::blob::BlobBytes;
use crate::endpoint::sqlite::read::describe;
use crate::error::{Error, Result};
use crate::metadata::ledger;
use crate::plan::TablePlan;
use crate::quote::quote;
use crate::types::Codec;
use crate::value::large::LARGE_FROM_BYTES;
use crate::value::{Cell, Large, Stored, recycle, row_key, rowid_key};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, Row, Rows, Statement, params};
use std::sync::atomic::{AtomicU64, Ordering};

/// SQLite's names for the rowid.
pub(super) const ROWID_NAMES: [&str; 3] = ["rowid", "_rowid_", "oid"];

/// A row that was read back.
pub struct ScannedRow<'r> {
    /// Its cells in the order of the plan's columns.
    pub cells: &'r [Cell<'r>],
    table: &'r TablePlan,
    row: &'r Row<'r>,
    /// Its place among the rows that were read, from 1.
    place: i64,
    selected: &'r [usize],
}

impl ScannedRow<'_> {
    /// The row's name.
    pub fn key(&self) -> String {
        key_of(self.table, self.row, self.place)
    }

    /// As it stands in the file, the value of what was selected besides ([`Scan::with`]).
    ///
    /// # Errors
    /// When there is no such place.
    pub fn selected(&self, place: usize) -> rusqlite::Result<ValueRef<'_>> {
        self.row.get_ref(*self.selected.get(place).ok_or(rusqlite::Error::InvalidColumnIndex(place))?)
    }
}

/// Reads rows of one table.
pub struct Scan<'p> {
    table: &'p TablePlan,
    /// What a failure says was being done, and to what.
    operation: &'static str,
    object: String,
    codecs: Vec<Codec>,
    /// The name under which a row's rowid can be asked for; columns of the table may hide some of SQLite's three.
    rowid: Option<&'static str>,
    has_ledger: bool,
    /// What makes SQLite read the rows themselves.
    way: String,
    /// What is selected behind the columns and the rowid.
    also: Vec<String>,
    /// Where the values of what somebody else selects stand in the row.
    selected: Vec<usize>,
    /// The places of the columns whose large values are not read into memory.
    large: Vec<usize>,
    /// Entries of the ledger that said what a value is.
    ledger_used: AtomicU64,
}

impl<'p> Scan<'p> {
    /// Prepares to read a table of the connection's file.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn new(connection: &Connection, table: &'p TablePlan) -> Result<Self> {
        let object = format!("`{}`", table.target);
        let failed = |error: rusqlite::Error| describe("read back", &object, error);
        let columns = columns_of(connection, &table.target).map_err(failed)?;
        if columns.is_empty() {
            return Err(Error::could_not("read back", &object, "there is no such table in the target"));
        }
        let is_there = |name: &str| columns.contains(&name.to_ascii_lowercase());
        if let Some(column) = table.columns.iter().find(|column| !is_there(&column.target)) {
            let cause = format!("the target has no column `{}`", column.target);
            return Err(Error::could_not("read back", &object, cause));
        }
        let has_ledger = ledger::has_entries(connection, &table.target).map_err(failed)?;
        let codecs = table.columns.iter().map(crate::plan::ColumnPlan::codec).collect();
        let rowid = rowid_name(connection, &table.target, &columns).map_err(failed)?;
        let way = way_to_rows(connection, &table.target, rowid).map_err(failed)?;
        let (also, selected) = (Vec::new(), Vec::new());
        let (operation, large, ledger_used) = ("read back", Vec::new(), AtomicU64::new(0));
        Ok(Scan { table, operation, object, codecs, rowid, has_ledger, way, also, selected, large, ledger_used })
    }

    /// The same of a source with that label.
    pub fn of_source(mut self, label: &str) -> Self {
        (self.operation, self.object) = ("read", format!("table `{}` of {label}", self.table.source));
        self
    }

    fn failed(&self, error: rusqlite::Error) -> Error {
        describe(self.operation, &self.object, error)
    }

    /// Selects other expressions of the rows as well; one that is a column of the plan is not read twice.
    pub fn with(mut self, expressions: &[String]) -> Self {
        let columns: Vec<_> = self.table.columns.iter().map(|column| quote(&column.target)).collect();
        for expression in expressions {
            let known = columns.iter().position(|column| column.eq_ignore_ascii_case(expression));
            self.selected.push(known.unwrap_or_else(|| {
                self.also.push(expression.clone());
                columns.len() + self.also.len()
            }));
        }
        self
    }

    /// Hands over large values as [`Cell::Large`], where a row can be found again and nobody selects the column besides.
    pub fn with_large(mut self) -> Self {
        let is_blob = |place: &usize| self.codecs[*place].is_blob() && !self.table.key.contains(place);
        let is_alone = |place: &usize| !self.selected.contains(place);
        if self.rowid.is_some() {
            self.large = (0..self.codecs.len()).filter(|place| is_blob(place) && is_alone(place)).collect();
        }
        self
    }

    /// The name of its table in the target.
    pub fn target(&self) -> &str {
        &self.table.target
    }

    /// The codecs of the table's columns.
    pub fn codecs(&self) -> &[Codec] {
        &self.codecs
    }

    /// The lowest and highest rowid; `None` for an empty table or one without rowids.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn extent(&self, connection: &Connection) -> Result<Option<(i64, i64)>> {
        let Some(rowid) = self.rowid else { return Ok(None) };
        let table = quote(&self.table.target);
        let sql = format!("SELECT (SELECT min({rowid}) FROM {table}), (SELECT max({rowid}) FROM {table})");
        let (low, high): (Option<i64>, Option<i64>) =
            connection.query_row(&sql, [], |row| Ok((row.get(0)?, row.get(1)?))).map_err(|error| self.failed(error))?;
        Ok(low.zip(high))
    }

    /// How many entries the ledger has for the table beyond those that said what a value is, once every row was read:
    /// entries for rows or columns that are not there, or for values that have been changed since.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn ledger_surplus(&self, connection: &Connection) -> Result<u64> {
        if !self.has_ledger {
            return Ok(0);
        }
        let entries = ledger::count(connection, &self.table.target)
            .map_err(|error| describe("read back", "the ledger", error))?;
        Ok(entries.saturating_sub(self.ledger_used.load(Ordering::Relaxed)))
    }

    /// Hands over every row, or those with a rowid in a range, both ends included.
    ///
    /// # Errors
    /// When the file cannot be read or `visit` fails.
    pub fn rows(
        &self,
        connection: &Connection,
        range: Option<(i64, i64)>,
        visit: &mut dyn FnMut(&ScannedRow<'_>) -> Result<()>,
    ) -> Result<()> {
        let mut statement = self.statement(connection, range.is_some())?;
        let rows = match range {
            Some((low, high)) if self.rowid.is_some() => statement.query(params![low, high]),
            Some(_) | None => statement.query([]),
        };
        let mut cursor = self.cursor(connection, rows.map_err(|error| self.failed(error))?)?;
        while cursor.next(visit)? {}
        Ok(())
    }

    /// The statement that reads every row, or those of a range.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn statement<'c>(&self, connection: &'c Connection, in_range: bool) -> Result<Statement<'c>> {
        let mut columns: Vec<_> = self.table.columns.iter().map(|column| quote(&column.target)).collect();
        // Neither the type nor the length makes SQLite read the bytes.
        let large =
            |column: &String| format!("(typeof({column}) = 'blob' AND octet_length({column}) >= {LARGE_FROM_BYTES})");
        let are_large: Vec<String> = self.large.iter().map(|place| large(&columns[*place])).collect();
        for (place, is_large) in self.large.iter().zip(&are_large) {
            columns[*place] = format!("CASE WHEN {is_large} THEN NULL ELSE {} END", columns[*place]);
        }
        // Behind the columns stands what a row without a key is named by.
        columns.push(self.rowid.filter(|_| self.table.is_named_by_rowid(|_| true)).unwrap_or("NULL").to_owned());
        columns.extend(self.also.iter().cloned());
        if let Some(rowid) = self.rowid.filter(|_| !self.large.is_empty()) {
            columns.extend(are_large);
            columns.push(rowid.to_owned());
        }
        let filter = match self.rowid {
            Some(rowid) if in_range => format!(" WHERE {rowid} BETWEEN ?1 AND ?2"),
            Some(_) | None => String::new(),
        };
        // Without a name for the rowid a row is known by its place in the table itself, which an index does not give.
        let table = quote(&self.table.target);
        let sql = format!("SELECT {} FROM {table} {}{filter}", columns.join(", "), self.way);
        connection.prepare(&sql).map_err(|error| self.failed(error))
    }

    /// Reads the rows of its [`Scan::statement`] one by one.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn cursor<'c>(&'c self, connection: &'c Connection, rows: Rows<'c>) -> Result<Cursor<'c>> {
        let ledger = self.has_ledger.then(|| ledger::Reader::new(connection)).transpose();
        let ledger = ledger.map_err(|error| self.failed(error))?;
        Ok(Cursor { scan: self, connection, rows, ledger, spare: Vec::with_capacity(self.codecs.len()), place: 0 })
    }
}

impl Scan<'_> {
    /// The large values of a row, each with the place of its column.
    fn blobs<'c>(&self, connection: &'c Connection, row: &Row<'_>) -> rusqlite::Result<Vec<(usize, BlobBytes<'c>)>> {
        let first = self.table.columns.len() + 1 + self.also.len();
        let mut blobs = Vec::new();
        for (number, place) in self.large.iter().enumerate() {
            if row.get::<_, Option<bool>>(first + number)? == Some(true) {
                let rowid = row.get(first + self.large.len())?;
                let column = &self.table.columns[*place].target;
                blobs.push((*place, BlobBytes::open(connection, &self.table.target, column, rowid)?));
            }
        }
        Ok(blobs)
    }
}

/// The rows of a table while they are read.
pub struct Cursor<'c> {
    scan: &'c Scan<'c>,
    connection: &'c Connection,
    rows: Rows<'c>,
    ledger: Option<ledger::Reader<'c>>,
    spare: Vec<Cell<'static>>,
    place: i64,
}

impl Cursor<'_> {
    /// Hands over the next row; whether there was one.
    ///
    /// # Errors
    /// When the file cannot be read or `visit` fails.
    pub fn next(&mut self, visit: &mut dyn FnMut(&ScannedRow<'_>) -> Result<()>) -> Result<bool> {
        let Cursor { scan, connection, rows, ledger, spare, place } = self;
        let table = scan.table;
        let failed = |error: rusqlite::Error| scan.failed(error);
        let Some(row) = rows.next().map_err(failed)? else { return Ok(false) };
        *place += 1;
        let blobs = match scan.large.is_empty() {
            true => Vec::new(),
            false => scan.blobs(connection, row).map_err(failed)?,
        };
        let mut cells: Vec<Cell<'_>> = recycle(std::mem::take(spare));
        let entries = match ledger {
            Some(ledger) => ledger.entries(&table.target, &key_of(table, row, *place)).map_err(failed)?,
            None => Vec::new(),
        };
        for (index, codec) in scan.codecs.iter().enumerate() {
            if let Some((_, blob)) = blobs.iter().find(|(place, _)| *place == index) {
                cells.push(Cell::Large(Large::new(blob)));
                continue;
            }
            let stored = Stored::from(row.get_ref(index).map_err(failed)?);
            if entries.is_empty() {
                cells.push(codec.load(stored));
                continue;
            }
            let column = &table.columns[index].target;
            let exact = entries.iter().find(|(name, _)| name == column).map(|(_, exact)| exact.as_str());
            let cell = codec.load_with_ledger(stored, exact);
            if exact.is_some() && codec.text(&cell).as_deref() == exact {
                scan.ledger_used.fetch_add(1, Ordering::Relaxed);
            }
            cells.push(cell);
        }
        let visited = visit(&ScannedRow { cells: &cells, table, row, place: *place, selected: &scan.selected });
        *spare = recycle(cells);
        if let Some(error) = blobs.iter().find_map(|(_, blob)| blob.failure()) {
            let object = format!("`{}`, row {}", table.target, key_of(table, row, *place));
            return Err(Error::could_not("read back", object, error));
        }
        visited?;
        Ok(true)
    }
}

/// The names of a table's columns, as SQLite compares them; none where there is no such table.
pub(super) fn columns_of(connection: &Connection, table: &str) -> rusqlite::Result<Vec<String>> {
    let mut columns = connection.prepare("SELECT lower(name) FROM pragma_table_xinfo(?1)")?;
    columns.query_map([table], |row| row.get(0))?.collect()
}

/// The first of SQLite's names for the rowid that no column of the table has; `None` for a table without rowids.
pub(super) fn rowid_name(
    connection: &Connection,
    table: &str,
    columns: &[String],
) -> rusqlite::Result<Option<&'static str>> {
    let name = ROWID_NAMES.into_iter().find(|name| !columns.iter().any(|column| column == name));
    // SQLite's list of tables says as much, but is made anew from every table each time that it is asked.
    Ok(name.filter(|name| connection.prepare(&format!("SELECT {name} FROM {}", quote(table))).is_ok()))
}

/// What makes SQLite read a table's rows and no index that has all that is asked for. For a table without rowids only the
/// name of its key does that: `NOT INDEXED` says nothing there.
fn way_to_rows(connection: &Connection, table: &str, rowid: Option<&str>) -> rusqlite::Result<String> {
    let key = match rowid {
        None => connection
            .query_row(include_str!("sql/key_that_is_the_table.sql"), [table], |row| row.get::<_, String>(0))
            .optional()?,
        Some(_) => None,
    };
    Ok(key.map_or_else(|| "NOT INDEXED".to_owned(), |key| format!("INDEXED BY {}", quote(&key))))
}

fn key_of(table: &TablePlan, row: &Row<'_>, place: i64) -> String {
    if table.is_named_by_rowid(|place| matches!(row.get_ref(place), Ok(ValueRef::Null))) {
        // The column behind the table's own is the rowid; a table without one is told by its place alone.
        let rowid: Option<i64> = row.get(table.columns.len()).unwrap_or(None);
        return rowid_key(rowid.unwrap_or(place));
    }
    row_key(table.key.iter().filter_map(|column| row.get_ref(*column).ok()).map(Stored::from))
}
