//! YAML 1.2 with the place of every value: one document of mappings with texts as keys, sequences and scalars.
//!
//! What has a meaning beyond its own place (anchors, aliases, tags, merge keys, several documents) is a flaw. Plain scalars keep
//! their text; what they mean is decided by what is looked for, and by the core schema where nothing says it.

use super::{DEPTH_MAX, Document, Flaw, Mark, Node, NodeKind, Syntax};
use saphyr_parser::{Event, Parser, ScalarStyle, ScanError};
use std::borrow::Cow;
use std::collections::HashSet;
use std::ops::Range;

/// Reads a text that is one document.
///
/// # Errors
///
/// It is no YAML, or has something that could not be kept.
pub fn read(text: &str) -> Result<Document<'_>, Flaw> {
    read_part(text, 0..text.len(), false)
}

/// Reads Markdown: the front matter between two lines of `---`, and the text behind them.
///
/// # Errors
///
/// There is no front matter, or it is no mapping of YAML.
pub fn read_front_matter(text: &str) -> Result<Document<'_>, Flaw> {
    let is_fence = |line: &str| line.trim_end_matches(['\n', '\r', ' ', '\t']) == "---";
    let mut lines = text.split_inclusive('\n');
    let Some(first) = lines.next().filter(|line| is_fence(line)) else {
        return Err(Flaw::at(0, "the file does not begin with front matter: its first line is not `---`"));
    };
    let mut end = first.len();
    for line in lines {
        if is_fence(line) {
            let body = end + line.len()..text.len();
            let document = read_part(text, first.len()..end, true)?;
            return Ok(Document { body: Some(body), ..document });
        }
        end += line.len();
    }
    Err(Flaw::at(text.len(), "the front matter has no end: no line is `---`"))
}

struct Reader<'t> {
    text: &'t str,
    base: usize,
    /// The byte of each character, where characters are not bytes.
    bytes: Option<Vec<u32>>,
    nodes: Vec<Node>,
    decoded: Vec<(u32, String)>,
    marks: Vec<Mark>,
    open: Vec<Open>,
}

struct Open {
    node: usize,
    is_flow: bool,
    /// The byte behind the last key or value.
    behind: usize,
    /// The key that waits for its value.
    key: Option<usize>,
    keys: HashSet<String>,
    /// Where the dash of the element stands that comes.
    dash: usize,
}

fn read_part(text: &str, part: Range<usize>, is_front_matter: bool) -> Result<Document<'_>, Flaw> {
    if u32::try_from(text.len()).is_err() {
        return Err(Flaw::at(0, "the file has more than 4 GiB"));
    }
    let yaml = &text[part.clone()];
    let bytes = (!yaml.is_ascii())
        .then(|| yaml.char_indices().map(|(at, _)| at as u32).chain([yaml.len() as u32]).collect::<Vec<_>>());
    let mut reader = Reader {
        text,
        base: part.start,
        bytes,
        nodes: Vec::new(),
        decoded: Vec::new(),
        marks: Vec::new(),
        open: Vec::new(),
    };
    let mut documents = 0;
    for event in Parser::new_from_str(yaml) {
        let (event, span) = event.map_err(|error| reader.error(&error))?;
        let (start, end) = (reader.byte(span.start.index()), reader.byte(span.end.index()));
        match event {
            Event::StreamStart | Event::StreamEnd | Event::DocumentEnd | Event::Nothing => {}
            Event::DocumentStart(_) => {
                documents += 1;
                if documents > 1 {
                    return Err(Flaw::at(start, "a second document begins here; a file of YAML is one"));
                }
            }
            Event::Alias(_) => {
                return Err(Flaw::at(start, "an alias (`*`) means a value that stands elsewhere; write it out"));
            }
            Event::Scalar(value, style, anchor, tag) => {
                reader.plain_only(start, anchor, tag.is_some())?;
                reader.scalar(value, style, start, end)?;
            }
            Event::SequenceStart(anchor, tag) => {
                reader.plain_only(start, anchor, tag.is_some())?;
                reader.begin(NodeKind::Array, start)?;
            }
            Event::MappingStart(anchor, tag) => {
                reader.plain_only(start, anchor, tag.is_some())?;
                reader.begin(NodeKind::Object, start)?;
            }
            Event::SequenceEnd | Event::MappingEnd => reader.close()?,
        }
    }
    if reader.nodes.is_empty() {
        let at = part.end as u32;
        let kind = if is_front_matter { NodeKind::Object } else { NodeKind::Null };
        reader.nodes.push(Node { kind, block: is_front_matter, start: at, end: at, next: 1 });
    }
    let root = reader.nodes[0];
    if is_front_matter && root.kind != NodeKind::Object {
        return Err(Flaw::at(root.start as usize, "the front matter is no mapping"));
    }
    reader.marks.sort_by_key(|mark| mark.node);
    let (decoded, marks) = (reader.decoded, reader.marks);
    Ok(Document { decoded, marks, ..Document::of(text, Syntax::Yaml, reader.nodes) })
}

