//! The laws of this room under random layouts, documents and edits.
//!
//! A case is a list of bytes, each a choice, so that shrinking a list shrinks layout, document and edits at once.

use super::super::document::NodeKind;
use super::super::document::escape::quote;
use super::super::layout::*;
use super::*;
use crate::value::Cell;
use crate::value::calendar::MICROS_1970_TO_2000;
use proptest::prelude::*;
use std::borrow::Cow;
use std::fmt::Write;

/// Choices, one after the other; 0 where there are none left.
pub(super) struct Choices<'c>(&'c [u8]);

impl Choices<'_> {
    fn below(&mut self, count: usize) -> usize {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        usize::from(*first) % count
    }

    fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == count - 1
    }

    fn of<'o, T>(&mut self, options: &'o [T]) -> &'o T {
        &options[self.below(options.len())]
    }
}

const FACTS: FileFacts<'static> = FileFacts { path: "things/abc.json", captures: &[("id", "abc")], modified: Some(5) };

fn forms(choices: &mut Choices<'_>, format: &Format) -> ValueForm {
    let options = [
        ValueForm::Text,
        ValueForm::Integer,
        ValueForm::Real,
        ValueForm::Boolean(BooleanSpelling::Own),
        ValueForm::Boolean(BooleanSpelling::Digits),
        ValueForm::Boolean(BooleanSpelling::Words { yes: "on".into(), no: "off".into() }),
        ValueForm::Moment(MomentSpelling::Rfc3339),
        ValueForm::Moment(MomentSpelling::EpochSeconds),
        ValueForm::Moment(MomentSpelling::EpochMillis),
        ValueForm::Moment(MomentSpelling::Spaced),
        ValueForm::Words(vec![("ON".into(), "on".into()), ("OFF".into(), "off".into())]),
        ValueForm::Json,
    ];
    match format {
        Format::Lines(_) => choices.of(&options[..11]).clone(),
        _ => choices.of(&options).clone(),
    }
}

struct Making<'c, 'b> {
    choices: &'c mut Choices<'b>,
    format: Format,
    tables: Vec<TableLayout>,
}

