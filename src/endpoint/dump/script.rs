//! A script of SQL, taken apart into its statements, as psql does it that it is written for.
//!
//! A statement ends with a semicolon outside of strings, names, comments, parentheses (the DO of a rule) and the body of a
//! function that is written in SQL (BEGIN ATOMIC … END). Behind `COPY … FROM stdin` lines follow that are no SQL. Of psql's own
//! commands four are known, the ones of pg_dump; any other stops, because a dump that was tampered with could run a program.
//!
//! What pg_dump's head promises its last line has to keep: where that is missing, the script was cut off.
//!
//! Source: PostgreSQL's documentation of psql and pg_dump; psql's rule for BEGIN ATOMIC is in its scanner.

use super::encoding::Encoding;
use super::head::{self, CopyHead, Meaning};
use super::statement::{Place, Settings, Statement};
use super::text::Text;
use super::tokens;
use crate::error::{Error, Result};
use std::io::Read;

/// How long a statement may be that is not rows, in bytes.
const DEFINITION_BYTES_MAX: usize = 64 * 1024 * 1024;
/// How long a statement or a line with rows may be, in bytes: what the server takes itself.
pub(super) const ROWS_BYTES_MAX: usize = (1024 * 1024 * 1024) - 1;
/// What is skipped need not be held.
const SKIPPED_BYTES_MAX: usize = 64 * 1024;

/// A part of a script.
#[derive(Debug, PartialEq)]
pub(super) enum Item<'s> {
    /// A statement that is not rows.
    Statement(Statement),
    /// Lines follow, up to the one that ends them: [`Script::line`], [`Script::skip_lines`].
    Copy(CopyHead, Place),
    /// A statement that inserts rows, its settings, and where it stands.
    Insert(&'s str, Settings, Place),
    /// From here on it is about that database.
    Connect(String),
    /// A large object, or a piece of one; whether it is a new one.
    LargeObject(bool),
}

/// What is known of the script as a whole.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Marks {
    /// The version of the server that was dumped, by the head of the script.
    pub server_version: Option<String>,
    /// Whether it is one of pg_dumpall.
    pub is_cluster: bool,
    /// The line at which a dump begins that has not ended.
    open: Option<u64>,
    cluster_open: Option<u64>,
    ended: bool,
}

/// A script under way.
pub(super) struct Script<R> {
    text: Text<R>,
    /// So many bytes of the rest are an item that was handed over.
    done: usize,
    settings: Settings,
    /// The place of all of it, where lines say nothing.
    fixed: Option<Place>,
    marks: Marks,
    /// The encoding that was last set, as it was spelled.
    encoding: Option<String>,
    /// Whether the lines of the block end with carriage return and line feed, once it is known.
    crlf: Option<bool>,
}

impl<R: Read> Script<R> {
    /// A script from its beginning.
    pub(super) fn new(text: Text<R>) -> Self {
        Script::within(text, Settings::default(), None)
    }

    /// A piece of SQL of an archive.
    pub(super) fn within(text: Text<R>, settings: Settings, fixed: Option<Place>) -> Self {
        Script { text, done: 0, settings, fixed, marks: Marks::default(), encoding: None, crlf: None }
    }

    /// What is known as far as it was read.
    pub(super) fn marks(&self) -> &Marks {
        &self.marks
    }

    /// The encoding that was last set, as it was spelled.
    pub(super) fn encoding(&self) -> Option<&str> {
        self.encoding.as_deref()
    }

