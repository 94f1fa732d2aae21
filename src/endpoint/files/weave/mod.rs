//! Rows and the bytes of one file, both ways. Nothing here opens a file.
//!
//! [`Weaver::unweave`] takes rows out of a text, [`Weaver::weave`] puts rows into a text that is there already, and
//! [`Weaver::fresh`] makes a text of rows alone, as the application would write it. For every text and all rows:
//!
//! 1. `weave(text, unweave(text))` is `text`, byte for byte;
//! 2. `unweave(weave(text, rows))` and `unweave(fresh(rows))` are `rows` ([`same`] says when two cells are one value);
//! 3. between `text` and `weave(text, rows)` only what the rows say otherwise differs.
//!
//! The second holds for rows that a file can have: those whose cells are of their columns' forms and agree with what the
//! file's path, the row around them and their place say. All others are a [`Misfit`], which names row and column. What a pattern
//! or a place can still refuse, only reading shows: whoever weaves reads the result again.
//!
//! **Residue.** What of a file its rows do not tell is [`Weaver::residue`]: a text into which the rows are to be woven so that the
//! file comes back. There is none where `fresh` makes the file itself. Else it is the file's own text with the
//! shortest value in every place whose value a column tells, and the whole text where that does not suffice.
//!
//! **Pieces.** A large file need not be in memory: [`Weaver::cut`] finds ends of records in it, and each piece is unwoven, has a
//! residue, and is woven by itself.
//!
//! **JSON.** The cells of a column of form `json`, and of the one that takes the rest, have no blanks between their parts; of
//! the latter the members stand by their names, and nothing is NULL. Texts in it keep their escapes where the file is JSON. [`Weaver::normal`] makes rows from elsewhere so.

mod cut;
mod edit;
mod form;
mod fresh;
mod open;
mod part;
mod put;
mod residue;
mod rows;
mod sets;
#[cfg(test)]
mod tests;
mod tree;
mod unweave;

pub use form::{read_text, same, text as spelled};
pub use part::{FileFacts, Misfit, Part, Piece, Unwoven};
pub use rows::{Row, Rows};
pub use sets::{Many, Set};

use super::database;
use super::document::{Flaw, json};
use super::layout::{Filled, Format, Kind, Layout, Origin, ValueForm};
use crate::value::Cell;
use fresh::Given;
use sets::Sets;
use std::borrow::Cow;
use tree::Tree;

/// Weaves the files of one kind.
#[derive(Debug)]
pub struct Weaver<'l> {
    sets: Sets<'l>,
}

impl<'l> Weaver<'l> {
    /// A weaver for the files of a layout's kind.
    ///
    /// # Errors
    ///
    /// What the kind says could not be taken back; the reason.
    pub fn new(layout: &'l Layout, kind: &'l Kind) -> Result<Self, String> {
        Ok(Weaver { sets: Sets::of(layout, kind)? })
    }

    /// The record sets, each before those inside it. Rows name theirs by its place here.
    pub fn sets(&self) -> &[Set<'l>] {
        &self.sets.list
    }

    /// Whether files of the kind can be cut into pieces: their root is the array of one record set.
    pub fn has_pieces(&self) -> bool {
        let is_array = matches!(self.sets.kind.format, Format::Json | Format::JsonLines | Format::Lines(_));
        is_array && self.sets.root.own.is_some_and(|set| self.sets.list[set].many == Many::Elements)
    }

    /// Whether files of the kind stay in the tree: their rows have the SHA-256 of the bytes, and not the bytes.
    pub fn stays(&self) -> bool {
        matches!(self.sets.kind.format, Format::Bytes) && !self.sets.fills(&Origin::Content)
    }

    /// Whether a file of the kind is one value of its row as it is, which need not be in memory.
    pub fn is_blob(&self) -> bool {
        let mut filled = self.sets.list.iter().flat_map(|set| &set.records.columns);
        let is_text = |filled: &Filled| filled.from.contains(&Origin::Content) && filled.form != ValueForm::Bytes;
        matches!(self.sets.kind.format, Format::Bytes) && self.sets.fills(&Origin::Content) && !filled.any(is_text)
    }

    /// The column that has such a value.
    pub fn content_column(&self) -> Option<usize> {
        let mut filled = self.sets.list.iter().flat_map(|set| &set.records.columns);
        filled.find(|filled| filled.from.contains(&Origin::Content)).map(|filled| filled.column)
    }

    /// Whether the one row of a file whose bytes are not at hand agrees with what is known of the file.
    ///
    /// # Errors
    ///
    /// It does not.
    pub fn fits_content(&self, facts: &FileFacts<'_>, rows: &Rows<'_>) -> Result<(), Misfit> {
        let given = Given { sets: &self.sets, facts, rows, part: Part::WHOLE };
        given.nested()?;
        given.fits_content()
    }

    /// Whether it is a file without anything in it, where such a one is an empty list.
    fn is_blank(&self, piece: &Piece<'_>) -> bool {
        self.sets.kind.blank && piece.part == Part::WHOLE && piece.text.trim_ascii().is_empty()
    }

    /// How many of the rows stand in the root of the document.
    pub fn in_root(&self, rows: &Rows<'_>) -> u64 {
        rows.iter().filter(|row| self.sets.list[row.set].parent.is_none()).count() as u64
    }

    /// Where the first piece of some bytes ends: `bytes` begin where the last piece ended, or, for the `first`, where the file
    /// begins. None where they hold no end of a record that is known to be one: then more of the file is needed, and where there is
    /// no more, they are the last piece.
    pub fn cut(&self, bytes: &[u8], first: bool) -> Option<usize> {
        cut::length(&self.sets, bytes, first)
    }

