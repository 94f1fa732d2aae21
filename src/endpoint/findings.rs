//! What may be found in a finished target, whatever looks for it: its structure, its references, what it records of itself, and
//! the user's checks.

use crate::error::{Error, Result};
use serde::Serialize;

/// Which of SQLite's own checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Depth {
    /// `integrity_check`: pages, rows, and every index entry against its row.
    Full,
    /// `quick_check`: the same without the comparison of indexes with tables and without UNIQUE; much faster.
    Quick,
}

/// What SQLite says about the structure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Integrity {
    /// Which check ran.
    pub depth: Depth,
    /// The first messages; none means sound.
    pub messages: Vec<String>,
    /// How many there are.
    pub total: u64,
    /// Counting was stopped: there may be more.
    pub stopped: bool,
    /// What could not be looked at, because only some application has the function or collation for it; one sentence each.
    #[serde(skip)]
    pub unasked: Vec<String>,
}

/// A row whose parent is missing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Orphan {
    /// The table that refers.
    pub table: String,
    /// Its row; none in a WITHOUT ROWID table.
    pub rowid: Option<i64>,
    /// The table that is referred to.
    pub parent: String,
    /// The columns of the key, in its order.
    pub columns: Vec<String>,
    /// The row's own key, where it can be told.
    pub row: Option<String>,
    /// Its values in these columns, where they can be told.
    pub values: Option<String>,
    /// The foreign key in the source, where it is known to have one.
    pub origin: Option<String>,
}

/// What SQLite says about the foreign keys.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ForeignKeys {
    /// The first rows without their parent.
    pub orphans: Vec<Orphan>,
    /// How many there are.
    pub total: u64,
    /// Keys that cannot be checked, with the reason: the parent has no unique index that fits, for example.
    pub unusable: Vec<String>,
    /// Why they have none, where that is no fault of the target.
    pub cause: Option<OrphanCause>,
}

/// Why rows have no parent although the target is what it was to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum OrphanCause {
    /// Every value of the tables is that of the source: it has the same rows.
    InSource(Keeper),
    /// What somebody has chosen leaves their parents out.
    LeftOut {
        /// The tables of the target that they are not in.
        parents: Vec<String>,
        /// What carries them as well.
        way_out: String,
    },
}

/// Who keeps rows without their parents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Keeper {
    /// A PostgreSQL database.
    Postgres,
    /// A SQLite file.
    Sqlite,
    /// A tree of files.
    Tree,
}

impl Integrity {
    /// What was proven to be sound.
    pub(crate) fn sound() -> Self {
        Integrity { depth: Depth::Full, messages: Vec::new(), total: 0, stopped: false, unasked: Vec::new() }
    }

    /// What was found, or where SQLite finds nothing, what is wrong all the same.
    pub(crate) fn or(mut self, wrong: &[String], shown_max: usize) -> Self {
        if self.is_sound() {
            self.total = wrong.len() as u64;
            self.messages = wrong.iter().take(shown_max).cloned().collect();
        }
        self
    }

    /// Nothing was found.
    pub fn is_sound(&self) -> bool {
        self.total == 0
    }

    /// Takes out what is said of rows that are not as their table is defined: no damage, and who takes the rows names them.
    pub(crate) fn take_broken_rows(&mut self) -> Vec<String> {
        let is_of_rows = |message: &String| {
            let starts =
                ["CHECK constraint failed in ", "NULL value in "].iter().any(|start| message.starts_with(start));
            starts || message.contains(" value in ")
        };
        let (of_rows, rest): (Vec<_>, Vec<_>) = std::mem::take(&mut self.messages).into_iter().partition(is_of_rows);
        self.messages = rest;
        self.total -= of_rows.len() as u64;
        of_rows
    }

    /// The same with so many messages.
    pub(crate) fn shown(mut self, shown_max: usize) -> Self {
        self.messages.truncate(shown_max);
        self
    }

    /// What could not be looked at, as it is told of a source.
    pub(crate) fn of_source(&self) -> impl Iterator<Item = String> {
        self.unasked.iter().map(|unasked| format!("of the source, {unasked}"))
    }