    /// The next item; `None` at the end.
    ///
    /// # Errors
    /// When the script cannot be read, is cut off, or has what is not read here; with the line.
    pub(super) fn next(&mut self) -> Result<Option<Item<'_>>> {
        self.release();
        loop {
            match self.skip_blanks()? {
                None => return self.ensure_whole().map(|()| None),
                Some(b'\\') => {
                    if let Some(database) = self.command()? {
                        return Ok(Some(Item::Connect(database)));
                    }
                }
                Some(_) => break,
            }
        }
        let place = self.place();
        let length = self.statement_length()?;
        let ends = self.text.at(length)? == Some(b';');
        self.done = length + usize::from(ends);
        let object = self.object();
        let bytes = self.text.rest()[..length].trim_ascii_end();
        let text = str_of(bytes, &object)?;
        let meaning = head::meaning(text, &mut self.settings);
        match meaning {
            Meaning::Copy(head) => {
                self.release();
                self.rest_of_line()?;
                self.crlf = None;
                Ok(Some(Item::Copy(head, place)))
            }
            Meaning::Insert => {
                let text = str_of(self.text.rest()[..length].trim_ascii_end(), &object)?;
                Ok(Some(Item::Insert(text, self.settings.clone(), place)))
            }
            Meaning::LargeObject(is_new) => Ok(Some(Item::LargeObject(is_new))),
            Meaning::Refused(cause) => Err(Error::could_not("read", object, cause)),
            Meaning::Encoding(name) => {
                let statement = Statement { text: text.to_owned(), place, settings: self.settings.clone() };
                self.release();
                self.switch(name, &object)?;
                Ok(Some(Item::Statement(statement)))
            }
            Meaning::Other => {
                let statement = Statement { text: text.to_owned(), place, settings: self.settings.clone() };
                Ok(Some(Item::Statement(statement)))
            }
        }
    }

    /// The next line of a COPY block, without its end; `None` behind the last. Its number was [`Script::upcoming_line`].
    ///
    /// # Errors
    /// When the block does not end, or its lines end in two ways.
    pub(super) fn line(&mut self) -> Result<Option<&[u8]>> {
        self.release_line();
        let mut from = 0;
        let length = loop {
            let rest = self.text.rest();
            if let Some(found) = memchr::memchr(b'\n', &rest[from..]) {
                break from + found;
            }
            from = rest.len();
            if from > ROWS_BYTES_MAX {
                return Err(too_long(&self.object(), "line", ROWS_BYTES_MAX));
            }
            if !self.text.more()? {
                return Err(self.unended());
            }
        };
        let line = &self.text.rest()[..length];
        let has_return = line.last() == Some(&b'\r');
        let crlf = *self.crlf.get_or_insert(has_return);
        let end = length - usize::from(crlf && has_return);
        if &line[..end] == b"\\." && crlf == has_return {
            self.text.advance_line(length + 1);
            return Ok(None);
        }
        if crlf != has_return || memchr::memchr(b'\r', &line[..end]).is_some() {
            return Err(Error::could_not(
                "read",
                self.object(),
                "a carriage return stands in it, or is missing at its end",
            )
            .hint("somebody has changed the line ends of this dump; copy it again as it was, byte by byte"));
        }
        self.done = length + 1;
        Ok(Some(&self.text.rest()[..end]))
    }

    /// Skips the lines of a COPY block, and tells how many they were. No line is held.
    ///
    /// # Errors
    /// When the block does not end, or a line is longer than any row.
    pub(super) fn skip_lines(&mut self) -> Result<u64> {
        self.release_line();
        let (mut lines, mut in_line, mut skipped) = (0, false, 0);
        loop {
            let rest = self.text.rest();
            match memchr::memchr(b'\n', rest) {
                Some(length) => {
                    let ends = !in_line && matches!(&rest[..length], b"\\." | b"\\.\r");
                    self.text.advance_line(length + 1);
                    if ends {
                        return Ok(lines);
                    }
                    (lines, in_line, skipped) = (lines + 1, false, 0);
                }
                None => {
                    let held = rest.len();
                    if held > SKIPPED_BYTES_MAX {
                        self.text.advance(held);
                        (in_line, skipped) = (true, skipped + held);
                        if skipped > ROWS_BYTES_MAX {
                            return Err(too_long(&self.object(), "line", ROWS_BYTES_MAX));
                        }
                    }
                    if !self.text.more()? {
                        return Err(self.unended());
                    }
                }
            }
        }
    }

    /// The number of the line that [`Script::line`] hands over next.
    pub(super) fn upcoming_line(&self) -> u64 {
        self.text.line() + u64::from(self.done > 0)
    }

    /// What is read, by its name and the line.
    pub(super) fn object(&self) -> String {
        match self.fixed {
            Some(place) => format!("{}, {place}", self.text.object()),
            None => format!("{}, line {}", self.text.object(), self.text.line()),
        }
    }

    fn place(&self) -> Place {
        self.fixed.unwrap_or(Place::Line(self.text.line()))
    }

    fn unended(&self) -> Error {
        Error::could_not("read", self.object(), "it is cut off: it ends within the rows of a table")
            .hint("the dump is not whole; copy it again from where it was made, or make it again")
    }

    fn release(&mut self) {
        self.text.advance(std::mem::take(&mut self.done));
    }

    fn release_line(&mut self) {
        match std::mem::take(&mut self.done) {
            0 => {}
            count => self.text.advance_line(count),
        }
    }

    /// Behind COPY's semicolon nothing else may stand.
    fn rest_of_line(&mut self) -> Result<()> {
        loop {
            match self.text.at(0)? {
                Some(b' ' | b'\t' | b'\r') => self.text.advance(1),
                Some(b'\n') => {
                    self.text.advance(1);
                    return Ok(());
                }
                None => return Err(self.unended()),
                Some(_) => {
                    return Err(Error::could_not("read", self.object(), "something stands behind the statement COPY"));
                }
            }
        }
    }

    /// Blanks and comments; the first byte behind them.
    fn skip_blanks(&mut self) -> Result<Option<u8>> {
        loop {
            match self.text.at(0)? {
                Some(b' ' | b'\t' | b'\n' | b'\r' | 11 | 12 | b';') => {
                    let rest = self.text.rest();
                    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 11 | 12 | b';');
                    let count = rest.iter().position(|byte| !is_blank(byte)).unwrap_or(rest.len());
                    self.text.advance(count);
                }
                // What some editors put in front of a text.
                Some(0xef) if self.text.line() == 1 && self.text.at(1)? == Some(0xbb) => self.text.advance(3),
                Some(b'-') if self.text.at(1)? == Some(b'-') => {
                    let length = self.line_end(2)?;
                    self.mark(length)?;
                    self.text.advance(length);
                }
                Some(b'/') if self.text.at(1)? == Some(b'*') => {
                    let length = self.comment(0)?;
                    self.text.advance(length);
                }
                other => return Ok(other),
            }
        }
    }

    /// What a comment says that is a whole line: where pg_dump's output begins and ends. Nothing else is taken from comments,
    /// because names stand in them.
    fn mark(&mut self, length: usize) -> Result<()> {
        let Ok(comment) = std::str::from_utf8(&self.text.rest()[2..length]) else { return Ok(()) };
        let line = self.text.line();
        match comment.trim() {
            "PostgreSQL database dump" => {
                if self.marks.open.is_some() || (self.marks.ended && !self.marks.is_cluster) {
                    let cause = match self.marks.open {
                        Some(line) => {
                            format!("another dump begins here, and the one that begins at line {line} has not ended")
                        }
                        None => "another dump begins here: there are two in one file".to_owned(),
                    };
                    return Err(Error::could_not("read", self.object(), cause).hint(
                        "give each dump a file of its own; rows without definitions go with those of another file: \
                         `dump:rows.sql?schema=definitions.sql`",
                    ));
                }
                self.marks.open = Some(line);
            }
            "PostgreSQL database dump complete" => (self.marks.open, self.marks.ended) = (None, true),
            "PostgreSQL database cluster dump" => {
                (self.marks.cluster_open, self.marks.is_cluster) = (Some(line), true);
            }
            "PostgreSQL database cluster dump complete" => self.marks.cluster_open = None,
            text => {
                if let Some(version) = text.strip_prefix("Dumped from database version ")
                    && self.marks.server_version.is_none()
                {
                    self.marks.server_version = version.split_whitespace().next().map(str::to_owned);
                }
            }
        }
        Ok(())
    }

    fn ensure_whole(&self) -> Result<()> {
        match self.marks.open.or(self.marks.cluster_open) {
            None => Ok(()),
            Some(line) => Err(Error::could_not(
                "read",
                self.object(),
                format!("it is cut off: the dump that begins at line {line} lacks pg_dump's last line"),
            )
            .hint("copy it again from where it was made, or make it again")),
        }
    }

    /// One of psql's own commands; the database that it turns to, if it does.
    fn command(&mut self) -> Result<Option<String>> {
        let length = self.line_end(1)?;
        let object = self.object();
        let text = str_of(&self.text.rest()[..length], &object)?.trim_end();
        let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        match word {
            "\\restrict" | "\\unrestrict" => {
                self.text.advance(length);
                Ok(None)
            }
            "\\encoding" => {
                let name = rest.trim().trim_matches(['\'', '"']).to_owned();
                self.text.advance(length);
                // pg_dump writes it in front of a `\connect` whose name needs quotes; the section then says its own encoding.
                if self.skip_blanks()? != Some(b'\\') {
                    self.switch(name, &object)?;
                }
                Ok(None)
            }
            "\\connect" | "\\c" => {
                let name = database_of(rest).ok_or_else(|| {
                    Error::could_not("read", object, "its `\\connect` does not name a database as pg_dump does")
                })?;
                self.text.advance(length);
                self.settings = Settings::default();
                Ok(Some(name))
            }
            _ => {
                let shown: String = word.chars().take(20).collect();
                Err(Error::could_not("read", object, format!("`{shown}` is a command of psql that no dump has"))
                    .hint("a dump has only `\\connect`, `\\encoding`, `\\restrict`, `\\unrestrict` and `\\.`; look at who has changed this one"))
            }
        }
    }

    /// From here on texts are in that encoding.
    fn switch(&mut self, name: String, object: &str) -> Result<()> {
        let encoding = Encoding::named(&name).ok_or_else(|| {
            Error::could_not("read", object, format!("texts in the encoding `{name}` are not read here"))
                .hint("make the dump again with `pg_dump --encoding=UTF8`")
        })?;
        self.text.switch(encoding)?;
        self.encoding = Some(name);
        Ok(())
    }

    /// How far it is to the end of the line, from so many bytes on.
    fn line_end(&mut self, from: usize) -> Result<usize> {
        let mut place = from;
        loop {
            let rest = self.text.rest();
            if let Some(found) = memchr::memchr(b'\n', rest.get(place..).unwrap_or_default()) {
                return Ok(place + found);
            }
            place = rest.len();
            self.ensure_short(place - from, DEFINITION_BYTES_MAX)?;
            if !self.text.more()? {
                return Ok(place);
            }
        }
    }

    fn ensure_short(&self, length: usize, max: usize) -> Result<()> {
        if length > max { Err(too_long(&self.object(), "statement", max)) } else { Ok(()) }
    }

    /// How long the statement is that begins here, its semicolon not counted.
    fn statement_length(&mut self) -> Result<usize> {
        let max = match self.text.at(5)? {
            Some(_) if self.text.rest()[..6].eq_ignore_ascii_case(b"insert") => ROWS_BYTES_MAX,
            _ => DEFINITION_BYTES_MAX,
        };
        let (mut place, mut depth, mut body) = (0, 0_usize, Body::default());
        loop {
            if place > max {
                return Err(too_long(&self.object(), "statement", max));
            }
            let Some(byte) = self.text.at(place)? else { return self.end_without_semicolon(place) };
            place = match byte {
                b';' if depth == 0 && !body.is_open() => return Ok(place),
                b'\'' => self.quoted(place, b'\'', self.settings.backslash_escapes)?,
                b'"' => self.quoted(place, b'"', false)?,
                b'$' => self.dollar(place)?,
                b'-' if self.text.at(place + 1)? == Some(b'-') => self.line_end(place)?,
                b'/' if self.text.at(place + 1)? == Some(b'*') => self.comment(place)?,
                b'(' => {
                    depth += 1;
                    place + 1
                }
                b')' => {
                    depth = depth.saturating_sub(1);
                    place + 1
                }
                b'\\' => {
                    let at = self.object_at(place);
                    return Err(Error::could_not(
                        "read",
                        at,
                        "a backslash stands in a statement: a command of psql that no dump has",
                    ));
                }
                0 => {
                    return Err(Error::could_not(
                        "read",
                        self.object_at(place),
                        "a byte 0 stands in it: it is no script",
                    ));
                }
                byte if tokens::is_name_start(byte) => {
                    let end = self.word_end(place)?;
                    let escapes = end == place + 1 && matches!(byte, b'e' | b'E') && self.text.at(end)? == Some(b'\'');
                    if escapes {
                        self.quoted(end, b'\'', true)?
                    } else {
                        body.word(&self.text.rest()[place..end], depth);
                        end
                    }
                }
                // Not to take the letters of a number or of a parameter for a word.
                byte if byte.is_ascii_digit() => self.word_end(place)?,
                _ => place + 1,
            };
        }
    }

    fn end_without_semicolon(&self, place: usize) -> Result<usize> {
        match self.fixed {
            Some(_) => Ok(place),
            None if self.marks.open.is_none() && self.marks.cluster_open.is_none() => {
                Err(Error::could_not("read", self.object(), "it is no dump, or cut off: this statement does not end")
                    .hint("a whole dump has the line `-- PostgreSQL database dump` before its first statement, and ends every statement with `;`"))
            }
            None => {
                Err(Error::could_not("read", self.object(), "it is cut off: it ends in the middle of this statement")
                    .hint("the dump is not whole; copy it again from where it was made, or make it again"))
            }
        }
    }

    fn object_at(&self, place: usize) -> String {
        let lines = memchr::memchr_iter(b'\n', &self.text.rest()[..place]).count() as u64;
        match self.fixed {
            Some(_) => self.object(),
            None => format!("{}, line {}", self.text.object(), self.text.line() + lines),
        }
    }

    fn word_end(&mut self, from: usize) -> Result<usize> {
        let mut place = from + 1;
        while self.text.at(place)?.is_some_and(tokens::is_name_part) {
            place += 1;
            self.ensure_short(place - from, DEFINITION_BYTES_MAX)?;
        }
        Ok(place)
    }

    /// Behind the quote that closes the one at that place.
    fn quoted(&mut self, from: usize, quote: u8, escapes: bool) -> Result<usize> {
        let mut place = from + 1;
        loop {
            let rest = self.text.rest().get(place..).unwrap_or_default();
            let found = if escapes { memchr::memchr2(quote, b'\\', rest) } else { memchr::memchr(quote, rest) };
            match found {
                Some(found) if rest[found] == b'\\' => place += found + 2,
                // A doubled quote begins the next piece; both are the same string.
                Some(found) => return Ok(place + found + 1),
                None => {
                    place += rest.len();
                    self.ensure_short(place, ROWS_BYTES_MAX)?;
                    if !self.text.more()? {
                        return Err(self.unclosed(from));
                    }
                }
            }
        }
    }

    fn unclosed(&self, from: usize) -> Error {
        Error::could_not(
            "read",
            self.object_at(from),
            "it is cut off: what begins here with a quote or a comment does not end",
        )
        .hint("the dump is not whole; copy it again from where it was made, or make it again")
    }

    /// Behind a dollar quote, or behind the sign where it is none.
    fn dollar(&mut self, from: usize) -> Result<usize> {
        // Enough to see the whole mark.
        let mut end = from + 1;
        while self.text.at(end)?.is_some_and(|byte| tokens::is_name_part(byte) && byte != b'$') {
            end += 1;
        }
        let Some(length) = (match self.text.at(end)? {
            Some(b'$') => tokens::dollar_tag(&self.text.rest()[from..=end]),
            _ => None,
        }) else {
            return Ok(from + 1);
        };
        let tag = self.text.rest()[from..from + length].to_vec();
        let finder = memchr::memmem::Finder::new(&tag);
        let mut place = from + length;
        loop {
            let rest = self.text.rest().get(place..).unwrap_or_default();
            if let Some(found) = finder.find(rest) {
                return Ok(place + found + length);
            }
            // The mark may be cut where the next piece begins.
            place += rest.len().saturating_sub(length - 1);
            self.ensure_short(place - from, ROWS_BYTES_MAX)?;
            if !self.text.more()? {
                return Err(self.unclosed(from));
            }
        }
    }

    /// Behind a comment and those in it.
    fn comment(&mut self, from: usize) -> Result<usize> {
        let (mut place, mut depth) = (from + 2, 1_usize);
        while depth > 0 {
            self.ensure_short(place - from, DEFINITION_BYTES_MAX)?;
            match (self.text.at(place)?, self.text.at(place + 1)?) {
                (Some(b'/'), Some(b'*')) => (place, depth) = (place + 2, depth + 1),
                (Some(b'*'), Some(b'/')) => (place, depth) = (place + 2, depth - 1),
                (Some(_), _) => place += 1,
                (None, _) => return Err(self.unclosed(from)),
            }
        }
        Ok(place)
    }
}

