//! Lines of a pattern: literal text and captures in turn.

use super::super::layout::{LinePart, LinePattern};
use super::{Document, Flaw, Node, NodeKind, Syntax};
use regex_automata::meta::Regex;

/// The name of the member that lines without the pattern are.
pub const MORE: &str = "@more";

/// A pattern, made ready.
#[derive(Debug)]
pub struct Lines {
    parts: Vec<LinePart>,
    continued: bool,
    line: Regex,
    /// The groups of `line` that the captures are.
    groups: Vec<usize>,
    captures: Vec<Regex>,
    names: Vec<String>,
}

impl Lines {
    /// Makes a pattern ready.
    ///
    /// # Errors
    ///
    /// A capture is no regular expression, or a name stands twice; the reason.
    pub fn of(pattern: &LinePattern) -> Result<Self, String> {
        let (mut names, mut captures) = (Vec::new(), Vec::new());
        let mut line = String::from(r"\A");
        for part in &pattern.parts {
            match part {
                LinePart::Literal(text) => {
                    if text.contains(['\n', '\r']) {
                        return Err("a line has no line end in it".into());
                    }
                    for character in text.chars() {
                        if r"\.+*?()|[]{}^$#&-~".contains(character) {
                            line.push('\\');
                        }
                        line.push(character);
                    }
                }
                LinePart::Capture { name, pattern } => {
                    let whole = Regex::new(&format!(r"\A(?:{pattern})\z"));
                    captures.push(whole.map_err(|error| format!("the pattern of `{name}`: {error}"))?);
                    line.push_str(&format!("(?P<c{}>{pattern})", names.len()));
                    if names.contains(name) {
                        return Err(format!("the capture `{name}` stands twice"));
                    }
                    names.push(name.clone());
                }
            }
        }
        line.push_str(r"\z");
        if names.len() > 200 {
            return Err("a line has at most 200 captures".into());
        }
        let line = Regex::new(&line).map_err(|error| format!("the pattern of a line: {error}"))?;
        let group = |at: usize| line.group_info().to_index(regex_automata::PatternID::ZERO, &format!("c{at}"));
        let groups = (0..names.len()).filter_map(group).collect();
        names.push(MORE.to_owned());
        Ok(Lines { parts: pattern.parts.clone(), continued: pattern.continued, line, groups, captures, names })
    }

    /// Whether a record has a member of that name.
    pub fn has(&self, name: &str) -> bool {
        self.names.iter().any(|known| known == name) && (name != MORE || self.continued)
    }

    /// Whether a line is the beginning of a record.
    pub fn matches(&self, line: &str) -> bool {
        self.line.is_match(line)
    }

    /// Reads a text of lines.
    ///
    /// # Errors
    ///
    /// A line is not of the pattern.
    pub fn read<'t>(&self, text: &'t str) -> Result<Document<'t>, Flaw> {
        if u32::try_from(text.len()).is_err() {
            return Err(Flaw::at(0, "one piece has more than 4 GiB"));
        }
        let node =
            |kind, block, from: usize, to: usize| Node { kind, block, start: from as u32, end: to as u32, next: 0 };
        let mut nodes = vec![node(NodeKind::Array, true, 0, text.len())];
        let mut found = self.line.create_captures();
        // The last record: its node, and where the lines behind its first begin and end.
        let mut last: Option<(usize, usize, Option<usize>)> = None;
        let close = |nodes: &mut Vec<Node>, last: &Option<(usize, usize, Option<usize>)>| {
            let Some((record, first, more)) = last else { return };
            if self.continued {
                let name = node(NodeKind::Name(self.groups.len() as u8), false, *first, *first);
                nodes.push(Node { next: nodes.len() as u32 + 1, ..name });
                let value = match more {
                    Some(end) => {
                        let line_end = if text[*first..].starts_with('\r') { 2 } else { 1 };
                        nodes[*record].end = *end as u32;
                        node(NodeKind::Bare, false, first + line_end, *end)
                    }
                    None => node(NodeKind::Null, false, *first, *first),
                };
                nodes.push(Node { next: nodes.len() as u32 + 1, ..value });
            }
            nodes[*record].next = nodes.len() as u32;
        };
        let mut from = 0;
        for whole in text.split_inclusive('\n') {
            let line = whole.strip_suffix('\n').unwrap_or(whole);
            let line = line.strip_suffix('\r').unwrap_or(line);
            let to = from + line.len();
            self.line.captures(line, &mut found);
            if found.is_match() {
                close(&mut nodes, &last);
                last = Some((nodes.len(), to, None));
                nodes.push(node(NodeKind::Object, true, from, to));
                for (place, group) in self.groups.iter().enumerate() {
                    let span = found.get_group(*group).map_or(0..0, |span| span.start..span.end);
                    for kind in [NodeKind::Name(place as u8), NodeKind::Bare] {
                        let next = nodes.len() as u32 + 1;
                        nodes.push(Node { next, ..node(kind, false, from + span.start, from + span.end) });
                    }
                }
            } else {
                match &mut last {
                    Some((_, _, more)) if self.continued => *more = Some(to),
                    Some(_) | None => return Err(Flaw::at(from, "the line is not as the layout's pattern says")),
                }
            }
            from += whole.len();
        }
        close(&mut nodes, &last);
        nodes[0].next = nodes.len() as u32;
        let names = self.names.clone();
        Ok(Document { is_of_lines: true, names, ..Document::of(text, Syntax::Line, nodes) })
    }

    /// Whether a capture can have a value.
    ///
    /// # Errors
    ///
    /// It cannot; the reason.
    pub fn takes(&self, name: &str, value: &str) -> Result<(), String> {
        if name == MORE {
            return match value.split('\n').any(|line| self.matches(line.strip_suffix('\r').unwrap_or(line))) {
                true => Err("one of its lines is a record by itself".into()),
                false => Ok(()),
            };
        }
        let place = self.names.iter().position(|known| known == name);
        match place.and_then(|place| self.captures.get(place)) {
            Some(capture) if !value.contains(['\n', '\r']) && capture.is_match(value) => Ok(()),
            _ => Err("its value is not as the layout's pattern says".into()),
        }
    }

    /// A record as lines, without the end of the last. `value` has the value of each capture.
    ///
    /// # Errors
    ///
    /// A capture has no value, or one that it cannot have; the reason.
    pub fn write(&self, value: impl Fn(&str) -> Option<String>) -> Result<String, String> {
        let mut line = String::new();
        for part in &self.parts {
            match part {
                LinePart::Literal(text) => line.push_str(text),
                LinePart::Capture { name, .. } => {
                    let value = value(name).ok_or_else(|| format!("`{name}`: a line has no place for NULL"))?;
                    self.takes(name, &value).map_err(|reason| format!("`{name}`: {reason}"))?;
                    line.push_str(&value);
                }
            }
        }
        if let Some(more) = value(MORE) {
            self.takes(MORE, &more).map_err(|reason| format!("`{MORE}`: {reason}"))?;
            line.push('\n');
            line.push_str(&more);
        }
        Ok(line)
    }
}