    /// That nobody may read from a place with such findings.
    ///
    /// # Errors
    /// When there are any.
    pub(crate) fn ensure_sound(&self, label: &str) -> Result<()> {
        const NAMED_MAX: usize = 3;
        if self.is_sound() {
            return Ok(());
        }
        let named = self.messages.iter().take(NAMED_MAX).map(String::as_str).collect::<Vec<_>>().join("; ");
        let more = match self.total.saturating_sub(NAMED_MAX as u64) {
            0 => String::new(),
            more => format!("; and {more} more"),
        };
        Err(Error::differs("read", label, format!("the file is damaged: {named}{more}")).hint(format!(
            "`whimbrel check {label}` lists everything: rows that are not as their table is defined can be corrected in the source, an index \
             that disagrees with its table is made anew by `REINDEX`, pages only a backup of the source has as they were; \
             `--verify digest` copies what can be read all the same"
        )))
    }
}

impl Orphan {
    /// The row, as part of a sentence: `, row [2]`.
    pub fn place(&self) -> String {
        match (&self.row, self.rowid) {
            (Some(row), _) => format!(", row {row}"),
            (None, Some(rowid)) => format!(", rowid {rowid}"),
            (None, None) => String::new(),
        }
    }
}

impl ForeignKeys {
    /// The first row, as part of a sentence: ` (table `c`, row [2]: `p` = [99] is not in `p`)`.
    pub(crate) fn first(&self) -> String {
        let Some(orphan) = self.orphans.first() else { return String::new() };
        let Orphan { table, columns, values, parent, .. } = orphan;
        let values = values.as_ref().map_or_else(String::new, |values| format!(" = {values}"));
        format!(" (table `{table}`{}: `{}`{values} is not in `{parent}`)", orphan.place(), columns.join(", "))
    }

    /// What there is to do, where the target has no fault.
    pub(crate) fn way_out(&self) -> Option<String> {
        match self.cause.as_ref()? {
            OrphanCause::LeftOut { way_out, .. } => Some(way_out.clone()),
            OrphanCause::InSource(Keeper::Postgres) => Some(self.in_words_of_postgres()),
            OrphanCause::InSource(Keeper::Sqlite) => {
                Some("correct the rows in the source; `PRAGMA foreign_key_check` lists them there".to_owned())
            }
            OrphanCause::InSource(Keeper::Tree) => Some("correct the files that refer to what is not there".to_owned()),
        }
    }

    fn in_words_of_postgres(&self) -> String {
        let mut names: Vec<_> = self.orphans.iter().filter_map(|orphan| orphan.origin.as_deref()).collect();
        names.dedup();
        let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
        match names.as_slice() {
            [] => "correct the rows in the source, or change the foreign key in the target schema".to_owned(),
            _ => format!(
                "correct the rows in the source, or leave the foreign key out by its name under \
                 `tables.exclude_objects`: {}",
                names.join(", ")
            ),
        }
    }

    /// Nothing was found, and everything could be checked.
    pub fn is_sound(&self) -> bool {
        self.total == 0 && self.unusable.is_empty()
    }
}

/// One check and what it found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckOutcome {
    /// The file's name.
    pub file: String,
    /// Its first comment line, else the file's name.
    pub title: String,
    /// How many rows it returned; 0 means passed.
    pub violations: u64,
    /// The names of its columns.
    pub columns: Vec<String>,
    /// The first rows, each value as SQL would write it.
    pub rows: Vec<Vec<String>>,
}

/// What kind of thing is not what it was when the file was finished.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum DifferenceKind {
    /// The metadata tables disagree with the manifest's digest, or are not complete.
    Metadata,
    /// A setting in the header, or bytes around SQLite's pages.
    Header,
    /// An object is gone or defined otherwise.
    Definition,
    /// An object has been added.
    Addition,
    /// A number that a key counts on from (`sqlite_sequence`).
    Number,
    /// Rows of a table that was not copied.
    Rows,
}

/// One thing that is not what it was when the file was finished.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Its kind.
    pub kind: DifferenceKind,
    /// What differs, a sentence that names it.
    pub text: String,
    /// No use of the file explains it; else a program that uses the file may have done it.
    pub damage: bool,
}