/// Whether a body of SQL is open, in which semicolons end its own statements.
#[derive(Debug, Default)]
struct Body {
    words: usize,
    /// The first letters of the first four words.
    first: [u8; 4],
    depth: usize,
}

impl Body {
    fn is_open(&self) -> bool {
        self.depth > 0
    }

    fn word(&mut self, word: &[u8], parentheses: usize) {
        let is = |other: &str| word.eq_ignore_ascii_case(other.as_bytes());
        if self.words < self.first.len() {
            let known = ["create", "function", "procedure", "or", "replace"].into_iter().find(|other| is(other));
            self.first[self.words] = known.map_or(0, |word| word.as_bytes()[0]);
        }
        self.words += 1;
        let makes_routine = matches!(self.first, [b'c', b'f' | b'p', ..] | [b'c', b'o', b'r', b'f' | b'p']);
        if !makes_routine || parentheses > 0 {
            return;
        }
        if is("begin") || (is("case") && self.depth > 0) {
            self.depth += 1;
        } else if is("end") {
            self.depth = self.depth.saturating_sub(1);
        }
    }
}

fn too_long(object: &str, what: &str, max: usize) -> Error {
    Error::could_not("read", object, format!("this {what} is longer than {max} bytes: it is no dump of PostgreSQL"))
}

