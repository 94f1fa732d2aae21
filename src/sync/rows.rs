//! The side of the SQLite file: which of its rows are not those of the base.
//!
//! A row is held against the base as files would say it: JSON without blanks, and in a column that files do not tell the value that
//! they are read with. What a row says there is told apart, and stays.

use super::base::{Base, NO_BASE, Paths, id_of, kind_of};
use super::record::{Id, SHOWN_MAX, Side, Unsaid, WHOLE, Which};
use super::records::Numbers;
use super::store::{Store, Stored};
use super::values::{key_of, text_of};
use crate::cancel::Cancel;
use crate::endpoint::files::layout::{Absent, Layout, TableLayout};
use crate::endpoint::files::marks;
use crate::endpoint::files::pack::{pack, unpack};
use crate::endpoint::files::rows::{Home, agrees, says_anything};
use crate::endpoint::files::weave::{Rows as WovenRows, Weaver, read_text};
use crate::endpoint::sqlite::read::describe;
use crate::endpoint::sqlite::scan::Scan;
use crate::error::{Error, Result};
use crate::plan::TablePlan;
use crate::quote::quote;
use crate::value::{Cell, RowHasher, TableDigest};
use rusqlite::Connection;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// How rows and files say one another.
pub struct Forms<'l> {
    /// The layout.
    pub layout: &'l Layout,
    /// The weaver of each kind of file.
    pub weavers: &'l [Weaver<'l>],
    /// Where the rows of each table stand.
    pub homes: Vec<Vec<Home<'l>>>,
}

/// A row as a file would say it.
pub struct Said {
    /// Its cells.
    pub cells: Vec<Cell<'static>>,
    /// The columns whose values no file says.
    pub unsaid: Vec<usize>,
}

