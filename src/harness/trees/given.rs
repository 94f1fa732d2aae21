//! A tree of rows that a database takes: which file each row is in, and what it says there.
//!
//! What a layout says otherwise than the row (constants, places in a list, captures that no column has) wins; a row whose file or key is
//! taken by then is left out.

use super::choices::Choices;
use super::records::{Around, Drawing, Drawn, File, Record, many};
use super::tree::RandomTree;
use super::values::{NAME_CHARACTERS_MAX, Value};
use crate::catalog::{Catalog, QualifiedName};
use crate::endpoint::files::layout::{Filled, Layout, Origin, RecordSet, ValueForm};
use crate::error::Result;
use crate::harness::Seed;
use crate::harness::generate::{Dataset, Hints, Row, TableRows};
use std::collections::BTreeMap;

/// What generated rows have to be like besides what a project says, so that they fit into the paths of its files.
pub fn fitting(hints: &mut Hints, layout: &Layout, catalog: &Catalog) {
    for kind in &layout.kinds {
        for set in &kind.records {
            for filled in &set.columns {
                let table = &layout.tables[set.table];
                let column = &table.columns[filled.column].name;
                let Some(of) = catalog.tables.iter().find(|of| of.name.name == table.name) else { continue };
                // A reference has the values of the column that it refers to.
                let (of, column) = referred(catalog, &of.name, column);
                // A part of a key that the layout makes of constants: such a name has no other limits, and has to be one alone.
                let is_alone = !table.key.contains(&filled.column);
                let mut hint = hints.column(&of.schema, &of.name, &column).cloned().unwrap_or_default();
                let capture = filled.from.iter().find_map(|origin| match origin {
                    Origin::Capture(name) => Some(name),
                    _ => None,
                });
                match (capture, &filled.form) {
                    (Some(name), ValueForm::Text) => {
                        let takes = kind.path.takes(name).filter(|_| kind.path.is_particular(name));
                        let pattern = takes.map_or_else(|| NAME.to_owned(), in_one_name);
                        hint.pattern.get_or_insert(pattern);
                    }
                    (None, ValueForm::Text) if is_alone && filled.from.contains(&Origin::EntryName) => {
                        hint.pattern.get_or_insert(UNLIKE.to_owned());
                    }
                    (None, ValueForm::Text) if filled.from.contains(&Origin::EntryName) => {
                        hint.length_max.get_or_insert(NAME_CHARACTERS_MAX as u32);
                    }
                    _ => continue,
                }
                hints.columns.insert(format!("{of}.{column}"), hint);
            }
        }
    }
}

/// The column whose values another one has.
fn referred(catalog: &Catalog, table: &QualifiedName, column: &str) -> (QualifiedName, String) {
    let (mut table, mut column) = (table.clone(), column.to_owned());
    // As many steps as there are tables: references may form a circle.
    for _ in &catalog.tables {
        let of = catalog.tables.iter().find(|of| of.name == table);
        let keys = of.into_iter().flat_map(|of| &of.foreign_keys);
        let next = keys
            .filter(|key| key.columns == [column.as_str()] && key.references != table)
            .find_map(|key| Some((key.references.clone(), key.referenced_columns.first()?.clone())));
        match next {
            Some(next) => (table, column) = next,
            None => break,
        }
    }
    (table, column)
}

/// A text that no other one is like.
const UNLIKE: &str = "[a-z]{8,12} ?[A-Z0-9]{0,2}";

/// What a name in a path is made of here.
const NAME: &str = "[a-z0-9][a-z0-9 _.-]{0,12}";

/// A pattern whose points take what can stand in a name, in lower case: file systems may not tell cases apart.
fn in_one_name(pattern: &str) -> String {
    let (mut text, mut is_escaped, mut in_class) = (String::new(), false, false);
    for character in pattern.chars() {
        match character {
            '.' if !is_escaped && !in_class => text.push_str("[a-z0-9 _-]"),
            _ => text.push(character),
        }
        (in_class, is_escaped) = match character {
            _ if is_escaped => (in_class, false),
            '\\' => (in_class, true),
            '[' => (true, false),
            ']' => (false, false),
            _ => (in_class, false),
        };
    }
    text
}

/// The tree that has these rows, as `seed` spells it.
///
/// # Errors
/// When nothing is known to match a pattern of the layout.
pub fn tree_of_rows(layout: &Layout, rows: &Dataset, seed: Seed) -> Result<RandomTree> {
    let mut giving = Giving { layout, rows, drawing: Drawing::new(layout)?, files: BTreeMap::new() };
    let choices = |part: &str| Choices::drawn(seed.of(part));
    for table in &rows.tables {
        let Some(place) = layout.tables.iter().position(|one| one.name == table.table.name) else { continue };
        for (number, row) in table.rows.iter().enumerate() {
            giving.row(place, table, row, &mut choices(&format!("row {number} of {}", table.table.name)))?;
        }
    }
    let Giving { mut drawing, files, .. } = giving;
    let mut tree = RandomTree { rows: drawing.counts(), ..RandomTree::default() };
    for file in files.values() {
        tree.take(layout, file, &mut drawing.values, &mut choices(&file.path))?;
    }
    tree.add_besides(layout, &mut drawing.values, &mut choices("besides"));
    Ok(tree)
}

