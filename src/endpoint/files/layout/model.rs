//! What a layout says: which files a tree has, and which rows they hold.
//!
//! It is plain data, and a relation that goes both ways: from the bytes of a file to its rows, and from rows to the path and
//! the bytes of a file. Whoever makes it from `layout.toml` refuses what could not be taken back; nothing here opens
//! anything.

use super::path::PathPattern;

/// A tree of files, told once.
#[derive(Debug, Clone, PartialEq)]
pub struct Layout {
    /// The kinds of file, in the order of `layout.toml`: a file is of the first kind whose path it has.
    pub kinds: Vec<Kind>,
    /// The tables that the kinds fill, each once.
    pub tables: Vec<TableLayout>,
    /// Files that stay where they are and are not carried.
    pub ignore: Vec<PathPattern>,
    /// Files that are carried whole, as bytes beside the rows.
    pub keep: Vec<PathPattern>,
    /// Whether the times of files belong to the tree.
    pub times: bool,
    /// Rows that somebody has to tell where no file does.
    pub asks: Vec<Ask>,
}

/// A row of which a file's path tells the key, and which somebody has to complete where no file has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// The place of the kind whose paths tell the key.
    pub kind: usize,
    /// The place of the capture that is the key.
    pub capture: usize,
    /// The place of the row's table: one of two columns.
    pub table: usize,
    /// The place of its key.
    pub key: usize,
    /// The place of the column that is asked for.
    pub column: usize,
    /// How an answer can be held against the key.
    pub proof: Option<Proof>,
}

/// How an answer can be held against its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// The key is the beginning of the SHA-256, in lower-case hexadecimal, of the path that is the answer: as the kernel resolves
    /// it, else without a `/` at its end, or as it was typed.
    Sha256OfPath,
}

/// A table, as all kinds together fill it.
#[derive(Debug, Clone, PartialEq)]
pub struct TableLayout {
    /// Its name in the target.
    pub name: String,
    /// Its columns in the order in which rows are handed over.
    pub columns: Vec<ColumnLayout>,
    /// The places of the columns that tell its rows apart; never empty.
    pub key: Vec<usize>,
    /// Whether one row can come from several files, each with some of its columns.
    pub in_parts: bool,
}

/// A column.
#[derive(Debug, Clone, PartialEq)]
pub struct ColumnLayout {
    /// Its name in the target.
    pub name: String,
    /// What its values are. How they are spelled is said where they stand ([`Filled::form`]).
    pub form: ValueForm,
}

/// What the values of a column are, and how files spell them.
#[derive(Debug, Clone, PartialEq)]
pub enum ValueForm {
    /// Text.
    Text,
    /// Text, one of these words: as files spell it, and as the column has it.
    Words(Vec<(String, String)>),
    /// An integer of 64 bits; in a path or a line its shortest decimal spelling.
    Integer,
    /// A double.
    Real,
    /// A truth value, and how files spell it.
    Boolean(BooleanSpelling),
    /// A JSON value, as the file spells it where the file is JSON.
    Json,
    /// A moment, and how files spell it.
    Moment(MomentSpelling),
    /// Bytes.
    Bytes,
}

/// How a truth value is spelled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BooleanSpelling {
    /// The format's own `true` and `false`.
    Own,
    /// 1 and 0.
    Digits,
    /// Two words.
    Words {
        /// True.
        yes: String,
        /// False.
        no: String,
    },
}

/// How a moment is spelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MomentSpelling {
    /// `2026-01-31T12:00:00.5Z`, or with an offset.
    Rfc3339,
    /// Seconds since 1970, an integer or a number with a fraction.
    EpochSeconds,
    /// Milliseconds since 1970.
    EpochMillis,
    /// `2026-01-31 12:00:00`, UTC.
    Spaced,
    /// `2026-01-31 12:00:00,123`, UTC.
    SpacedComma,
}

/// A kind of file.
#[derive(Debug, Clone, PartialEq)]
pub struct Kind {
    /// Its name in messages.
    pub name: String,
    /// Which files are of it.
    pub path: PathPattern,
    /// How they are read and written.
    pub format: Format,
    /// Whether a file without anything in it is an empty list.
    pub blank: bool,
    /// The rows in them.
    pub records: Vec<RecordSet>,
    /// How the application itself writes them, for what is new.
    pub style: Style,
}

/// How a kind of file is read and written.
#[derive(Debug, Clone, PartialEq)]
pub enum Format {
    /// One JSON value.
    Json,
    /// A JSON value on each line.
    JsonLines,
    /// One YAML document.
    Yaml,
    /// Markdown: an object of its front matter's keys, with the text behind it as `@body`.
    Markdown {
        /// Whether it begins with keys between two lines `---`.
        front_matter: bool,
    },
    /// An array of the pattern's captures, one object a line.
    Lines(LinePattern),
    /// The bytes as they are, as `@content`.
    Bytes,
    /// A SQLite file: an object of its tables, each an array of its rows.
    Sqlite,
}

