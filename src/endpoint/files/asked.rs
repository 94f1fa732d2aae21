//! Rows that a tree needs and no file of it tells: a path tells their key, and somebody has told the rest.
//!
//! Which those are shows when all files were seen. A row that a file has wins over an answer, so that a tree to which such a row
//! came meanwhile is read as it is.

use super::layout::{Ask, Layout, Proof};
use crate::error::Error;
use crate::toml_text::{by_likeness, listed};
use crate::value::Cell;
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs::canonicalize;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// The answers that somebody has given, by their keys.
pub type Answers = BTreeMap<String, String>;

/// The option of the command line that answers.
pub const OPTION: &str = "--workspace";

/// What somebody has to tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// The key of the row.
    pub key: String,
    /// The file whose path has it.
    pub file: String,
    /// The table of the row.
    pub table: String,
    /// The column that is asked for.
    pub column: String,
    proof: Option<Proof>,
}

impl Question {
    /// Why an answer is most likely none, where that shows.
    pub fn doubt(&self, answer: &str) -> Option<String> {
        match self.proof? {
            Proof::Sha256OfPath if is_hash_of(&self.key, answer) => None,
            Proof::Sha256OfPath => {
                let other = hash_of(resolved(answer).as_deref().unwrap_or(answer.as_bytes()));
                let length = self.key.len().min(other.len());
                Some(format!("`{}` is not the hash of `{answer}`, which is `{}`", self.key, &other[..length]))
            }
        }
    }

    /// That nobody has answered.
    pub fn unanswered(&self) -> Error {
        let Question { key, file, table, column, .. } = self;
        let cause = format!("no file tells the `{column}` of `{key}` in `{table}`");
        Error::usage("read", format!("`{file}`"), cause)
            .hint(format!("say it with `{OPTION} {key}=…`, or answer on a terminal"))
    }
}

/// That no file asks for what somebody has told.
pub fn not_asked(key: &str, asked: &[Question]) -> Error {
    let error = Error::usage("use the option", format!("`{OPTION} {key}=…`"), "no file of the tree asks for it");
    match asked {
        [] => error.hint("leave it out; everything that files refer to is there"),
        asked => {
            let keys = by_likeness(key, asked.iter().map(|question| question.key.as_str()));
            error.hint(format!("missing are {}", listed(&keys[..keys.len().min(3)])))
        }
    }
}

/// The path as the kernel resolves it.
fn resolved(path: &str) -> Option<Vec<u8>> {
    // What is relative is another path in another place.
    let path = Some(Path::new(path)).filter(|path| path.is_absolute())?;
    canonicalize(path).ok().map(|path| path.as_os_str().as_bytes().to_vec())
}

fn is_hash_of(key: &str, path: &str) -> bool {
    let trimmed = path.trim_end_matches('/').as_bytes().to_vec();
    [resolved(path), Some(trimmed), Some(path.as_bytes().to_vec())]
        .into_iter()
        .flatten()
        .any(|path| hash_of(&path).starts_with(key))
}

fn hash_of(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// What a tree needs to be told, while it is read.
pub struct Asked<'l> {
    layout: &'l Layout,
    /// The keys that paths have, by their tables, each with the first file and what is asked there.
    needed: BTreeMap<(usize, String), (String, &'l Ask)>,
    known: BTreeSet<(usize, String)>,
}

impl<'l> Asked<'l> {
    /// Nothing was seen yet.
    pub fn new(layout: &'l Layout) -> Self {
        Asked { layout, needed: BTreeMap::new(), known: BTreeSet::new() }
    }

    /// A file was seen.
    pub fn file(&mut self, kind: usize, captures: &[String], path: &str) {
        for ask in self.layout.asks.iter().filter(|ask| ask.kind == kind) {
            self.needed.entry((ask.table, captures[ask.capture].clone())).or_insert_with(|| (path.to_owned(), ask));
        }
    }

    /// A row of a file was seen.
    pub fn row(&mut self, table: usize, cells: &[Cell<'_>]) {
        let key = self.layout.asks.iter().find(|ask| ask.table == table).map(|ask| &cells[ask.key]);
        if let Some(Cell::Text(key)) = key {
            self.known.insert((table, key.clone().into_owned()));
        }
    }

    /// What nobody has told yet: the place of the table, and the question.
    pub fn missing(&self) -> impl Iterator<Item = (usize, Question)> {
        let missing = self.needed.iter().filter(|(at, _)| !self.known.contains(*at));
        missing.map(|((table, key), (file, ask))| {
            let of = &self.layout.tables[*table];
            let column = of.columns[ask.column].name.clone();
            let (key, file) = (key.clone(), file.clone());
            (*table, Question { key, file, table: of.name.clone(), column, proof: ask.proof })
        })
    }

    /// The row that an answer makes.
    pub fn answered<'a>(&self, table: usize, key: &'a str, answer: &'a str) -> [Cell<'a>; 2] {
        let key_is_first = self.layout.tables[table].key == [0];
        let (key, answer) = (Cell::Text(Cow::Borrowed(key)), Cell::Text(Cow::Borrowed(answer)));
        if key_is_first { [key, answer] } else { [answer, key] }
    }
}
