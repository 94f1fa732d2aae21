//! From a document to rows.

use super::super::document::{Document, Flaw, NodeId, NodeKind};
use super::super::layout::{Absent, Filled, Origin, TemplatePart, ValueForm};
use super::sets::{Fields, Is, Many, Set, Sets};
use super::tree::rest_text;
use super::{FileFacts, Piece, Rows, form};
use crate::value::Cell;
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::fmt::Write;

/// The rows of a document.
pub(super) fn rows<'t>(
    sets: &Sets<'_>,
    document: &Document<'t>,
    facts: &FileFacts<'_>,
    piece: &Piece<'t>,
) -> Result<Rows<'t>, Flaw> {
    let mut reading = Reading { sets, document, facts, piece, rows: Rows::new(), spare: Vec::new() };
    if sets.whole {
        reading.record(0, Place { node: 0, key: None, position: 0, parent: None })?;
    } else {
        reading.root()?;
    }
    Ok(reading.rows)
}

/// Where a record is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) node: NodeId,
    /// The name of the entry that it is.
    pub(super) key: Option<NodeId>,
    /// Its place among its like.
    pub(super) position: u64,
    /// The row around it.
    pub(super) parent: Option<usize>,
}

/// What the members of a record are: the nodes of columns by their slots, and where records inside it are.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) slots: Vec<Option<NodeId>>,
    pub(super) records: Vec<(usize, NodeId)>,
}

struct Reading<'r, 'l, 't> {
    sets: &'r Sets<'l>,
    document: &'r Document<'t>,
    facts: &'r FileFacts<'r>,
    piece: &'r Piece<'t>,
    rows: Rows<'t>,
    spare: Vec<Found>,
}

impl<'t> Reading<'_, '_, 't> {
    fn flaw(&self, node: NodeId, reason: impl Into<String>) -> Flaw {
        Flaw::at(self.document.span(node).start, reason)
    }

    fn root(&mut self) -> Result<(), Flaw> {
        let fields = &self.sets.root;
        if let Some(set) = fields.own {
            return self.records(set, 0, None);
        }
        let mut found = Found::default();
        locate(self.document, fields, 0, &mut found, None)?;
        found.records.sort_by_key(|(set, _)| *set);
        for (set, node) in found.records {
            self.records(set, node, None)?;
        }
        Ok(())
    }

    /// The records of a set, where they are.
    fn records(&mut self, set: usize, node: NodeId, parent: Option<usize>) -> Result<(), Flaw> {
        let document = self.document;
        let kind = document.kind(node);
        let many = self.sets.list[set].many;
        if kind == NodeKind::Null && (parent.is_some() || node != 0 || many == Many::One) {
            return Ok(());
        }
        match many {
            Many::One => self.record(set, Place { node, key: None, position: 0, parent }),
            Many::Elements if kind == NodeKind::Array => {
                let before = if node == 0 { self.piece.part.position } else { 0 };
                for (place, element) in document.elements(node).enumerate() {
                    let position = before + place as u64;
                    self.record(set, Place { node: element, key: None, position, parent })?;
                }
                Ok(())
            }
            Many::Entries if kind == NodeKind::Object => {
                for (place, (key, value)) in document.entries(node).enumerate() {
                    self.record(set, Place { node: value, key: Some(key), position: place as u64, parent })?;
                }
                Ok(())
            }
            Many::Elements => Err(self.flaw(node, self.instead(node, "the array of", set))),
            Many::Entries => Err(self.flaw(node, self.instead(node, "the object of", set))),
        }
    }

    fn instead(&self, node: NodeId, what: &str, set: usize) -> String {
        let table = &self.sets.list[set].table.name;
        format!("{} where {what} `{table}` should be", form::described(self.document, node))
    }

    fn record(&mut self, own: usize, place: Place) -> Result<(), Flaw> {
        let sets = self.sets;
        let set = &sets.list[own];
        let document = self.document;
        let row = self.rows.begin(own, set.table.columns.len());
        let mut found = self.spare.pop().unwrap_or_default();
        found.slots.clear();
        found.slots.resize(set.slots, None);
        found.records.clear();
        let mut rest = set.records.rest.map(|_| Vec::new());
        if set.has_members() {
            if document.kind(place.node) != NodeKind::Object {
                return Err(self.flaw(place.node, self.instead(place.node, "a record of", own)));
            }
            locate(document, &set.fields, place.node, &mut found, rest.as_mut())?;
        } else if let Some(inner) = set.fields.own {
            found.records.push((inner, place.node));
        }
        for (filled, origins) in set.records.columns.iter().zip(&set.origins) {
            let cell = self.column(set, filled, origins, &found, place)?;
            self.rows.set_cell(row, filled.column, cell);
        }
        if let (Some(column), Some(members)) = (set.records.rest, rest)
            && !members.is_empty()
        {
            self.rows.set_cell(row, column, Cell::Json(Cow::Owned(rest_text(members))));
        }
        let mut records = std::mem::take(&mut found.records);
        // In the order of the sets, wherever an application puts them.
        records.sort_by_key(|(set, _)| *set);
        for (inner, node) in &records {
            self.records(*inner, *node, Some(row))?;
        }
        found.records = records;
        self.spare.push(found);
        Ok(())
    }

