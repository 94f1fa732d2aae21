//! A SQLite file in a tree: its tables as one document, and rows that changed written back into it.
//!
//! What record sets take of a file's tables is told as JSON: an object with a list for each table, in it an object for each row in
//! the order of the file. So everything that a layout can say of JSON can be said of tables, and the bytes become rows and rows the
//! document by the code that does it for JSON. The bytes of such a file cannot be made of rows: they are all kept, and a document that
//! says something else than theirs becomes UPDATE, DELETE and INSERT in a copy in memory (`patch`). A file whose rows are what
//! they were is not touched, and comes back byte for byte.
//!
//! Nothing here opens a file but [`live`].

pub mod live;
mod patch;

pub use patch::patched;

use super::document::escape::quote;
use super::document::{Flaw, json};
use super::layout::{Filled, MomentSpelling, Origin, RecordSet, Step, ValueForm};
use crate::quote::quote as identifier;
use rusqlite::config::DbConfig;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, Row};
use std::collections::BTreeMap;

/// How the document spells the values of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Spelling {
    /// A text as a text, a number as a number.
    Plain,
    /// A text is JSON, and stands in the document as it is.
    Json,
    /// A number with a fraction is a moment, to the microsecond: so many digits. A clock's double says more, and none that is meant.
    Moment(usize),
}

impl Spelling {
    fn of(form: &ValueForm) -> Spelling {
        match form {
            ValueForm::Json => Spelling::Json,
            ValueForm::Moment(MomentSpelling::EpochSeconds) => Spelling::Moment(6),
            ValueForm::Moment(MomentSpelling::EpochMillis) => Spelling::Moment(3),
            ValueForm::Moment(MomentSpelling::Rfc3339 | MomentSpelling::Spaced | MomentSpelling::SpacedComma)
            | ValueForm::Text
            | ValueForm::Words(_)
            | ValueForm::Integer
            | ValueForm::Real
            | ValueForm::Boolean(_)
            | ValueForm::Bytes => Spelling::Plain,
        }
    }
}

/// A table of a file, as far as it is taken.
#[derive(Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Its name in the file.
    pub name: String,
    columns: BTreeMap<String, Spelling>,
    /// Whether the others are taken, too.
    with_rest: bool,
}

impl Wanted {
    /// What a record set takes.
    ///
    /// # Errors
    /// When it could not be taken back; the reason.
    pub fn of(records: &RecordSet) -> Result<Wanted, String> {
        let [Step::Member(name), Step::Elements] = records.at.as_slice() else {
            return Err("the rows of a SQLite file are told as in `tasks[]`".into());
        };
        if !records.children.is_empty() {
            return Err("there are no records inside the row of a table".into());
        }
        let mut columns = BTreeMap::new();
        for Filled { from, form, .. } in &records.columns {
            for origin in from {
                match origin {
                    Origin::Member(path) => match path.as_slice() {
                        [column] => drop(columns.insert(column.clone(), Spelling::of(form))),
                        _ => return Err("a column of a table has no members; `type = \"json\"` takes it whole".into()),
                    },
                    Origin::Value | Origin::Content | Origin::Sha256 | Origin::Body | Origin::Modified => {
                        return Err("of a SQLite file columns are taken by their names, and nothing else of it".into());
                    }
                    Origin::EntryName
                    | Origin::Capture(_)
                    | Origin::Parent(_)
                    | Origin::Position
                    | Origin::Template(_)
                    | Origin::Constant(_)
                    | Origin::Path => {}
                }
            }
        }
        Ok(Wanted { name: name.clone(), columns, with_rest: records.rest.is_some() })
    }
}

/// A table of an open file.
struct Table<'w> {
    wanted: &'w Wanted,
    /// The columns that are taken.
    columns: Vec<(String, Spelling)>,
    /// What tells its rows apart for SQLite.
    address: Vec<String>,
    /// The columns of its primary key.
    key: Vec<String>,
    /// What a row is written with as a whole: its number, where no column is that, and each column that is not computed.
    whole: Vec<String>,
}

