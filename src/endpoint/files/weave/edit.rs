//! Splices of a text: what is replaced, cut out and put in, and nothing else.

use super::super::document::{Document, NodeId, NodeKind, Syntax};
use super::super::layout::Style;
use super::tree::Look;
use std::ops::Range;

/// Bytes of a text, and what stands there afterwards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Splice {
    pub(super) at: Range<usize>,
    pub(super) text: String,
}

impl Splice {
    pub(super) fn new(at: Range<usize>, text: impl Into<String>) -> Self {
        Splice { at, text: text.into() }
    }
}

/// A part of a text with splices that lie in it.
pub(super) fn apply(text: &str, part: Range<usize>, splices: &mut [Splice]) -> String {
    splices.sort_by_key(|splice| (splice.at.start, splice.at.end));
    let mut edited = String::with_capacity(part.len());
    let mut from = part.start;
    for splice in splices {
        debug_assert!(splice.at.start >= from && splice.at.end <= part.end, "{splice:?} from {from} in {part:?}");
        edited.push_str(&text[from..splice.at.start.max(from)]);
        edited.push_str(&splice.text);
        from = splice.at.end.max(from);
    }
    edited.push_str(&text[from..part.end]);
    edited
}

/// What stands at a place of a container afterwards.
#[derive(Debug)]
pub(super) enum Item {
    /// An item that stays. Those that stay are in their order.
    Old(usize),
    /// A new one, or an old one from elsewhere.
    New(String),
}

/// The items of a container and what holds them together.
#[derive(Debug)]
pub(super) struct Frame<'t> {
    text: &'t str,
    /// What lies between the brackets; all of the items where there are none.
    pub(super) inner: Range<usize>,
    pub(super) items: Vec<Range<usize>>,
    kind: FrameKind,
    syntax: Syntax,
    /// The indent of the line that the container begins on.
    base: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FrameKind {
    /// Items between brackets, with commas.
    Brackets,
    /// The middle of an array: commas without brackets.
    Commas,
    /// A block of YAML: `[]` or `{}` where nothing is left.
    Block { is_object: bool },
    /// Lines of a file.
    Lines,
}

/// The blanks that the line of a byte begins with.
pub(super) fn line_indent(text: &str, at: usize) -> &str {
    let start = text[..at].rfind('\n').map_or(0, |end| end + 1);
    let line = &text[start..];
    &line[..line.len() - line.trim_start_matches([' ', '\t']).len()]
}

impl<'t> Frame<'t> {
    /// The frame of a container, with the nodes of its items: elements, or keys and values.
    pub(super) fn of(document: &Document<'t>, node: NodeId) -> Self {
        let text = document.text;
        let is_object = document.kind(node) == NodeKind::Object;
        let span = document.span(node);
        let items: Vec<Range<usize>> = match is_object {
            true => {
                let entries = document.entries(node);
                entries.map(|(key, value)| document.span(key).start..document.item(value).end).collect()
            }
            false => document.elements(node).map(|element| document.item(element)).collect(),
        };
        let block = document.nodes[node].block;
        let kind = match document.syntax {
            _ if block && node == 0 && document.is_of_lines => FrameKind::Lines,
            _ if block && document.syntax == Syntax::Yaml => FrameKind::Block { is_object },
            _ if block => FrameKind::Commas,
            _ => FrameKind::Brackets,
        };
        let inner = match kind {
            FrameKind::Brackets => span.start + 1..span.end - 1,
            FrameKind::Commas | FrameKind::Lines => document.inner.clone().unwrap_or(span.clone()),
            FrameKind::Block { .. } => span.clone(),
        };
        Frame { text, inner, items, kind, syntax: document.syntax, base: line_indent(text, span.start).to_owned() }
    }

    /// Whether its items are a block of YAML.
    pub(super) fn is_block(&self) -> bool {
        matches!(self.kind, FrameKind::Block { .. })
    }

