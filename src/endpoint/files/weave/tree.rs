//! A value that is to be written, before anybody knows where.

use super::super::document::escape::{quote, unescape};
use super::super::document::{Document, Flaw, NodeId, NodeKind, Syntax, json, yaml};
use std::borrow::Cow;

/// A value to write.
#[derive(Debug, Clone, PartialEq)]
pub enum Tree<'a> {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number, as it is spelled.
    Number(Cow<'a, str>),
    /// A text.
    Text(Cow<'a, str>),
    /// A text as JSON spells it, in its quotes.
    Quoted(Cow<'a, str>),
    /// Elements.
    Array(Vec<Tree<'a>>),
    /// Keys, each a text, and values.
    Object(Vec<(Tree<'a>, Tree<'a>)>),
}

impl<'a> Tree<'a> {
    /// The value that a text of JSON is. Its numbers and texts keep their spelling.
    ///
    /// # Errors
    ///
    /// It is no JSON.
    pub fn of_json(text: &str) -> Result<Tree<'static>, Flaw> {
        let document = json::read(text)?;
        Self::of_node(&document, 0).map_err(|reason| Flaw::at(0, reason))
    }

    /// The value that a node is.
    ///
    /// # Errors
    ///
    /// JSON has no such value; the reason.
    pub fn of_node(document: &Document<'_>, node: NodeId) -> Result<Tree<'static>, String> {
        let slice = || Cow::Owned(document.slice(node).to_owned());
        Ok(match document.kind(node) {
            NodeKind::Null => Tree::Null,
            NodeKind::True => Tree::Bool(true),
            NodeKind::False => Tree::Bool(false),
            NodeKind::Number => Tree::Number(slice()),
            NodeKind::Text { .. } if document.syntax == Syntax::Json => Tree::Quoted(slice()),
            NodeKind::Bare if document.syntax == Syntax::Yaml => match yaml::core(document.slice(node)) {
                yaml::Core::Bool(value) => Tree::Bool(value),
                yaml::Core::Number(number) => Tree::Number(Cow::Owned(number.into_owned())),
                yaml::Core::NoNumber => return Err(format!("`{}` is no number that JSON has", document.slice(node))),
                yaml::Core::Text => Tree::Text(slice()),
            },
            NodeKind::Text { .. } | NodeKind::Bare | NodeKind::Decoded | NodeKind::Name(_) => {
                Tree::Text(Cow::Owned(document.key(node).into_owned()))
            }
            NodeKind::Array => {
                let elements = document.elements(node).map(|node| Self::of_node(document, node));
                Tree::Array(elements.collect::<Result<_, _>>()?)
            }
            NodeKind::Object => {
                let mut members = Vec::new();
                for (key, value) in document.entries(node) {
                    let key = match document.syntax {
                        Syntax::Json => Self::of_node(document, key)?,
                        Syntax::Yaml | Syntax::Line => Tree::Text(Cow::Owned(document.key(key).into_owned())),
                    };
                    members.push((key, Self::of_node(document, value)?));
                }
                Tree::Object(members)
            }
        })
    }

    /// What a text says; none of what is no text.
    pub fn said(&self) -> Option<Cow<'_, str>> {
        match self {
            Tree::Text(text) => Some(Cow::Borrowed(text)),
            Tree::Quoted(quoted) if quoted.contains('\\') => Some(Cow::Owned(unescape(quoted))),
            Tree::Quoted(quoted) => Some(Cow::Borrowed(&quoted[1..quoted.len() - 1])),
            Tree::Null | Tree::Bool(_) | Tree::Number(_) | Tree::Array(_) | Tree::Object(_) => None,
        }
    }

    /// The same value, its texts without their spelling.
    #[must_use]
    pub fn unspelled(self) -> Self {
        match self {
            Tree::Quoted(_) => Tree::Text(Cow::Owned(self.said().unwrap_or_default().into_owned())),
            Tree::Array(elements) => Tree::Array(elements.into_iter().map(Tree::unspelled).collect()),
            Tree::Object(members) => {
                Tree::Object(members.into_iter().map(|(key, value)| (key.unspelled(), value.unspelled())).collect())
            }
            Tree::Null | Tree::Bool(_) | Tree::Number(_) | Tree::Text(_) => self,
        }
    }

    /// Sorts the members of an object by their names, not those of the objects in it.
    pub fn sort(&mut self) {
        if let Tree::Object(members) = self {
            members.sort_by(|(left, _), (right, _)| left.said().cmp(&right.said()));
        }
    }

    /// As JSON without blanks.
    pub fn compact(&self) -> String {
        let mut text = String::new();
        Look::COMPACT.json(self, "", &mut text);
        text
    }
}

/// How values stand in a text: what its neighbours show, or what the style says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// What each level is moved in by; none where everything stands on one line.
    pub unit: Option<String>,
    /// What ends a line.
    pub newline: &'static str,
    /// What stands between key and value.
    pub colon: &'static str,
    /// What stands between items of one line.
    pub comma: &'static str,
    /// Whether everything beyond ASCII is escaped.
    pub ascii: bool,
}

impl Look {
    /// Everything on one line, without blanks.
    pub const COMPACT: Look = Look { unit: None, newline: "\n", colon: ":", comma: ",", ascii: false };

    /// The same look on one line.
    #[must_use]
    pub fn on_one_line(&self) -> Look {
        let comma = if self.unit.is_some() { ", " } else { self.comma };
        Look { unit: None, comma, ..self.clone() }
    }

    /// Writes a value as JSON, behind an indent that the caller has written.
    pub fn json(&self, tree: &Tree<'_>, indent: &str, out: &mut String) {
        match tree {
            Tree::Null => out.push_str("null"),
            Tree::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            Tree::Number(number) => out.push_str(number),
            Tree::Text(text) => quote(text, self.ascii, out),
            Tree::Quoted(quoted) => out.push_str(quoted),
            Tree::Array(elements) if elements.is_empty() => out.push_str("[]"),
            Tree::Object(members) if members.is_empty() => out.push_str("{}"),
            Tree::Array(elements) => {
                out.push('[');
                self.items(elements, indent, out, |element, indent, out| self.json(element, indent, out));
                out.push(']');
            }
            Tree::Object(members) => {
                out.push('{');
                self.items(members, indent, out, |(key, value), indent, out| {
                    self.json(key, indent, out);
                    out.push_str(self.colon);
                    self.json(value, indent, out);
                });
                out.push('}');
            }
        }
    }

    /// Writes a value as YAML on one line.
    pub fn yaml_flow(&self, tree: &Tree<'_>, out: &mut String) {
        match tree.said() {
            Some(text) => yaml::write(&text, self.ascii, out),
            None => self.yaml_inner(tree, out),
        }
    }

    fn yaml_inner(&self, tree: &Tree<'_>, out: &mut String) {
        let separate = |place: usize, out: &mut String| out.push_str(if place > 0 { ", " } else { "" });
        match tree {
            Tree::Array(elements) => {
                out.push('[');
                for (place, element) in elements.iter().enumerate() {
                    separate(place, out);
                    self.yaml_inner(element, out);
                }
                out.push(']');
            }
            Tree::Object(members) => {
                out.push('{');
                for (place, (key, value)) in members.iter().enumerate() {
                    separate(place, out);
                    self.yaml_inner(key, out);
                    out.push_str(": ");
                    self.yaml_inner(value, out);
                }
                out.push('}');
            }
            Tree::Text(_) | Tree::Quoted(_) => yaml::quote(&tree.said().unwrap_or_default(), self.ascii, out),
            Tree::Null | Tree::Bool(_) | Tree::Number(_) => self.json(tree, "", out),
        }
    }

    /// Writes a value as a block of YAML, behind an indent that the caller has written.
    pub fn yaml_block(&self, tree: &Tree<'_>, indent: &str, out: &mut String) {
        match tree {
            Tree::Array(elements) if !elements.is_empty() => {
                for (place, element) in elements.iter().enumerate() {
                    if place > 0 {
                        out.push_str(self.newline);
                        out.push_str(indent);
                    }
                    self.yaml_element(element, indent, out);
                }
            }
            Tree::Object(members) if !members.is_empty() => {
                for (place, (key, value)) in members.iter().enumerate() {
                    if place > 0 {
                        out.push_str(self.newline);
                        out.push_str(indent);
                    }
                    self.yaml_entry(key, value, indent, out);
                }
            }
            _ => self.yaml_flow(tree, out),
        }
    }

    /// Writes an entry of a block of YAML.
    pub fn yaml_entry(&self, name: &Tree<'_>, tree: &Tree<'_>, indent: &str, out: &mut String) {
        self.yaml_flow(name, out);
        out.push(':');
        let is_block = match tree {
            Tree::Array(elements) => !elements.is_empty(),
            Tree::Object(members) => !members.is_empty(),
            _ => false,
        };
        if is_block {
            let inner = [indent, self.unit.as_deref().unwrap_or("  ")].concat();
            out.push_str(self.newline);
            out.push_str(&inner);
            self.yaml_block(tree, &inner, out);
        } else {
            out.push(' ');
            self.yaml_flow(tree, out);
        }
    }

    /// Writes an element of a block of YAML.
    pub fn yaml_element(&self, tree: &Tree<'_>, indent: &str, out: &mut String) {
        out.push_str("- ");
        self.yaml_block(tree, &[indent, "  "].concat(), out);
    }

    /// A value as a line has it.
    pub fn raw(tree: &Tree<'_>) -> String {
        tree.said().map_or_else(|| tree.compact(), Cow::into_owned)
    }

    fn items<T>(&self, items: &[T], indent: &str, out: &mut String, write: impl Fn(&T, &str, &mut String)) {
        let inner = self.unit.as_ref().map(|unit| [indent, unit].concat());
        // What stands before every item but the first, which has no comma.
        let line = inner.as_ref().map(|inner| [",", self.newline, inner].concat());
        for (place, item) in items.iter().enumerate() {
            match (&inner, &line) {
                (Some(inner), Some(line)) => {
                    out.push_str(if place > 0 { line } else { &line[1..] });
                    write(item, inner, out);
                }
                _ => {
                    out.push_str(if place > 0 { self.comma } else { "" });
                    write(item, indent, out);
                }
            }
        }
        if inner.is_some() {
            out.push_str(self.newline);
            out.push_str(indent);
        }
    }
}

/// A JSON object of what no column takes: its members by their names, since their order is the file's.
pub(super) fn rest_text(mut members: Vec<(String, String)>) -> String {
    members.sort();
    let mut text = String::from("{");
    for (place, (name, value)) in members.iter().enumerate() {
        text.push_str(if place > 0 { "," } else { "" });
        quote(name, false, &mut text);
        text.push(':');
        text.push_str(value);
    }
    text.push('}');
    text
}