struct Giving<'g> {
    layout: &'g Layout,
    rows: &'g Dataset,
    drawing: Drawing<'g>,
    /// By their kinds and captures.
    files: BTreeMap<(usize, Vec<(String, String)>), File>,
}

impl Giving<'_> {
    /// Puts a row into the root of a file that can have it, and what is inside it along with it.
    fn row(&mut self, table: usize, of: &TableRows, row: &Row, choices: &mut Choices<'_>) -> Result<()> {
        let layout = self.layout;
        let mut homes = Vec::new();
        for (kind, one) in layout.kinds.iter().enumerate() {
            homes.extend(
                one.records.iter().enumerate().filter(|(_, set)| set.table == table).map(|(set, _)| (kind, set)),
            );
        }
        if !layout.tables[table].in_parts && homes.len() > 1 {
            homes = vec![*choices.of(&homes)];
        }
        for (kind, set) in homes {
            self.row_in(kind, set, of, row, choices)?;
        }
        Ok(())
    }

    fn row_in(&mut self, kind: usize, set: usize, of: &TableRows, row: &Row, choices: &mut Choices<'_>) -> Result<()> {
        let one = &self.layout.kinds[kind];
        let records = &one.records[set];
        let mut captures = Vec::new();
        for name in one.path.captures() {
            let origin = Origin::Capture(name.clone());
            let filled = records.columns.iter().find(|filled| filled.from.contains(&origin));
            let told = filled.and_then(|filled| match wish(self.layout, records, filled, of, row) {
                Some(Drawn::Value(value)) => value.text(&filled.form),
                _ => None,
            });
            let text = match told {
                Some(text) => Some(text),
                None => self.drawing.capture(one, name, choices)?,
            };
            let Some(text) = text else { return Ok(()) };
            captures.push((name.clone(), text));
        }
        let key = (kind, captures.clone());
        if !self.files.contains_key(&key) {
            let Some(path) = self.drawing.path(kind, &captures) else { return Ok(()) };
            self.files.insert(key.clone(), File { kind, path, sets: vec![Vec::new(); one.records.len()] });
        }
        let position = self.files[&key].sets[set].len();
        if position > 0 && !many(records) {
            return Ok(());
        }
        let around = Around { captures: &captures, parent: None, position };
        let record = self.record(kind, records, around, of, row, choices)?;
        if let Some(file) = self.files.get_mut(&key) {
            file.sets[set].extend(record);
            if file.sets.iter().all(Vec::is_empty) {
                self.files.remove(&key);
            }
        }
        Ok(())
    }

    fn record(
        &mut self,
        kind: usize,
        set: &RecordSet,
        around: Around<'_>,
        of: &TableRows,
        row: &Row,
        choices: &mut Choices<'_>,
    ) -> Result<Option<Record>> {
        let layout = self.layout;
        let alone = RecordSet { children: Vec::new(), ..set.clone() };
        let wishes = |filled: &Filled| wish(layout, set, filled, of, row);
        let Some(mut record) = self.drawing.record(kind, &alone, around, &wishes, choices)? else { return Ok(None) };
        for child in &set.children {
            let mut inside = Vec::new();
            let name = &layout.tables[child.table].name;
            for table in self.rows.tables.iter().filter(|table| table.table.name == *name) {
                for row in &table.rows {
                    let around =
                        Around { captures: around.captures, parent: Some((set, &record)), position: inside.len() };
                    if is_inside(layout, child, around, table, row) {
                        inside.extend(self.record(kind, child, around, table, row, choices)?);
                    }
                }
            }
            record.children.push(inside);
        }
        Ok(Some(record))
    }
}

/// Whether a row says that it belongs to the record around.
fn is_inside(layout: &Layout, child: &RecordSet, around: Around<'_>, of: &TableRows, row: &Row) -> bool {
    let Some((parent, record)) = around.parent else { return false };
    let mut told = child.columns.iter().flat_map(|filled| filled.from.iter().map(move |origin| (filled, origin)));
    told.all(|(filled, origin)| match origin {
        Origin::Parent(column) => {
            let place = parent.columns.iter().position(|filled| filled.column == *column);
            let theirs = place.and_then(|place| record.told[place].value()?.text(&parent.columns[place].form));
            let ours = match wish(layout, child, filled, of, row) {
                Some(Drawn::Value(value)) => value.text(&filled.form),
                _ => None,
            };
            theirs.is_some() && theirs == ours
        }
        _ => true,
    })
}

/// What a row says of a column; `None` where the row has no such column, or nothing that files could say.
fn wish(layout: &Layout, set: &RecordSet, filled: &Filled, of: &TableRows, row: &Row) -> Option<Drawn> {
    let name = &layout.tables[set.table].columns[filled.column].name;
    let place = of.columns.iter().position(|column| column == name)?;
    match row.get(place)? {
        None => Some(Drawn::Null),
        Some(text) => match Value::of_text(text, &filled.form) {
            // JSON that only its own spelling says; another value may be none that the column takes.
            None if filled.form == ValueForm::Json && text.trim() != "null" => Some(Drawn::Null),
            value => value.map(Drawn::Value),
        },
    }
}
