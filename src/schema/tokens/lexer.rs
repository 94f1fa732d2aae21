//! Tokens, comments and commands of a text, one after the other.

use crate::{Error, Result};

/// Whose SQL a script is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// SQLite: `[name]`, `` `name` ``, comments that do not nest.
    Sqlite,
    /// PostgreSQL: dollar quotes, `E''` strings, comments that nest.
    Postgres,
}

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// A keyword or an unquoted name.
    Word,
    /// A quoted name.
    Name,
    /// A string or blob literal, dollar-quoted ones included.
    Text,
    /// A number.
    Number,
    /// Punctuation, one character each.
    Symbol,
}

/// One token of a statement: its class and its text as written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token<'t> {
    /// What it is.
    pub class: Class,
    /// As written, quotes included.
    pub text: &'t str,
}

impl Token<'_> {
    /// Whether this is the unquoted `word`, given in upper case.
    pub fn is(&self, word: &str) -> bool {
        self.class == Class::Word && self.text.eq_ignore_ascii_case(word)
    }

    /// A name without its quotes, doubled quotes undone; also one in `'…'`, which SQLite takes for a name where only
    /// a name can be.
    pub fn unquoted(&self) -> String {
        if self.class != Class::Name && !self.text.starts_with('\'') {
            return self.text.to_owned();
        }
        let mut characters = self.text.chars();
        let close = match characters.next() {
            Some('[') => ']',
            Some(quote) => quote,
            None => return String::new(),
        };
        characters.next_back();
        characters.as_str().replace(&format!("{close}{close}"), &close.to_string())
    }
}

pub(super) enum Piece<'t> {
    Token {
        class: Class,
        start: usize,
        line: usize,
    },
    Comment {
        text: &'t str,
        line: usize,
    },
    /// From a backslash to the end of its line, on PostgreSQL.
    Command {
        text: &'t str,
        line: usize,
    },
}

pub(super) struct Lexer<'t> {
    pub(super) text: &'t str,
    pub(super) at: usize,
    pub(super) line: usize,
    pub(super) dialect: Dialect,
}

impl<'t> Lexer<'t> {
    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    /// Moves on by `length` bytes, counting lines.
    pub(super) fn advance(&mut self, length: usize) {
        self.line += self.text.as_bytes()[self.at..self.at + length].iter().filter(|byte| **byte == b'\n').count();
        self.at += length;
    }