impl Making<'_, '_> {
    /// A record set with a table of its own.
    fn records(&mut self, at: Vec<Step>, parent: Option<usize>, depth: usize) -> RecordSet {
        let many = match at.last() {
            Some(Step::Elements) => Many::Elements,
            Some(Step::Entries) => Many::Entries,
            _ => Many::One,
        };
        let table = self.tables.len();
        self.tables.push(TableLayout { name: format!("t{table}"), columns: Vec::new(), key: vec![0], in_parts: false });
        let mut columns: Vec<ColumnLayout> = Vec::new();
        let mut filled: Vec<Filled> = Vec::new();
        let mut add = |form: ValueForm, from: Vec<Origin>, absent: Absent| {
            filled.push(Filled { column: columns.len(), from, form: form.clone(), absent });
            columns.push(ColumnLayout { name: format!("c{}", columns.len()), form });
            columns.len() - 1
        };
        let is_lines = matches!(self.format, Format::Lines(_));
        let by_value = !is_lines && many != Many::One && self.choices.one_in(6);
        let keyed = !self.choices.one_in(4);
        match many {
            Many::Entries => drop(add(ValueForm::Text, vec![Origin::EntryName], Absent::Refused)),
            _ if by_value => drop(add(ValueForm::Integer, vec![Origin::Value], Absent::Refused)),
            _ if keyed && !is_lines => {
                let mut from = vec![Origin::Member(vec!["id".into()])];
                if at.is_empty() && self.choices.one_in(2) {
                    from.push(Origin::Capture("id".into()));
                }
                let _ = add(ValueForm::Text, from, Absent::Refused);
            }
            _ => drop(add(ValueForm::Integer, vec![Origin::Position], Absent::Refused)),
        }
        if let Some(parent) = parent {
            let form = self.tables[parent].columns[0].form.clone();
            add(form, vec![Origin::Parent(0)], Absent::Null);
        }
        if self.choices.one_in(3) {
            add(ValueForm::Text, vec![Origin::Capture("id".into())], Absent::Null);
        }
        let (mut children, mut rest) = (Vec::new(), None);
        if many == Many::Entries && by_value {
            let form = forms(self.choices, &self.format);
            add(form, vec![Origin::Value], Absent::Null);
        } else if !by_value {
            let names = ["a", "b", "c", "d"];
            let count =
                if let Format::Lines(pattern) = &self.format { pattern.parts.len() / 2 } else { self.choices.below(5) };
            for name in &names[..count] {
                let form = forms(self.choices, &self.format);
                let inner = !is_lines && self.choices.one_in(4);
                let path = if inner { vec!["o".into(), (*name).into()] } else { vec![(*name).into()] };
                let absent = match self.choices.below(4) {
                    _ if is_lines => Absent::Refused,
                    0 => Absent::Null,
                    1 => Absent::WrittenNull,
                    2 => Absent::Refused,
                    _ => Absent::Default(default(&form)),
                };
                add(form, vec![Origin::Member(path)], absent);
            }
            if let Format::Lines(pattern) = &self.format
                && pattern.continued
            {
                add(ValueForm::Text, vec![Origin::Member(vec!["@more".into()])], Absent::Null);
            }
            if at.is_empty() && matches!(self.format, Format::Markdown { .. }) {
                add(ValueForm::Text, vec![Origin::Body], Absent::Null);
            }
            if !is_lines && self.choices.one_in(2) {
                columns.push(ColumnLayout { name: "rest".into(), form: ValueForm::Json });
                rest = Some(columns.len() - 1);
            }
            self.tables[table].columns = columns.clone();
            if !is_lines && depth < 2 {
                for name in &["k", "l"][..self.choices.below(3)] {
                    let mut at = vec![Step::Member((*name).into())];
                    match self.choices.below(3) {
                        0 => at.push(Step::Elements),
                        1 => at.push(Step::Entries),
                        _ => {}
                    }
                    children.push(self.records(at, Some(table), depth + 1));
                }
            }
        }
        self.tables[table].columns = columns;
        let keys = if self.choices.one_in(2) { vec!["k".into(), "b".into()] } else { Vec::new() };
        RecordSet { at, table, columns: filled, rest, children, order: None, keys }
    }
}

fn default(form: &ValueForm) -> String {
    match form {
        ValueForm::Text => "some",
        ValueForm::Words(_) => "ON",
        ValueForm::Integer | ValueForm::Boolean(BooleanSpelling::Digits) => "1",
        ValueForm::Real => "1.5",
        ValueForm::Boolean(BooleanSpelling::Own) => "true",
        ValueForm::Boolean(BooleanSpelling::Words { .. }) => "on",
        ValueForm::Moment(MomentSpelling::Rfc3339) => "2026-01-31T12:00:00Z",
        ValueForm::Moment(MomentSpelling::Spaced) => "2026-01-31 12:00:00",
        ValueForm::Moment(MomentSpelling::SpacedComma) => "2026-01-31 12:00:00,000",
        ValueForm::Moment(MomentSpelling::EpochSeconds | MomentSpelling::EpochMillis) => "0",
        ValueForm::Json => "{\"x\":1}",
        ValueForm::Bytes => "",
    }
    .to_owned()
}

fn layout(choices: &mut Choices<'_>, format: Format) -> Layout {
    let root = match &format {
        Format::JsonLines | Format::Lines(_) => vec![Step::Elements],
        Format::Markdown { .. } => Vec::new(),
        _ => match choices.below(6) {
            0 => vec![Step::Elements],
            1 => Vec::new(),
            2 => vec![Step::Entries],
            3 => vec![Step::Member("m".into()), Step::Elements],
            4 => vec![Step::Member("m".into()), Step::Member("n".into()), Step::Entries],
            _ => vec![Step::Member("m".into())],
        },
    };
    let style = Style {
        indent: *choices.of(&[2, 0, 4]),
        ascii: choices.one_in(3),
        sorted_keys: choices.one_in(3),
        spaced: choices.one_in(2),
        final_newline: !choices.one_in(3),
        mode: 0o644,
    };
    let mut making = Making { choices, format: format.clone(), tables: Vec::new() };
    let records = vec![making.records(root, None, 0)];
    let tables = making.tables;
    let path = path::PathPattern::of_kind("things", &Default::default()).unwrap();
    let kind = Kind { name: "things".into(), path, format, records, style };
    Layout { kinds: vec![kind], tables, ignore: Vec::new(), keep: Vec::new(), times: false }
}