    fn column(
        &self,
        set: &Set<'_>,
        filled: &Filled,
        origins: &[(&Origin, usize)],
        found: &Found,
        place: Place,
    ) -> Result<Cell<'t>, Flaw> {
        let column = &set.table.columns[filled.column];
        let named = |reason: String| format!("`{}`: {reason}", column.name);
        let mut value: Option<Cell<'t>> = None;
        let mut says_null = false;
        for (origin, slot) in origins {
            let at = match origin {
                Origin::Member(_) => found.slots[*slot],
                Origin::Value => Some(place.node),
                _ => None,
            };
            let cell = match (at, origin) {
                (Some(node), _) => {
                    let cell = form::read(self.document, node, &filled.form);
                    let cell = cell.map_err(|reason| self.flaw(node, named(reason)))?;
                    says_null |= cell.is_none();
                    cell
                }
                (None, Origin::Member(_)) => None,
                (None, origin) => {
                    self.outside(origin, &filled.form, place).map_err(|reason| self.flaw(place.node, named(reason)))?
                }
            };
            match (&value, cell) {
                (_, None) => {}
                (None, cell) => value = cell,
                (Some(value), Some(cell)) if form::same(value, &cell) => {}
                (Some(value), Some(cell)) => {
                    let (one, other) = (shown(value, &filled.form), shown(&cell, &filled.form));
                    let reason = format!("it stands in two places that do not agree: {one} and {other}");
                    return Err(self.flaw(at.unwrap_or(place.node), named(reason)));
                }
            }
        }
        match (value, &filled.absent) {
            (Some(value), _) => Ok(value),
            (None, Absent::Null | Absent::WrittenNull) => Ok(Cell::Null),
            (None, Absent::Default(_)) if says_null => Ok(Cell::Null),
            (None, Absent::Default(text)) => match form::read_text(text, &filled.form) {
                Ok(cell) => Ok(cell.into_owned()),
                Err(reason) => Err(self.flaw(place.node, named(format!("its default: {reason}")))),
            },
            (None, Absent::Refused) => {
                let what = if says_null { "is null" } else { "is missing" };
                Err(self
                    .flaw(place.node, format!("`{}` {what}, and the layout says that it has to be there", column.name)))
            }
        }
    }

    /// What an origin outside of the record's members says.
    fn outside(&self, origin: &Origin, form: &ValueForm, place: Place) -> Result<Option<Cell<'t>>, String> {
        let bytes = self.piece.text;
        match origin {
            Origin::Parent(column) => Ok(place.parent.map(|row| self.rows.cell(row, *column).clone())),
            Origin::Body => {
                let body = self.document.body.clone();
                body.map(|body| form::read_text(&self.document.text[body], form)).transpose()
            }
            Origin::Content => match form {
                ValueForm::Bytes => Ok(Some(self.piece.large.map_or(Cell::Bytes(Cow::Borrowed(bytes)), Cell::Large))),
                _ => match std::str::from_utf8(bytes) {
                    Ok(text) => form::read_text(text, form).map(Some),
                    Err(_) => Err("the file is no UTF-8; a column of type \"bytes\" takes it".into()),
                },
            },
            Origin::Sha256 => {
                let told = self.facts.sha256.map_or_else(|| sha256(bytes), str::to_owned);
                Ok(Some(Cell::Text(Cow::Owned(told))))
            }
            Origin::Modified => Ok(self.facts.modified.map(Cell::TimestampTz)),
            Origin::Constant(text) => form::read_text(text, form).map(|cell| Some(cell.into_owned())),
            Origin::Capture(_) | Origin::EntryName | Origin::Position | Origin::Path | Origin::Template(_) => {
                let mut text = String::new();
                let key = place.key.map(|key| self.document.key(key));
                let parent = place.parent.zip(self.parent_set(place));
                let told = Told {
                    facts: self.facts,
                    key: key.as_deref(),
                    position: place.position,
                    parent: parent.map(|(row, set)| (self.rows.row(row).cells, set)),
                };
                told.write(origin, &mut text)?;
                let cell = form::read_text(&text, form)?;
                if matches!(origin, Origin::Capture(_)) {
                    as_spelled(&text, &cell, form)?;
                }
                Ok(Some(cell.into_owned()))
            }
            Origin::Member(_) | Origin::Value => Ok(None),
        }
    }

    fn parent_set(&self, place: Place) -> Option<&Set<'_>> {
        place.parent.map(|row| &self.sets.list[self.rows.row(row).set])
    }
}

/// Nothing keeps the spelling of a value in a path: one that has another than its own would come back under another name.
fn as_spelled(text: &str, cell: &Cell<'_>, form: &ValueForm) -> Result<(), String> {
    let own = form::text(cell, form)?;
    if own == text {
        return Ok(());
    }
    let (text, own) = (form::shortened(text), form::shortened(&own));
    Err(format!("`{text}` in the path would come back as `{own}`; a column of type \"text\" keeps it"))
}