impl<'l> Forms<'l> {
    /// Where a row stands: in files of that kind where it can, else in the first that can have it.
    pub fn home(&self, table: usize, cells: &[Cell<'_>], kind: Option<usize>) -> Option<&Home<'l>> {
        let can = || self.homes[table].iter().filter(|home| agrees(home.set().2, cells));
        can().find(|home| kind == Some(home.set().0)).or_else(|| can().next())
    }

    /// The kinds of files that have parts of a table's rows.
    pub fn kinds_of_parts(&self, table: usize) -> Vec<usize> {
        let mut kinds: Vec<usize> = self.homes[table].iter().map(|home| home.set().0).collect();
        kinds.dedup();
        kinds
    }

    /// Whether a kind of file fills a column of a table.
    pub fn fills(&self, table: usize, kind: usize, column: usize) -> bool {
        self.homes[table].iter().map(Home::set).any(|(of, _, records)| {
            of == kind && (records.rest == Some(column) || records.columns.iter().any(|filled| filled.column == column))
        })
    }

    /// The columns that the file of a record does not tell.
    pub fn untold(&self, id: Id, cells: &[Cell<'_>], kind: Option<usize>) -> Vec<usize> {
        let table = usize::from(id.table);
        let Some(home) = self.home(table, cells, kind) else { return Vec::new() };
        let records = home.set().2;
        let says = |column: usize| {
            records.rest == Some(column)
                || records.columns.iter().any(|filled| filled.column == column && !filled.from.is_empty())
        };
        (0..cells.len()).filter(|column| !says(*column)).collect()
    }

    /// A row as a file of that kind would say it. `None` where no file can have it.
    pub fn said(&self, table: usize, cells: &[Cell<'_>], kind: Option<usize>) -> Option<Said> {
        let home = self.home(table, cells, kind)?;
        let (kind, set, records) = home.set();
        let in_parts = self.layout.tables[table].in_parts;
        let mut row = WovenRows::new();
        row.push(set, cells.iter().cloned());
        let row = self.weavers[kind].normal(row);
        let mut said: Vec<Cell<'static>> = row.row(0).cells.iter().map(|cell| cell.clone().into_owned()).collect();
        let mut unsaid = Vec::new();
        for (column, cell) in said.iter_mut().enumerate() {
            let filled = records.columns.iter().find(|filled| filled.column == column);
            let told = match filled {
                Some(filled) if filled.from.is_empty() => match &filled.absent {
                    Absent::Default(text) => read_text(text, &filled.form).ok()?.into_owned(),
                    Absent::Null | Absent::WrittenNull | Absent::Refused => Cell::Null,
                },
                None if records.rest != Some(column) => Cell::Null,
                Some(_) | None => continue,
            };
            if *cell != told {
                // Of a row in parts, another file says it.
                if filled.is_some() || !in_parts {
                    unsaid.push(column);
                }
                *cell = told;
            }
        }
        Some(Said { cells: said, unsaid })
    }
}

/// The rows of the file.
#[derive(Default)]
pub struct Rows {
    /// The rows that are not those of the base, or are looked at for another reason, by their hashes.
    records: HashMap<Id, u128>,
    /// The records of the base that were seen.
    seen: Numbers,
    /// Rows that say what files say in another spelling.
    pub respelled: BTreeSet<Id>,
    /// Values that no file says, and how many there are.
    pub unsaid: Vec<(Id, Unsaid)>,
    /// How many there are.
    pub unsaid_count: u64,
    /// The digest of each table's rows as they stand there.
    pub digests: Vec<TableDigest>,
    /// Whether the rows were read; else they are those of the base.
    pub are_read: bool,
}

impl Rows {
    /// Reads all rows of some tables. Those of `wanted` are kept in any case.
    ///
    /// # Errors
    /// When they cannot be read, or one has a value that no file can have.
    pub fn read(
        connection: &Connection,
        forms: &Forms<'_>,
        plans: &[TablePlan],
        (base, wanted): (&Base, &BTreeSet<Id>),
        (paths, store): (&Paths, &Store),
        is_read: &dyn Fn(usize) -> bool,
        cancel: &Cancel,
    ) -> Result<Rows> {
        let mut rows = Rows {
            are_read: true,
            seen: Numbers::of(base.records.numbers()),
            digests: vec![TableDigest::default(); plans.len()],
            ..Rows::default()
        };
        let mut hasher = RowHasher::default();
        for (table, plan) in plans.iter().enumerate().filter(|(table, _)| is_read(*table)) {
            let of = &forms.layout.tables[table];
            let kinds = if of.in_parts { forms.kinds_of_parts(table) } else { Vec::new() };
            let number = u16::try_from(table).unwrap_or(u16::MAX);
            Scan::new(connection, plan)?.rows(connection, None, &mut |row| {
                cancel.check("read")?;
                let key = marks::key(of, row.cells, &mut hasher);
                row.cells.iter().for_each(|cell| hasher.cell(cell));
                let whole = hasher.finish();
                rows.digests[table].add(whole);
                let looking = Looking { forms, base, wanted, paths, store, table };
                if !of.in_parts {
                    let id = Id { table: number, kind: WHOLE, key };
                    return rows.take(&looking, id, None, row.cells, whole, &mut hasher);
                }
                for kind in &kinds {
                    let id = id_of(forms.layout, number, key, Some(*kind));
                    let part: Vec<Cell<'_>> = (0..row.cells.len())
                        .map(|column| match forms.fills(table, *kind, column) {
                            true => row.cells[column].clone(),
                            false => Cell::Null,
                        })
                        .collect();
                    let home = forms.home(table, &part, Some(*kind));
                    let says = home.is_some_and(|home| says_anything(home.set().2, &part, &of.key));
                    if says || base.records.contains(&id) {
                        part.iter().for_each(|cell| hasher.cell(cell));
                        let hash = hasher.finish();
                        rows.take(&looking, id, Some(*kind), &part, hash, &mut hasher)?;
                    }
                }
                Ok(())
            })?;
        }
        Ok(rows)
    }

    fn take(
        &mut self,
        looking: &Looking<'_, '_>,
        id: Id,
        kind: Option<usize>,
        cells: &[Cell<'_>],
        hash: u128,
        hasher: &mut RowHasher,
    ) -> Result<()> {
        let Looking { forms, base, wanted, paths, store, table } = looking;
        let known = base.records.get(&id);
        if let Some(known) = &known {
            self.seen.insert(known.number);
        }
        let is_known = known.is_some_and(|known| known.hash == hash);
        if is_known && !wanted.contains(&id) {
            return Ok(());
        }
        let kind = kind.or_else(|| known.and_then(|known| kind_of(forms.layout, paths.path(known.path))));
        let key = || key_of(forms.layout, *table, cells);
        let said = match is_known {
            true => None,
            false => forms.said(*table, cells, kind),
        };
        let (cells, hash) = match &said {
            Some(said) => {
                for column in &said.unsaid {
                    self.unsaid_count += 1;
                    if self.unsaid.len() < SHOWN_MAX {
                        let of = &forms.layout.tables[*table];
                        let unsaid = Unsaid {
                            table: of.name.clone(),
                            key: key(),
                            column: of.columns[*column].name.clone(),
                            value: text_of(&cells[*column]),
                            goes: false,
                        };
                        self.unsaid.push((id, unsaid));
                    }
                }
                let spelled = |column: &usize| !said.unsaid.contains(column) && said.cells[*column] != cells[*column];
                if (0..cells.len()).any(|column| spelled(&column)) {
                    self.respelled.insert(id);
                }
                said.cells.iter().for_each(|cell| hasher.cell(cell));
                (said.cells.as_slice(), hasher.finish())
            }
            None => (cells, hash),
        };
        let is_known = known.is_some_and(|known| known.hash == hash);
        if is_known && !wanted.contains(&id) && !self.respelled.contains(&id) {
            return Ok(());
        }
        let mut packed = Vec::new();
        pack(cells, &mut packed).map_err(|column| {
            let of = &forms.layout.tables[*table];
            let object = format!("table `{}`, row {}, column `{}`", of.name, key(), of.columns[column].name);
            Error::could_not("read", object, "its value is of no type that a file has")
                .hint("correct the row; nothing was changed")
        })?;
        store.put(Which::Rows, &Stored { id, path: 0, hash, packed })?;
        self.records.insert(id, hash);
        Ok(())
    }

    /// Rows that nobody has written to: those of the base. Of `wanted` the keys are told, by the files where those have the records
    /// still; only for others the keys of the table are read.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn unread(
        connection: &Connection,
        forms: &Forms<'_>,
        plans: &[TablePlan],
        (base, wanted): (&Base, &BTreeSet<Id>),
        store: &Store,
    ) -> Result<Rows> {
        let mut gone: BTreeMap<usize, HashMap<u128, Vec<Id>>> = BTreeMap::new();
        for id in wanted {
            let table = usize::from(id.table);
            match (base.hash(*id), store.get(Which::Files, *id)?) {
                (Some(hash), Some(stored)) => {
                    let cells = unpack(&stored.packed).unwrap_or_default();
                    put_key(store, *id, hash, &forms.layout.tables[table], &cells)?;
                }
                // It has come in files.
                (None, Some(_)) if !base.records.contains(id) => {}
                (_, None) | (None, Some(_)) => gone.entry(table).or_default().entry(id.key).or_default().push(*id),
            }
        }
        let mut hasher = RowHasher::default();
        for (table, mut wanted) in gone {
            let (of, plan) = (&forms.layout.tables[table], &plans[table]);
            let failed = |error: rusqlite::Error| describe("read", format!("table `{}`", plan.target), error);
            let codecs: Vec<_> = of.key.iter().map(|place| plan.columns[*place].codec()).collect();
            let names: Vec<String> = of.key.iter().map(|place| quote(&plan.columns[*place].target)).collect();
            // An index has them without the rows.
            let sql = format!("SELECT {} FROM {}", names.join(", "), quote(&plan.target));
            let mut all = connection.prepare(&sql).map_err(failed)?;
            let mut rows = all.query([]).map_err(failed)?;
            let mut cells = vec![Cell::Null; of.columns.len()];
            while !wanted.is_empty()
                && let Some(row) = rows.next().map_err(failed)?
            {
                for (number, (place, codec)) in of.key.iter().zip(&codecs).enumerate() {
                    let stored = crate::value::Stored::from(row.get_ref(number).map_err(failed)?);
                    cells[*place] = codec.load(stored).into_owned();
                }
                for id in wanted.remove(&marks::key(of, &cells, &mut hasher)).unwrap_or_default() {
                    put_key(store, id, base.hash(id).unwrap_or(NO_BASE), of, &cells)?;
                }
            }
        }
        Ok(Rows::default())
    }

    /// What the rows have of a record.
    pub fn side(&self, id: Id, base: &Base) -> Side {
        if !self.are_read {
            return Side::Same;
        }
        let known = base.records.get(&id);
        match (self.records.get(&id), known) {
            (Some(hash), Some(known)) if *hash == known.hash => Side::Same,
            (Some(hash), _) => Side::Is(*hash),
            (None, Some(known)) if self.seen.contains(known.number) && known.hash != NO_BASE => Side::Same,
            (None, _) => Side::Gone,
        }
    }

    /// The records that are not known to be those of the base.
    pub fn candidates(&self, base: &Base) -> BTreeSet<Id> {
        let gone = base.records.iter().filter(|(_, known)| !self.seen.contains(known.number)).map(|(id, _)| id);
        let gone = self.are_read.then_some(gone).into_iter().flatten();
        self.records.keys().copied().chain(gone).collect()
    }
}

/// Keeps of a row what it is known by.
fn put_key(store: &Store, id: Id, hash: u128, of: &TableLayout, cells: &[Cell<'_>]) -> Result<()> {
    let is_key = |place: &usize| of.key.contains(place);
    let key: Vec<Cell<'_>> =
        (0..of.columns.len()).map(|place| if is_key(&place) { cells[place].clone() } else { Cell::Null }).collect();
    let mut packed = Vec::new();
    let _ = pack(&key, &mut packed);
    store.put(Which::Rows, &Stored { id, path: 0, hash, packed }).map(drop)
}

/// What a row is looked at by.
struct Looking<'r, 'l> {
    forms: &'r Forms<'l>,
    base: &'r Base,
    wanted: &'r BTreeSet<Id>,
    paths: &'r Paths,
    store: &'r Store,
    table: usize,
}