impl Reader<'_> {
    fn byte(&self, character: usize) -> usize {
        let limit = self.text.len();
        let at = match &self.bytes {
            None => character,
            Some(bytes) => bytes.get(character).or(bytes.last()).map_or(0, |byte| *byte as usize),
        };
        (self.base + at).min(limit)
    }

    fn error(&self, error: &ScanError) -> Flaw {
        // The parser's own words for what a file can do to it.
        let reason = match error.info() {
            "recursion limit exceeded" => "values in brackets are nested deeper than YAML is read here".to_owned(),
            other => format!("no YAML: {other}"),
        };
        Flaw::at(self.byte(error.marker().index()), reason)
    }

    fn plain_only(&self, at: usize, anchor: usize, has_tag: bool) -> Result<(), Flaw> {
        match (anchor, has_tag) {
            (0, false) => Ok(()),
            (0, true) => Err(Flaw::at(at, "a tag (`!`) gives the value another meaning; write it without")),
            (_, _) => Err(Flaw::at(at, "an anchor (`&`) gives the value a second place; write it out")),
        }
    }

    /// The byte behind blanks and comments.
    fn behind_blanks(&self, mut at: usize) -> usize {
        let bytes = self.text.as_bytes();
        loop {
            match bytes.get(at) {
                Some(b' ' | b'\t' | b'\n' | b'\r') => at += 1,
                Some(b'#') if at == 0 || bytes[at - 1].is_ascii_whitespace() => {
                    at += self.text[at..].find('\n').unwrap_or(self.text.len() - at);
                }
                _ => return at,
            }
        }
    }

    fn unusual(&self, at: usize) -> Flaw {
        Flaw::at(at, "a form of YAML that cannot be edited in place; write `key: value` and `- value`")
    }

    /// What stands before a node of an open container; the byte where an empty one would stand.
    fn before(&mut self, start: usize, is_empty: bool) -> Result<usize, Flaw> {
        let Some(open) = self.open.last() else { return Ok(start) };
        let is_object = self.nodes[open.node].kind == NodeKind::Object;
        let mut at = self.behind_blanks(open.behind);
        let waits = open.key.is_some();
        let sign = self.text.as_bytes().get(at).copied();
        if is_object && waits {
            if sign != Some(b':') {
                return Err(self.unusual(start));
            }
            at += 1;
        } else if open.is_flow {
            if sign == Some(b',') {
                at += 1;
            }
        } else if !is_object {
            if sign != Some(b'-') {
                return Err(self.unusual(start));
            }
            let dash = at;
            at += 1;
            if let Some(open) = self.open.last_mut() {
                open.dash = dash;
            }
        }
        if !is_empty && self.behind_blanks(at) != start {
            return Err(self.unusual(start));
        }
        Ok(at)
    }

    fn scalar(&mut self, value: Cow<'_, str>, style: ScalarStyle, start: usize, end: usize) -> Result<(), Flaw> {
        let is_empty = style == ScalarStyle::Plain && value.is_empty();
        // The span of a block scalar begins behind its header.
        let is_block = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
        let at = self.before(start, is_empty || is_block)?;
        let (start, mut end) = match (is_empty, is_block) {
            (true, _) => (at, at),
            (false, true) => (self.behind_blanks(at), end.max(at)),
            (false, false) => (start, end),
        };
        if end < start || (is_block && !matches!(self.text.as_bytes().get(start), Some(b'|' | b'>'))) {
            return Err(self.unusual(start));
        }
        let mut slice = self.text[start..end].trim_end();
        if is_block {
            // Blanks at the end of its last line are its own.
            let line = self.text[start + slice.len()..].split('\n').next().unwrap_or_default();
            slice = &self.text[start..start + slice.len() + line.trim_end_matches('\r').len()];
        }
        end = start + slice.len();
        let node = self.nodes.len();
        let quotes = slice.len() >= 2 && slice.as_bytes()[0] == slice.as_bytes()[slice.len() - 1];
        let kind = match style {
            ScalarStyle::Plain if is_null(&value) => NodeKind::Null,
            ScalarStyle::Plain if slice == value => NodeKind::Bare,
            ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted if quotes && slice[1..slice.len() - 1] == *value => {
                NodeKind::Text { escaped: false }
            }
            _ => NodeKind::Decoded,
        };
        if let Some(open) = self.open.last_mut()
            && self.nodes[open.node].kind == NodeKind::Object
            && open.key.is_none()
        {
            if style == ScalarStyle::Plain && value == "<<" {
                return Err(Flaw::at(start, "a merge key (`<<`) means the members of another mapping; write them out"));
            }
            if is_empty || matches!(style, ScalarStyle::Literal | ScalarStyle::Folded) {
                return Err(self.unusual(start));
            }
            if !open.keys.insert(value.clone().into_owned()) {
                return Err(Flaw::at(start, format!("the key `{}` stands twice in its mapping", value.escape_debug())));
            }
            open.key = Some(node);
            open.behind = end;
            // A key is its text, whatever a plain scalar would mean.
            let kind = if kind == NodeKind::Null { NodeKind::Bare } else { kind };
            self.push(kind, false, start, end);
        } else {
            self.push(kind, false, start, end);
            self.value_is_read(node, end);
        }
        if kind == NodeKind::Decoded {
            self.decoded.push((node as u32, value.into_owned()));
        }
        Ok(())
    }

    fn push(&mut self, kind: NodeKind, block: bool, start: usize, end: usize) {
        let next = self.nodes.len() as u32 + 1;
        self.nodes.push(Node { kind, block, start: start as u32, end: end as u32, next });
    }

    fn begin(&mut self, kind: NodeKind, start: usize) -> Result<(), Flaw> {
        if self.open.len() == DEPTH_MAX {
            return Err(Flaw::at(start, format!("values are nested deeper than {DEPTH_MAX} levels")));
        }
        if let Some(open) = self.open.last()
            && self.nodes[open.node].kind == NodeKind::Object
            && open.key.is_none()
        {
            return Err(Flaw::at(start, "a key is a text, and no sequence or mapping"));
        }
        self.before(start, false)?;
        let bracket = if kind == NodeKind::Object { b'{' } else { b'[' };
        let is_flow = self.text.as_bytes().get(start) == Some(&bracket);
        if !is_flow && self.open.last().is_some_and(|open| open.is_flow) {
            return Err(self.unusual(start));
        }
        let node = self.nodes.len();
        self.push(kind, !is_flow, start, start);
        let behind = if is_flow { start + 1 } else { start };
        self.open.push(Open { node, is_flow, behind, key: None, keys: HashSet::new(), dash: start });
        Ok(())
    }

    fn close(&mut self) -> Result<(), Flaw> {
        let Some(open) = self.open.pop() else { return Ok(()) };
        let start = self.nodes[open.node].start as usize;
        let mut end = open.behind;
        if open.is_flow {
            end = self.behind_blanks(end);
            if self.text.as_bytes().get(end) == Some(&b',') {
                end = self.behind_blanks(end + 1);
            }
            if !matches!(self.text.as_bytes().get(end), Some(b'}' | b']')) {
                return Err(self.unusual(start));
            }
            end += 1;
        }
        let next = self.nodes.len() as u32;
        let node = &mut self.nodes[open.node];
        (node.end, node.next) = (end as u32, next);
        self.value_is_read(open.node, end);
        Ok(())
    }

    fn value_is_read(&mut self, node: usize, end: usize) {
        let Some(open) = self.open.last_mut() else { return };
        let is_object = self.nodes[open.node].kind == NodeKind::Object;
        open.key = None;
        open.behind = end;
        if open.is_flow {
            return;
        }
        // A comment behind the value, on its line.
        let line = self.text[end..].split('\n').next().unwrap_or_default().trim_end();
        let is_comment = line.trim_start().starts_with('#') && line.starts_with([' ', '\t']);
        let item_end = if is_comment { end + line.len() } else { end };
        let start = if is_object { self.nodes[node].start as usize } else { open.dash };
        self.marks.push(Mark { node: node as u32, start: start as u32, end: item_end as u32 });
    }
}

