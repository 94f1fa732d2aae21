//! A document of a layout, spelled as people and programs do.

use super::*;

/// A document of a layout.
pub(super) struct Writing<'c, 'b, 'l> {
    pub(super) choices: &'c mut Choices<'b>,
    pub(super) layout: &'l Layout,
    pub(super) next: usize,
    /// Blanks may hold line ends.
    pub(super) lines: bool,
}

impl Writing<'_, '_, '_> {
    pub(super) fn blank(&mut self) -> &'static str {
        match self.choices.below(8) {
            5 => " ",
            6 if self.lines => "\n  ",
            7 if self.lines => "\r\n\t",
            _ => "",
        }
    }

    pub(super) fn text(&mut self) -> String {
        let (plain, _) = *self.choices.of(&TEXTS);
        plain.to_owned()
    }

    /// A text in quotes, in one of its spellings.
    pub(super) fn quoted(&mut self, text: &str) -> String {
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

    pub(super) fn any(&mut self, depth: usize) -> String {
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

    pub(super) fn container(&mut self, open: char, items: Vec<String>, close: char) -> String {
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

    pub(super) fn value(&mut self, form: &ValueForm) -> String {
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

    pub(super) fn record(&mut self, records: &RecordSet) -> String {
        let table = &self.layout.tables[records.table];
        let uses_members = records.columns.iter().any(|filled| matches!(filled.from[0], Origin::Member(_)));
        if let Some(filled) = records.columns.iter().find(|filled| filled.from.contains(&Origin::Value)) {
            if filled.absent != Absent::Refused && self.choices.one_in(4) {
                return "null".into();
            }
            return self.value(&table.columns[filled.column].form);
        }
        let is_markdown = matches!(self.layout.kinds[0].format, Format::Markdown { .. });
        if !uses_members && records.rest.is_none() && records.children.is_empty() && !is_markdown {
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

    pub(super) fn object(&mut self, mut members: Vec<(String, String)>) -> String {
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
    pub(super) fn place(&mut self, records: &RecordSet, step: usize) -> String {
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

    pub(super) fn file(&mut self) -> String {
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
            Format::Lines(pattern) => {
                let mut text = String::new();
                let newline = if self.choices.one_in(3) { "\r\n" } else { "\n" };
                for _ in 0..self.choices.below(5) {
                    let mut columns =
                        kind.records[0].columns.iter().filter(|filled| matches!(filled.from[0], Origin::Member(_)));
                    for part in &pattern.parts {
                        match part {
                            LinePart::Literal(literal) => text.push_str(literal),
                            LinePart::Capture { .. } => {
                                let filled = columns.next().expect("a column for each capture");
                                let form = &self.layout.tables[0].columns[filled.column].form;
                                match form {
                                    ValueForm::Text => text.push_str(["some", "", "é😀", "12"][self.choices.below(4)]),
                                    form => {
                                        let value = self.value(form);
                                        text.push_str(value.trim_matches('"'));
                                    }
                                }
                            }
                        }
                    }
                    text.push_str(newline);
                    while pattern.continued && self.choices.one_in(3) {
                        text.push_str(["  at here", ""][self.choices.below(2)]);
                        text.push_str(newline);
                    }
                }
                if self.choices.one_in(3) {
                    text = text.trim_end().to_owned();
                }
                text
            }
            Format::Yaml => self.yaml_text(),
            Format::Markdown { front_matter } => {
                let matter = if *front_matter { format!("---\n{}---\n", self.yaml_text()) } else { String::new() };
                matter + ["", "# Title\n\ntext", "\n---\nmore\n"][self.choices.below(3)]
            }
            other => panic!("{other:?}"),
        }
    }

    /// The same values as YAML, in its many forms.
    pub(super) fn yaml_text(&mut self) -> String {
        let json = self.place(&self.layout.kinds[0].records[0], 0);
        let document = crate::endpoint::files::document::json::read(&json).expect("JSON");
        let mut text = String::from(["", "# before\n", "\n"][self.choices.below(3)]);
        if document.nodes[0].next == 1 && matches!(self.layout.kinds[0].format, Format::Markdown { .. }) {
            return text;
        }
        self.yaml(&document, 0, 0, false, &mut text);
        text.push('\n');
        text
    }

    pub(super) fn comment(&mut self, indent: usize, out: &mut String) {
        if self.choices.one_in(5) {
            out.push_str(" # why: not");
        }
        out.push('\n');
        if self.choices.one_in(7) {
            out.push_str("# a line\n\n");
        }
        out.push_str(&" ".repeat(indent));
    }

    pub(super) fn yaml(
        &mut self,
        document: &crate::endpoint::files::document::Document<'_>,
        node: usize,
        indent: usize,
        flow: bool,
        out: &mut String,
    ) {
        use crate::endpoint::files::document::yaml;
        let is_empty = document.nodes[node].next as usize == node + 1;
        match document.kind(node) {
            NodeKind::Array | NodeKind::Object if flow || is_empty || self.choices.one_in(4) => {
                let is_object = document.kind(node) == NodeKind::Object;
                out.push(if is_object { '{' } else { '[' });
                let items: Vec<(Option<usize>, usize)> = match is_object {
                    true => document.entries(node).map(|(key, value)| (Some(key), value)).collect(),
                    false => document.elements(node).map(|value| (None, value)).collect(),
                };
                for (place, (key, value)) in items.into_iter().enumerate() {
                    if place > 0 {
                        out.push_str(
                            [", ", ",", " ,\n                                        "][self.choices.below(3)],
                        );
                    }
                    if let Some(key) = key {
                        yaml::quote(&document.key(key), false, out);
                        out.push_str(": ");
                    }
                    self.yaml(document, value, 0, true, out);
                }
                out.push(if is_object { '}' } else { ']' });
            }
            NodeKind::Array => {
                for (place, value) in document.elements(node).enumerate() {
                    if place > 0 {
                        self.comment(indent, out);
                    }
                    out.push_str("- ");
                    self.yaml(document, value, indent + 2, false, out);
                }
            }
            NodeKind::Object => {
                for (place, (key, value)) in document.entries(node).enumerate() {
                    if place > 0 {
                        self.comment(indent, out);
                    }
                    yaml::write(&document.key(key), false, out);
                    out.push_str([":", " :"][self.choices.below(2)]);
                    let is_block = document.nodes[value].next as usize > value + 1;
                    if is_block && matches!(document.kind(value), NodeKind::Array | NodeKind::Object) {
                        self.comment(indent + 3, out);
                        self.yaml(document, value, indent + 3, false, out);
                    } else {
                        out.push(' ');
                        self.yaml(document, value, indent + 3, false, out);
                    }
                }
            }
            NodeKind::Null => out.push_str(["null", "~", ""][self.choices.below(if flow { 2 } else { 3 })]),
            NodeKind::Text { .. } => {
                let text = document.string(node);
                match self.choices.below(4) {
                    0 if !flow => yaml::write(&text, false, out),
                    1 if !text.contains(|character: char| character.is_control()) => {
                        out.push_str(&format!("'{}'", text.replace('\'', "''")));
                    }
                    2 if !flow && &*text == "two\nlines\t" => {
                        let blanks = " ".repeat(indent + 1);
                        out.push_str(&format!("|-\n{blanks}two\n{blanks}lines\t"));
                    }
                    _ => yaml::quote(&text, self.choices.one_in(2), out),
                }
            }
            _ => out.push_str(document.slice(node)),
        }
    }
}