    /// The blanks before the items where each has a line of its own.
    pub(super) fn indent(&self, look: &Look) -> Option<String> {
        match (self.kind, self.items.first()) {
            (FrameKind::Lines, _) | (FrameKind::Block { .. }, None) => None,
            (FrameKind::Block { .. }, Some(first)) => {
                let start = self.text[..first.start].rfind('\n').map_or(0, |end| end + 1);
                Some(" ".repeat(self.text[start..first.start].chars().count()))
            }
            (_, Some(first)) => {
                let lead = &self.text[self.inner.start..first.start];
                let line = lead.rfind('\n')?;
                Some(lead[line + 1..].to_owned())
            }
            (_, None) => look.unit.as_ref().map(|unit| [self.base.as_str(), unit].concat()),
        }
    }

    /// What stands between an item and a new one behind it.
    fn separator(&self, behind: usize, look: &Look) -> String {
        match self.kind {
            FrameKind::Lines => return look.newline.to_owned(),
            FrameKind::Block { .. } => return [look.newline, &self.indent(look).unwrap_or_default()].concat(),
            FrameKind::Brackets | FrameKind::Commas => {}
        }
        let gap = |place: usize| {
            let gap = &self.text[self.items[place].end..self.items.get(place + 1)?.start];
            let plain = gap.matches(',').count() == 1 && gap.bytes().all(|byte| b", \t\r\n".contains(&byte));
            plain.then(|| gap.to_owned())
        };
        let before = behind.checked_sub(1).and_then(gap);
        gap(behind).or(before).unwrap_or_else(|| match self.indent(look) {
            Some(indent) => [",", look.newline, &indent].concat(),
            None => look.on_one_line().comma.to_owned(),
        })
    }

    /// The splices that leave the items of a plan.
    pub(super) fn arrange(&self, plan: Vec<Item>, look: &Look, out: &mut Vec<Splice>) {
        let unchanged = plan.len() == self.items.len() && plan.iter().all(|item| matches!(item, Item::Old(_)));
        if unchanged {
            return;
        }
        if self.items.is_empty() {
            let new: Vec<String> = plan
                .into_iter()
                .filter_map(|item| match item {
                    Item::New(text) => Some(text),
                    Item::Old(_) => None,
                })
                .collect();
            if !new.is_empty() {
                out.push(self.filled(&new, look));
            }
            return;
        }
        if plan.is_empty() {
            out.push(self.emptied());
            return;
        }
        // New items before the next that stays, and the last that stayed.
        let (mut new, mut last): (Vec<String>, Option<usize>) = (Vec::new(), None);
        for item in plan {
            match item {
                Item::New(text) => new.push(text),
                Item::Old(place) => {
                    self.between(last, Some(place), &mut new, look, out);
                    last = Some(place);
                }
            }
        }
        self.between(last, None, &mut new, look, out);
    }

    fn between(
        &self,
        last: Option<usize>,
        next: Option<usize>,
        new: &mut Vec<String>,
        look: &Look,
        out: &mut Vec<Splice>,
    ) {
        let (Some(first_item), Some(last_item)) = (self.items.first(), self.items.last()) else { return };
        let (at, text) = match (last, next) {
            (Some(last), next) => {
                let to = next.map_or(last_item.end, |next| self.items[next - 1].end);
                let separator = self.separator(last, look);
                let text: String = new.iter().flat_map(|item| [separator.as_str(), item.as_str()]).collect();
                (self.items[last].end..to, text)
            }
            (None, Some(next)) => {
                let separator = self.separator(0, look);
                let text: String = new.iter().flat_map(|item| [item.as_str(), separator.as_str()]).collect();
                (first_item.start..self.items[next].start, text)
            }
            (None, None) => (first_item.start..last_item.end, new.join(&self.separator(0, look))),
        };
        new.clear();
        if !at.is_empty() || !text.is_empty() {
            out.push(Splice { at, text });
        }
    }