/// Whether a plain scalar is null.
fn is_null(text: &str) -> bool {
    matches!(text, "" | "~" | "null" | "Null" | "NULL")
}

/// What a plain scalar is where nothing says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Core<'t> {
    /// `true` or `false`
    Bool(bool),
    /// A number, as JSON would spell it.
    Number(Cow<'t, str>),
    /// A number that JSON has not.
    NoNumber,
    /// A text.
    Text,
}

/// What a plain scalar is by the core schema (YAML 1.2.2, 10.3.2).
pub fn core(text: &str) -> Core<'_> {
    match text {
        "true" | "True" | "TRUE" => return Core::Bool(true),
        "false" | "False" | "FALSE" => return Core::Bool(false),
        ".nan" | ".NaN" | ".NAN" => return Core::NoNumber,
        _ => {}
    }
    let (sign, magnitude) = match text.as_bytes().first() {
        Some(b'-') => ("-", &text[1..]),
        Some(b'+') => ("", &text[1..]),
        _ => ("", text),
    };
    if matches!(magnitude, ".inf" | ".Inf" | ".INF") {
        return Core::NoNumber;
    }
    for (prefix, radix) in [("0x", 16), ("0o", 8)] {
        if let Some(digits) = text.strip_prefix(prefix)
            && !digits.is_empty()
            && digits.chars().all(|digit| digit.is_digit(radix))
        {
            return match u128::from_str_radix(digits, radix) {
                Ok(number) => Core::Number(Cow::Owned(number.to_string())),
                Err(_) => Core::NoNumber,
            };
        }
    }
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let (mantissa, exponent) = match magnitude.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (magnitude, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let fraction_digits = fraction.unwrap_or_default();
    let has_exponent = exponent.is_none_or(|exponent| {
        let magnitude = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
        !magnitude.is_empty() && digits(magnitude)
    });
    let is_number =
        digits(whole) && digits(fraction_digits) && !(whole.is_empty() && fraction_digits.is_empty()) && has_exponent;
    if !is_number {
        return Core::Text;
    }
    let significant = whole.trim_start_matches('0');
    let is_json = !text.starts_with('+')
        && !whole.is_empty()
        && (whole == "0" || significant.len() == whole.len())
        && fraction != Some("");
    if is_json {
        return Core::Number(Cow::Borrowed(text));
    }
    let significant = if significant.is_empty() { "0" } else { significant };
    let fraction = if fraction_digits.is_empty() { String::new() } else { format!(".{fraction_digits}") };
    let exponent = exponent.map_or_else(String::new, |exponent| format!("e{exponent}"));
    Core::Number(Cow::Owned(format!("{sign}{significant}{fraction}{exponent}")))
}

