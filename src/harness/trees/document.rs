//! From records to the bytes of a file.

use super::choices::Choices;
use super::node::Node;
use super::records::{Drawn, File, Record, many, name_of};
use super::spell::{self, Column, Table};
use super::values::{Value, Values, spell as spelled};
use crate::endpoint::files::layout::{Format, Kind, Layout, LinePart, Origin, RecordSet, Step};
use crate::error::Result;
use crate::value::Cell;

/// The bytes of a file.
///
/// # Errors
/// When nothing is known to match a pattern of its lines.
pub fn bytes(layout: &Layout, file: &File, values: &mut Values, choices: &mut Choices<'_>) -> Result<Vec<u8>> {
    let kind = &layout.kinds[file.kind];
    let newline = choices.below(4);
    let text = match &kind.format {
        Format::Json => {
            let node = document(kind, &file.sets, values, choices);
            let mut text = spell::json(&node, false, choices);
            text.push_str(["\n", "", "\n", "\n\n"][newline]);
            text
        }
        Format::JsonLines => {
            let records = kind.records.iter().zip(&file.sets).flat_map(|(set, records)| {
                records.iter().map(|record| node_of(set, record, choices)).collect::<Vec<_>>()
            });
            let lines: Vec<Node> = records.collect();
            lines.iter().map(|line| spell::json(line, true, choices) + "\n").collect()
        }
        Format::Yaml => spell::yaml(&document(kind, &file.sets, values, choices), choices),
        Format::Markdown { front_matter } => {
            let mut text = String::new();
            if *front_matter {
                let node = document(kind, &file.sets, values, choices);
                let is_empty = node == Node::Object(Vec::new());
                let keys = if is_empty { String::new() } else { spell::yaml(&node, choices) };
                text = format!("---\n{keys}---\n");
            }
            text + &body(kind, &file.sets)
        }
        Format::Lines(pattern) => lines(&pattern.parts, kind, &file.sets, values, choices)?,
        Format::Sqlite => return spell::database(&tables(layout, kind, &file.sets, choices), choices),
        Format::Bytes => return Ok(content(kind, &file.sets, values, choices)),
    };
    // No file begins with a byte order mark, which no layout takes.
    let text = text.trim_start_matches('\u{feff}').to_owned();
    Ok(match kind.format {
        // The last line may have no end.
        Format::JsonLines | Format::Lines(_) if newline == 1 => text.trim_end_matches('\n').into(),
        _ => text.into_bytes(),
    })
}

/// The tables of a SQLite file: their columns, and a value or none for each of every row.
fn tables(layout: &Layout, kind: &Kind, sets: &[Vec<Record>], choices: &mut Choices<'_>) -> Vec<Table> {
    let table = |(set, records): (&RecordSet, &Vec<Record>)| {
        let name = set.at.iter().find_map(|step| match step {
            Step::Member(name) => Some(name.clone()),
            Step::Elements | Step::Entries => None,
        });
        let members = set.columns.iter().flat_map(|filled| filled.from.iter().map(move |origin| (filled, origin)));
        let columns = members.filter_map(|(filled, origin)| match origin {
            Origin::Member(names) => {
                let is_key = layout.tables[set.table].key.contains(&filled.column);
                Some(Column { name: names.first()?.clone(), form: filled.form.clone(), is_key })
            }
            _ => None,
        });
        let rows = records.iter().map(|record| node_of(set, record, choices)).collect();
        let (name, takes_rest) = (name.unwrap_or_default(), set.rest.is_some());
        Table { name, columns: columns.collect(), rows, takes_rest }
    };
    kind.records.iter().zip(sets).map(table).collect()
}

fn document(kind: &Kind, sets: &[Vec<Record>], values: &mut Values, choices: &mut Choices<'_>) -> Node {
    let mut root = Node::Object(Vec::new());
    for (set, records) in kind.records.iter().zip(sets) {
        place(&mut root, set, records, choices);
    }
    let is_taken = kind.records.iter().any(|set| !matches!(set.at.first(), Some(Step::Member(_))));
    if let (Node::Object(members), false) = (&mut root, is_taken) {
        if choices.once_in(3) {
            members.extend(values.members(2, choices));
        }
        if choices.once_in(3) {
            choices.shuffle(members);
        }
    }
    root
}

