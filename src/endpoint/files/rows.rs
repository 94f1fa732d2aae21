//! Rows of a tree that is being made, in a temporary database until all of them are there, or in memory where they are those of one
//! file: which file each belongs to, and which row it is inside of.
//!
//! A row of a set that stands in the root of a document has its file's path in its columns; one inside another row has that
//! row's key. What a layout says else could not be taken back.

use super::layout::{Filled, Layout, Origin, RecordSet, TableLayout, TemplatePart};
use super::marks::{self, Mark};
use super::pack::unpack;
use super::weave::{Weaver, spelled};
use crate::error::{Error, Result};
use crate::value::{Cell, RowHasher};
use rusqlite::{Connection, OptionalExtension, params};
use std::collections::{BTreeSet, HashMap};

const OPERATION: &str = "keep rows in";
const OBJECT: &str = "a temporary database";

const NO_KIND: &str = "no kind of file in the layout takes it";

/// Of the greatest position.
const POSITION_DIGITS_MAX: usize = 20;

/// Where the rows of a table stand.
#[derive(Debug, Clone)]
pub enum Home<'l> {
    /// In the root of files.
    Root {
        /// The kind of the files.
        kind: usize,
        /// The set, by its place in the kind's weaver.
        set: usize,
        /// What the layout says of the set.
        records: &'l RecordSet,
    },
    /// Inside the rows of another set.
    Inside {
        /// The kind of the files.
        kind: usize,
        /// The set, by its place in the kind's weaver.
        set: usize,
        /// What the layout says of the set.
        records: &'l RecordSet,
        /// The table of the rows around.
        around: usize,
        /// The columns that have the key of those.
        key: Vec<usize>,
    },
}

impl<'l> Home<'l> {
    /// The kind of the files, the set, and what the layout says of it.
    pub fn set(&self) -> (usize, usize, &'l RecordSet) {
        match self {
            Home::Root { kind, set, records } | Home::Inside { kind, set, records, .. } => (*kind, *set, records),
        }
    }
}

/// Where the rows of each of a layout's tables stand.
pub fn homes<'l>(layout: &Layout, weavers: &[Weaver<'l>]) -> Vec<Vec<Home<'l>>> {
    let mut homes = vec![Vec::new(); layout.tables.len()];
    for (kind, weaver) in weavers.iter().enumerate() {
        for (set, of) in weaver.sets().iter().enumerate() {
            let records = of.records;
            let around = of.parent.map(|parent| &weaver.sets()[parent]);
            let key = around.and_then(|around| key_of_parent(records, &around.table.key));
            let home = match (key, around) {
                (Some(key), Some(around)) => Home::Inside { kind, set, records, around: around.records.table, key },
                _ => Home::Root { kind, set, records },
            };
            homes[records.table].push(home);
        }
    }
    homes
}

/// What was there when the rows were read.
pub trait Before {
    /// Whether there was a file at that path.
    fn has_file(&self, path: &str) -> bool;

    /// Whether the file at that path had the row with that key.
    ///
    /// # Errors
    /// When what is remembered cannot be read.
    fn had(&self, path: &str, table: usize, key: u128) -> Result<bool>;
}

/// Rows, each with its place in files.
pub trait PlacedRows {
    /// The rows in the root of a file, each with its set, in the order of sets and in which they came.
    ///
    /// # Errors
    /// When what keeps them cannot be read.
    fn roots(&self, path: &str, kind: usize) -> Result<Vec<(usize, StoredRow)>>;

    /// The rows of a set inside the row with that key, in the order in which they came.
    ///
    /// # Errors
    /// When what keeps them cannot be read.
    fn inside(&self, kind: usize, set: usize, around: u128) -> Result<Vec<StoredRow>>;
}

