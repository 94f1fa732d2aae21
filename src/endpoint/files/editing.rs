//! One file with records put into it, or taken out of it: the bytes that it is to have, made of those that it has.
//!
//! Everything else of the file stays: known records where they stood, new ones where the layout says. What is made is read again,
//! and has to say what it was to say.

use super::filling::Filling;
use super::layout::Layout;
use super::marks::Mark;
use super::pack::pack;
use super::rows::{Before, Home, RowsInMemory};
use super::weave::{FileFacts, Part, Piece, Rows, Unwoven, Weaver};
use crate::error::{Error, Result};
use crate::value::{Cell, RowHasher};

const WRITE: &str = "write";

/// What files are, and how they are woven.
#[derive(Clone, Copy)]
pub struct Editor<'e, 'l> {
    /// The layout.
    pub layout: &'l Layout,
    /// The weaver of each kind.
    pub weavers: &'e [Weaver<'l>],
    /// Where the rows of each table stand.
    pub homes: &'e [Vec<Home<'l>>],
}

/// Every file is there, and has its rows: what is edited was read from there.
struct There;

impl Before for There {
    fn has_file(&self, _: &str) -> bool {
        true
    }

    fn had(&self, _: &str, _: usize, _: u128) -> Result<bool> {
        Ok(true)
    }
}

impl<'l> Editor<'_, 'l> {
    /// The rows in the bytes of a file.
    ///
    /// # Errors
    /// When it is not what its kind says: with line and column.
    pub fn rows<'t>(&self, kind: usize, path: &str, text: &'t [u8]) -> Result<Rows<'t>> {
        let captures = self.captures(kind, path)?;
        let captures: Vec<(&str, &str)> =
            captures.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let facts = FileFacts { path, captures: &captures, ..FileFacts::default() };
        let rows = self.weavers[kind].unweave(&facts, &Piece::whole(text));
        rows.map_err(|flaw| {
            let cause = format!("line {}, column {}: {}", flaw.line, flaw.column, flaw.reason);
            Error::differs("read", format!("`{path}`"), cause)
        })
    }

    /// The bytes of a file without the records that `goes` names by table and key, what is inside them included, and with the rows of `new`;
    /// and the rows that are in them. `old` are the bytes that it has, with their rows. `None` where nothing is left of it, and it was
    /// nothing but its record.
    ///
    /// # Errors
    /// When it is not what its kind says, or a row is none that such a file can have.
    pub fn edited(
        &self,
        (kind, path): (usize, &str),
        old: Option<(&[u8], &Rows<'_>)>,
        goes: &dyn Fn(usize, u128) -> bool,
        new: Rows<'static>,
    ) -> Result<Option<(Vec<u8>, Rows<'static>)>> {
        let weaver = &self.weavers[kind];
        let (mut marks, mut wanted, mut hasher) = (Vec::new(), Vec::new(), RowHasher::default());
        let mut store = RowsInMemory::new(self.layout, self.homes);
        let mut packed = Vec::new();
        let mut add = |table: usize, cells: &[Cell<'_>], wanted: &mut Vec<Mark>, mark: Mark| {
            packed.clear();
            pack(cells, &mut packed).map_err(|column| {
                let of = &self.layout.tables[table];
                let object = format!("`{path}`, table `{}`, column `{}`", of.name, of.columns[column].name);
                Error::could_not(WRITE, object, "its value is of no type that a file has")
            })?;
            wanted.push(mark);
            store.add((table, Some(kind)), cells, &packed, &There)
        };
        let mut mark_of = |set: usize, cells: &[Cell<'_>]| {
            let table = weaver.sets()[set].records.table;
            (table, Mark::of(table, &self.layout.tables[table], cells, &mut hasher))
        };
        if let Some((_, old)) = old {
            let mut is_gone = false;
            for row in old.iter() {
                let (table, mark) = mark_of(row.set, row.cells);
                if weaver.sets()[row.set].parent.is_none() {
                    is_gone = goes(table, mark.key);
                }
                marks.push(mark);
                if !is_gone {
                    add(table, row.cells, &mut wanted, mark)?;
                }
            }
        }
        let new = weaver.normal(new);
        for row in new.iter() {
            let (table, mark) = mark_of(row.set, row.cells);
            add(table, row.cells, &mut wanted, mark)?;
        }
        let filling = Filling { layout: self.layout, weavers: self.weavers, store: &store };
        if wanted.is_empty() && (old.is_none() || (!marks.is_empty() && filling.is_its_records(kind))) {
            return Ok(None);
        }
        let rows = filling.rows_of(path, kind, &marks)?;
        let captures = self.captures(kind, path)?;
        let captures: Vec<(&str, &str)> =
            captures.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let facts = FileFacts { path, captures: &captures, ..FileFacts::default() };
        let woven = match old {
            None => weaver.fresh(&facts, Part::WHOLE, &rows).map_err(Unwoven::from),
            Some((text, _)) => weaver.weave(&facts, &Piece::whole(text), &rows),
        };
        let bytes = woven.map_err(|why| filling.unwoven(kind, path, &rows, why))?;
        let rows = self.rows(kind, path, &bytes)?.into_owned();
        let mut found: Vec<Mark> = rows.iter().map(|row| mark_of(row.set, row.cells).1).collect();
        let order = |mark: &Mark| (mark.table, mark.key, mark.row);
        found.sort_unstable_by_key(order);
        wanted.sort_unstable_by_key(order);
        match found == wanted {
            true => Ok(Some((bytes, rows))),
            false => Err(Error::could_not(WRITE, format!("`{path}`"), "it would not say what its records say")
                .hint("a value of the record has no place in such a file, or another file is the one that has it")),
        }
    }

    /// What the captures of a file's path are.
    fn captures(&self, kind: usize, path: &str) -> Result<Vec<(String, String)>> {
        let pattern = &self.layout.kinds[kind].path;
        let read = pattern.read(path).ok_or_else(|| {
            let cause = format!("the layout has no such path for files `{}`", self.layout.kinds[kind].name);
            Error::could_not(WRITE, format!("`{path}`"), cause)
        })?;
        Ok(pattern.captures().iter().cloned().zip(read).collect())
    }
}