/// Puts the records of a set to where they stand in the node around them.
fn place(around: &mut Node, set: &RecordSet, records: &[Record], choices: &mut Choices<'_>) {
    let members: Vec<String> = set
        .at
        .iter()
        .filter_map(|step| match step {
            Step::Member(name) => Some(name.clone()),
            Step::Elements | Step::Entries => None,
        })
        .collect();
    if records.is_empty() && !members.is_empty() {
        match choices.below(3) {
            0 if many(set) => {}
            1 => return around.put(&members, Node::Null),
            _ => return,
        }
    }
    let node = match set.at.last() {
        Some(Step::Elements) => Node::Array(records.iter().map(|record| node_of(set, record, choices)).collect()),
        Some(Step::Entries) => {
            let mut entries: Vec<(String, Node)> = Vec::new();
            for record in records {
                let name = name_of(set, record).unwrap_or_default();
                if !entries.iter().any(|(other, _)| *other == name) {
                    entries.push((name, node_of(set, record, choices)));
                }
            }
            Node::Object(entries)
        }
        Some(Step::Member(_)) | None => match records.first() {
            Some(record) => node_of(set, record, choices),
            None => return,
        },
    };
    around.put(&members, node);
}

fn node_of(set: &RecordSet, record: &Record, choices: &mut Choices<'_>) -> Node {
    let mut node = Node::Object(Vec::new());
    for (filled, told) in set.columns.iter().zip(&record.told) {
        let mut said = |members: &[String], node: &mut Node| match told {
            Drawn::Nothing => {}
            Drawn::Null => node.put(members, Node::Null),
            Drawn::Value(value) => node.put(members, spelled(value, &filled.form, choices)),
        };
        for origin in &filled.from {
            match origin {
                Origin::Member(members) => said(members, &mut node),
                Origin::Value => said(&[], &mut node),
                _ => {}
            }
        }
    }
    for (child, records) in set.children.iter().zip(&record.children) {
        place(&mut node, child, records, choices);
    }
    for (name, value) in &record.more {
        node.put(std::slice::from_ref(name), value.clone());
    }
    if let Node::Object(members) = &mut node
        && choices.once_in(3)
    {
        choices.shuffle(members);
    }
    node
}

/// What a record of the file says of an origin.
fn said<'r>(kind: &Kind, sets: &'r [Vec<Record>], origin: &Origin) -> Option<&'r Cell<'static>> {
    kind.records.iter().zip(sets).find_map(|(set, records)| {
        let place = set.columns.iter().position(|filled| filled.from.contains(origin))?;
        match records.first()?.told[place].value()? {
            Value::Cell(cell) => Some(cell),
            Value::Json(_) => None,
        }
    })
}

fn body(kind: &Kind, sets: &[Vec<Record>]) -> String {
    match said(kind, sets, &Origin::Body) {
        Some(Cell::Text(text)) => text.to_string(),
        _ => "no column takes this\n".to_owned(),
    }
}

fn content(kind: &Kind, sets: &[Vec<Record>], values: &mut Values, choices: &mut Choices<'_>) -> Vec<u8> {
    match said(kind, sets, &Origin::Content) {
        Some(Cell::Text(text)) => text.trim_start_matches('\u{feff}').as_bytes().to_vec(),
        Some(Cell::Bytes(bytes)) => bytes.to_vec(),
        _ => values.lines(choices).trim_start_matches('\u{feff}').as_bytes().to_vec(),
    }
}

fn lines(
    parts: &[LinePart],
    kind: &Kind,
    sets: &[Vec<Record>],
    values: &mut Values,
    choices: &mut Choices<'_>,
) -> Result<String> {
    let mut text = String::new();
    let newline = *choices.of(&["\n", "\n", "\r\n"]);
    for (set, records) in kind.records.iter().zip(sets) {
        for record in records {
            let value = |name: &str| {
                let of_name = |origin: &Origin| matches!(origin, Origin::Member(names) if *names == [name]);
                let place = set.columns.iter().position(|filled| filled.from.iter().any(of_name))?;
                record.told[place].value()?.text(&set.columns[place].form)
            };
            for part in parts {
                match part {
                    LinePart::Literal(literal) => text.push_str(literal),
                    LinePart::Capture { name, pattern } => match value(name) {
                        Some(value) => text.push_str(&value),
                        None => text.push_str(&values.like(pattern, choices)?),
                    },
                }
            }
            text.push_str(newline);
            if let Some(more) = value(crate::endpoint::files::layout::MORE) {
                text.push_str(&more.replace('\n', newline));
                text.push_str(newline);
            }
        }
    }
    Ok(text)
}