impl Format {
    /// Whether its records have members.
    pub fn has_members(&self) -> bool {
        match self {
            Format::Json | Format::JsonLines | Format::Yaml | Format::Sqlite => true,
            Format::Markdown { front_matter } => *front_matter,
            Format::Lines(_) | Format::Bytes => false,
        }
    }
}

/// A line of text, read and written: literal text and named captures in turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinePattern {
    /// What a line consists of.
    pub parts: Vec<LinePart>,
    /// Whether lines that do not match belong to the record before them (a traceback below its message), as the member `@more`.
    pub continued: bool,
}

/// A part of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinePart {
    /// Text that is always the same.
    Literal(String),
    /// A value: its name, and the regular expression of its spelling.
    Capture {
        /// Its name.
        name: String,
        /// The regular expression of its spelling.
        pattern: String,
    },
}

/// The records at one place of a document, and the rows that they are.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordSet {
    /// Where they are, from the record around them or from the root: members, and then at most one step to each of many. A
    /// file of lines and one of JSON lines are arrays, so theirs begin with [`Step::Elements`].
    pub at: Vec<Step>,
    /// The place of their table among the layout's.
    pub table: usize,
    /// What fills which column.
    pub columns: Vec<Filled>,
    /// The column that takes, as a JSON object, every member that no column and no inner record set takes.
    pub rest: Option<usize>,
    /// Records inside each of these.
    pub children: Vec<RecordSet>,
    /// Where a new record goes: behind the last, unless a column orders them.
    pub order: Option<Order>,
    /// In which order a new record has its members; those that are not named follow, first columns, then inner record sets.
    pub keys: Vec<String>,
}

/// One step into a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// The member of that name.
    Member(String),
    /// Each element of an array.
    Elements,
    /// Each entry of an object.
    Entries,
}

/// A column, and where its values stand.
#[derive(Debug, Clone, PartialEq)]
pub struct Filled {
    /// The place of the column in its table.
    pub column: usize,
    /// Where the value stands. Where there are several, all that are there have to agree, and a new record has the first of
    /// the members. Where there is none, the files do not tell it: it is read as [`Absent::Default`] says, and whatever a row says of it is
    /// not written.
    pub from: Vec<Origin>,
    /// What its values are, and how these files spell them; another kind that fills the column may spell them otherwise.
    pub form: ValueForm,
    /// What a value that is not there means.
    pub absent: Absent,
}

/// Where a value stands.
#[derive(Debug, Clone, PartialEq)]
pub enum Origin {
    /// In a member of the record, or deeper.
    Member(Vec<String>),
    /// The record itself.
    Value,
    /// The name of the entry that the record is.
    EntryName,
    /// A capture of the file's path.
    Capture(String),
    /// A column of the record around this one, by its place in that table.
    Parent(usize),
    /// The record's place in its array, from 0.
    Position,
    /// A text around other values, for keys that no file tells: `errors-{@position}`.
    Template(Vec<TemplatePart>),
    /// Always this value; nothing in the file says it.
    Constant(String),
    /// The text behind the front matter.
    Body,
    /// The bytes of the file.
    Content,
    /// SHA-256 of the file's bytes in lower-case hexadecimal. With [`Origin::Path`] the file stays in the tree, and the row
    /// says where and what it is.
    Sha256,
    /// The file's path from the root of the tree.
    Path,
    /// The time of the file's last change; writing the row sets it.
    Modified,
}

/// A part of a template.
#[derive(Debug, Clone, PartialEq)]
pub enum TemplatePart {
    /// Text.
    Literal(String),
    /// A value, as a path would spell it.
    Value(Origin),
}

/// What a value that is not there means, and what is written for it.
#[derive(Debug, Clone, PartialEq)]
pub enum Absent {
    /// NULL; of a new record the member is left out.
    Null,
    /// NULL; a new record says `null`.
    WrittenNull,
    /// This value, in the column's own spelling; a new record says it.
    Default(String),
    /// An error: the value has to be there.
    Refused,
}

/// In which order records stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Order {
    /// By which column of their table.
    pub column: usize,
    /// Whether the greatest comes first.
    pub descending: bool,
}

/// How an application writes a kind of file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Style {
    /// Blanks per level; 0 for everything on one line.
    pub indent: u8,
    /// Whether everything beyond ASCII is escaped.
    pub ascii: bool,
    /// Whether keys are sorted; else they stand in the order of the columns.
    pub sorted_keys: bool,
    /// Blanks behind `:` and `,` where everything is on one line.
    pub spaced: bool,
    /// Whether the last line ends.
    pub final_newline: bool,
    /// The permissions of a new file.
    pub mode: u32,
}

impl Default for Style {
    fn default() -> Self {
        Style { indent: 2, ascii: false, sorted_keys: false, spaced: false, final_newline: true, mode: 0o644 }
    }
}