/// A document of a layout.
struct Writing<'c, 'b, 'l> {
    choices: &'c mut Choices<'b>,
    layout: &'l Layout,
    next: usize,
    /// Blanks may hold line ends.
    lines: bool,
}

impl Writing<'_, '_, '_> {
    fn blank(&mut self) -> &'static str {
        match self.choices.below(8) {
            5 => " ",
            6 if self.lines => "\n  ",
            7 if self.lines => "\r\n\t",
            _ => "",
        }
    }

    fn text(&mut self) -> String {
        let (plain, _) = *self.choices.of(&TEXTS);
        plain.to_owned()
    }

    /// A text in quotes, in one of its spellings.
    fn quoted(&mut self, text: &str) -> String {
        let mut quoted = String::from("\"");
        for character in text.chars() {
            if self.choices.one_in(9) {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    let _ = write!(quoted, "\\u{unit:04X}");
                }
            } else {
                let mut one = String::new();
                quote(&character.to_string(), false, &mut one);
                quoted.push_str(&one[1..one.len() - 1]);
            }
        }
        quoted.push('"');
        quoted
    }

    fn any(&mut self, depth: usize) -> String {
        match self.choices.below(if depth > 2 { 5 } else { 7 }) {
            0 => "null".into(),
            1 => (*self.choices.of(&["0", "-0", "1.10", "1E400", "123456789012345678901234567890", "-1e-7"])).into(),
            2 => "true".into(),
            3 | 4 => {
                let text = self.text();
                self.quoted(&text)
            }
            5 => {
                let elements = (0..self.choices.below(3)).map(|_| self.any(depth + 1)).collect();
                self.container('[', elements, ']')
            }
            _ => {
                let members =
                    (0..self.choices.below(3)).map(|at| format!("\"x{at}\":{}{}", self.blank(), self.any(depth + 1)));
                let members = members.collect();
                self.container('{', members, '}')
            }
        }
    }

    fn container(&mut self, open: char, items: Vec<String>, close: char) -> String {
        let mut text = String::from(open);
        text.push_str(self.blank());
        for (place, item) in items.iter().enumerate() {
            if place > 0 {
                text.push_str(self.blank());
                text.push(',');
                text.push_str(self.blank());
            }
            text.push_str(item);
        }
        text.push_str(self.blank());
        text.push(close);
        text
    }

    fn value(&mut self, form: &ValueForm) -> String {
        let options: &[&str] = match form {
            ValueForm::Text => {
                let text = self.text();
                return self.quoted(&text);
            }
            ValueForm::Words(_) => &["\"ON\"", "\"OFF\""],
            ValueForm::Json => {
                let value = self.any(0);
                return if value == "null" { "[1 , 2]".into() } else { value };
            }
            ValueForm::Integer => &["0", "7", "-0", "1e3", "12.0", "9223372036854775807", "-9223372036854775808"],
            ValueForm::Real => &["0", "0.0", "1.10", "-0.0", "1e5", "5", "0.1000000000000000055511151231257827"],
            ValueForm::Boolean(BooleanSpelling::Own) => &["true", "false"],
            ValueForm::Boolean(BooleanSpelling::Digits) => &["1", "0", "1.0"][..2],
            ValueForm::Boolean(BooleanSpelling::Words { .. }) => &["\"on\"", "\"off\""],
            ValueForm::Moment(MomentSpelling::Rfc3339) => {
                &["\"2026-01-31T12:00:00Z\"", "\"2026-01-31T12:00:00.500+02:00\"", "\"0999-12-31t23:59:59.000001z\""]
            }
            ValueForm::Moment(MomentSpelling::Spaced) => &["\"2026-01-31 12:00:00\"", "\"2026-01-31 12:00:00.250000\""],
            ValueForm::Moment(MomentSpelling::SpacedComma) => &["\"2026-01-31 12:00:00,123\""],
            ValueForm::Moment(_) => &["0", "1700000000", "1700000000.5", "-1", "17e8"],
            ValueForm::Bytes => &["\"\""],
        };
        (*self.choices.of(options)).to_owned()
    }

    fn record(&mut self, records: &RecordSet) -> String {
        let table = &self.layout.tables[records.table];
        let uses_members = records.columns.iter().any(|filled| matches!(filled.from[0], Origin::Member(_)));
        if let Some(filled) = records.columns.iter().find(|filled| filled.from.contains(&Origin::Value)) {
            if filled.absent != Absent::Refused && self.choices.one_in(4) {
                return "null".into();
            }
            return self.value(&table.columns[filled.column].form);
        }
        if !uses_members && records.rest.is_none() && records.children.is_empty() {
            return self.any(1);
        }
        let (mut members, mut inner) = (Vec::<(String, String)>::new(), Vec::<(String, String)>::new());
        for filled in &records.columns {
            let Origin::Member(path) = &filled.from[0] else { continue };
            let form = &table.columns[filled.column].form;
            let value = match self.choices.below(5) {
                3 if filled.absent != Absent::Refused => continue,
                4 if filled.absent != Absent::Refused => "null".into(),
                _ if path[0] == "id" => {
                    self.next += 1;
                    let id = if filled.from.len() > 1 { "abc".into() } else { format!("r{}", self.next) };
                    self.quoted(&id)
                }
                _ => self.value(form),
            };
            match path.as_slice() {
                [name] => members.push((name.clone(), value)),
                path => inner.push((path[1].clone(), value)),
            }
        }
        let has_inner =
            records.columns.iter().any(|filled| matches!(&filled.from[0], Origin::Member(path) if path.len() > 1));
        if has_inner && (!inner.is_empty() || self.choices.one_in(2)) {
            if inner.is_empty() && self.choices.one_in(3) {
                members.push(("o".into(), "null".into()));
            } else {
                if self.choices.one_in(3) {
                    inner.push(("y".into(), self.any(1)));
                }
                let object = self.object(inner);
                members.push(("o".into(), object));
            }
        }
        for child in &records.children {
            let Step::Member(name) = &child.at[0] else { continue };
            let value = match child.at.get(1) {
                _ if self.choices.one_in(5) => continue,
                _ if self.choices.one_in(6) => "null".into(),
                None => self.record(child),
                Some(_) => self.place(child, 1),
            };
            members.push((name.clone(), value));
        }
        for at in 0..self.choices.below(3) {
            members.push((format!("y{at}"), self.any(0)));
        }
        self.object(members)
    }

    fn object(&mut self, mut members: Vec<(String, String)>) -> String {
        for at in (1..members.len()).rev() {
            let other = at - self.choices.below(at + 1).min(at);
            members.swap(at, other);
        }
        let members = members.into_iter().map(|(name, value)| {
            let name = self.quoted(&name);
            format!("{name}{}:{}{value}", self.blank(), self.blank())
        });
        let members = members.collect();
        self.container('{', members, '}')
    }

    /// The value of a step and those behind it.
    fn place(&mut self, records: &RecordSet, step: usize) -> String {
        match records.at.get(step) {
            None => self.record(records),
            Some(Step::Member(name)) => {
                let value = self.place(records, step + 1);
                let mut members = vec![(name.clone(), value)];
                if self.choices.one_in(3) {
                    members.push(("z".into(), self.any(1)));
                }
                self.object(members)
            }
            Some(Step::Elements) => {
                let elements = (0..self.choices.below(5)).map(|_| self.record(records)).collect();
                self.container('[', elements, ']')
            }
            Some(Step::Entries) => {
                let entries = (0..self.choices.below(5)).map(|at| {
                    let name = if self.choices.one_in(3) { format!("é\"{at}") } else { format!("e{at}") };
                    let name = self.quoted(&name);
                    format!("{name}:{}", self.record(records))
                });
                let entries = entries.collect();
                self.container('{', entries, '}')
            }
        }
    }

    fn file(&mut self) -> String {
        let kind = &self.layout.kinds[0];
        match &kind.format {
            Format::Json => {
                let value = self.place(&kind.records[0], 0);
                format!("{}{value}{}", self.blank(), self.blank())
            }
            Format::JsonLines => {
                self.lines = false;
                let mut text = String::new();
                for _ in 0..self.choices.below(5) {
                    text.push_str(&self.record(&kind.records[0]));
                    text.push_str(["\n", "\r\n", " \n\n"][self.choices.below(3)]);
                }
                if self.choices.one_in(3) {
                    text = text.trim_end().to_owned();
                }
                text
            }
            other => panic!("{other:?}"),
        }
    }
}

