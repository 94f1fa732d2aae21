//! What stands in the files of a layout, before it is spelled: files, their records, and what each column's value is.

use super::choices::Choices;
use super::node::Node;
use super::values::{NAME_CHARACTERS_MAX, Value, Values};
use crate::endpoint::files::layout::{
    Absent, Filled, Format, Kind, Layout, LinePart, Origin, RecordSet, Step, TemplatePart, ValueForm,
};
use crate::endpoint::files::weave::read_text;
use crate::error::Result;
use std::collections::{BTreeMap, BTreeSet};

/// How often a record is drawn until no other one has its key.
const TRIES_MAX: usize = 4;

/// A file of a kind.
#[derive(Debug, Clone)]
pub struct File {
    /// The place of its kind in the layout.
    pub kind: usize,
    pub path: String,
    /// The records of each of the kind's sets.
    pub sets: Vec<Vec<Record>>,
}

/// A record.
#[derive(Debug, Clone)]
pub struct Record {
    /// What each of the set's columns is told to be, in their order.
    pub told: Vec<Drawn>,
    /// Members that no column takes.
    pub more: Vec<(String, Node)>,
    /// The records inside, of each of the set's children.
    pub children: Vec<Vec<Record>>,
}

/// What a record says of a column.
#[derive(Debug, Clone, PartialEq)]
pub enum Drawn {
    /// Nothing: the files do not tell the column, or its member is left out.
    Nothing,
    /// `null`
    Null,
    /// A value.
    Value(Value),
}

impl Drawn {
    pub fn value(&self) -> Option<&Value> {
        match self {
            Drawn::Value(value) => Some(value),
            Drawn::Nothing | Drawn::Null => None,
        }
    }
}

/// What is known around a record.
#[derive(Clone, Copy)]
pub struct Around<'a> {
    pub captures: &'a [(String, String)],
    /// The set around it, and the record.
    pub parent: Option<(&'a RecordSet, &'a Record)>,
    /// How many stand before it.
    pub position: usize,
}

/// What gives the columns of a record values of its own; without it they are drawn.
pub type Wishes<'w> = &'w dyn Fn(&Filled) -> Option<Drawn>;

/// Draws files and records.
pub struct Drawing<'d> {
    pub layout: &'d Layout,
    pub values: Values,
    /// The keys that are taken, each with its table, and for parts with its kind.
    keys: BTreeSet<String>,
    /// Of each table the keys that there are.
    rows: BTreeMap<String, BTreeSet<String>>,
    /// The files and directories that there are, by their paths as file systems compare them that ignore case.
    paths: BTreeMap<String, (String, bool)>,
}

impl<'d> Drawing<'d> {
    /// A drawing with nothing in it.
    ///
    /// # Errors
    /// As [`Values::new`].
    pub fn new(layout: &'d Layout) -> Result<Self> {
        Ok(Drawing {
            layout,
            values: Values::new()?,
            keys: BTreeSet::new(),
            rows: BTreeMap::new(),
            paths: BTreeMap::new(),
        })
    }

    /// A file with records of its own; `None` where no path is left for it.
    ///
    /// # Errors
    /// When nothing is known to match a pattern of the layout.
    pub fn file(&mut self, choices: &mut Choices<'_>) -> Result<Option<File>> {
        let layout = self.layout;
        let kind = choices.below(layout.kinds.len());
        let of = &layout.kinds[kind];
        let Some(captures) = self.captures(of, choices)? else { return Ok(None) };
        let Some(path) = self.path(kind, &captures) else { return Ok(None) };
        let mut sets = Vec::new();
        for set in &of.records {
            let count = if many(set) { choices.below(6) } else { 1 };
            let mut records = Vec::new();
            for position in 0..count {
                let around = Around { captures: &captures, parent: None, position };
                records.extend(self.record(kind, set, around, &|_| None, choices)?);
            }
            sets.push(records);
        }
        let is_alone =
            |set: &RecordSet| set.at.is_empty() && !matches!(of.format, Format::JsonLines | Format::Lines(_));
        // A record that is the whole document, and whose key is taken, leaves nothing to write.
        match of.records.iter().zip(&sets).any(|(set, records)| is_alone(set) && records.is_empty()) {
            true => Ok(None),
            false => Ok(Some(File { kind, path, sets })),
        }
    }

