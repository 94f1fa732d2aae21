//! The laws of this room under random layouts, documents and edits.
//!
//! A case is a list of bytes, each a choice, so that shrinking a list shrinks layout, document and edits at once.

mod writing;

use super::super::document::NodeKind;
use super::super::document::escape::quote;
use super::super::layout::*;
use super::*;
use crate::value::Cell;
use crate::value::calendar::MICROS_1970_TO_2000;
use proptest::prelude::*;
use std::borrow::Cow;
use std::fmt::Write;
use writing::Writing;

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

const FACTS: FileFacts<'static> =
    FileFacts { path: "things/abc.json", captures: &[("id", "abc")], modified: Some(5), sha256: None };

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

fn path_pattern() -> path::PathPattern {
    path::PathPattern::glob("things/*").expect("a pattern")
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
                add(ValueForm::Text, vec![Origin::Body], Absent::Refused);
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
    let path = path_pattern();
    let kind = Kind { name: "things".into(), path, format, blank: false, records, style };
    Layout { kinds: vec![kind], tables, ignore: Vec::new(), keep: Vec::new(), times: false, asks: Vec::new() }
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

/// A value that a line can have.
fn line_value(choices: &mut Choices<'_>, column: &ColumnLayout, is_more: bool) -> Cell<'static> {
    match &column.form {
        ValueForm::Text if is_more => Cell::Text(Cow::Borrowed(["", "  at there", "\n  at\n"][choices.below(3)])),
        ValueForm::Text => Cell::Text(Cow::Borrowed(["", "other", "é"][choices.below(3)])),
        form => value(choices, form),
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
                false if weaver.sets.lines.is_some() => line_value(choices, &set.table.columns[column], nullable),
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

    in_pieces(&mut choices, &weaver, &text, &rows);

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

/// A file that is read in pieces has the same rows, comes back from the residues of its pieces, and holds what is left when the
/// rows of its first pieces are gone.
fn in_pieces(choices: &mut Choices<'_>, weaver: &Weaver<'_>, text: &str, rows: &Rows<'_>) {
    if !weaver.has_pieces() {
        return;
    }
    let step = 1 + choices.below(60);
    let (mut from, mut end, mut line, mut position) = (0, 0, 1, 0);
    let (mut all, mut back, mut fresh, mut left): (Vec<Node>, Vec<u8>, Vec<u8>, Vec<u8>) = Default::default();
    let (mut kept, gone) = (0, choices.below(3));
    let mut pieces = 0;
    loop {
        end = (end + step).min(text.len());
        let first = from == 0;
        let cut = weaver.cut(&text.as_bytes()[from..end], first);
        if cut.is_none() && end < text.len() {
            continue;
        }
        let to = cut.map_or(text.len(), |cut| from + cut);
        // What is left may be no more than the end of the array.
        let last = to == text.len() || cut.is_none();
        let part = Part { first, last, position };
        let piece = Piece { text: &text.as_bytes()[from..to], large: None, part, line };
        let rows =
            weaver.unweave(&FACTS, &piece).unwrap_or_else(|flaw| panic!("{flaw}: {:?} of {text:?}", &text[from..to]));
        match weaver.residue(&FACTS, &piece, &rows) {
            Some(residue) => {
                let piece = Piece { text: &residue, ..piece };
                back.extend(weaver.weave(&FACTS, &piece, &rows).expect("its own rows"));
            }
            None => back.extend(weaver.fresh(&FACTS, part, &rows).expect("a new file")),
        }
        fresh.extend(weaver.fresh(&FACTS, part, &rows).expect("a new file"));
        let mut tree = nodes(weaver, &rows);
        let count = tree.len();
        if pieces < gone {
            tree.clear();
        }
        let mut some = Rows::new();
        settle(weaver, &mut tree, None);
        for node in &mut tree {
            for filled in &weaver.sets()[node.set].records.columns {
                if let (Origin::Position, Cell::Int(place)) = (&filled.from[0], &mut node.cells[filled.column]) {
                    *place += kept;
                }
            }
        }
        let parent_says_position = weaver.sets().iter().any(|set| {
            set.parent.is_some()
                && weaver.sets()[0].records.columns.iter().any(|filled| filled.from[0] == Origin::Position)
        });
        if !parent_says_position {
            rows_of(&tree, &mut some);
            let piece = Piece { part: Part { position: kept as u64, ..part }, ..piece };
            let woven = weaver.weave(&FACTS, &piece, &some);
            left.extend(woven.unwrap_or_else(|why| panic!("{why:?}: {:?}\n{some:#?}", lossy(piece.text))));
        } else {
            left.extend(piece.text);
        }
        kept += tree.len() as i64;
        all.extend(nodes(weaver, &rows));
        position += count as u64;
        line += text[from..to].matches('\n').count() as u64;
        (from, pieces) = (to, pieces + 1);
        end = end.max(from);
        if last {
            break;
        }
    }
    let mut whole = Rows::new();
    rows_of(&all, &mut whole);
    assert!(equal(&whole, rows), "in pieces: {text}");
    assert_eq!(lossy(&back), text, "in pieces");
    // A last part without a record cannot take back the line end that another part has written.
    let whole = weaver.fresh(&FACTS, Part::WHOLE, rows).expect("a new file");
    assert_eq!(lossy(&fresh).trim_end_matches('\n'), lossy(&whole).trim_end_matches('\n'), "in pieces");
    let left_rows = weaver.unweave(&FACTS, &Piece::whole(&left));
    left_rows.unwrap_or_else(|flaw| panic!("{flaw}: {} was {text}", lossy(&left)));
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

/// A layout whose one kind has records with an integer.
fn plain(format: Format, at: &[Step]) -> Layout {
    let column = |name: &str, form| ColumnLayout { name: name.into(), form };
    let filled = |column, name: &str| Filled {
        column,
        from: vec![Origin::Member(vec![name.into()])],
        form: if column == 0 { ValueForm::Integer } else { ValueForm::Moment(MomentSpelling::Rfc3339) },
        absent: Absent::Null,
    };
    let columns = vec![column("id", ValueForm::Integer), column("at", ValueForm::Moment(MomentSpelling::Rfc3339))];
    let table = TableLayout { name: "things".into(), columns, key: vec![0], in_parts: false };
    let records = RecordSet {
        at: at.to_vec(),
        table: 0,
        columns: vec![filled(0, "id"), filled(1, "at")],
        rest: None,
        children: Vec::new(),
        order: None,
        keys: Vec::new(),
    };
    let style = Style { indent: 2, ascii: false, sorted_keys: false, spaced: true, final_newline: true, mode: 0o644 };
    let records = vec![records];
    let kind = Kind { name: "things".into(), path: path_pattern(), format, blank: false, records, style };
    Layout {
        kinds: vec![kind],
        tables: vec![table],
        ignore: Vec::new(),
        keep: Vec::new(),
        times: false,
        asks: Vec::new(),
    }
}

fn flaw(format: Format, at: &[Step], bytes: &[u8]) -> String {
    let layout = plain(format, at);
    let weaver = Weaver::new(&layout, &layout.kinds[0]).expect("a kind");
    match weaver.unweave(&FACTS, &Piece::whole(bytes)) {
        Ok(rows) => panic!("{} is {rows:?}", lossy(bytes)),
        Err(flaw) => flaw.to_string(),
    }
}

#[test]
fn bad_json_is_told_by_its_place_and_why() {
    let json = |text: &[u8]| flaw(Format::Json, &[Step::Elements], text);
    let deep = "[".repeat(100_000);
    let cases: &[(&[u8], &str)] = &[
        (b"", "line 1, column 1: the text ends where a value should be"),
        (
            b"[\n  {\"id\": 1",
            "line 2, column 11: the text ends inside the object that begins at line 2, column 3: it was cut off",
        ),
        (
            b"[{\"id\": \"x",
            "line 1, column 11: the text ends inside the text that begins at line 1, column 9: it was cut off",
        ),
        (
            b"[{\"id\": 1, \"\\u0069d\": 2}]",
            "line 1, column 12: the key \"\\u0069d\" stands twice in the object that begins at line 1, column 2",
        ),
        (b"[]{}", "line 1, column 3: a second value begins here; a file of JSON is one, and several are JSON lines"),
        (b"[] x", "line 1, column 4: `x` behind the end of the value"),
        (b"\xef\xbb\xbf[]", "line 1, column 1: the file begins with a byte order mark; save it as UTF-8 without one"),
        (b"\xff\xfe[\0]\0", "line 1, column 1: the file is UTF-16; save it as UTF-8"),
        (b"[\0]\0", "line 1, column 1: the file is UTF-16; save it as UTF-8"),
        (b"[\n\"\xff\"]", "line 2, column 2: the byte 0xff is not UTF-8 here"),
        (b"[\"\xc3", "line 1, column 3: the file ends inside a character of UTF-8"),
        (b"[{} \0]", "line 1, column 5: the character NUL where `,` or `]` should be"),
        (b"[\"\0\"]", "line 1, column 3: the character NUL inside a text, where JSON wants it escaped"),
        (b"[\"\\ud83d\"]", "line 1, column 3: `\\ud83d` is half of a surrogate pair, which is no character"),
        (b"[\"\\x\"]", "line 1, column 3: `\\x` is no escape of JSON"),
        (
            b"[{\"id\": 9223372036854775808}]",
            "line 1, column 9: `id`: 9223372036854775808 is beyond the 64 bits of an integer",
        ),
        (b"[{\"id\": 1.10}]", "line 1, column 9: `id`: `1.10` is no integer"),
        (b"[{\"id\": 01}]", "line 1, column 9: `01` is no number of JSON"),
        (b"[{\"id\": \"1\"}]", "line 1, column 9: `id`: a text where an integer should be"),
        (
            b"[{\"at\": \"2026-01-31T12:00:00.123456789Z\"}]",
            "line 1, column 9: `at`: `2026-01-31T12:00:00.123456789Z` is finer than the microsecond of a moment; a column of type \"text\" keeps it",
        ),
        (b"[1]", "line 1, column 2: a number where a record of `things` should be"),
        (b"{}", "line 1, column 1: an object where the array of `things` should be"),
        (deep.as_bytes(), "line 1, column 513: values are nested deeper than 512 levels"),
    ];
    for (bytes, expected) in cases {
        assert_eq!(json(bytes), *expected, "{}", lossy(&bytes[..bytes.len().min(60)]));
    }
}

#[test]
fn bad_lines_are_told_by_their_place_and_why() {
    let json = |text: &[u8]| flaw(Format::JsonLines, &[Step::Elements], text);
    assert_eq!(json(b"{\"id\":1}\n{}{}\n"), "line 2, column 3: a second record begins on this line");
    assert_eq!(
        json(b"{\"id\":1}\n{\"id\":2"),
        "line 2, column 8: the last line ends inside the object that begins at line 2, column 1: it was cut off"
    );
    assert_eq!(
        json(b"{\"id\":\n1}\n"),
        "line 1, column 7: the line ends inside the object that begins at line 1, column 1: it was cut off"
    );
    let parts = vec![
        LinePart::Capture { name: "id".into(), pattern: r"\d+".into() },
        LinePart::Literal(" ".into()),
        LinePart::Capture { name: "at".into(), pattern: r"\S+".into() },
    ];
    let format = Format::Lines(LinePattern { parts, continued: false });
    assert_eq!(
        flaw(format, &[Step::Elements], b"1 2026-01-31T12:00:00Z\nx\n"),
        "line 2, column 1: the line is not as the layout's pattern says"
    );
}

#[test]
fn bad_yaml_is_told_by_its_place_and_why() {
    let yaml = |text: &str| flaw(Format::Yaml, &[], text.as_bytes());
    let deep = "- ".repeat(100_000);
    let cases = [
        ("id: &x 1\n", "line 1, column 5: an anchor (`&`) gives the value a second place; write it out"),
        ("id: !!int 1\n", "line 1, column 5: a tag (`!`) gives the value another meaning; write it without"),
        (
            "é: {}\n<<: {}\n",
            "line 2, column 1: a merge key (`<<`) means the members of another mapping; write them out",
        ),
        ("id: 1\nid: 2\n", "line 2, column 1: the key `id` stands twice in its mapping"),
        ("id: 1\n---\nid: 2\n", "line 2, column 1: a second document begins here; a file of YAML is one"),
        (
            "? id\n: 1\n",
            "line 1, column 3: a form of YAML that cannot be edited in place; write `key: value` and `- value`",
        ),
        ("[a]: 1\n", "line 1, column 1: a key is a text, and no sequence or mapping"),
        (&deep, "line 1, column 1025: values are nested deeper than 512 levels"),
    ];
    for (text, expected) in cases {
        assert_eq!(yaml(text), expected, "{}", &text[..text.len().min(60)]);
    }
    let front = |text: &str| flaw(Format::Markdown { front_matter: true }, &[], text.as_bytes());
    assert_eq!(
        front("# Title\n"),
        "line 1, column 1: the file does not begin with front matter: its first line is not `---`"
    );
    assert_eq!(front("---\nid: 1\n"), "line 3, column 1: the front matter has no end: no line is `---`");
    assert_eq!(front("---\n- 1\n---\n"), "line 2, column 1: the front matter is no mapping");
}

#[test]
fn what_is_spelled_otherwise_stays_as_it_is() {
    let layout = plain(Format::Json, &[Step::Elements]);
    let weaver = Weaver::new(&layout, &layout.kinds[0]).expect("a kind");
    let text = b"[ {\"at\" : \"2026-01-31T14:00:00+02:00\", \"id\":1e1, \"more\": 1.10},\n\n  {\"id\":2}]";
    let rows = weaver.unweave(&FACTS, &Piece::whole(text)).expect("rows");
    assert_eq!(rows.row(0).cells[0], Cell::Int(10));
    let mut edited = Rows::new();
    edited.push(0, [Cell::Int(10), rows.row(0).cells[1].clone()]);
    edited.push(0, [Cell::Int(3), Cell::Null]);
    let woven = weaver.weave(&FACTS, &Piece::whole(text), &edited).expect("a text");
    assert_eq!(
        lossy(&woven),
        "[ {\"at\" : \"2026-01-31T14:00:00+02:00\", \"id\":1e1, \"more\": 1.10},\n\n  {\"id\": 3}]"
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn of_json(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        hold(&bytes, |_| Format::Json);
    }

    #[test]
    fn of_lines(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        hold(&bytes, |choices| {
            let mut parts = Vec::new();
            for name in &["a", "b", "c", "d"][..1 + choices.below(4)] {
                parts.push(LinePart::Literal("[".into()));
                parts.push(LinePart::Capture { name: (*name).into(), pattern: r"[^\[\]]*".into() });
            }
            parts.push(LinePart::Literal("]".into()));
            Format::Lines(LinePattern { parts, continued: choices.one_in(2) })
        });
    }

    #[test]
    fn of_yaml(bytes in proptest::collection::vec(any::<u8>(), 0..500)) {
        hold(&bytes, |_| Format::Yaml);
    }

    #[test]
    fn of_markdown(bytes in proptest::collection::vec(any::<u8>(), 0..500)) {
        hold(&bytes, |_| Format::Markdown { front_matter: true });
    }

    #[test]
    fn of_json_lines(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        hold(&bytes, |_| Format::JsonLines);
    }
}