/// Texts, and whether a line can have them.
const TEXTS: [(&str, bool); 8] = [
    ("", false),
    ("some", true),
    ("é \"quoted\" \\", false),
    ("\u{1f600}", true),
    ("two\nlines\t", false),
    ("\0\u{7f}", false),
    ("12", true),
    ("true", true),
];

fn value(choices: &mut Choices<'_>, form: &ValueForm) -> Cell<'static> {
    match form {
        ValueForm::Text => Cell::Text(Cow::Borrowed(choices.of(&TEXTS).0)),
        ValueForm::Words(_) => Cell::Text(Cow::Borrowed(*choices.of(&["on", "off"]))),
        ValueForm::Integer => Cell::Int(*choices.of(&[0, 5, -1, i64::MAX, i64::MIN])),
        ValueForm::Real => Cell::Float(*choices.of(&[0.0, -0.0, 1.1, 1e300, -5.0, 1e16])),
        ValueForm::Boolean(_) => Cell::Bool(choices.one_in(2)),
        ValueForm::Json => {
            let options = ["{}", "[]", "1.10", "{\"a\":[1,2,{}],\"b\":\"\\u00e9\"}", "\"t\""];
            Cell::Json(Cow::Borrowed(options[choices.below(5)]))
        }
        ValueForm::Moment(MomentSpelling::Rfc3339 | MomentSpelling::Spaced) => {
            Cell::TimestampTz(*choices.of(&[0, 1, 1_000_000, 250_000, -MICROS_1970_TO_2000]))
        }
        ValueForm::Moment(_) => {
            Cell::TimestampTz(*choices.of(&[0, 1_000, 1_000_000, 250_000, -MICROS_1970_TO_2000 - 1_000]))
        }
        ValueForm::Bytes => Cell::Bytes(Cow::Borrowed(b"x")),
    }
}

/// Rows as a tree, so that edits keep what is inside what.
#[derive(Clone, Debug)]
struct Node {
    set: usize,
    cells: Vec<Cell<'static>>,
    inner: Vec<Node>,
}

fn nodes(weaver: &Weaver<'_>, rows: &Rows<'_>) -> Vec<Node> {
    fn take(weaver: &Weaver<'_>, rows: &Rows<'_>, at: &mut usize, parent: Option<usize>) -> Vec<Node> {
        let mut nodes = Vec::new();
        while *at < rows.len() && weaver.sets()[rows.row(*at).set].parent == parent {
            let row = rows.row(*at);
            let cells = row.cells.iter().map(|cell| cell.clone().into_owned()).collect();
            *at += 1;
            let inner = take(weaver, rows, at, Some(row.set));
            nodes.push(Node { set: row.set, cells, inner });
        }
        nodes
    }
    take(weaver, rows, &mut 0, None)
}

fn rows_of(nodes: &[Node], rows: &mut Rows<'static>) {
    for node in nodes {
        rows.push(node.set, node.cells.clone());
        rows_of(&node.inner, rows);
    }
}

/// What places and rows around say, said again.
fn settle(weaver: &Weaver<'_>, nodes: &mut [Node], parent: Option<&[Cell<'static>]>) {
    let mut positions = std::collections::HashMap::new();
    for node in nodes {
        let position: &mut i64 = positions.entry(node.set).or_insert(0);
        for filled in &weaver.sets()[node.set].records.columns {
            match &filled.from[0] {
                Origin::Position => node.cells[filled.column] = Cell::Int(*position),
                Origin::Parent(column) => node.cells[filled.column] = parent.unwrap_or_default()[*column].clone(),
                _ => {}
            }
        }
        *position += 1;
        let cells = node.cells.clone();
        settle(weaver, &mut node.inner, Some(&cells));
    }
}