    /// The path with these captures, unless it is taken or none.
    pub fn path(&mut self, kind: usize, captures: &[(String, String)]) -> Option<String> {
        let told: Vec<&str> = captures.iter().map(|(_, value)| value.as_str()).collect();
        let path = self.layout.path_of(kind, &told).ok()?;
        let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
        let parts: Vec<(String, &str, bool)> =
            ends.map(|end| (path[..end].to_lowercase(), &path[..end], end == path.len())).collect();
        let is_taken = parts.iter().any(|(folded, part, is_file)| match self.paths.get(folded) {
            Some((other, of_file)) => *is_file || *of_file || other != part,
            None => false,
        });
        if is_taken {
            return None;
        }
        for (folded, part, is_file) in parts {
            self.paths.insert(folded, (part.to_owned(), is_file));
        }
        Some(path)
    }

    fn captures(&mut self, kind: &Kind, choices: &mut Choices<'_>) -> Result<Option<Vec<(String, String)>>> {
        let mut captures = Vec::new();
        for name in kind.path.captures() {
            let Some(text) = self.capture(kind, name, choices)? else { return Ok(None) };
            captures.push((name.clone(), text));
        }
        Ok(Some(captures))
    }

    /// A text for a capture, which is a value of each column that it stands in.
    ///
    /// # Errors
    /// As [`Values::like`].
    pub fn capture(&mut self, kind: &Kind, name: &str, choices: &mut Choices<'_>) -> Result<Option<String>> {
        let origin = Origin::Capture(name.to_owned());
        let filled = kind.records.iter().flat_map(|set| &set.columns).find(|filled| filled.from.contains(&origin));
        let form = filled.map_or(&ValueForm::Text, |filled| &filled.form);
        if kind.path.is_particular(name) || !matches!(form, ValueForm::Text | ValueForm::Words(_)) {
            let expression = kind.path.takes(name).unwrap_or_default().to_owned();
            return Ok(self.values.of_form_like(form, &expression, choices)?.map(|(_, text)| text));
        }
        if let ValueForm::Words(words) = form {
            return Ok(Some(choices.of(words).0.clone()));
        }
        Ok(Some((*choices.of(&NAMES)).to_owned()))
    }

    /// A record that has a key of its own; `None` where all that were drawn were taken.
    ///
    /// # Errors
    /// As [`Values::like`].
    pub fn record(
        &mut self,
        kind: usize,
        set: &RecordSet,
        around: Around<'_>,
        wishes: Wishes<'_>,
        choices: &mut Choices<'_>,
    ) -> Result<Option<Record>> {
        for _ in 0..TRIES_MAX {
            let mut told = Vec::new();
            for filled in &set.columns {
                told.push(self.draw(kind, set, filled, around, wishes, choices)?);
            }
            let mut record = Record { told, more: Vec::new(), children: Vec::new() };
            if !self.take_key(kind, set, &record, around) {
                continue;
            }
            if takes_more(set) && choices.once_in(3) {
                record.more = self.values.members(2, choices);
            }
            for child in &set.children {
                let mut inside = Vec::new();
                for position in 0..if many(child) { choices.below(4) } else { choices.below(2) } {
                    let around = Around { captures: around.captures, parent: Some((set, &record)), position };
                    inside.extend(self.record(kind, child, around, &|_| None, choices)?);
                }
                record.children.push(inside);
            }
            return Ok(Some(record));
        }
        Ok(None)
    }

