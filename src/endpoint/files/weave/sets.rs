//! The record sets of a kind, made ready: what the members of a record are, and how records are told apart.

use super::super::database::Wanted;
use super::super::document::lines::Lines;
use super::super::layout::{
    ColumnLayout, Format, Kind, Layout, Origin, RecordSet, Step, TableLayout, TemplatePart, ValueForm, data_type,
};
use super::tree::{Tree, rest_text};
use std::collections::HashMap;

/// How many records stand at one place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Many {
    /// One or none.
    One,
    /// The elements of an array.
    Elements,
    /// The entries of an object.
    Entries,
}

/// A record set of a kind.
#[derive(Debug)]
pub struct Set<'l> {
    /// What the layout says of it.
    pub records: &'l RecordSet,
    /// The table that it fills.
    pub table: &'l TableLayout,
    /// The place of the set around it.
    pub parent: Option<usize>,
    /// The place behind the last set inside it.
    pub end: usize,
    /// How many records there are.
    pub many: Many,
    /// What the members of a record are.
    pub(super) fields: Fields,
    /// How many members stand in columns.
    pub(super) slots: usize,
    /// For each column, each origin with the slot of its member.
    pub(super) origins: Vec<Vec<(&'l Origin, usize)>>,
    /// The columns, by their place in the table, whose values in the document tell records of one place apart.
    pub(super) identity: Vec<usize>,
}

/// The slot of an origin that is no member.
pub(super) const NO_SLOT: usize = usize::MAX;

impl<'l> Set<'l> {
    /// What the values of a column are, and how this kind of file spells them.
    pub(super) fn form(&self, column: usize) -> &'l ValueForm {
        let filled = self.records.columns.iter().find(|filled| filled.column == column);
        filled.map_or(&self.table.columns[column].form, |filled| &filled.form)
    }

    /// Whether a record has to be an object.
    pub(super) fn has_members(&self) -> bool {
        !self.fields.list.is_empty() || self.records.rest.is_some()
    }

    /// Whether a new record has this member of a column: of several names of one value it has the first.
    pub(super) fn is_written(&self, column: usize, slot: usize) -> bool {
        self.origins[column].iter().map(|(_, slot)| *slot).find(|slot| *slot != NO_SLOT) == Some(slot)
    }

    /// Whether a set is inside this one.
    pub(super) fn holds(&self, own: usize, other: usize) -> bool {
        (own + 1..self.end).contains(&other)
    }
}

/// What the members of an object are, in the order in which a new one has them.
#[derive(Debug, Default)]
pub(super) struct Fields {
    pub(super) list: Vec<Field>,
    places: HashMap<String, usize>,
    /// The set whose records the value itself holds.
    pub(super) own: Option<usize>,
}

#[derive(Debug)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) is: Is,
}

/// What a member is.
#[derive(Debug)]
pub(super) enum Is {
    /// The value of a column, by its place in the set's list, with its slot.
    Column(usize, usize),
    /// An object with more of them.
    Inner(Fields),
    /// Where the records of a set are.
    Records(usize),
}

impl Fields {
    /// The field of a name. `hint` is where it is looked for first, and where the next one may be.
    pub(super) fn find(&self, name: &str, hint: &mut usize) -> Option<&Field> {
        let place = match self.list.get(*hint) {
            Some(field) if field.name == name => *hint,
            _ => *self.places.get(name)?,
        };
        *hint = place + 1;
        Some(&self.list[place])
    }

    /// What takes the rest, as a file would give it.
    pub(super) fn rest(&self, members: Vec<(Tree<'_>, Tree<'_>)>) -> String {
        let members = members.into_iter().filter_map(|(name, value)| {
            let name = name.said().unwrap_or_default().into_owned();
            let inner = self.find(&name, &mut 0).map(|field| &field.is);
            match (inner, value) {
                // An object of columns that holds nothing else.
                (Some(Is::Inner(_)), Tree::Object(members)) if members.is_empty() => None,
                (Some(Is::Inner(inner)), Tree::Object(members)) => Some((name, inner.rest(members))),
                (_, value) => Some((name, value.compact())),
            }
        });
        rest_text(members.collect())
    }

    fn add(&mut self, path: &[String], is: Is) -> Result<(), String> {
        let Some((name, inner)) = path.split_first() else {
            return match is {
                Is::Records(set) if self.own.is_none() => {
                    self.own = Some(set);
                    Ok(())
                }
                Is::Records(_) | Is::Column(..) | Is::Inner(_) => {
                    Err("two things stand at one place of a record".into())
                }
            };
        };
        let known = self.places.get(name).copied();
        if inner.is_empty() && !matches!(is, Is::Inner(_)) {
            if known.is_some() {
                return Err(format!("the member `{name}` is used twice"));
            }
            self.push(name, is);
            return Ok(());
        }
        let place = match known {
            Some(place) => place,
            None => self.push(name, Is::Inner(Fields::default())),
        };
        match &mut self.list[place].is {
            Is::Inner(fields) => fields.add(inner, is),
            Is::Column(..) | Is::Records(_) => Err(format!("the member `{name}` is used twice, whole and in part")),
        }
    }

