//! From rows to values that are to be written.

use super::super::document::lines::MORE;
use super::super::layout::{Absent, Filled, Format, Origin, Style, ValueForm};
use super::edit::look_of_style;
use super::sets::{Fields, Is, Many, Set, Sets};
use super::tree::{Look, Tree};
use super::unweave::{Told, sha256, shown};
use super::{FileFacts, Misfit, Part, Rows, form};
use crate::value::Cell;
use std::borrow::Cow;
use std::ops::Range;

const OTHER_DIGEST: &str = "the SHA-256 that the row says is not that of the content";

/// A row and those inside it.
#[derive(Debug, Clone)]
pub(super) struct Group {
    pub(super) row: usize,
    pub(super) inner: Range<usize>,
}

/// The rows of a file on their way into it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Given<'r, 'l, 'a> {
    pub(super) sets: &'r Sets<'l>,
    pub(super) facts: &'r FileFacts<'r>,
    pub(super) rows: &'r Rows<'a>,
    pub(super) part: Part,
}

/// What the column that takes the rest says, as members.
pub(super) type Rest<'a> = Vec<(Tree<'a>, Tree<'a>)>;

impl<'r> Given<'r, '_, '_> {
    pub(super) fn misfit(&self, row: usize, column: Option<usize>, reason: impl Into<String>) -> Misfit {
        Misfit { row, column, reason: reason.into() }
    }

    /// Every row is inside one of the set around its own.
    pub(super) fn nested(&self) -> Result<(), Misfit> {
        let mut open: Vec<usize> = Vec::new();
        for (place, row) in self.rows.iter().enumerate() {
            let Some(set) = self.sets.list.get(row.set) else {
                return Err(self.misfit(place, None, "its record set is none of this kind of file"));
            };
            while let Some(last) = open.last()
                && Some(*last) != set.parent
            {
                open.pop();
            }
            if open.last().copied() != set.parent {
                let table = &set.table.name;
                return Err(self.misfit(
                    place,
                    None,
                    format!("a row of `{table}` is in no record that it could stand in"),
                ));
            }
            open.push(row.set);
            if row.cells.len() != set.table.columns.len() {
                return Err(self.misfit(
                    place,
                    None,
                    format!("a row of `{}` has another number of columns", set.table.name),
                ));
            }
        }
        Ok(())
    }

    /// The rows of a set among those of a range.
    pub(super) fn groups(&self, set: usize, range: Range<usize>) -> Vec<Group> {
        let mut groups: Vec<Group> = Vec::new();
        let holder = &self.sets.list[set];
        for place in range {
            let other = self.rows.row(place).set;
            if other == set {
                groups.push(Group { row: place, inner: place + 1..place + 1 });
            } else if holder.holds(set, other)
                && let Some(group) = groups.last_mut()
                && group.inner.end == place
            {
                group.inner.end = place + 1;
            }
        }
        groups
    }