/// The place of the file's two version numbers, and the one of a file with a write-ahead log.
const VERSIONS: std::ops::Range<usize> = 18..20;
const LOGGED: [u8; 2] = [2, 2];

/// The document that the tables of a file are.
///
/// # Errors
/// When the bytes are no SQLite file, or a value has no form in a document; the reason.
pub fn document(bytes: &[u8], wanted: &[Wanted]) -> Result<String, String> {
    let connection = open(bytes)?;
    let mut text = String::from("{");
    for (place, table) in tables(&connection, wanted)?.iter().enumerate() {
        text.push_str(if place > 0 { ",\n" } else { "\n" });
        quote(&table.wanted.name, false, &mut text);
        text.push_str(": [");
        let mut rows = 0;
        table.each(&connection, &mut |row| {
            text.push_str(if rows > 0 { ",\n" } else { "\n" });
            rows += 1;
            table.row(row, &mut text)
        })?;
        text.push(']');
    }
    text.push_str("\n}");
    Ok(text)
}

/// What is wrong with a document, told by table and row: nobody sees its lines.
pub fn flaw(document: &str, flaw: Flaw) -> Flaw {
    let (before, behind) = document.split_at_checked(flaw.offset).unwrap_or((document, ""));
    let before = &document[..before.len() + behind.chars().next().map_or(0, char::len_utf8)];
    let (mut table, mut row) = ("", 0);
    // A list of rows begins on a line of its own, and so does each row.
    for line in before.split('\n') {
        match line.strip_suffix(": [") {
            Some(name) => (table, row) = (name.trim_matches('"'), 0),
            None => row += u32::from(line.starts_with('{')),
        }
    }
    Flaw::at(0, format!("table `{table}`, row {row}: {}", flaw.reason)).placed(b"", 1)
}

fn told(error: rusqlite::Error) -> String {
    format!("SQLite cannot read it: {error}")
}

/// A copy of a file in memory. What its schema says is obeyed as little as can be: nobody knows who has written it.
fn open(bytes: &[u8]) -> Result<Connection, String> {
    let mut connection = Connection::open_in_memory().map_err(told)?;
    if !bytes.is_empty() {
        let mut plain = bytes.to_vec();
        // The log of a file in memory would be nowhere.
        if plain.get(VERSIONS) == Some(&LOGGED) {
            plain[VERSIONS].copy_from_slice(&[1, 1]);
        }
        connection.deserialize_read_exact("main", plain.as_slice(), plain.len(), false).map_err(told)?;
    }
    for (setting, value) in [
        (DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true),
        (DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_FKEY, false),
    ] {
        connection.set_db_config(setting, value).map_err(told)?;
    }
    // Whatever is wrong with its header shows here.
    connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(())).map_err(told)?;
    Ok(connection)
}

/// Those of the wanted tables that there are.
fn tables<'w>(connection: &Connection, wanted: &'w [Wanted]) -> Result<Vec<Table<'w>>, String> {
    let find = |wanted: &'w Wanted| table(connection, wanted).map_err(told);
    wanted.iter().map(find).filter_map(Result::transpose).collect()
}