/// One edit somewhere below; whether it is of a single value.
fn edit(choices: &mut Choices<'_>, weaver: &Weaver<'_>, nodes: &mut Vec<Node>, fresh: &mut usize) -> bool {
    if nodes.is_empty() {
        return false;
    }
    let at = choices.below(nodes.len());
    if !nodes[at].inner.is_empty() && choices.one_in(2) {
        return edit(choices, weaver, &mut nodes[at].inner, fresh);
    }
    let set = &weaver.sets()[nodes[at].set];
    let is_many = set.many != Many::One;
    match choices.below(5) {
        1 if is_many => drop(nodes.remove(at)),
        2 if is_many => {
            let mut new = nodes[at].clone();
            renamed(weaver, &mut new, fresh);
            let to = if choices.one_in(2) { at } else { at + 1 };
            nodes.insert(to, new);
        }
        3 if is_many => {
            let like = nodes.iter().rposition(|node| node.set == nodes[at].set).unwrap_or(at);
            let node = nodes.remove(at);
            nodes.insert(like, node);
        }
        _ => {
            let columns = set.records.columns.iter().filter(|filled| {
                !set.identity.contains(&filled.column)
                    && filled
                        .from
                        .iter()
                        .all(|origin| matches!(origin, Origin::Member(_) | Origin::Value | Origin::Body))
            });
            let mut columns: Vec<(usize, bool)> =
                columns.map(|filled| (filled.column, filled.absent != Absent::Refused)).collect();
            columns.extend(set.records.rest.map(|column| (column, true)));
            if columns.is_empty() {
                return false;
            }
            let (column, nullable) = *choices.of(&columns);
            nodes[at].cells[column] = match set.records.rest == Some(column) {
                _ if nullable && choices.one_in(3) => Cell::Null,
                true => {
                    let options = ["{\"n\":1}", "{\"y0\":[2],\"n\":{}}", "{\"y1\":null,\"é\":\"\\u00e9\"}"];
                    Cell::Json(Cow::Borrowed(options[choices.below(3)]))
                }
                false => value(choices, &set.table.columns[column].form),
            };
            return true;
        }
    }
    false
}