/// Where a row belongs: to the root of files, or inside of other rows.
struct Belonging {
    key: u128,
    /// Path, kind and set.
    roots: Vec<(String, usize, usize)>,
    /// Kind, set, and the hash of the key of the row around.
    nested: Vec<(usize, usize, u128)>,
}

/// Where a row belongs. It belongs to the file in which it stood, and a new one to the first that can have it. A row in parts belongs
/// to all of those that are there, and to others where it has anything to say. With `only`, it belongs to a file of that kind.
///
/// # Errors
/// When no file can have the row.
fn belonging(
    (layout, homes): (&Layout, &[Home<'_>]),
    (table, only): (usize, Option<usize>),
    cells: &[Cell<'_>],
    before: &dyn Before,
    hasher: &mut RowHasher,
) -> Result<Belonging> {
    let of = &layout.tables[table];
    let key = marks::key(of, cells, hasher);
    let (mut why, mut roots, mut nested) = (None, Vec::new(), Vec::new());
    let chosen = |home: &&Home<'_>| only.is_none_or(|kind| home.set().0 == kind);
    for home in homes.iter().filter(chosen) {
        if let Some(disagreement) = disagreement(layout, home, cells) {
            why.get_or_insert(disagreement);
            continue;
        }
        match home {
            Home::Root { kind, set, records } => match path_of(layout, *kind, records, cells) {
                Err(fault) => why = Some(fault),
                Ok(path) => roots.push((path, *kind, *set, *records)),
            },
            Home::Inside { kind, set, key, .. } => {
                key.iter().for_each(|column| hasher.cell(&cells[*column]));
                nested.push((*kind, *set, hasher.finish()));
            }
        }
    }
    if roots.is_empty() && nested.is_empty() {
        return Err(no_file(of, cells, why.unwrap_or_else(|| NO_KIND.to_owned())));
    }
    if of.in_parts {
        roots.retain(|(path, _, _, records)| before.has_file(path) || says_anything(records, cells, &of.key));
    } else if roots.len() > 1 {
        let mut known = None;
        for (place, (path, ..)) in roots.iter().enumerate() {
            if before.had(path, table, key)? {
                known = Some(place);
                break;
            }
        }
        let places: Vec<_> = roots.iter().map(|(_, kind, _, records)| (*kind, *records)).collect();
        let place = known.map_or_else(|| place_of_new(layout, homes, &places), Ok);
        roots.swap(0, place.map_err(|cause| no_file(of, cells, cause))?);
        roots.truncate(1);
    }
    let roots = roots.into_iter().map(|(path, kind, set, _)| (path, kind, set)).collect();
    Ok(Belonging { key, roots, nested })
}

/// The few rows of one file, in memory.
pub struct RowsInMemory<'l> {
    layout: &'l Layout,
    homes: &'l [Vec<Home<'l>>],
    hasher: RowHasher,
    rows: i64,
    roots: HashMap<(String, usize), Vec<(usize, StoredRow)>>,
    nested: HashMap<(usize, usize, u128), Vec<StoredRow>>,
}

impl<'l> RowsInMemory<'l> {
    /// No rows yet.
    pub fn new(layout: &'l Layout, homes: &'l [Vec<Home<'l>>]) -> Self {
        let (roots, nested) = (HashMap::new(), HashMap::new());
        RowsInMemory { layout, homes, hasher: RowHasher::default(), rows: 0, roots, nested }
    }

    /// As [`RowStore::add`].
    ///
    /// # Errors
    /// As [`RowStore::add`].
    pub fn add(
        &mut self,
        (table, only): (usize, Option<usize>),
        cells: &[Cell<'_>],
        packed: &[u8],
        before: &dyn Before,
    ) -> Result<()> {
        let homes = (self.layout, self.homes[table].as_slice());
        let Belonging { key, roots, nested } = belonging(homes, (table, only), cells, before, &mut self.hasher)?;
        let row = StoredRow { table, key, number: self.rows, packed: packed.to_vec() };
        self.rows += 1;
        for (path, kind, set) in roots {
            self.roots.entry((path, kind)).or_default().push((set, row.clone()));
        }
        for place in nested {
            self.nested.entry(place).or_default().push(row.clone());
        }
        Ok(())
    }
}

impl PlacedRows for RowsInMemory<'_> {
    fn roots(&self, path: &str, kind: usize) -> Result<Vec<(usize, StoredRow)>> {
        let mut roots = self.roots.get(&(path.to_owned(), kind)).cloned().unwrap_or_default();
        roots.sort_by_key(|(set, _)| *set);
        Ok(roots)
    }

    fn inside(&self, kind: usize, set: usize, around: u128) -> Result<Vec<StoredRow>> {
        Ok(self.nested.get(&(kind, set, around)).cloned().unwrap_or_default())
    }
}

/// Rows, and where each belongs.
pub struct RowStore<'l> {
    layout: &'l Layout,
    connection: Connection,
    /// Of each of the layout's tables.
    homes: Vec<Vec<Home<'l>>>,
    hasher: RowHasher,
    /// How many rows there are; the number of the next one.
    rows: i64,
}

/// A row as it is kept.
#[derive(Debug, Clone)]
pub struct StoredRow {
    /// The place of its table in the layout.
    pub table: usize,
    /// The hash of its key.
    pub key: u128,
    /// Its number, in the order in which rows came.
    pub number: i64,
    /// Its cells.
    pub packed: Vec<u8>,
}

impl StoredRow {
    /// By which it is known in its file: its table and its key.
    pub fn identity(&self) -> (u16, u128) {
        (u16::try_from(self.table).unwrap_or(u16::MAX), self.key)
    }
}

fn insert(connection: &Connection, number: i64, table: usize, packed: &[u8]) -> Result<()> {
    let sql = "INSERT INTO rows (number, tbl, cells) VALUES (?1, ?2, ?3)";
    let mut put = connection.prepare_cached(sql).map_err(failed)?;
    put.execute(params![number, small(table), packed]).map(drop).map_err(failed)
}

fn failed(error: rusqlite::Error) -> Error {
    Error::could_not(OPERATION, OBJECT, error)
}

impl<'l> RowStore<'l> {
    /// An empty store for the rows of a layout.
    ///
    /// # Errors
    /// When the layout cannot be taken back, or there is no room for a temporary database.
    pub fn new(layout: &'l Layout, weavers: &[Weaver<'l>]) -> Result<Self> {
        let connection = Connection::open("").map_err(failed)?;
        connection
            .execute_batch(
                "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -16000;
                 CREATE TABLE rows (number INTEGER PRIMARY KEY, tbl INTEGER, cells BLOB);
                 CREATE TABLE roots (path TEXT, kind INTEGER, home INTEGER, number INTEGER, key BLOB);
                 CREATE TABLE nested (kind INTEGER, home INTEGER, around BLOB, number INTEGER, key BLOB);
                 BEGIN",
            )
            .map_err(failed)?;
        Ok(RowStore { layout, connection, homes: homes(layout, weavers), hasher: RowHasher::default(), rows: 0 })
    }

    /// Takes a row. It belongs to the file in which it stood, and a new one to the first that can have it. A row in parts belongs
    /// to all of those that are there, and to others where it has anything to say. With `only`, it belongs to a file of that kind.
    ///
    /// # Errors
    /// When no file can have the row.
    pub fn add(&mut self, table: usize, only: Option<usize>, packed: &[u8], before: &dyn Before) -> Result<()> {
        let number = self.rows;
        insert(&self.connection, number, table, packed)?;
        self.rows += 1;
        let damaged = || Error::could_not(OPERATION, OBJECT, "a row is damaged");
        let cells = unpack(packed).ok_or_else(damaged)?;
        let homes = (self.layout, self.homes[table].as_slice());
        let Belonging { key, roots, nested } = belonging(homes, (table, only), &cells, before, &mut self.hasher)?;
        let key = key.to_be_bytes();
        for (path, kind, set) in roots {
            let sql = "INSERT INTO roots (path, kind, home, number, key) VALUES (?1, ?2, ?3, ?4, ?5)";
            let mut put = self.connection.prepare_cached(sql).map_err(failed)?;
            put.execute(params![path, small(kind), small(set), number, key]).map_err(failed)?;
        }
        for (kind, set, around) in nested {
            let sql = "INSERT INTO nested (kind, home, around, number, key) VALUES (?1, ?2, ?3, ?4, ?5)";
            let mut put = self.connection.prepare_cached(sql).map_err(failed)?;
            put.execute(params![small(kind), small(set), around.to_be_bytes(), number, key]).map_err(failed)?;
        }
        Ok(())
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Tells which rows may be around one of these: those with the hashes of keys for which the returned function says so.
    ///
    /// # Errors
    /// When the temporary database cannot be written.
    pub fn rows_around(&self) -> Result<impl Fn(u128) -> Result<bool>> {
        self.connection
            .execute_batch(
                "CREATE TABLE arounds (key BLOB PRIMARY KEY) WITHOUT ROWID;
                 INSERT INTO arounds SELECT DISTINCT around FROM nested",
            )
            .map_err(failed)?;
        Ok(move |key: u128| {
            let sql = "SELECT EXISTS (SELECT 1 FROM arounds WHERE key = ?1)";
            let mut found = self.connection.prepare_cached(sql).map_err(failed)?;
            found.query_row([key.to_be_bytes()], |row| row.get(0)).map_err(failed)
        })
    }

    /// All rows are there.
    ///
    /// # Errors
    /// When the temporary database cannot be written.
    pub fn finish(&mut self) -> Result<()> {
        self.connection
            .execute_batch(
                "CREATE INDEX roots_of ON roots (path, kind, key); CREATE INDEX nested_of ON nested (kind, home, around); COMMIT",
            )
            .map_err(failed)
    }

    /// The paths that rows have, each with its kind, in the order of the paths.
    ///
    /// # Errors
    /// When the temporary database cannot be read.
    pub fn paths(&self) -> Result<Vec<(String, usize)>> {
        let mut all =
            self.connection.prepare("SELECT DISTINCT path, kind FROM roots ORDER BY path, kind").map_err(failed)?;
        let rows = all.query_map([], |row| Ok((row.get(0)?, row.get::<_, u32>(1)? as usize))).map_err(failed)?;
        rows.collect::<rusqlite::Result<_>>().map_err(failed)
    }

    /// How many rows the root of a file has.
    ///
    /// # Errors
    /// When the temporary database cannot be read.
    pub fn count(&self, path: &str, kind: usize) -> Result<i64> {
        let sql = "SELECT count(*) FROM roots WHERE path = ?1 AND kind = ?2";
        let mut count = self.connection.prepare_cached(sql).map_err(failed)?;
        count.query_row(params![path, small(kind)], |row| row.get(0)).map_err(failed)
    }

    /// Gives each row in the root of a file, with its set, in the order in which they came.
    ///
    /// # Errors
    /// When the temporary database cannot be read, or `give` fails.
    pub fn each_root(
        &self,
        path: &str,
        kind: usize,
        give: &mut dyn FnMut(usize, StoredRow) -> Result<()>,
    ) -> Result<()> {
        let sql = "SELECT roots.home, rows.tbl, roots.key, rows.number, rows.cells FROM roots JOIN rows USING (number)
                   WHERE path = ?1 AND kind = ?2 ORDER BY roots.home, number";
        let mut all = self.connection.prepare_cached(sql).map_err(failed)?;
        let mut rows = all.query(params![path, small(kind)]).map_err(failed)?;
        while let Some(row) = rows.next().map_err(failed)? {
            let set = row.get::<_, u32>(0).map_err(failed)? as usize;
            give(set, stored(row).map_err(failed)?)?;
        }
        Ok(())
    }

    /// The row in the root of a file that has a key, with its set.
    ///
    /// # Errors
    /// When the temporary database cannot be read.
    pub fn root(&self, path: &str, kind: usize, mark: &Mark) -> Result<Option<(usize, StoredRow)>> {
        let sql = "SELECT roots.home, rows.tbl, roots.key, rows.number, rows.cells FROM roots JOIN rows USING (number)
                   WHERE path = ?1 AND kind = ?2 AND roots.key = ?3 AND rows.tbl = ?4";
        let mut found = self.connection.prepare_cached(sql).map_err(failed)?;
        let found = found.query_row(params![path, small(kind), mark.key.to_be_bytes(), mark.table], |row| {
            Ok((row.get::<_, u32>(0)? as usize, stored(row)?))
        });
        found.optional().map_err(failed)
    }
}

impl PlacedRows for RowStore<'_> {
    fn roots(&self, path: &str, kind: usize) -> Result<Vec<(usize, StoredRow)>> {
        let mut found = Vec::new();
        self.each_root(path, kind, &mut |set, row| {
            found.push((set, row));
            Ok(())
        })?;
        Ok(found)
    }

    fn inside(&self, kind: usize, set: usize, around: u128) -> Result<Vec<StoredRow>> {
        let sql = "SELECT 0, rows.tbl, nested.key, rows.number, rows.cells FROM nested JOIN rows USING (number)
                   WHERE kind = ?1 AND home = ?2 AND around = ?3 ORDER BY number";
        let mut all = self.connection.prepare_cached(sql).map_err(failed)?;
        let rows = all.query_map(params![small(kind), small(set), around.to_be_bytes()], stored).map_err(failed)?;
        rows.collect::<rusqlite::Result<_>>().map_err(failed)
    }
}