/// What is known of a record besides its members.
pub(super) struct Told<'p, 'a> {
    pub(super) facts: &'p FileFacts<'p>,
    pub(super) key: Option<&'p str>,
    pub(super) position: u64,
    /// The row around it, and its set.
    pub(super) parent: Option<(&'p [Cell<'a>], &'p Set<'p>)>,
}

impl Told<'_, '_> {
    /// Writes what an origin says as a path would spell it.
    pub(super) fn write(&self, origin: &Origin, out: &mut String) -> Result<(), String> {
        match origin {
            Origin::Capture(name) => match self.facts.captures.iter().find(|(capture, _)| capture == name) {
                Some((_, text)) => out.push_str(text),
                None => return Err(format!("the path has no capture `{name}`")),
            },
            Origin::EntryName => out.push_str(self.key.unwrap_or_default()),
            Origin::Position => out.push_str(&self.position.to_string()),
            Origin::Path => out.push_str(self.facts.path),
            Origin::Constant(text) => out.push_str(text),
            Origin::Parent(column) => {
                let Some((cells, set)) = self.parent else { return Err("there is no record around it".into()) };
                match &cells[*column] {
                    Cell::Null => return Err("the record around it has no value there".into()),
                    cell => out.push_str(&form::text(cell, set.form(*column))?),
                }
            }
            Origin::Template(parts) => {
                for part in parts {
                    match part {
                        TemplatePart::Literal(text) => out.push_str(text),
                        TemplatePart::Value(origin) => self.write(origin, out)?,
                    }
                }
            }
            Origin::Member(_) | Origin::Value | Origin::Body | Origin::Content | Origin::Sha256 | Origin::Modified => {
                return Err("a template cannot have it".into());
            }
        }
        Ok(())
    }
}

/// SHA-256 in lower-case hexadecimal.
pub(super) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::with_capacity(64), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// A value as a message shows it.
pub(super) fn shown(cell: &Cell<'_>, form: &ValueForm) -> String {
    match form::text(cell, form) {
        Ok(text) => format!("`{}`", form::shortened(&text)),
        Err(_) => "another value".into(),
    }
}

/// Finds what the members of an object are. What no field takes goes to `rest`: names, and values as JSON.
pub(super) fn locate(
    document: &Document<'_>,
    fields: &Fields,
    object: NodeId,
    found: &mut Found,
    mut rest: Option<&mut Vec<(String, String)>>,
) -> Result<(), Flaw> {
    if document.kind(object) != NodeKind::Object {
        let reason = format!("{} where an object should be", form::described(document, object));
        return Err(Flaw::at(document.span(object).start, reason));
    }
    let mut hint = 0;
    for (key, value) in document.entries(object) {
        let field = match document.kind(key) {
            // Nearly every key is spelled as it is.
            NodeKind::Text { escaped: false } => {
                let span = document.span(key);
                fields.find(&document.text[span.start + 1..span.end - 1], &mut hint)
            }
            _ => fields.find(&document.key(key), &mut hint),
        };
        match field.map(|field| &field.is) {
            Some(Is::Column(_, slot)) => found.slots[*slot] = Some(value),
            Some(Is::Records(set)) => found.records.push((*set, value)),
            Some(Is::Inner(inner)) if document.kind(value) == NodeKind::Object => {
                let mut left = rest.is_some().then(Vec::new);
                locate(document, inner, value, found, left.as_mut())?;
                if let (Some(rest), Some(left)) = (rest.as_deref_mut(), left)
                    && !left.is_empty()
                {
                    rest.push((document.key(key).into_owned(), rest_text(left)));
                }
            }
            Some(Is::Inner(_)) if document.kind(value) == NodeKind::Null => {}
            Some(Is::Inner(_)) => {
                let name = document.key(key);
                let reason = format!(
                    "`{}`: {} where an object should be",
                    form::shortened(&name),
                    form::described(document, value)
                );
                return Err(Flaw::at(document.span(value).start, reason));
            }
            None => {
                if let Some(rest) = rest.as_deref_mut() {
                    let cell = form::read(document, value, &ValueForm::Json);
                    match cell.map_err(|reason| Flaw::at(document.span(value).start, reason))? {
                        Some(Cell::Json(text)) => rest.push((document.key(key).into_owned(), text.into_owned())),
                        _ => rest.push((document.key(key).into_owned(), "null".to_owned())),
                    }
                }
            }
        }
    }
    Ok(())
}

/// The rows that one record of a document is, as if it stood first and alone.
pub(super) fn rows_of_record<'t>(
    sets: &Sets<'_>,
    document: &Document<'t>,
    facts: &FileFacts<'_>,
    own: usize,
    node: NodeId,
) -> Result<Rows<'t>, Flaw> {
    let piece = Piece::whole(document.text.as_bytes());
    let mut reading = Reading { sets, document, facts, piece: &piece, rows: Rows::new(), spare: Vec::new() };
    reading.record(own, Place { node, key: None, position: 0, parent: None })?;
    Ok(reading.rows)
}