fn renamed(weaver: &Weaver<'_>, node: &mut Node, number: &mut usize) {
    *number += 1;
    let set = &weaver.sets()[node.set];
    if set.many != Many::One {
        for column in &set.identity {
            node.cells[*column] = match &node.cells[*column] {
                Cell::Int(_) => Cell::Int(1_000 + *number as i64),
                _ => Cell::Text(Cow::Owned(format!("new{number}"))),
            };
        }
    }
    for inner in &mut node.inner {
        renamed(weaver, inner, number);
    }
}

fn equal(left: &Rows<'_>, right: &Rows<'_>) -> bool {
    left.len() == right.len()
        && left.iter().zip(right.iter()).all(|(left, right)| {
            left.set == right.set && left.cells.iter().zip(right.cells).all(|(left, right)| same(left, right))
        })
}

fn lossy(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

pub(super) fn hold(bytes: &[u8], format: impl Fn(&mut Choices<'_>) -> Format) {
    let mut choices = Choices(bytes);
    let format = format(&mut choices);
    let layout = layout(&mut choices, format);
    let kind = &layout.kinds[0];
    let weaver = Weaver::new(&layout, kind).unwrap_or_else(|reason| panic!("{reason}: {kind:#?}"));
    let text = Writing { choices: &mut choices, layout: &layout, next: 0, lines: true }.file();
    let piece = Piece::whole(text.as_bytes());
    let rows = weaver.unweave(&FACTS, &piece).unwrap_or_else(|flaw| panic!("{flaw}: {text}\n{kind:#?}"));
    let woven = |piece: &Piece<'_>, rows: &Rows<'_>| {
        weaver.weave(&FACTS, piece, rows).unwrap_or_else(|why| panic!("{why:?}: {}\n{rows:#?}", lossy(piece.text)))
    };

    // Rows change nothing that they do not say otherwise.
    assert_eq!(lossy(&woven(&piece, &rows)), text, "its own rows");
    // A file comes back from its rows and its residue.
    let whole = match weaver.residue(&FACTS, &piece, &rows) {
        Some(residue) => woven(&Piece::whole(&residue), &rows),
        None => weaver.fresh(&FACTS, Part::WHOLE, &rows).expect("a new file"),
    };
    assert_eq!(lossy(&whole), text, "its residue");
    // A new file holds the rows.
    let fresh = weaver.fresh(&FACTS, Part::WHOLE, &rows).expect("a new file");
    let back = weaver.unweave(&FACTS, &Piece::whole(&fresh)).unwrap_or_else(|flaw| panic!("{flaw}: {}", lossy(&fresh)));
    assert!(equal(&back, &rows), "a new file: {}\n{back:#?}\n{rows:#?}", lossy(&fresh));

    // Edits, one after the other.
    let mut number = 0;
    let mut text = text;
    for _ in 0..4 {
        let piece = Piece::whole(text.as_bytes());
        let rows = weaver.unweave(&FACTS, &piece).expect("what was read before");
        let mut tree = nodes(&weaver, &rows);
        edit(&mut choices, &weaver, &mut tree, &mut number);
        settle(&weaver, &mut tree, None);
        let mut edited = Rows::new();
        rows_of(&tree, &mut edited);
        let edited = weaver.normal(edited);
        let next = woven(&piece, &edited);
        let back = weaver.unweave(&FACTS, &Piece::whole(&next));
        let back = back.unwrap_or_else(|flaw| panic!("{flaw}: {} was {text}\n{edited:#?}", lossy(&next)));
        assert!(equal(&back, &edited), "{} was {text}\n{back:#?}\n{edited:#?}", lossy(&next));
        one_place(&weaver, &text, &lossy(&next), &rows, &edited);
        let fresh = weaver.fresh(&FACTS, Part::WHOLE, &edited).expect("a new file");
        let back =
            weaver.unweave(&FACTS, &Piece::whole(&fresh)).unwrap_or_else(|flaw| panic!("{flaw}: {}", lossy(&fresh)));
        assert!(equal(&back, &edited), "a new file: {}\n{back:#?}\n{edited:#?}", lossy(&fresh));
        text = lossy(&next).into_owned();
    }
}

/// Where one row of a root's array is another, everything outside of it is what it was.
fn one_place(weaver: &Weaver<'_>, old: &str, new: &str, rows: &Rows<'_>, edited: &Rows<'_>) {
    let Some(_) = weaver.sets.root.own else { return };
    if rows.len() != edited.len() {
        return;
    }
    let differing: Vec<usize> = (0..rows.len())
        .filter(|at| {
            let (left, right) = (rows.row(*at), edited.row(*at));
            left.set != right.set || !left.cells.iter().zip(right.cells).all(|(left, right)| same(left, right))
        })
        .collect();
    let [at] = differing[..] else { return };
    let record = (0..=at).filter(|at| weaver.sets()[rows.row(*at).set].parent.is_none()).count() - 1;
    let document = open::document(&weaver.sets, &Piece::whole(old.as_bytes())).expect("what was read before");
    let spans: Vec<_> = match document.kind(0) {
        NodeKind::Array => document.elements(0).map(|node| document.item(node)).collect(),
        NodeKind::Object => document.entries(0).map(|(_, node)| document.item(node)).collect(),
        _ => return,
    };
    let span = spans[record].clone();
    assert!(new.starts_with(&old[..span.start]) && new.ends_with(&old[span.end..]), "{old:?} became {new:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn of_json(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        hold(&bytes, |_| Format::Json);
    }

    #[test]
    fn of_json_lines(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        hold(&bytes, |_| Format::JsonLines);
    }
}