    fn push(&mut self, name: &str, is: Is) -> usize {
        self.places.insert(name.to_owned(), self.list.len());
        self.list.push(Field { name: name.to_owned(), is });
        self.list.len() - 1
    }

    /// Puts them into the order in which a new object has them.
    fn order(&mut self, keys: &[String], sorted: bool) {
        for field in &mut self.list {
            if let Is::Inner(fields) = &mut field.is {
                fields.order(&[], sorted);
            }
        }
        if sorted {
            self.list.sort_by(|left, right| left.name.cmp(&right.name));
        } else {
            self.list.sort_by_key(|field| keys.iter().position(|key| *key == field.name).unwrap_or(usize::MAX));
        }
        self.places = self.list.iter().enumerate().map(|(place, field)| (field.name.clone(), place)).collect();
    }
}

/// The record sets of a kind, each before those inside it, and what the document itself is.
#[derive(Debug)]
pub(super) struct Sets<'l> {
    pub(super) kind: &'l Kind,
    /// The pattern of its lines.
    pub(super) lines: Option<Lines>,
    pub(super) list: Vec<Set<'l>>,
    /// What the members of the root are, where it is no record itself.
    pub(super) root: Fields,
    /// Whether the root is the one record of the first set.
    pub(super) whole: bool,
    /// What is taken of the tables of a SQLite file.
    pub(super) tables: Vec<Wanted>,
}

impl<'l> Sets<'l> {
    /// Makes the record sets of a kind ready.
    ///
    /// # Errors
    ///
    /// They could not be taken back; the reason.
    pub(super) fn of(layout: &'l Layout, kind: &'l Kind) -> Result<Self, String> {
        let lines = match &kind.format {
            Format::Lines(pattern) => Some(Lines::of(pattern)?),
            _ => None,
        };
        let mut sets =
            Sets { kind, lines, list: Vec::new(), root: Fields::default(), whole: false, tables: Vec::new() };
        if matches!(kind.format, Format::Sqlite) {
            sets.tables = kind.records.iter().map(Wanted::of).collect::<Result<_, _>>()?;
        }
        let opaque = matches!(kind.format, Format::Bytes | Format::Markdown { .. });
        // A record that is the document is around all others.
        let whole = kind.records.iter().position(|records| records.at.is_empty());
        let mut root = Fields::default();
        if let Some(whole) = whole {
            let others: Vec<&RecordSet> = kind
                .records
                .iter()
                .enumerate()
                .filter(|(place, _)| *place != whole)
                .map(|(_, records)| records)
                .collect();
            sets.whole = true;
            sets.add(layout, kind, &kind.records[whole], None, &others)?;
        } else {
            if opaque {
                return Err("a file of bytes or of Markdown is one record: `at` is empty".into());
            }
            for records in &kind.records {
                sets.add_to(layout, kind, records, None, &mut root)?;
            }
            root.order(&[], kind.style.sorted_keys);
        }
        sets.root = root;
        if matches!(kind.format, Format::Bytes) && !sets.fills(&Origin::Content) && !sets.fills(&Origin::Sha256) {
            return Err(
                "a file of bytes has a column of its `@content`, or one of `@sha256`, and then it stays in the tree"
                    .into(),
            );
        }
        Ok(sets)
    }

    /// Whether a column is filled from there.
    pub(super) fn fills(&self, wanted: &Origin) -> bool {
        self.list.iter().flat_map(|set| &set.records.columns).any(|filled| filled.from.contains(wanted))
    }

    fn add_to(
        &mut self,
        layout: &'l Layout,
        kind: &'l Kind,
        records: &'l RecordSet,
        parent: Option<usize>,
        fields: &mut Fields,
    ) -> Result<(), String> {
        let mut path = Vec::new();
        for (place, step) in records.at.iter().enumerate() {
            match step {
                Step::Member(name) => path.push(name.clone()),
                Step::Elements | Step::Entries if place + 1 == records.at.len() => {}
                Step::Elements | Step::Entries => {
                    return Err(
                        "behind `[]` and `{}` nothing can follow: name what is deeper as records of its own".into()
                    );
                }
            }
        }
        if records.at.is_empty() {
            return Err("records inside a record need a place of their own: `at` is empty".into());
        }
        let place = self.add(layout, kind, records, parent, &[])?;
        fields.add(&path, Is::Records(place))
    }