    /// Whether no other row has the key of this one.
    fn take_key(&mut self, kind: usize, set: &RecordSet, record: &Record, around: Around<'_>) -> bool {
        let table = &self.layout.tables[set.table];
        let mut key = String::new();
        for column in &table.key {
            let place = set.columns.iter().position(|filled| filled.column == *column);
            let text = place.and_then(|place| {
                let filled = &set.columns[place];
                match (computed(filled), record.told[place].value(), &filled.absent) {
                    (Some(has_position), ..) => {
                        let position = has_position.then_some(around.position);
                        Some(format!("{kind} {:?} {:?} {position:?}", around.captures, name_of(set, record)))
                    }
                    (None, Some(value), _) => value.text(&filled.form),
                    (None, None, Absent::Default(text)) => Some(text.clone()),
                    (None, None, _) => None,
                }
            });
            key.push_str(&format!(" {text:?}"));
        }
        let of_kind = if table.in_parts { kind } else { usize::MAX };
        let is_new = self.keys.insert(format!("{} {of_kind}{key}", table.name));
        if is_new {
            self.rows.entry(table.name.clone()).or_default().insert(key);
        }
        is_new
    }

    /// How many rows of each table there are.
    pub fn counts(&self) -> BTreeMap<String, u64> {
        self.rows.iter().map(|(table, keys)| (table.clone(), keys.len() as u64)).collect()
    }

    fn draw(
        &mut self,
        kind: usize,
        set: &RecordSet,
        filled: &Filled,
        around: Around<'_>,
        wishes: Wishes<'_>,
        choices: &mut Choices<'_>,
    ) -> Result<Drawn> {
        let form = &filled.form;
        let read = |text: &str| {
            read_text(text, form).map_or(Drawn::Nothing, |cell| Drawn::Value(Value::Cell(cell.into_owned())))
        };
        for origin in &filled.from {
            match origin {
                Origin::Capture(name) => {
                    let capture = around.captures.iter().find(|(other, _)| other == name);
                    return Ok(capture.map_or(Drawn::Nothing, |(_, text)| read(text)));
                }
                Origin::Constant(text) => return Ok(read(text)),
                Origin::Parent(column) => return Ok(of_parent(around, *column)),
                Origin::Position | Origin::Template(_) | Origin::Sha256 | Origin::Path | Origin::Modified => {
                    return Ok(Drawn::Nothing);
                }
                Origin::Member(_) | Origin::Value | Origin::EntryName | Origin::Body | Origin::Content => {}
            }
        }
        let Some(origin) = filled.from.first() else { return Ok(Drawn::Nothing) };
        let wish = wishes(filled);
        if let Format::Lines(pattern) = &self.layout.kinds[kind].format {
            return self.of_line(&pattern.parts, origin, filled, wish, choices);
        }
        let table = &self.layout.tables[set.table];
        let is_needed = table.key.contains(&filled.column)
            || filled.from.len() > 1
            || matches!(origin, Origin::EntryName | Origin::Body | Origin::Content | Origin::Value);
        match (wish, &filled.absent) {
            (Some(Drawn::Null | Drawn::Nothing), Absent::Null | Absent::WrittenNull) if !is_needed => {
                return Ok(if choices.once_in(2) { Drawn::Null } else { Drawn::Nothing });
            }
            (Some(told @ Drawn::Value(_)), _) => return Ok(told),
            (None, Absent::Null | Absent::WrittenNull) if !is_needed => match choices.below(6) {
                4 => return Ok(Drawn::Null),
                5 => return Ok(Drawn::Nothing),
                _ => {}
            },
            (None, Absent::Default(_)) if !is_needed && choices.once_in(4) => return Ok(Drawn::Nothing),
            _ => {}
        }
        let value = match (origin, form) {
            // A key of YAML has a line to stand in, and 1024 characters.
            (Origin::EntryName, ValueForm::Text) => {
                let name: String = self.values.text(choices).chars().take(NAME_CHARACTERS_MAX).collect();
                Value::Cell(crate::value::Cell::Text(name.into()))
            }
            (Origin::Body | Origin::Content, ValueForm::Text) => {
                Value::Cell(crate::value::Cell::Text(self.values.lines(choices).into()))
            }
            _ => self.values.of_form(form, choices),
        };
        Ok(Drawn::Value(value))
    }

