//! JSON as RFC 8259 has it, with the place of every value.
//!
//! Without recursion. Where other readers disagree (equal keys of an object, half a surrogate pair) nothing is chosen: it is a
//! flaw. Numbers are not looked into, so none is too long.

use super::escape::{hex4, plain_until, unescape};
use super::{DEPTH_MAX, Document, Flaw, Node, NodeKind, Syntax, line_and_column};
use std::borrow::Cow;
use std::collections::HashSet;

/// Reads a text that is one value.
///
/// # Errors
///
/// It is no JSON, more than one value, or too large.
pub fn read(text: &str) -> Result<Document<'_>, Flaw> {
    let mut nodes = Vec::with_capacity(text.len() / 16 + 1);
    let mut reader = Reader::new(text, 1)?;
    reader.value(&mut nodes)?;
    reader.end("a second value begins here; a file of JSON is one, and several are JSON lines")?;
    Ok(Document::of(text, Syntax::Json, nodes))
}

/// Reads a part of a text that is one array: whole elements, with the bracket before the first and behind the last. A part
/// that is not the first begins with the comma behind the one before.
///
/// # Errors
///
/// As [`read`]; the text is no array.
pub fn read_part(text: &str, first: bool, last: bool, first_line: u64) -> Result<Document<'_>, Flaw> {
    let mut nodes = vec![Node { kind: NodeKind::Array, block: true, start: 0, end: text.len() as u32, next: 0 }];
    let mut reader = Reader::new(text, first_line)?;
    let mut inner = 0..text.len();
    reader.blanks();
    if first {
        if reader.rest().first() != Some(&b'[') {
            return Err(reader.unexpected("the array of records"));
        }
        reader.at += 1;
        inner.start = reader.at;
    }
    loop {
        reader.blanks();
        let any = nodes.len() > 1;
        match reader.rest().first() {
            None if !last => break,
            Some(b']') if last => {
                inner.end = reader.at;
                reader.at += 1;
                reader.end("a second value begins here; a file of JSON is one, and several are JSON lines")?;
                break;
            }
            Some(b',') if any || !first => reader.at += 1,
            _ if first && !any => {}
            _ => return Err(reader.unexpected("`,` or `]`")),
        }
        reader.value(&mut nodes)?;
    }
    nodes[0].next = nodes.len() as u32;
    Ok(Document { inner: Some(inner), ..Document::of(text, Syntax::Json, nodes) })
}

/// Reads a text with a value on each line. Lines of blanks are passed over.
///
/// # Errors
///
/// A line is no JSON or more than one value; the last one was only half written.
pub fn read_lines(text: &str, first_line: u64) -> Result<Document<'_>, Flaw> {
    let mut nodes = Vec::with_capacity(text.len() / 16 + 1);
    nodes.push(Node { kind: NodeKind::Array, block: true, start: 0, end: text.len() as u32, next: 0 });
    let mut from = 0;
    for line in text.split_inclusive('\n') {
        let to = from + line.trim_end_matches('\n').len();
        let mut reader = Reader::new(&text[..to], first_line)?;
        reader.unit = if line.ends_with('\n') { "line" } else { "last line" };
        reader.at = from;
        reader.blanks();
        if reader.at < to {
            reader.value(&mut nodes)?;
            reader.end("a second record begins on this line")?;
        }
        from += line.len();
    }
    nodes[0].next = nodes.len() as u32;
    Ok(Document { is_of_lines: true, ..Document::of(text, Syntax::Json, nodes) })
}

/// Reads values of one text, one after the other.
#[derive(Debug)]
pub struct Reader<'t> {
    text: &'t str,
    /// The next byte.
    pub at: usize,
    first_line: u64,
    /// What the text is, for a message: where it ends, it was cut off.
    unit: &'static str,
    /// Open containers: the node, and whether it is an object.
    open: Vec<(usize, bool)>,
}

impl<'t> Reader<'t> {
    /// A reader at the beginning of a text.
    ///
    /// # Errors
    ///
    /// The text has more than 4 GiB.
    pub fn new(text: &'t str, first_line: u64) -> Result<Self, Flaw> {
        if u32::try_from(text.len()).is_err() {
            return Err(Flaw::at(0, "one value has more than 4 GiB"));
        }
        Ok(Reader { text, at: 0, first_line, unit: "text", open: Vec::new() })
    }