pub(super) fn str_of<'b>(bytes: &'b [u8], object: &str) -> Result<&'b str> {
    std::str::from_utf8(bytes).map_err(|error| no_text(bytes, error, object))
}

/// That bytes are no text, which they are not from there on.
pub(super) fn no_text(bytes: &[u8], error: std::str::Utf8Error, object: &str) -> Error {
    let bad = &bytes[error.valid_up_to()..(error.valid_up_to() + 4).min(bytes.len())];
    let cause = format!("the bytes `{}` are no text in UTF-8", bad.escape_ascii());
    Error::could_not("read", object, cause)
        .hint("if the database has another encoding, make the dump with `--encoding=UTF8`")
}

/// The database that `\connect` names: a name, or a connection string with `dbname=`.
fn database_of(arguments: &str) -> Option<String> {
    let mut rest = arguments.trim();
    while let Some(option) = rest.strip_prefix('-') {
        rest = option.split_once(char::is_whitespace)?.1.trim_start();
    }
    // psql's own quotes: a double one keeps what is in it, a doubled one is one.
    let name = match rest.strip_prefix('"').and_then(|inside| inside.strip_suffix('"')) {
        Some(inside) => inside.replace("\"\"", "\""),
        None => rest.split_whitespace().next()?.to_owned(),
    };
    let Some(value) = name.strip_prefix("dbname=") else { return Some(name) };
    match value.strip_prefix('\'').and_then(|inside| inside.strip_suffix('\'')) {
        Some(inside) => Some(inside.replace("\\'", "'").replace("\\\\", "\\")),
        None => Some(value.to_owned()),
    }
}