    fn cells(&self, row: usize) -> &'r [Cell<'r>] {
        self.rows.row(row).cells
    }

    pub(super) fn cell(&self, row: usize, column: usize) -> &'r Cell<'r> {
        self.rows.cell(row, column)
    }

    /// What the row says agrees with what is told outside of its record.
    pub(super) fn agrees(&self, own: usize, row: usize, position: u64, parent: Option<usize>) -> Result<(), Misfit> {
        let set = &self.sets.list[own];
        let parent = parent.map(|parent| (self.cells(parent), &self.sets.list[self.rows.row(parent).set]));
        let key = match set.many {
            Many::Entries => self.entry_name(set, row)?,
            Many::One | Many::Elements => None,
        };
        for filled in &set.records.columns {
            let column = &set.table.columns[filled.column];
            let cell = self.cell(row, filled.column);
            let no = |reason: String| self.misfit(row, Some(filled.column), format!("`{}`: {reason}", column.name));
            let told = Told { facts: self.facts, key: key.as_deref(), position, parent };
            for origin in &filled.from {
                let expected = match origin {
                    Origin::Capture(_)
                    | Origin::Position
                    | Origin::Template(_)
                    | Origin::Constant(_)
                    | Origin::Path => {
                        let mut text = String::new();
                        told.write(origin, &mut text).map_err(no)?;
                        form::read_text(&text, &filled.form).map_err(no)?.into_owned()
                    }
                    Origin::Parent(of) => match parent {
                        Some((cells, _)) if form::same(&cells[*of], cell) => continue,
                        Some((cells, _)) => cells[*of].clone().into_owned(),
                        None => continue,
                    },
                    Origin::Member(_)
                    | Origin::Value
                    | Origin::EntryName
                    | Origin::Body
                    | Origin::Content
                    | Origin::Sha256
                    | Origin::Modified => continue,
                };
                if !form::same(&expected, cell) {
                    let what = match origin {
                        Origin::Capture(_) | Origin::Path => "its file's path",
                        Origin::Position => "its place",
                        Origin::Parent(_) => "the record around it",
                        _ => "the layout",
                    };
                    let (said, expected) = (shown(cell, &filled.form), shown(&expected, &filled.form));
                    return Err(no(format!("the row says {said}, and {what} says {expected}")));
                }
            }
        }
        Ok(())
    }

    /// The name of the entry that a row is.
    pub(super) fn entry_name(&self, set: &Set<'_>, row: usize) -> Result<Option<Cow<'r, str>>, Misfit> {
        for filled in &set.records.columns {
            if filled.from.iter().any(|origin| matches!(origin, Origin::EntryName)) {
                let cell = self.cell(row, filled.column);
                let column = &set.table.columns[filled.column];
                let name = match cell {
                    Cell::Null => Err("it is NULL, and an entry has a name".to_owned()),
                    cell => form::text(cell, &filled.form),
                };
                let named = |reason| self.misfit(row, Some(filled.column), format!("`{}`: {reason}", column.name));
                return name.map(Some).map_err(named);
            }
        }
        Ok(None)
    }

    /// A value that is written for a column of a new record; none where it is left out.
    pub(super) fn value(&self, set: &Set<'_>, filled: &Filled, row: usize) -> Result<Option<Tree<'r>>, Misfit> {
        let column = &set.table.columns[filled.column];
        let cell = self.cell(row, filled.column);
        let no = |reason: String| self.misfit(row, Some(filled.column), format!("`{}`: {reason}", column.name));
        match (cell, &filled.absent) {
            (Cell::Null, Absent::Null) => Ok(None),
            (Cell::Null, Absent::WrittenNull | Absent::Default(_)) => Ok(Some(Tree::Null)),
            (Cell::Null, Absent::Refused) => Err(no("it is NULL, and the layout says that it has to be there".into())),
            (cell, _) => form::tree(cell, &filled.form).map(Some).map_err(no),
        }
    }

    /// What the column that takes the rest says.
    pub(super) fn rest(&self, set: &Set<'_>, row: usize) -> Result<Rest<'r>, Misfit> {
        let Some(column) = set.records.rest else { return Ok(Vec::new()) };
        let no =
            |reason: String| self.misfit(row, Some(column), format!("`{}`: {reason}", set.table.columns[column].name));
        match self.cell(row, column) {
            Cell::Null => Ok(Vec::new()),
            Cell::Json(text) => match Tree::of_json(text) {
                Ok(Tree::Object(members)) => Ok(members),
                Ok(_) => Err(no("it takes other members, and its value is no JSON object".into())),
                Err(flaw) => Err(no(format!("its value is no JSON: {}", flaw.reason))),
            },
            _ => Err(no("its value is no JSON".into())),
        }
    }

    /// A new record; for an entry, its value.
    pub(super) fn record(
        &self,
        own: usize,
        group: &Group,
        position: u64,
        parent: Option<usize>,
    ) -> Result<Tree<'r>, Misfit> {
        self.agrees(own, group.row, position, parent)?;
        let set = &self.sets.list[own];
        if let Some(inner) = set.fields.own {
            return self.records(inner, group.inner.clone(), Some(group.row)).map(|tree| tree.unwrap_or(Tree::Null));
        }
        if !set.has_members() {
            for filled in &set.records.columns {
                if filled.from.iter().any(|origin| matches!(origin, Origin::Value)) {
                    return Ok(self.value(set, filled, group.row)?.unwrap_or(Tree::Null));
                }
            }
            return Ok(match set.many {
                Many::Entries => Tree::Null,
                Many::Elements | Many::One => Tree::Object(Vec::new()),
            });
        }
        let rest = self.rest(set, group.row)?;
        self.members(Some(own), &set.fields, group, rest).map(Tree::Object)
    }

    /// The members of a new object.
    pub(super) fn members(
        &self,
        own: Option<usize>,
        fields: &'r Fields,
        group: &Group,
        mut rest: Rest<'r>,
    ) -> Result<Rest<'r>, Misfit> {
        let set = own.map(|own| &self.sets.list[own]);
        let mut members = Vec::with_capacity(fields.list.len() + rest.len());
        for field in &fields.list {
            let left = rest.iter().position(|(key, _)| key.said().as_deref() == Some(&field.name));
            let left = left.map(|place| rest.remove(place));
            let value = match (&field.is, left) {
                (Is::Column(..) | Is::Records(_), Some(_)) => return Err(self.taken(set, group.row, &field.name)),
                (Is::Column(column, slot), None) => match set.filter(|set| set.is_written(*column, *slot)) {
                    Some(set) => self.value(set, &set.records.columns[*column], group.row)?,
                    None => None,
                },
                (Is::Records(inner), None) => self.records(*inner, group.inner.clone(), own.map(|_| group.row))?,
                (Is::Inner(inner), left) => {
                    let rest = self.inner_rest(set, group.row, &field.name, left.map(|(_, left)| left))?;
                    let members = self.members(own, inner, group, rest)?;
                    (!members.is_empty()).then_some(Tree::Object(members))
                }
            };
            if let Some(value) = value {
                members.push((Tree::Text(Cow::Borrowed(&field.name)), value));
            }
        }
        members.append(&mut rest);
        if self.sets.kind.style.sorted_keys {
            let mut sorted = Tree::Object(members);
            sorted.sort();
            return Ok(match sorted {
                Tree::Object(members) => members,
                _ => Vec::new(),
            });
        }
        Ok(members)
    }

    /// What the rest says of an object that columns have a part of.
    pub(super) fn inner_rest(
        &self,
        set: Option<&Set<'_>>,
        row: usize,
        name: &str,
        left: Option<Tree<'r>>,
    ) -> Result<Rest<'r>, Misfit> {
        match left {
            None => Ok(Vec::new()),
            Some(Tree::Object(members)) => Ok(members),
            Some(_) => Err(self.taken(set, row, name)),
        }
    }

    pub(super) fn taken(&self, set: Option<&Set<'_>>, row: usize, name: &str) -> Misfit {
        let column = set.and_then(|set| set.records.rest);
        let column_name = set.zip(column).map_or("the rest", |(set, column)| set.table.columns[column].name.as_str());
        self.misfit(row, column, format!("`{column_name}`: it has the member `{name}`, which has a place of its own"))
    }

    /// What holds the records of a set; none where there is no such record and nothing is written for it.
    pub(super) fn records(
        &self,
        own: usize,
        range: Range<usize>,
        parent: Option<usize>,
    ) -> Result<Option<Tree<'r>>, Misfit> {
        let set = &self.sets.list[own];
        let groups = self.groups(own, range);
        let before = if parent.is_none() { self.part.position } else { 0 };
        let numbered = groups.iter().enumerate().map(|(place, group)| (before + place as u64, group));
        Ok(Some(match set.many {
            Many::One => {
                if let Some(second) = groups.get(1) {
                    return Err(self.misfit(
                        second.row,
                        None,
                        format!("the place of `{}` holds one record", set.table.name),
                    ));
                }
                match groups.first() {
                    Some(group) => self.record(own, group, 0, parent)?,
                    None => return Ok(None),
                }
            }
            Many::Elements => {
                let elements = numbered.map(|(position, group)| self.record(own, group, position, parent));
                Tree::Array(elements.collect::<Result<_, _>>()?)
            }
            Many::Entries => {
                let mut members: Rest<'r> = Vec::with_capacity(groups.len());
                let mut names = std::collections::HashSet::new();
                for (position, group) in numbered {
                    let name = self.entry_name(set, group.row)?.unwrap_or_default();
                    if !names.insert(name.clone()) {
                        let reason = format!("two rows of `{}` are the entry `{name}`", set.table.name);
                        return Err(self.misfit(group.row, None, reason));
                    }
                    members.push((Tree::Text(name), self.record(own, group, position, parent)?));
                }
                Tree::Object(members)
            }
        }))
    }

    /// The whole document.
    pub(super) fn document(&self) -> Result<Tree<'r>, Misfit> {
        let all = 0..self.rows.len();
        if self.sets.whole {
            let group = self.whole()?;
            return self.record(0, &group, 0, None);
        }
        let root = &self.sets.root;
        match root.own {
            Some(set) => Ok(self.records(set, all, None)?.unwrap_or(Tree::Null)),
            None => {
                let group = Group { row: 0, inner: all };
                self.members(None, root, &group, Vec::new()).map(Tree::Object)
            }
        }
    }

    /// The one row that is the document.
    pub(super) fn whole(&self) -> Result<Group, Misfit> {
        let groups = self.groups(0, 0..self.rows.len());
        match groups.as_slice() {
            [group] => Ok(group.clone()),
            [] => Err(self.misfit(0, None, "the file is one record, and there is no row for it")),
            [_, second, ..] => Err(self.misfit(second.row, None, "the file is one record, and there are several rows")),
        }
    }

    /// The cell of the one row that has an origin, with its form.
    pub(super) fn of_origin(&self, wanted: &Origin) -> Result<Option<(&'r Cell<'r>, &'r ValueForm)>, Misfit> {
        if !self.sets.whole {
            return Ok(None);
        }
        let group = self.whole()?;
        let set = &self.sets.list[0];
        let filled = set.records.columns.iter().find(|filled| filled.from.contains(wanted));
        Ok(filled.map(|filled| (self.cell(group.row, filled.column), &filled.form)))
    }

    /// About how many bytes the rows have in a document, with the names of their members.
    fn expected_bytes(&self) -> usize {
        let cells = self.rows.iter().flat_map(|row| row.cells);
        let told = cells.map(|cell| match cell {
            Cell::Text(text) | Cell::Json(text) => text.len() + text.len() / 16 + 32,
            _ => 32,
        });
        told.sum()
    }

    /// The bytes of a file that is one value of its row.
    pub(super) fn content(&self) -> Result<Vec<u8>, Misfit> {
        let group = self.whole()?;
        self.agrees(0, group.row, 0, None)?;
        let bytes = match self.of_origin(&Origin::Content)? {
            Some((Cell::Bytes(bytes), ValueForm::Bytes)) => bytes.to_vec(),
            Some((Cell::Text(text), ValueForm::Text)) => text.as_bytes().to_vec(),
            Some(_) => return Err(self.misfit(group.row, None, "the content of the file is NULL or of another form")),
            None => return Err(self.misfit(group.row, None, "no column has the content of the file")),
        };
        self.has_digest(&group, &bytes)?;
        Ok(bytes)
    }

    /// The one row is that of a file whose bytes are not at hand.
    pub(super) fn fits_content(&self) -> Result<(), Misfit> {
        let group = self.whole()?;
        self.agrees(0, group.row, 0, None)?;
        match (self.of_origin(&Origin::Sha256)?, self.facts.sha256) {
            (Some((Cell::Text(said), _)), Some(sha256)) if said == sha256 => Ok(()),
            (Some(_), _) => Err(self.misfit(group.row, None, OTHER_DIGEST)),
            (None, _) => Ok(()),
        }
    }

    /// The row's digest is that of the bytes.
    pub(super) fn has_digest(&self, group: &Group, bytes: &[u8]) -> Result<(), Misfit> {
        match self.of_origin(&Origin::Sha256)? {
            Some((Cell::Text(said), _)) if *said == sha256(bytes) => Ok(()),
            Some(_) => Err(self.misfit(group.row, None, OTHER_DIGEST)),
            None => Ok(()),
        }
    }

    /// The text behind the front matter.
    pub(super) fn body(&self) -> Result<Option<Cow<'r, str>>, Misfit> {
        match self.of_origin(&Origin::Body)? {
            None => Ok(None),
            Some((Cell::Null, _)) => Err(self.misfit(
                self.whole()?.row,
                None,
                "the text behind the front matter is NULL, and it is at least empty",
            )),
            Some((cell, form)) => match form::text(cell, form) {
                Ok(text) => Ok(Some(text)),
                Err(reason) => Err(self.misfit(self.whole()?.row, None, reason)),
            },
        }
    }

    /// The lines behind the first of the last record, where the last of them is empty: only a line end shows that it is there.
    pub(super) fn empty_last_line(&self) -> Option<&'r str> {
        let row = self.rows.iter().next_back()?;
        let more = self.sets.list[row.set].records.columns.iter().find(|filled| {
            filled.from.iter().any(|origin| matches!(origin, Origin::Member(path) if path.as_slice() == [MORE]))
        })?;
        match &row.cells[more.column] {
            Cell::Text(text) if self.sets.lines.is_some() && (text.is_empty() || text.ends_with('\n')) => Some(text),
            _ => None,
        }
    }

    /// Whether the kind of file is read as one value only.
    pub(super) fn is_opaque(&self) -> bool {
        matches!(self.sets.kind.format, Format::Bytes)
    }
}

