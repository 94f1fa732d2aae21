//! What a layout says of a path, and which path it gives to a row.

use super::model::{Absent, Format, Kind, Layout, Origin, RecordSet, TemplatePart, ValueForm};
use super::path::{CaptureFault, CapturePattern};
use std::collections::BTreeMap;

/// What a path is to a layout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// It stays where it is, and is not carried.
    Ignored,
    /// A file of a kind, told by its place; what its captures take.
    Kind(usize, Vec<String>),
    /// It is carried as bytes.
    Kept,
    /// The layout does not say.
    Unknown,
}

impl Layout {
    /// Whether what is at a path stays where it is: a file, or a directory with all that is in it.
    pub fn is_ignored(&self, path: &str) -> bool {
        self.ignore.iter().any(|pattern| pattern.matches(path))
    }

    /// What a file is: of the first kind that has its path, before anything that is kept.
    pub fn place(&self, path: &str) -> Place {
        if self.is_ignored(path) {
            return Place::Ignored;
        }
        for (kind, captures) in self.kinds.iter().enumerate().map(|(place, kind)| (place, kind.path.read(path))) {
            if let Some(captures) = captures {
                return Place::Kind(kind, captures);
            }
        }
        match self.keep.iter().any(|pattern| pattern.matches(path)) {
            true => Place::Kept,
            false => Place::Unknown,
        }
    }

    /// The path of a file of that kind with those captures.
    ///
    /// # Errors
    /// When there is none, or it would be read as something else.
    pub fn path_of(&self, kind: usize, captures: &[&str]) -> Result<String, CaptureFault> {
        let path = self.kinds[kind].path.write(captures)?;
        match self.place(&path) {
            Place::Kind(other, read)
                if other == kind && read.iter().map(String::as_str).eq(captures.iter().copied()) =>
            {
                Ok(path)
            }
            Place::Kind(other, _) if other != kind => {
                Err(CaptureFault::OtherKind { path, kind: self.kinds[other].name.clone() })
            }
            Place::Ignored => Err(CaptureFault::Ignored { path }),
            Place::Kind(..) | Place::Kept | Place::Unknown => Err(CaptureFault::ReadOtherwise { path }),
        }
    }
}

impl Layout {
    /// Why a value of a column is in no file, where none tells it: what it is read as.
    pub fn unsaid(&self, table: &str, column: &str) -> Option<&str> {
        let of = self.tables.iter().position(|one| one.name == table)?;
        let column = self.tables[of].columns.iter().position(|one| one.name == column)?;
        let filled = self.sets_of(of).into_iter().flat_map(|set| &set.columns).filter(|filled| filled.column == column);
        let mut read_as = None;
        for filled in filled {
            match &filled.absent {
                Absent::Default(text) if filled.from.is_empty() => read_as = Some(text.as_str()),
                _ => return None,
            }
        }
        read_as
    }

    /// Whether a column takes what no other does.
    pub fn is_rest(&self, table: &str, column: &str) -> bool {
        let Some(of) = self.tables.iter().position(|one| one.name == table) else { return false };
        let place = self.tables[of].columns.iter().position(|one| one.name == column);
        self.sets_of(of).iter().any(|set| set.rest.is_some() && set.rest == place)
    }

    /// The column of a table whose values are whole files as they are, where all of its rows are such files.
    pub fn content_column(&self, table: usize) -> Option<usize> {
        let mut columns = self.kinds.iter().flat_map(|kind| kind.records.iter().map(move |set| (kind, set)));
        let of_table = columns.by_ref().filter(|(_, set)| set.table == table);
        let content = |(kind, set): (&Kind, &RecordSet)| {
            let filled = set.columns.iter().find(|filled| filled.from.contains(&Origin::Content))?;
            (matches!(kind.format, Format::Bytes) && filled.form == ValueForm::Bytes).then_some(filled.column)
        };
        let found: Vec<Option<usize>> = of_table.map(content).collect();
        let first = *found.first()?;
        let is_alone = found.len() == self.sets_of(table).len() && !self.tables[table].in_parts;
        if is_alone && found.iter().all(|column| *column == first) { first } else { None }
    }

    /// The record sets that fill a table.
    fn sets_of(&self, table: usize) -> Vec<&RecordSet> {
        fn add<'l>(sets: &'l [RecordSet], table: usize, found: &mut Vec<&'l RecordSet>) {
            for set in sets {
                found.extend((set.table == table).then_some(set));
                add(&set.children, table, found);
            }
        }
        let mut found = Vec::new();
        self.kinds.iter().for_each(|kind| add(&kind.records, table, &mut found));
        found
    }
}

impl RecordSet {
    /// What a row says of the captures of its file's path, in their order; `cell` is the text of a column by its place, as a path
    /// would spell it. `None` for a capture that the row does not tell.
    pub fn captures(
        &self,
        layout: &Layout,
        kind: usize,
        cell: &dyn Fn(usize) -> Option<String>,
    ) -> Vec<Option<String>> {
        let path = &layout.kinds[kind].path;
        let mut told: BTreeMap<String, String> = BTreeMap::new();
        for filled in &self.columns {
            for origin in &filled.from {
                match origin {
                    Origin::Capture(name) => {
                        if let Some(value) = cell(filled.column) {
                            told.entry(name.clone()).or_insert(value);
                        }
                    }
                    Origin::Template(parts) => {
                        let (Some(pattern), Some(value)) = (template_of_captures(parts, path), cell(filled.column))
                        else {
                            continue;
                        };
                        for (name, value) in pattern.names().iter().zip(pattern.read(&value).into_iter().flatten()) {
                            told.entry(name.clone()).or_insert(value);
                        }
                    }
                    Origin::Member(_)
                    | Origin::Value
                    | Origin::EntryName
                    | Origin::Parent(_)
                    | Origin::Position
                    | Origin::Constant(_)
                    | Origin::Body
                    | Origin::Content
                    | Origin::Sha256
                    | Origin::Path
                    | Origin::Modified => {}
                }
            }
        }
        path.captures().iter().map(|name| told.remove(name)).collect()
    }
}

/// A template of nothing but text and captures, as a pattern that reads the captures back.
pub(super) fn template_of_captures(parts: &[TemplatePart], path: &super::path::PathPattern) -> Option<CapturePattern> {
    let (mut text, mut takes) = (String::new(), BTreeMap::new());
    for part in parts {
        match part {
            TemplatePart::Literal(literal) => text.push_str(&literal.replace('{', "{{").replace('}', "}}")),
            TemplatePart::Value(Origin::Capture(name)) => {
                text.push_str(&format!("{{{name}}}"));
                takes.insert(name.clone(), path.takes(name)?.to_owned());
            }
            TemplatePart::Value(_) => return None,
        }
    }
    CapturePattern::new(&text, &takes).ok()
}