    pub(super) fn next(&mut self) -> Result<Option<Piece<'t>>> {
        loop {
            let rest = self.rest();
            let Some(first) = rest.chars().next() else { return Ok(None) };
            if first.is_whitespace() || first == '\u{feff}' {
                self.advance(first.len_utf8());
            } else if rest.starts_with("--") {
                let line = self.line;
                let comment = rest.lines().next().unwrap_or(rest);
                let (length, text) = (comment.len(), comment[2..].trim());
                if text.contains('\r') {
                    // PostgreSQL ends the comment there and SQLite does not: the rest would run, or be skipped unseen.
                    let object = format!("line {line}");
                    return Err(Error::usage("read script", object, "a comment has a lone carriage return in it")
                        .hint("end lines with LF or CRLF"));
                }
                self.advance(length);
                return Ok(Some(Piece::Comment { text, line }));
            } else if first == '\\' && self.dialect == Dialect::Postgres {
                let (line, text) = (self.line, rest.lines().next().unwrap_or(rest));
                self.advance(text.len());
                return Ok(Some(Piece::Command { text, line }));
            } else if rest.starts_with("/*") {
                self.block_comment()?;
            } else {
                let (start, line) = (self.at, self.line);
                let class = self.token(first)?;
                return Ok(Some(Piece::Token { class, start, line }));
            }
        }
    }

    fn block_comment(&mut self) -> Result<()> {
        let rest = self.rest();
        let mut depth = 0_usize;
        let mut at = 0;
        loop {
            if rest[at..].starts_with("/*") && (depth == 0 || self.dialect == Dialect::Postgres) {
                depth += 1;
                at += 2;
            } else if rest[at..].starts_with("*/") {
                depth -= 1;
                at += 2;
                if depth == 0 {
                    self.advance(at);
                    return Ok(());
                }
            } else if let Some(next) = rest[at..].chars().next() {
                at += next.len_utf8();
            } else if self.dialect == Dialect::Sqlite {
                // SQLite lets the end of the text end a comment.
                self.advance(at);
                return Ok(());
            } else {
                return Err(self.unterminated("comment"));
            }
        }
    }

    fn token(&mut self, first: char) -> Result<Class> {
        let sqlite = self.dialect == Dialect::Sqlite;
        match first {
            '\'' => self.quoted('\'', false, "string").map(|()| Class::Text),
            '"' => self.quoted('"', false, "quoted name").map(|()| Class::Name),
            '`' if sqlite => self.quoted('`', false, "quoted name").map(|()| Class::Name),
            '[' if sqlite => self.quoted(']', false, "quoted name").map(|()| Class::Name),
            '$' if !sqlite && self.dollar_tag().is_some() => self.dollar_quoted().map(|()| Class::Text),
            _ if first.is_alphabetic() || first == '_' => self.word(),
            _ if first.is_ascii_digit() => {
                let length = self.rest().find(|c: char| !(c.is_alphanumeric() || c == '.' || c == '_'));
                self.advance(length.unwrap_or(self.rest().len()));
                Ok(Class::Number)
            }
            _ => {
                self.advance(first.len_utf8());
                Ok(Class::Symbol)
            }
        }
    }

    /// A word, or the prefix of a string such as `E'…'`, `X'…'`, `U&"…"`.
    fn word(&mut self) -> Result<Class> {
        let rest = self.rest();
        let length = rest.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$')).unwrap_or(rest.len());
        let (word, after) = rest.split_at(length);
        let prefix = word.to_ascii_uppercase();
        if after.starts_with('\'') && matches!(prefix.as_str(), "E" | "X" | "B" | "N") {
            let escapes = prefix == "E" && self.dialect == Dialect::Postgres;
            self.advance(length);
            return self.quoted('\'', escapes, "string").map(|()| Class::Text);
        }
        self.advance(length);
        Ok(Class::Word)
    }

    /// From an opening quote behind the cursor to its closing `quote`; a doubled quote stays inside.
    fn quoted(&mut self, quote: char, backslashes: bool, what: &str) -> Result<()> {
        let rest = self.rest();
        let mut characters = rest.char_indices().skip(1).peekable();
        while let Some((at, character)) = characters.next() {
            if backslashes && character == '\\' {
                characters.next();
            } else if character == quote {
                if quote != ']' && characters.peek().is_some_and(|(_, next)| *next == quote) {
                    characters.next();
                } else {
                    self.advance(at + quote.len_utf8());
                    return Ok(());
                }
            }
        }
        Err(self.unterminated(what))
    }

    /// `$$` or `$tag$` at the cursor.
    fn dollar_tag(&self) -> Option<&str> {
        let rest = self.rest();
        let end = rest[1..].find('$')? + 1;
        let tag = &rest[1..end];
        let valid =
            !tag.starts_with(|c: char| c.is_ascii_digit()) && tag.chars().all(|c| c.is_alphanumeric() || c == '_');
        valid.then(|| &rest[..=end])
    }

    fn dollar_quoted(&mut self) -> Result<()> {
        let Some(tag) = self.dollar_tag() else { return Err(self.unterminated("dollar-quoted string")) };
        match self.rest()[tag.len()..].find(tag) {
            Some(body) => {
                let length = tag.len() * 2 + body;
                self.advance(length);
                Ok(())
            }
            None => Err(self.unterminated("dollar-quoted string")),
        }
    }

    fn unterminated(&self, what: &str) -> Error {
        Error::usage("read script", format!("line {}", self.line), format!("a {what} begins here and never ends"))
    }
}
