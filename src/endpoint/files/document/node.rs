//! A text and its nodes.

use super::escape::unescape;
use std::borrow::Cow;
use std::ops::Range;

/// The deepest nesting that is read. SQLite's own JSON functions stop at 1000, most other readers far earlier.
pub const DEPTH_MAX: usize = 512;

/// The place of a node in its document.
pub type NodeId = usize;

/// What a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NodeKind {
    /// `null`; where the format allows it, nothing at all.
    Null,
    /// `true`
    True,
    /// `false`
    False,
    /// A number, as it is spelled.
    Number,
    /// A quoted text.
    Text {
        /// Whether it is more than its own bytes between two quotes.
        escaped: bool,
    },
    /// Bare text, whose meaning depends on what is looked for: a plain scalar of YAML, a capture of a line.
    Bare,
    /// A text that its bytes do not say by themselves: folded lines, other escapes. [`Document::decoded`] has it.
    Decoded,
    /// The name of a member that the text does not spell: the place among the document's names.
    Name(u8),
    /// Elements follow.
    Array,
    /// Keys and values follow in turn.
    Object,
}

/// A value and the bytes that it takes up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Node {
    /// What it is.
    pub kind: NodeKind,
    /// Whether a container's items stand on lines of their own, without brackets and commas.
    pub block: bool,
    /// Its first byte.
    pub start: u32,
    /// The byte behind it.
    pub end: u32,
    /// The node behind it and all that it holds.
    pub next: u32,
}

impl Node {
    /// Nothing, at the beginning of a text.
    pub const EMPTY: Node = Node { kind: NodeKind::Null, block: false, start: 0, end: 0, next: 1 };
}

/// How the values of a document are spelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Syntax {
    /// JSON; an array of lines where the root has none of the brackets.
    Json,
    /// YAML
    Yaml,
    /// Raw text.
    Line,
}

/// A text and its nodes; the first is the root.
#[derive(Debug, Clone)]
pub struct Document<'t> {
    /// The text.
    pub text: &'t str,
    /// How its values are spelled.
    pub syntax: Syntax,
    /// Its nodes in the order of the text.
    pub nodes: Vec<Node>,
    /// The names of members that the text does not spell.
    pub names: Vec<String>,
    /// What texts say that their bytes do not, in the order of their nodes.
    pub decoded: Vec<(u32, String)>,
    /// The text behind the front matter.
    pub body: Option<Range<usize>>,
    /// Whether the root is an array of lines.
    pub is_of_lines: bool,
    /// Where the items of the root may stand, where its brackets do not say it.
    pub inner: Option<Range<usize>>,
    /// Where elements begin that stand behind a mark of their own, the `-` of YAML, and where the lines of items end that have a
    /// comment behind them; in the order of their nodes.
    pub marks: Vec<Mark>,
}

/// What of an item stands around its node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// The node.
    pub node: u32,
    /// The first byte of the item.
    pub start: u32,
    /// The byte behind the item.
    pub end: u32,
}

impl<'t> Document<'t> {
    /// A text with its nodes.
    pub fn of(text: &'t str, syntax: Syntax, nodes: Vec<Node>) -> Self {
        Document {
            text,
            syntax,
            nodes,
            names: Vec::new(),
            decoded: Vec::new(),
            body: None,
            is_of_lines: false,
            inner: None,
            marks: Vec::new(),
        }
    }

    /// A node's bytes.
    pub fn slice(&self, node: NodeId) -> &'t str {
        let node = &self.nodes[node];
        &self.text[node.start as usize..node.end as usize]
    }

    /// A node's span.
    pub fn span(&self, node: NodeId) -> Range<usize> {
        let node = &self.nodes[node];
        node.start as usize..node.end as usize
    }

    /// The bytes of an item of a container: its node, and the marks around it.
    pub fn item(&self, node: NodeId) -> Range<usize> {
        match self.marks.binary_search_by_key(&(node as u32), |mark| mark.node) {
            Ok(place) => self.marks[place].start as usize..self.marks[place].end as usize,
            Err(_) => self.span(node),
        }
    }

    /// What a node is.
    pub fn kind(&self, node: NodeId) -> NodeKind {
        self.nodes[node].kind
    }

    /// The elements of an array.
    pub fn elements(&self, array: NodeId) -> Elements<'_> {
        debug_assert_eq!(self.kind(array), NodeKind::Array);
        Elements { nodes: &self.nodes, at: array + 1, end: self.nodes[array].next as usize }
    }

    /// Keys and values of an object.
    pub fn entries(&self, object: NodeId) -> Entries<'_> {
        debug_assert_eq!(self.kind(object), NodeKind::Object);
        Entries(Elements { nodes: &self.nodes, at: object + 1, end: self.nodes[object].next as usize })
    }

    /// What a key says.
    pub fn key(&self, key: NodeId) -> Cow<'_, str> {
        match self.kind(key) {
            NodeKind::Name(name) => Cow::Borrowed(&self.names[usize::from(name)]),
            _ => self.string(key),
        }
    }

    /// What a text says, as the syntax spells it.
    pub fn string(&self, node: NodeId) -> Cow<'t, str> {
        let slice = self.slice(node);
        match self.kind(node) {
            NodeKind::Text { escaped: false } => Cow::Borrowed(&slice[1..slice.len() - 1]),
            NodeKind::Text { escaped: true } => Cow::Owned(unescape(slice)),
            NodeKind::Decoded => match self.decoded.binary_search_by_key(&(node as u32), |(node, _)| *node) {
                Ok(place) => Cow::Owned(self.decoded[place].1.clone()),
                Err(_) => Cow::Borrowed(slice),
            },
            _ => Cow::Borrowed(slice),
        }
    }
}

/// The nodes of an array, each with all that it holds passed over.
#[derive(Debug, Clone)]
pub struct Elements<'d> {
    nodes: &'d [Node],
    at: usize,
    end: usize,
}

impl Iterator for Elements<'_> {
    type Item = NodeId;

    fn next(&mut self) -> Option<NodeId> {
        if self.at >= self.end {
            return None;
        }
        let node = self.at;
        self.at = self.nodes[node].next as usize;
        Some(node)
    }
}

/// The entries of an object.
#[derive(Debug, Clone)]
pub struct Entries<'d>(Elements<'d>);

impl Iterator for Entries<'_> {
    type Item = (NodeId, NodeId);

    fn next(&mut self) -> Option<(NodeId, NodeId)> {
        Some((self.0.next()?, self.0.next()?))
    }
}