/// The bytes of new rows.
pub(super) fn bytes(given: &Given<'_, '_, '_>) -> Result<Vec<u8>, Misfit> {
    if given.is_opaque() {
        return given.content();
    }
    let style = &given.sets.kind.style;
    let tree = given.document()?;
    let mut text = String::with_capacity(given.expected_bytes());
    let look = look_of_style(style);
    match &given.sets.kind.format {
        Format::Json => {
            json_part(&look, &tree, given.part, &mut text);
            if given.part.last && style.final_newline {
                text.push('\n');
            }
        }
        Format::JsonLines => {
            let look = look.in_lines(style);
            let Tree::Array(lines) = &tree else { return Err(given.misfit(0, None, "JSON lines are an array")) };
            for (place, line) in lines.iter().enumerate() {
                look.json(line, "", &mut text);
                if place + 1 < lines.len() || !given.part.last || style.final_newline {
                    text.push('\n');
                }
            }
        }
        Format::Lines(_) => {
            let Tree::Array(lines) = &tree else { return Err(given.misfit(0, None, "lines are an array")) };
            for (place, record) in lines.iter().enumerate() {
                text.push_str(&line(given.sets, record).map_err(|reason| given.misfit(place, None, reason))?);
                if place + 1 < lines.len()
                    || !given.part.last
                    || style.final_newline
                    || given.empty_last_line().is_some()
                {
                    text.push('\n');
                }
            }
        }
        Format::Yaml => {
            yaml_look(&look, style).yaml_block(&tree, "", &mut text);
            if style.final_newline {
                text.push('\n');
            }
        }
        Format::Markdown { front_matter } => {
            if *front_matter {
                text.push_str("---\n");
                if !matches!(&tree, Tree::Object(members) if members.is_empty()) {
                    yaml_look(&look, style).yaml_block(&tree, "", &mut text);
                    text.push('\n');
                }
                text.push_str("---\n");
            }
            text.push_str(given.body()?.as_deref().unwrap_or_default());
        }
        Format::Bytes => return given.content(),
        Format::Sqlite => {
            return Err(given.misfit(0, None, "it is in no file yet, and a new SQLite file has no tables"));
        }
    }
    Ok(text.into_bytes())
}