    /// The rows of a file, or of a piece of one: those of one set in the order of the document, each with those inside it behind
    /// it, set by set.
    ///
    /// # Errors
    ///
    /// It is not what its layout says: where, and why.
    pub fn unweave<'t>(&self, facts: &FileFacts<'_>, piece: &Piece<'t>) -> Result<Rows<'t>, Flaw> {
        if self.is_blank(piece) {
            return Ok(Rows::new());
        }
        if let Format::Sqlite = self.sets.kind.format {
            let text = database::document(piece.text, &self.sets.tables)
                .map_err(|reason| Flaw::at(0, reason).placed(b"", 1))?;
            let piece = Piece { text: text.as_bytes(), ..*piece };
            let rows = open::document(&self.sets, &piece)
                .and_then(|document| unweave::rows(&self.sets, &document, facts, &piece));
            return rows.map(Rows::into_owned).map_err(|flaw| database::flaw(&text, flaw));
        }
        let unwoven =
            open::document(&self.sets, piece).and_then(|document| unweave::rows(&self.sets, &document, facts, piece));
        unwoven.map_err(|flaw| flaw.placed(piece.text, piece.line))
    }

    /// The bytes of a new file, or of a part of one, as the application itself would write them. The last part has the last
    /// record: else a line end stands behind it, whatever the style says.
    ///
    /// # Errors
    ///
    /// A row is none that such a file can hold.
    pub fn fresh(&self, facts: &FileFacts<'_>, part: Part, rows: &Rows<'_>) -> Result<Vec<u8>, Misfit> {
        let given = Given { sets: &self.sets, facts, rows, part };
        given.nested()?;
        fresh::bytes(&given)
    }

    /// A text, edited so that it holds the rows and is otherwise what it was. The rows of each place are written in their order.
    ///
    /// # Errors
    ///
    /// The text is not what its layout says, or a row is none that such a file can hold.
    pub fn weave(&self, facts: &FileFacts<'_>, piece: &Piece<'_>, rows: &Rows<'_>) -> Result<Vec<u8>, Unwoven> {
        let given = Given { sets: &self.sets, facts, rows, part: piece.part };
        given.nested()?;
        if self.is_blank(piece) {
            return if rows.is_empty() { Ok(piece.text.to_vec()) } else { Ok(fresh::bytes(&given)?) };
        }
        if given.is_opaque() {
            return Ok(given.content()?);
        }
        if let Format::Sqlite = self.sets.kind.format {
            let flaw = |reason| Unwoven::Flaw(Flaw::at(0, reason).placed(b"", 1));
            let old = database::document(piece.text, &self.sets.tables).map_err(flaw)?;
            let new = put::bytes(&given, &Piece { text: old.as_bytes(), ..*piece })?;
            return match new == old.as_bytes() {
                true => Ok(piece.text.to_vec()),
                false => {
                    database::patched(piece.text, &self.sets.tables, &old, &String::from_utf8_lossy(&new)).map_err(flaw)
                }
            };
        }
        put::bytes(&given, piece).map_err(|unwoven| match unwoven {
            Unwoven::Flaw(flaw) => Unwoven::Flaw(flaw.placed(piece.text, piece.line)),
            Unwoven::Misfit(misfit) => Unwoven::Misfit(misfit),
        })
    }

    /// What of a file its rows do not tell: the text into which they are to be woven. None where [`Weaver::fresh`] makes it.
    /// The rows are those of the text.
    pub fn residue(&self, facts: &FileFacts<'_>, piece: &Piece<'_>, rows: &Rows<'_>) -> Option<Vec<u8>> {
        if let Format::Sqlite = self.sets.kind.format {
            return Some(piece.text.to_vec());
        }
        if matches!(self.sets.kind.format, Format::Bytes) {
            // A column has them, or they stay where they are.
            return None;
        }
        if self.fresh(facts, piece.part, rows).is_ok_and(|fresh| fresh == piece.text) {
            return None;
        }
        let skeleton = residue::skeleton(&self.sets, piece).filter(|skeleton| {
            let woven = self.weave(facts, &Piece { text: skeleton, ..*piece }, rows);
            skeleton.len() < piece.text.len() && woven.is_ok_and(|woven| woven == piece.text)
        });
        Some(skeleton.unwrap_or_else(|| piece.text.to_vec()))
    }

    /// Rows as a file would give them: JSON without blanks between its parts; what takes the rest with its members by their
    /// names, and as NULL where there are none.
    pub fn normal<'a>(&self, rows: Rows<'a>) -> Rows<'a> {
        let in_yaml = matches!(self.sets.kind.format, Format::Yaml | Format::Markdown { .. });
        let spelled = |text: Cow<'a, str>| match Tree::of_json(&text) {
            Ok(tree) if in_yaml => Cow::Owned(tree.unspelled().compact()),
            Ok(_) | Err(_) => match json::without_blanks(&text) {
                Cow::Owned(text) => Cow::Owned(text),
                Cow::Borrowed(_) => text,
            },
        };
        rows.map(|set, column, cell| match (cell, self.sets.list.get(set)) {
            (Cell::Json(text), Some(set)) if set.records.rest == Some(column) => match Tree::of_json(&text) {
                Ok(Tree::Object(members)) if members.is_empty() => Cell::Null,
                Ok(tree @ Tree::Object(_)) => match if in_yaml { tree.unspelled() } else { tree } {
                    Tree::Object(members) => Cell::Json(Cow::Owned(set.fields.rest(members))),
                    _ => Cell::Json(text),
                },
                Ok(_) | Err(_) => Cell::Json(text),
            },
            (Cell::Json(text), _) => Cell::Json(spelled(text)),
            (other, _) => other,
        })
    }
}