    /// A value in a line: what its capture takes.
    fn of_line(
        &mut self,
        parts: &[LinePart],
        origin: &Origin,
        filled: &Filled,
        wish: Option<Drawn>,
        choices: &mut Choices<'_>,
    ) -> Result<Drawn> {
        let Origin::Member(names) = origin else { return Ok(Drawn::Nothing) };
        let capture = parts.iter().find_map(|part| match part {
            LinePart::Capture { name, pattern } if names.first() == Some(name) => Some(pattern),
            LinePart::Capture { .. } | LinePart::Literal(_) => None,
        });
        let Some(pattern) = capture else {
            // The lines behind a record; of JSON they would have to be JSON.
            let more =
                if matches!(filled.form, ValueForm::Text) && choices.once_in(4) { "  at x\n\n  at y" } else { "" };
            return Ok(match more {
                "" => Drawn::Nothing,
                more => Drawn::Value(Value::Cell(crate::value::Cell::Text(more.into()))),
            });
        };
        if let ValueForm::Words(words) = &filled.form {
            let known: Vec<_> =
                words.iter().filter(|(file, _)| self.values.takes(pattern, file).unwrap_or(false)).collect();
            return Ok(match known.is_empty() {
                true => Drawn::Nothing,
                false => Drawn::Value(Value::Cell(crate::value::Cell::Text(choices.of(&known).1.clone().into()))),
            });
        }
        if let Some(Drawn::Value(value)) = &wish
            && let Some(text) = value.text(&filled.form)
            && self.values.takes(pattern, &text)?
        {
            return Ok(Drawn::Value(value.clone()));
        }
        let drawn = self.values.of_form_like(&filled.form, pattern, choices)?;
        Ok(drawn.map_or(Drawn::Nothing, |(value, _)| Drawn::Value(value)))
    }
}

/// Of a value that is computed from where a record is: whether from its place among others.
fn computed(filled: &Filled) -> Option<bool> {
    filled.from.iter().find_map(|origin| match origin {
        Origin::Position => Some(true),
        Origin::Template(parts) => Some(parts.contains(&TemplatePart::Value(Origin::Position))),
        _ => None,
    })
}

/// The name of the entry that a record is.
pub fn name_of(set: &RecordSet, record: &Record) -> Option<String> {
    let named = set.columns.iter().zip(&record.told).find(|(filled, _)| filled.from.contains(&Origin::EntryName));
    named.and_then(|(filled, told)| told.value()?.text(&filled.form))
}

/// What the record around says of a column.
fn of_parent(around: Around<'_>, column: usize) -> Drawn {
    let Some((set, record)) = around.parent else { return Drawn::Nothing };
    let place = set.columns.iter().position(|filled| filled.column == column);
    place.map_or(Drawn::Nothing, |place| record.told[place].clone())
}

/// Whether there are any number of records.
pub fn many(set: &RecordSet) -> bool {
    matches!(set.at.last(), Some(Step::Elements | Step::Entries))
}

/// Whether a record is an object, in which other members can stand.
fn takes_more(set: &RecordSet) -> bool {
    let is_whole = set.columns.iter().any(|filled| filled.from.contains(&Origin::Value));
    let has_members = set.columns.iter().flat_map(|filled| &filled.from).any(|one| matches!(one, Origin::Member(_)));
    !is_whole && (has_members || set.rest.is_some())
}

/// Names of files and directories; none differ from another in case alone.
const NAMES: [&str; 12] =
    ["a", "b", "c", "d-1", "e_2", "naïve", "with blank", "it's", "日本", "-dash", "quote\"d", "new\nline"];