/// Writes a text as a scalar: plain where every reader takes it as that text, else in double quotes.
pub fn write(text: &str, ascii: bool, out: &mut String) {
    let begins = text.starts_with(|first: char| first.is_alphabetic() || first == '_' || first == '/');
    let ends = !text.ends_with([':', ' ']);
    let inside = text.chars().all(|character| {
        (character.is_alphanumeric() || " _-./+=@()~%$;<>^".contains(character) || character == ':')
            && (character.is_ascii() || !ascii)
    });
    let lower = text.to_ascii_lowercase();
    let is_word = matches!(lower.as_str(), "null" | "true" | "false" | "yes" | "no" | "on" | "off" | "y" | "n");
    if begins && ends && inside && !is_word && !text.contains(": ") {
        out.push_str(text);
    } else {
        quote(text, ascii, out);
    }
}

/// Writes a text in double quotes.
pub fn quote(text: &str, ascii: bool, out: &mut String) {
    use std::fmt::Write;
    out.push('"');
    for character in text.chars() {
        let hidden = character.is_control()
            || matches!(character, '\u{feff}' | '\u{2028}' | '\u{2029}' | '\u{fffe}' | '\u{ffff}');
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            _ if hidden || (ascii && !character.is_ascii()) => {
                let point = u32::from(character);
                let _ = if point > 0xffff { write!(out, "\\U{point:08x}") } else { write!(out, "\\u{point:04x}") };
            }
            _ => out.push(character),
        }
    }
    out.push('"');
}