fn table<'w>(connection: &Connection, wanted: &'w Wanted) -> rusqlite::Result<Option<Table<'w>>> {
    let sql = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?1 AND sql NOT LIKE 'create virtual%'";
    if connection.query_row(sql, [&wanted.name], |_| Ok(())).optional()?.is_none() {
        return Ok(None);
    }
    let sql = "SELECT name, pk, type, hidden > 1 FROM pragma_table_xinfo(?1) WHERE hidden <> 1 ORDER BY cid";
    let mut all = connection.prepare(sql)?;
    let all = all.query_map([&wanted.name], Column::of)?.collect::<rusqlite::Result<Vec<_>>>()?;
    let is_taken = |one: &&Column| wanted.columns.contains_key(&one.name) || wanted.with_rest && !one.is_computed;
    let spelling = |name: &String| wanted.columns.get(name).copied().unwrap_or(Spelling::Plain);
    let columns = all.iter().filter(is_taken).map(|one| (one.name.clone(), spelling(&one.name)));
    let mut in_key: Vec<&Column> = all.iter().filter(|one| one.in_key > 0).collect();
    in_key.sort_by_key(|one| one.in_key);
    let key: Vec<String> = in_key.iter().map(|one| one.name.clone()).collect();
    // A column of that name would hide the number of a row.
    let number =
        ["rowid", "_rowid_", "oid"].into_iter().find(|name| all.iter().all(|one| !one.name.eq_ignore_ascii_case(name)));
    let has_numbers =
        |name: &str| connection.prepare(&format!("SELECT {name} FROM {}", identifier(&wanted.name))).is_ok();
    let address = match number.filter(|name| has_numbers(name)) {
        Some(name) => vec![name.to_owned()],
        None => key.iter().map(|name| identifier(name)).collect(),
    };
    // A key of one INTEGER is the number itself.
    let is_number = matches!(in_key.as_slice(), [one] if one.type_name.eq_ignore_ascii_case("integer"));
    let number = number.filter(|name| address == [*name] && !is_number).map(str::to_owned);
    let whole = all.iter().filter(|one| !one.is_computed).map(|one| identifier(&one.name));
    let whole = number.into_iter().chain(whole).collect();
    Ok(Some(Table { wanted, columns: columns.collect(), address, key, whole }))
}

/// A column, as the file declares it.
struct Column {
    name: String,
    /// Its place in the primary key, from 1.
    in_key: i64,
    type_name: String,
    is_computed: bool,
}

impl Column {
    fn of(row: &Row<'_>) -> rusqlite::Result<Column> {
        Ok(Column { name: row.get(0)?, in_key: row.get(1)?, type_name: row.get(2)?, is_computed: row.get(3)? })
    }
}

impl Table<'_> {
    /// Its rows, in the order in which the file has them: first what tells it apart, then the columns that are taken.
    fn each(
        &self,
        connection: &Connection,
        give: &mut dyn FnMut(&Row<'_>) -> Result<(), String>,
    ) -> Result<(), String> {
        let address = self.address.join(", ");
        let columns: String = self.columns.iter().map(|(name, _)| format!(", {}", identifier(name))).collect();
        let sql = format!("SELECT {address}{columns} FROM {} ORDER BY {address}", identifier(&self.wanted.name));
        let mut all = connection.prepare(&sql).map_err(told)?;
        let mut rows = all.query([]).map_err(told)?;
        while let Some(row) = rows.next().map_err(told)? {
            give(row)?;
        }
        Ok(())
    }

    /// A row as an object.
    fn row(&self, row: &Row<'_>, text: &mut String) -> Result<(), String> {
        text.push('{');
        for (place, (name, spelling)) in self.columns.iter().enumerate() {
            text.push_str(if place > 0 { ", " } else { "" });
            quote(name, false, text);
            text.push_str(": ");
            let value = row.get_ref(self.address.len() + place).map_err(told)?;
            self::value(value, *spelling, text)
                .map_err(|reason| format!("table `{}`, column `{name}`: {reason}", self.wanted.name))?;
        }
        text.push('}');
        Ok(())
    }
}

fn value(value: ValueRef<'_>, spelling: Spelling, text: &mut String) -> Result<(), String> {
    match value {
        ValueRef::Null => text.push_str("null"),
        ValueRef::Integer(number) => text.push_str(&number.to_string()),
        ValueRef::Real(number) if number.is_finite() => match spelling {
            Spelling::Moment(places) => text.push_str(&format!("{number:.places$}")),
            Spelling::Plain | Spelling::Json => text.push_str(&format!("{number:?}")),
        },
        ValueRef::Real(_) => return Err("an infinite number, which no document can spell".into()),
        ValueRef::Text(bytes) => {
            let said = std::str::from_utf8(bytes).map_err(|_| "a text that is not UTF-8")?;
            if spelling == Spelling::Json {
                json::read(said).map_err(|flaw| format!("a text that is no JSON: {}", flaw.reason))?;
                text.push_str(said);
            } else {
                quote(said, false, text);
            }
        }
        ValueRef::Blob(_) => return Err("a BLOB, which a document cannot spell; leave the column out".into()),
    }
    Ok(())
}