    /// Nothing but blanks follows.
    fn end(&mut self, second: &str) -> Result<(), Flaw> {
        self.blanks();
        match self.rest().first() {
            None => Ok(()),
            Some(b'{' | b'[' | b'"') => Err(Flaw::at(self.at, second)),
            Some(_) => Err(Flaw::at(self.at, format!("{} behind the end of the value", self.found()))),
        }
    }

    /// Line and column of a byte in the file.
    fn place(&self, at: usize) -> String {
        let (line, column) = line_and_column(self.text.as_bytes(), at);
        format!("line {}, column {column}", line + self.first_line - 1)
    }

    fn rest(&self) -> &'t [u8] {
        &self.text.as_bytes()[self.at..]
    }

    /// Passes over blanks and line ends.
    pub fn blanks(&mut self) {
        let bytes = self.text.as_bytes();
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = bytes.get(self.at) {
            self.at += 1;
        }
    }

    /// The next character, as a message names it.
    fn found(&self) -> String {
        match self.text[self.at..].chars().next() {
            None => format!("the end of the {}", self.unit),
            Some('\0') => "the character NUL".into(),
            Some(next) if next.is_control() => format!("the control character U+{:04X}", u32::from(next)),
            Some(next) => format!("`{next}`"),
        }
    }

    fn unexpected(&self, expected: &str) -> Flaw {
        if self.at < self.text.len() {
            return Flaw::at(self.at, format!("{} where {expected} should be", self.found()));
        }
        match self.open.last() {
            None => Flaw::at(self.at, format!("the {} ends where {expected} should be", self.unit)),
            Some(_) => Flaw::at(self.at, self.cut_off("")),
        }
    }

    /// Where the text ends, told by the container that is open.
    fn cut_off(&self, inside: &str) -> String {
        let unit = self.unit;
        let Some(&(start, is_object)) = self.open.last() else {
            return format!("the {unit} ends{inside}: it was cut off");
        };
        let what = if is_object { "object" } else { "array" };
        format!("the {unit} ends{inside} inside the {what} that begins at {}: it was cut off", self.place(start))
    }

    /// Reads one value, with the blanks before it and none behind it.
    ///
    /// # Errors
    ///
    /// There is none, or it is no JSON.
    pub fn value(&mut self, nodes: &mut Vec<Node>) -> Result<(), Flaw> {
        let bytes = self.text.as_bytes();
        // Containers that are open: their nodes. `self.open` has their places, for messages.
        let mut stack: Vec<usize> = Vec::new();
        self.open.clear();
        loop {
            // A value begins.
            self.blanks();
            let start = self.at;
            let kind = match bytes.get(start) {
                Some(b'"') => self.string()?,
                Some(b'{' | b'[') => {
                    let is_object = bytes[start] == b'{';
                    if stack.len() == DEPTH_MAX {
                        return Err(Flaw::at(start, format!("values are nested deeper than {DEPTH_MAX} levels")));
                    }
                    stack.push(nodes.len());
                    self.open.push((start, is_object));
                    let kind = if is_object { NodeKind::Object } else { NodeKind::Array };
                    nodes.push(Node { kind, block: false, start: start as u32, end: 0, next: 0 });
                    self.at += 1;
                    self.blanks();
                    let close = if is_object { b'}' } else { b']' };
                    if bytes.get(self.at) != Some(&close) {
                        if is_object {
                            self.name(nodes)?;
                        }
                        continue;
                    }
                    self.close(nodes, &mut stack)?;
                    if !self.behind(nodes, &mut stack)? {
                        return Ok(());
                    }
                    continue;
                }
                Some(b'-' | b'0'..=b'9') => self.number()?,
                Some(b't') => self.word("true", NodeKind::True)?,
                Some(b'f') => self.word("false", NodeKind::False)?,
                Some(b'n') => self.word("null", NodeKind::Null)?,
                _ => return Err(self.unexpected("a value")),
            };
            let next = nodes.len() as u32 + 1;
            nodes.push(Node { kind, block: false, start: start as u32, end: self.at as u32, next });
            if !self.behind(nodes, &mut stack)? {
                return Ok(());
            }
        }
    }

    /// What stands behind a value: commas, ends of containers; whether another value follows.
    fn behind(&mut self, nodes: &mut Vec<Node>, stack: &mut Vec<usize>) -> Result<bool, Flaw> {
        let bytes = self.text.as_bytes();
        while let Some(&container) = stack.last() {
            let is_object = nodes[container].kind == NodeKind::Object;
            self.blanks();
            match bytes.get(self.at) {
                Some(b',') => {
                    self.at += 1;
                    if is_object {
                        self.blanks();
                        self.name(nodes)?;
                    }
                    return Ok(true);
                }
                Some(b'}') if is_object => self.close(nodes, stack)?,
                Some(b']') if !is_object => self.close(nodes, stack)?,
                _ => return Err(self.unexpected(if is_object { "`,` or `}`" } else { "`,` or `]`" })),
            }
        }
        Ok(false)
    }

    fn close(&mut self, nodes: &mut [Node], stack: &mut Vec<usize>) -> Result<(), Flaw> {
        self.at += 1;
        self.open.pop();
        if let Some(container) = stack.pop() {
            nodes[container].end = self.at as u32;
            nodes[container].next = nodes.len() as u32;
            if nodes[container].kind == NodeKind::Object {
                self.keys_differ(nodes, container)?;
            }
        }
        Ok(())
    }

    /// The name of a member and the colon behind it.
    fn name(&mut self, nodes: &mut Vec<Node>) -> Result<(), Flaw> {
        let start = self.at;
        if self.rest().first() != Some(&b'"') {
            return Err(self.unexpected("the name of a member"));
        }
        let kind = self.string()?;
        let next = nodes.len() as u32 + 1;
        nodes.push(Node { kind, block: false, start: start as u32, end: self.at as u32, next });
        self.blanks();
        if self.rest().first() != Some(&b':') {
            return Err(self.unexpected("`:`"));
        }
        self.at += 1;
        Ok(())
    }

    fn keys_differ(&self, nodes: &[Node], object: usize) -> Result<(), Flaw> {
        let text = self.text;
        let spelled = |node: &Node| &text[node.start as usize..node.end as usize];
        let key = |node: &Node| match node.kind {
            NodeKind::Text { escaped: true } => Cow::Owned(unescape(spelled(node))),
            _ => Cow::Borrowed(&text[node.start as usize + 1..node.end as usize - 1]),
        };
        let twice = |node: &Node| {
            let (name, place) = (spelled(node), self.place(nodes[object].start as usize));
            Err(Flaw::at(
                node.start as usize,
                format!("the key {name} stands twice in the object that begins at {place}"),
            ))
        };
        let entries = || {
            let mut at = object + 1;
            std::iter::from_fn(move || {
                let node = nodes.get(at)?;
                at = nodes[at + 1].next as usize;
                Some(node)
            })
        };
        if entries().take(25).count() < 25 {
            let mut seen = [(0_u32, 0_u8, object); 24];
            for (count, node) in entries().enumerate() {
                let escaped = node.kind == NodeKind::Text { escaped: true };
                let length = if escaped { u32::MAX } else { node.end - node.start };
                let last = text.as_bytes()[node.end as usize - 2];
                for (other_length, other_last, other) in &seen[..count] {
                    let could_be = *other_length == u32::MAX
                        || length == u32::MAX
                        || (*other_length == length && *other_last == last);
                    if could_be && key(node) == key(&nodes[*other]) {
                        return twice(node);
                    }
                }
                let place = (node as *const Node as usize - nodes.as_ptr() as usize) / size_of::<Node>();
                seen[count] = (length, last, place);
            }
            return Ok(());
        }
        let mut seen = HashSet::new();
        for node in entries() {
            if !seen.insert(key(node)) {
                return twice(node);
            }
        }
        Ok(())
    }

    /// A quoted text.
    fn string(&mut self) -> Result<NodeKind, Flaw> {
        let bytes = self.text.as_bytes();
        let start = self.at;
        let mut at = start + 1;
        let mut escaped = false;
        loop {
            at = plain_until(bytes, at);
            match bytes.get(at) {
                Some(b'"') => {
                    self.at = at + 1;
                    return Ok(NodeKind::Text { escaped });
                }
                Some(b'\\') => {
                    escaped = true;
                    at = self.escape(at)?;
                }
                Some(_) => {
                    self.at = at;
                    return Err(Flaw::at(at, format!("{} inside a text, where JSON wants it escaped", self.found())));
                }
                None => {
                    self.at = at;
                    let (unit, place) = (self.unit, self.place(start));
                    return Err(Flaw::at(
                        at,
                        format!("the {unit} ends inside the text that begins at {place}: it was cut off"),
                    ));
                }
            }
        }
    }

    /// An escape; the byte behind it.
    fn escape(&self, at: usize) -> Result<usize, Flaw> {
        let bytes = self.text.as_bytes();
        match bytes.get(at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(at + 2),
            Some(b'u') => {
                let unit = hex4(bytes, at + 2).ok_or_else(|| self.bad_escape(at))?;
                let half = || {
                    let spelled = &self.text[at..at + 6];
                    Flaw::at(at, format!("`{spelled}` is half of a surrogate pair, which is no character"))
                };
                match unit {
                    0xd800..=0xdbff => match (bytes.get(at + 6), bytes.get(at + 7), hex4(bytes, at + 8)) {
                        (Some(b'\\'), Some(b'u'), Some(0xdc00..=0xdfff)) => Ok(at + 12),
                        _ => Err(half()),
                    },
                    0xdc00..=0xdfff => Err(half()),
                    _ => Ok(at + 6),
                }
            }
            _ => Err(self.bad_escape(at)),
        }
    }

    fn bad_escape(&self, at: usize) -> Flaw {
        match self.text[at + 1..].chars().next() {
            None => Flaw::at(at + 1, self.cut_off(" inside an escape")),
            Some('u') => Flaw::at(at, "`\\u` without four hexadecimal digits"),
            Some(next) => Flaw::at(at, format!("`\\{}` is no escape of JSON", next.escape_debug())),
        }
    }

    fn number(&mut self) -> Result<NodeKind, Flaw> {
        let bytes = self.text.as_bytes();
        let start = self.at;
        let digits = |mut at: usize| {
            while let Some(b'0'..=b'9') = bytes.get(at) {
                at += 1;
            }
            at
        };
        let mut at = start + usize::from(bytes[start] == b'-');
        let whole = at;
        at = digits(at);
        let leading_zero = bytes.get(whole) == Some(&b'0') && at > whole + 1;
        let mut complete = at > whole && !leading_zero;
        if bytes.get(at) == Some(&b'.') {
            let fraction = at + 1;
            at = digits(fraction);
            complete &= at > fraction;
        }
        if let Some(b'e' | b'E') = bytes.get(at) {
            let exponent = at + 1 + usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
            at = digits(exponent);
            complete &= at > exponent;
        }
        if !complete {
            return Err(Flaw::at(start, format!("`{}` is no number of JSON", &self.text[start..at])));
        }
        self.at = at;
        Ok(NodeKind::Number)
    }

    fn word(&mut self, word: &str, kind: NodeKind) -> Result<NodeKind, Flaw> {
        if !self.rest().starts_with(word.as_bytes()) {
            return Err(self.unexpected("a value"));
        }
        self.at += word.len();
        Ok(kind)
    }
}

/// The text of a value without the blanks between its parts. Numbers and texts stay as they are spelled.
pub fn without_blanks(text: &str) -> Cow<'_, str> {
    let bytes = text.as_bytes();
    let (mut compact, mut from, mut at) = (String::new(), 0, 0);
    while at < bytes.len() {
        match bytes[at] {
            b'"' => {
                at += 1;
                while at < bytes.len() && bytes[at] != b'"' {
                    at += 1 + usize::from(bytes[at] == b'\\');
                }
                at += 1;
            }
            b' ' | b'\n' | b'\r' | b'\t' => {
                compact.push_str(&text[from..at]);
                at += 1;
                from = at;
            }
            _ => at += 1,
        }
    }
    if from == 0 {
        return Cow::Borrowed(text);
    }
    compact.push_str(&text[from..]);
    Cow::Owned(compact)
}