fn yaml_look(look: &Look, style: &Style) -> Look {
    Look { unit: Some(" ".repeat(usize::from(style.indent.max(2)))), ..look.clone() }
}

/// An array, or the elements of a part of one.
fn json_part(look: &Look, tree: &Tree<'_>, part: Part, text: &mut String) {
    let Tree::Array(elements) = tree else { return look.json(tree, "", text) };
    if part == Part::WHOLE {
        return look.json(tree, "", text);
    }
    if part.first {
        text.push('[');
    }
    for (place, element) in elements.iter().enumerate() {
        let is_behind = part.position > 0 || place > 0;
        match &look.unit {
            Some(unit) => {
                text.push_str(if is_behind { "," } else { "" });
                text.push_str(look.newline);
                text.push_str(unit);
                look.json(element, unit, text);
            }
            None => {
                text.push_str(if is_behind { look.comma } else { "" });
                look.json(element, "", text);
            }
        }
    }
    if part.last {
        if look.unit.is_some() && (part.position > 0 || !elements.is_empty()) {
            text.push_str(look.newline);
        }
        text.push(']');
    }
}

/// A record as lines.
pub(super) fn line(sets: &Sets<'_>, record: &Tree<'_>) -> Result<String, String> {
    let (Some(lines), Tree::Object(members)) = (&sets.lines, record) else { return Err("it is no line".into()) };
    lines.write(|name| {
        let (_, value) =
            members.iter().find(|(key, value)| key.said().as_deref() == Some(name) && *value != Tree::Null)?;
        Some(Look::raw(value))
    })
}