/// A place in a layout, which has far fewer.
pub(super) fn small(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX)
}

fn stored(row: &rusqlite::Row<'_>) -> rusqlite::Result<StoredRow> {
    let key: [u8; 16] = row.get(2)?;
    let table = row.get::<_, u32>(1)? as usize;
    Ok(StoredRow { table, key: u128::from_be_bytes(key), number: row.get(3)?, packed: row.get(4)? })
}

/// The columns that have the key of the row around, in its order.
fn key_of_parent(records: &RecordSet, key: &[usize]) -> Option<Vec<usize>> {
    let column = |key: &usize| records.columns.iter().find(|filled| takes(filled, &Origin::Parent(*key)));
    key.iter().map(|key| column(key).map(|filled| filled.column)).collect()
}

fn takes(filled: &Filled, origin: &Origin) -> bool {
    filled.from.contains(origin)
}

/// What a row in the root of a file says of the captures of its path, in their order; `None` for one that it does not tell.
pub(super) fn captures_of(
    layout: &Layout,
    kind: usize,
    records: &RecordSet,
    cells: &[Cell<'_>],
) -> Vec<Option<String>> {
    let form = |column: usize| records.columns.iter().find(|filled| filled.column == column).map(|filled| &filled.form);
    let text = |column: usize| {
        let cell = &cells[column];
        let form = form(column).filter(|_| *cell != Cell::Null)?;
        spelled(cell, form).ok().map(|text| text.into_owned())
    };
    records.captures(layout, kind, &text)
}

/// The path of the file that has a row in its root.
///
/// # Errors
/// Why no file can have it.
pub fn path_of(layout: &Layout, kind: usize, records: &RecordSet, cells: &[Cell<'_>]) -> Result<String, String> {
    let told = captures_of(layout, kind, records, cells);
    let names = layout.kinds[kind].path.captures();
    let missing = names.iter().zip(&told).find(|(_, value)| value.is_none());
    if let Some((name, _)) = missing {
        return Err(format!("no column of it says what `{{{name}}}` in the path of its file is"));
    }
    let told: Vec<&str> = told.iter().flatten().map(String::as_str).collect();
    layout.path_of(kind, &told).map_err(|fault| fault.to_string())
}

/// That a row has no file, and why.
pub(super) fn no_file(of: &TableLayout, cells: &[Cell<'_>], cause: String) -> Error {
    let key = of.key.iter().map(|place| shown(&cells[*place])).collect::<Vec<_>>().join(", ");
    Error::could_not("find the file of", format!("table `{}`, row [{key}]", of.name), cause)
}

/// The path of the file of a row in the root of one, and the place of its home. `had` says whether the file at a path had the row.
///
/// # Errors
/// Why there is none; an error where what is remembered cannot be read.
pub(super) fn place_of(
    layout: &Layout,
    homes: &[Home<'_>],
    cells: &[Cell<'_>],
    had: &dyn Fn(&str) -> Result<bool>,
) -> Result<Result<(String, usize)>, String> {
    let (mut why, mut roots) = (NO_KIND.to_owned(), Vec::new());
    for (place, home) in homes.iter().enumerate() {
        let (kind, _, records) = home.set();
        let found = match disagreement(layout, home, cells) {
            Some(disagreement) => Err(disagreement),
            None => path_of(layout, kind, records, cells),
        };
        match found {
            Ok(path) => roots.push((path, place)),
            Err(fault) => why = fault,
        }
    }
    for root in &roots {
        match had(&root.0) {
            Ok(true) => return Ok(Ok(root.clone())),
            Ok(false) => {}
            Err(error) => return Ok(Err(error)),
        }
    }
    let places: Vec<_> = roots.iter().map(|(_, place)| (homes[*place].set().0, homes[*place].set().2)).collect();
    let place = place_of_new(layout, homes, &places)?;
    roots.into_iter().nth(place).map(Ok).ok_or(why)
}

/// Whether a row says what every row of the set says: its constants, and what its templates have around their values.
pub fn agrees(records: &RecordSet, cells: &[Cell<'_>]) -> bool {
    disagreeing(records, cells).is_none()
}

fn disagreeing<'l>(records: &'l RecordSet, cells: &[Cell<'_>]) -> Option<(&'l Filled, &'l Origin)> {
    let disagrees = |filled: &Filled, origin: &Origin| match origin {
        Origin::Constant(constant) => {
            !spelled(&cells[filled.column], &filled.form).is_ok_and(|value| value == constant.as_str())
        }
        Origin::Template(parts) => {
            !spelled(&cells[filled.column], &filled.form).is_ok_and(|value| fits(parts, value.as_ref()))
        }
        _ => false,
    };
    let mut origins = records.columns.iter().flat_map(|filled| filled.from.iter().map(move |origin| (filled, origin)));
    origins.find(|(filled, origin)| disagrees(filled, origin))
}

/// Why a row is none of a place, for people.
pub fn disagreement(layout: &Layout, home: &Home<'_>, cells: &[Cell<'_>]) -> Option<String> {
    let (kind, _, records) = home.set();
    let (filled, origin) = disagreeing(records, cells)?;
    let column = &layout.tables[records.table].columns[filled.column].name;
    let wanted = match origin {
        Origin::Template(parts) => parts.iter().map(part_shown).collect(),
        Origin::Constant(constant) => constant.clone(),
        _ => String::new(),
    };
    let kind = &layout.kinds[kind].name;
    Some(format!("its `{column}` is {}, and rows of `{kind}` have `{wanted}`", shown(&cells[filled.column])))
}

fn part_shown(part: &TemplatePart) -> String {
    match part {
        TemplatePart::Literal(text) => text.clone(),
        TemplatePart::Value(Origin::Capture(name)) => format!("{{@path.{name}}}"),
        TemplatePart::Value(Origin::Position) => "{@position}".to_owned(),
        TemplatePart::Value(Origin::EntryName) => "{@name}".to_owned(),
        TemplatePart::Value(_) => "{@parent}".to_owned(),
    }
}

/// Whether a text is what a template may make. What its values are is looked at where it is written.
fn fits(parts: &[TemplatePart], text: &str) -> bool {
    let mut ends = BTreeSet::from([0]);
    for part in parts {
        ends = match part {
            TemplatePart::Literal(literal) => {
                let behind = ends.into_iter().filter(|end| text[*end..].starts_with(literal.as_str()));
                behind.map(|end| end + literal.len()).collect()
            }
            TemplatePart::Value(Origin::Position) => {
                let behind = |end: usize| {
                    let digits = text[end..].bytes().take(POSITION_DIGITS_MAX).take_while(u8::is_ascii_digit).count();
                    let is_zero = text[end..].starts_with('0');
                    (1..=if is_zero { 1 } else { digits }).map(move |length| end + length)
                };
                ends.into_iter().flat_map(behind).collect()
            }
            TemplatePart::Value(_) => match ends.first() {
                Some(first) => (*first..=text.len()).filter(|end| text.is_char_boundary(*end)).collect(),
                None => return false,
            },
        };
    }
    ends.contains(&text.len())
}

/// Which of the places that can have a new row gets it: the one whose constants or templates the row has; else the last of all `homes`
/// of its table, which takes all others.
///
/// # Errors
/// Where more than one has them: nobody has said which.
pub fn place_of_new(layout: &Layout, homes: &[Home<'_>], places: &[(usize, &RecordSet)]) -> Result<usize, String> {
    let takes_others = |records: &RecordSet| homes.last().is_some_and(|last| std::ptr::eq(last.set().2, records));
    let mut particular = places.iter().enumerate().filter(|(_, (_, records))| !takes_others(records));
    match (particular.next(), particular.next()) {
        (Some((_, (one, _))), Some((_, (other, _)))) => {
            let [one, other] = [one, other].map(|kind| &layout.kinds[*kind].name);
            Err(format!("it has the constants and templates of rows of `{one}`, and those of rows of `{other}`"))
        }
        (Some((place, _)), None) => Ok(place),
        (None, _) => Ok(places.len().saturating_sub(1)),
    }
}

/// Whether a row has a value in a column that only this file says.
pub fn says_anything(records: &RecordSet, cells: &[Cell<'_>], key: &[usize]) -> bool {
    let own = records.columns.iter().map(|filled| filled.column).chain(records.rest);
    own.filter(|column| !key.contains(column)).any(|column| cells[column] != Cell::Null)
}

/// A cell for a message.
pub(super) fn shown(cell: &Cell<'_>) -> String {
    match cell {
        Cell::Null => "NULL".to_owned(),
        Cell::Text(text) => format!("\"{text}\""),
        Cell::Int(number) => number.to_string(),
        other => format!("{other:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_one_that_a_template_may_make() {
        let literal = |text: &str| TemplatePart::Literal(text.to_owned());
        let value = |origin: Origin| TemplatePart::Value(origin);
        let log = [literal("log-"), value(Origin::Position)];
        let pair = [value(Origin::EntryName), literal("-"), value(Origin::Capture("x".to_owned())), literal("!")];
        for (parts, text, expected) in [
            (&log[..], "log-0", true),
            (&log, "log-10", true),
            (&log, "log-01", false),
            (&log, "log-", false),
            (&log, "log-1x", false),
            (&log, "cli-1", false),
            (&pair, "a-b-c!", true),
            (&pair, "-!", true),
            (&pair, "é-ü!", true),
            (&pair, "a-b", false),
            (&pair, "ab!", false),
            (&[], "", true),
            (&[], "a", false),
        ] {
            assert_eq!(fits(parts, text), expected, "{text}");
        }
    }
}
