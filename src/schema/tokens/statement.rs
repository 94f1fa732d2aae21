//! A script cut in statements and comments.

use std::sync::Arc;

use super::lexer::{Dialect, Lexer, Piece, Token};

/// One statement: a piece of a script, from its first token to its last. Neither its text nor its tokens are copied: a
/// script of many megabytes is in memory once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    pub(super) script: Arc<Source>,
    pub(super) start: u32,
    pub(super) end: u32,
    pub(super) line: u32,
    /// Where the rows below a COPY are.
    pub(super) rows: Option<(u32, u32)>,
}

/// The text that statements are pieces of.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Source {
    pub(super) text: Arc<str>,
    pub(super) dialect: Dialect,
}

impl Statement {
    /// The text without the closing semicolon and without comments before it.
    pub fn text(&self) -> &str {
        &self.script.text[self.start as usize..self.end as usize]
    }

    /// The rows below `COPY … FROM stdin`, as they are sent to the server.
    pub fn rows(&self) -> Option<&str> {
        self.rows.map(|(start, end)| &self.script.text[start as usize..end as usize])
    }

    /// Every token, comments left out; read anew each time.
    pub fn tokens(&self) -> impl Iterator<Item = Token<'_>> {
        let text = self.text();
        let mut lexer = Lexer { text, at: 0, line: 1, dialect: self.script.dialect };
        std::iter::from_fn(move || {
            loop {
                // No error: the text was read before.
                match lexer.next().ok()?? {
                    Piece::Token { class, start, .. } => return Some(Token { class, text: &text[start..lexer.at] }),
                    Piece::Comment { .. } | Piece::Command { .. } => {}
                }
            }
        })
    }

    /// The token at this place, from 0.
    pub fn token(&self, place: usize) -> Option<Token<'_>> {
        self.tokens().nth(place)
    }

    /// The line of the first token, from 1.
    pub fn line(&self) -> u32 {
        self.line
    }

    /// Whose SQL it is.
    pub(crate) fn dialect(&self) -> Dialect {
        self.script.dialect
    }

    /// Whether the statement begins with these words, given in upper case.
    pub fn starts_with(&self, words: &[&str]) -> bool {
        let mut tokens = self.tokens();
        words.iter().all(|word| tokens.next().is_some_and(|token| token.is(word)))
    }

    /// Whether an unquoted word, given in upper case, occurs anywhere in the statement.
    pub fn has_word(&self, word: &str) -> bool {
        self.tokens().any(|token| token.is(word))
    }
}

/// A `--` comment: its text behind the dashes, trimmed, the line it is on, and whether SQL came before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comment {
    /// The text behind the dashes, trimmed.
    pub text: String,
    /// The line, from 1.
    pub line: usize,
    /// Whether a statement had begun before it.
    pub after_sql: bool,
}

/// What a script consists of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scan {
    /// The statements in order.
    pub statements: Vec<Statement>,
    /// The line comments in order.
    pub comments: Vec<Comment>,
}