    /// Items for a container that has none.
    fn filled(&self, new: &[String], look: &Look) -> Splice {
        match self.kind {
            FrameKind::Lines | FrameKind::Commas => {
                let end = self.inner.end;
                let ends = self.text.is_empty() || self.text.ends_with('\n');
                let lead = if ends { "" } else { look.newline };
                Splice::new(end..end, [lead, &new.join(look.newline), look.newline].concat())
            }
            FrameKind::Block { .. } => {
                Splice::new(self.inner.clone(), [&new.join(look.newline), look.newline].concat())
            }
            FrameKind::Brackets => {
                // What a block around it wants as indent of several lines is not looked for.
                let indent = self.indent(look).filter(|_| self.syntax == Syntax::Json);
                let text = match indent {
                    Some(indent) => {
                        let separator = [",", look.newline, &indent].concat();
                        [look.newline, &indent, &new.join(&separator), look.newline, &self.base].concat()
                    }
                    None => new.join(look.on_one_line().comma),
                };
                Splice::new(self.inner.clone(), text)
            }
        }
    }

    /// A container without items.
    fn emptied(&self) -> Splice {
        let all = self.items[0].start..self.items[self.items.len() - 1].end;
        match self.kind {
            FrameKind::Brackets | FrameKind::Commas => Splice::new(self.inner.clone(), ""),
            FrameKind::Block { is_object } => Splice::new(all, if is_object { "{}" } else { "[]" }),
            FrameKind::Lines => {
                let behind = &self.text[all.end..];
                let line_end = if behind.starts_with("\r\n") { 2 } else { usize::from(behind.starts_with('\n')) };
                Splice::new(all.start..all.end + line_end, "")
            }
        }
    }
}

/// How a document looks where anything of it shows that, else how its style says.
pub(super) fn look_of(document: &Document<'_>, style: &Style) -> Look {
    let mut look = look_of_style(style);
    if document.text.contains("\r\n") {
        look.newline = "\r\n";
    }
    if document.is_of_lines {
        look = look.in_lines(style);
    }
    if document.syntax == Syntax::Yaml {
        look.unit = Some(" ".repeat(usize::from(style.indent.max(2))));
        return look;
    }
    let container = (0..document.nodes.len()).find(|node| {
        let holds = document.nodes[*node].next as usize > node + 1;
        holds && !document.nodes[*node].block && matches!(document.kind(*node), NodeKind::Array | NodeKind::Object)
    });
    let Some(container) = container else { return look };
    let frame = Frame::of(document, container);
    let first = frame.items[0].clone();
    let lead = &document.text[frame.inner.start..first.start];
    match lead.rfind('\n') {
        Some(line) => {
            let indent = &lead[line + 1..];
            look.unit = Some(indent.strip_prefix(frame.base.as_str()).unwrap_or(indent).to_owned());
        }
        None => {
            look.unit = None;
            if let Some(second) = frame.items.get(1) {
                let gap = &document.text[first.end..second.start];
                look.comma = if gap.trim_start_matches(',').is_empty() { "," } else { ", " };
            }
        }
    }
    let object = (container..document.nodes.len()).find(|node| {
        document.kind(*node) == NodeKind::Object
            && !document.nodes[*node].block
            && document.nodes[*node].next as usize > node + 1
    });
    if let Some((key, value)) = object.and_then(|object| document.entries(object).next()) {
        let gap = &document.text[document.span(key).end..document.span(value).start];
        look.colon = if gap == ":" { ":" } else { ": " };
    }
    look
}

impl Look {
    /// The same look where each value is a line.
    pub(super) fn in_lines(self, style: &Style) -> Look {
        let (comma, colon) = if style.spaced { (", ", ": ") } else { (",", ":") };
        Look { unit: None, comma, colon, ..self }
    }
}

/// How a style looks.
pub(super) fn look_of_style(style: &Style) -> Look {
    let one_line = style.indent == 0;
    Look {
        unit: (!one_line).then(|| " ".repeat(usize::from(style.indent))),
        newline: "\n",
        colon: if one_line && !style.spaced { ":" } else { ": " },
        comma: if one_line && !style.spaced { "," } else { ", " },
        ascii: style.ascii,
    }
}