    fn add(
        &mut self,
        layout: &'l Layout,
        kind: &'l Kind,
        records: &'l RecordSet,
        parent: Option<usize>,
        others: &[&'l RecordSet],
    ) -> Result<usize, String> {
        let many = match records.at.last() {
            Some(Step::Elements) => Many::Elements,
            Some(Step::Entries) => Many::Entries,
            Some(Step::Member(_)) | None => Many::One,
        };
        let table = layout.tables.get(records.table).ok_or("a record set without a table")?;
        let own = self.list.len();
        let (mut fields, mut slots, mut origins) = (Fields::default(), 0, Vec::new());
        let mut named = false;
        for (column, filled) in records.columns.iter().enumerate() {
            let mut of_column = Vec::new();
            for origin in &filled.from {
                let mut slot = NO_SLOT;
                match origin {
                    Origin::Member(path)
                        if self
                            .lines
                            .as_ref()
                            .is_some_and(|lines| !matches!(path.as_slice(), [name] if lines.has(name))) =>
                    {
                        return Err(format!("a line has no capture `{}`", path.join(".")));
                    }
                    Origin::Member(path) if !path.is_empty() => {
                        slot = slots;
                        slots += 1;
                        fields.add(path, Is::Column(column, slot))?;
                    }
                    Origin::Member(_) => return Err("a member without a name".into()),
                    Origin::EntryName if many != Many::Entries => {
                        return Err("`@name` is for the entries of an object: `at` ends with `{}`".into());
                    }
                    Origin::EntryName => named = true,
                    Origin::Parent(_) if parent.is_none() => return Err("`@parent` outside of any record".into()),
                    Origin::Parent(of) => {
                        let around = parent.and_then(|place| self.list.get(place));
                        ensure_same_type(around.map(|set| &set.table.columns[*of]), &table.columns[filled.column])?;
                    }
                    Origin::Template(parts) => ensure_template(parts)?,
                    Origin::Value
                    | Origin::Capture(_)
                    | Origin::Position
                    | Origin::Constant(_)
                    | Origin::Body
                    | Origin::Content
                    | Origin::Sha256
                    | Origin::Path
                    | Origin::Modified => {}
                }
                of_column.push((origin, slot));
            }
            origins.push(of_column);
        }
        let uses_value = origins.iter().flatten().any(|(origin, _)| matches!(origin, Origin::Value));
        if many == Many::Entries && !named {
            return Err("the names of entries need a column: `@name`".into());
        }
        let identity = identity_of(records, table, many, &origins);
        self.list.push(Set {
            records,
            table,
            parent,
            end: own + 1,
            many,
            fields: Fields::default(),
            slots,
            origins,
            identity,
        });
        for child in records.children.iter().chain(others.iter().copied()) {
            self.add_to(layout, kind, child, Some(own), &mut fields)?;
        }
        let is_text = matches!(kind.format, Format::Markdown { front_matter: false });
        if is_text && (slots > 0 || records.rest.is_some() || !records.children.is_empty()) {
            return Err("Markdown without front matter has no members".into());
        }
        if self.lines.is_some() && (records.rest.is_some() || !records.children.is_empty()) {
            return Err("a line has captures, and nothing else that could be taken".into());
        }
        if uses_value && (!fields.list.is_empty() || records.rest.is_some() || fields.own.is_some()) {
            return Err("a record that is a value as a whole (`@value`) has no members".into());
        }
        if fields.own.is_some() && (!fields.list.is_empty() || records.rest.is_some()) {
            return Err("a record whose value holds records has no members".into());
        }
        fields.order(&records.keys, kind.style.sorted_keys);
        self.list[own].fields = fields;
        self.list[own].end = self.list.len();
        Ok(own)
    }
}

/// What the record around says is what its own column holds.
fn ensure_same_type(around: Option<&ColumnLayout>, own: &ColumnLayout) -> Result<(), String> {
    let Some(around) = around else { return Ok(()) };
    let (theirs, ours) = (data_type(&around.form), data_type(&own.form));
    match theirs.shape == ours.shape {
        true => Ok(()),
        false => Err(format!(
            "`{}` is {}, and `{}` of the record around is {}: say the same `type` for both",
            own.name, ours.name, around.name, theirs.name
        )),
    }
}

/// The columns that tell one record of a place from the others, as far as the document says them.
fn identity_of(records: &RecordSet, table: &TableLayout, many: Many, origins: &[Vec<(&Origin, usize)>]) -> Vec<usize> {
    let in_document = |origin: &Origin| matches!(origin, Origin::Member(_) | Origin::Value | Origin::EntryName);
    let tells = |column: usize, origins: &[(&Origin, usize)]| match many {
        Many::Entries => origins.iter().any(|(origin, _)| matches!(origin, Origin::EntryName)),
        Many::Elements | Many::One => {
            table.key.contains(&column) && origins.iter().any(|(origin, _)| in_document(origin))
        }
    };
    let columns = records.columns.iter().map(|filled| filled.column).zip(origins);
    columns.filter(|(column, origins)| tells(*column, origins)).map(|(column, _)| column).collect()
}

/// A template is made of what is known before a document is read.
fn ensure_template(parts: &[TemplatePart]) -> Result<(), String> {
    let is_known = |part: &TemplatePart| match part {
        TemplatePart::Literal(_) => true,
        TemplatePart::Value(origin) => matches!(
            origin,
            Origin::Position | Origin::Capture(_) | Origin::Parent(_) | Origin::EntryName | Origin::Path
        ),
    };
    match parts.iter().all(is_known) {
        true => Ok(()),
        false => Err("a template is of `@position`, `@path.…`, `@parent.…`, `@name` and `@path`".into()),
    }
}
