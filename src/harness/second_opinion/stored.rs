//! The values of a file as they stand there, read with plain SQL, and the rows that the ledger's entries name.
//!
//! Invariant: a value is handed over as text that says exactly what is stored: digits, for a double with a fraction the
//! shortest decimal digits that read back as it, the text itself, or `\x` and hexadecimal.

use crate::metadata::LEDGER_TABLE;
use crate::plan::TablePlan;
use crate::quote::quote;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row};
use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;

/// What names a row: in the ledger, and in a message.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum RowName {
    /// The stored values of its key.
    Key(Vec<Part>),
    /// Its row id, in a table without a key, or with NULL in it.
    RowId(i64),
}

/// One value of a key. Bytes stand as a text, `x:` and hexadecimal: a column holds either texts or bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Part {
    Null,
    Integer(i64),
    /// The bits of a double.
    Real(u64),
    Text(String),
}

impl RowName {
    /// Reads the name as the ledger writes it: `[7,"a"]`, `rowid 7`.
    pub fn parse(text: &str) -> Option<RowName> {
        if let Some(rowid) = text.strip_prefix("rowid ") {
            return rowid.parse().ok().map(RowName::RowId);
        }
        let mut rest = text.strip_prefix('[')?.strip_suffix(']')?;
        let mut parts = Vec::new();
        loop {
            let length =
                if rest.starts_with('"') { string_length(rest)? } else { rest.find(',').unwrap_or(rest.len()) };
            let (word, after) = rest.split_at(length);
            parts.push(match word {
                "null" => Part::Null,
                word if word.starts_with('"') => Part::Text(serde_json::from_str(word).ok()?),
                word => match word.parse() {
                    Ok(number) => Part::Integer(number),
                    Err(_) => Part::Real(word.parse::<f64>().ok()?.to_bits()),
                },
            });
            match after.strip_prefix(',') {
                Some(more) => rest = more,
                None => return after.is_empty().then_some(RowName::Key(parts)),
            }
        }
    }

    /// The name as a person reads it.
    pub fn describe(&self) -> String {
        match self {
            RowName::RowId(rowid) => format!("rowid {rowid}"),
            RowName::Key(parts) => {
                let told: Vec<_> = parts.iter().map(Part::describe).collect();
                format!("[{}]", told.join(","))
            }
        }
    }
}

impl Part {
    fn of(value: ValueRef<'_>) -> Part {
        match value {
            ValueRef::Null => Part::Null,
            ValueRef::Integer(value) => Part::Integer(value),
            ValueRef::Real(value) => Part::Real(value.to_bits()),
            ValueRef::Text(value) => Part::Text(String::from_utf8_lossy(value).into_owned()),
            ValueRef::Blob(value) => Part::Text(hexadecimal("x:", value)),
        }
    }

    fn describe(&self) -> String {
        match self {
            Part::Null => "null".into(),
            Part::Integer(value) => value.to_string(),
            Part::Real(bits) => format!("{:?}", f64::from_bits(*bits)),
            Part::Text(text) => serde_json::Value::from(text.as_str()).to_string(),
        }
    }
}

/// How long the JSON string at the start of a text is, its quotes included.
fn string_length(text: &str) -> Option<usize> {
    let mut escaped = false;
    for (place, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return Some(place + 1),
            _ => {}
        }
    }
    None
}

fn hexadecimal(prefix: &str, bytes: &[u8]) -> String {
    let mut text = String::with_capacity(prefix.len() + 2 * bytes.len());
    text.push_str(prefix);
    bytes.iter().for_each(|byte| write!(text, "{byte:02x}").unwrap_or_default());
    text
}

/// A value on its way to the server.
pub enum ServerText<'v> {
    /// NULL.
    Null,
    /// The text that says what is stored.
    Text(&'v str),
    /// As [`ServerText::Text`], made here.
    Made(String),
}

/// A value that its column cannot have been given by its rule.
pub struct Foreign {
    /// The row.
    pub row: i64,
    /// The column's place.
    pub column: usize,
    /// What it is.
    pub what: String,
}

/// The text for a stored value; `Err` says what is wrong with it, and what to send in its place.
pub fn server_text<'v>(value: ValueRef<'v>, declared: &str) -> Result<ServerText<'v>, (String, ServerText<'v>)> {
    let (class, told) = match value {
        ValueRef::Null => return Ok(ServerText::Null),
        ValueRef::Integer(value) => ("INTEGER", ServerText::Made(value.to_string())),
        ValueRef::Real(value) if value.is_infinite() => {
            ("REAL", ServerText::Made(if value > 0.0 { "Infinity" } else { "-Infinity" }.to_owned()))
        }
        // A whole number beyond 2^53 is more than its shortest digits say.
        ValueRef::Real(value) if value.fract() == 0.0 => ("REAL", ServerText::Made(format!("{value:.0}"))),
        ValueRef::Real(value) => ("REAL", ServerText::Made(format!("{value:e}"))),
        ValueRef::Text(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) if !bytes.contains(&0) => ("TEXT", ServerText::Text(text)),
            Ok(text) => {
                return Err(("a text with U+0000".into(), ServerText::Made(text.replace('\0', "\u{fffd}"))));
            }
            Err(_) => {
                let text = String::from_utf8_lossy(bytes).replace('\0', "\u{fffd}");
                return Err(("a text that is not UTF-8".into(), ServerText::Made(text)));
            }
        },
        ValueRef::Blob(bytes) => ("BLOB", ServerText::Made(hexadecimal("\\x", bytes))),
    };
    if class == declared {
        return Ok(told);
    }
    Err((format!("{class} where its rule stores {declared}"), told))
}

/// The ledger's entries of one table: row, column's place, exact text.
#[derive(Default)]
pub struct Ledger {
    entries: HashMap<RowName, Vec<(usize, String)>>,
    /// Entries whose row cannot be read or whose column is not there: row, column, text.
    pub surplus: Vec<(String, String, String)>,
    used: HashSet<RowName>,
}

impl Ledger {
    /// Reads the entries of a table; a file without a ledger has none.
    pub fn read(connection: &Connection, table: &TablePlan) -> rusqlite::Result<Ledger> {
        let mut ledger = Ledger::default();
        let there = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?1)";
        if !connection.query_row(there, [LEDGER_TABLE], |row| row.get::<_, bool>(0))? {
            return Ok(ledger);
        }
        let sql = format!("SELECT row_key, column_name, exact FROM {LEDGER_TABLE} WHERE table_name = ?1");
        let mut statement = connection.prepare(&sql)?;
        let mut rows = statement.query([&table.target])?;
        while let Some(row) = rows.next()? {
            let (key, column, exact): (String, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
            let place = table.columns.iter().position(|planned| planned.target == column);
            match (RowName::parse(&key), place) {
                (Some(name), Some(place)) => ledger.entries.entry(name).or_default().push((place, exact)),
                _ => ledger.surplus.push((key, column, exact)),
            }
        }
        Ok(ledger)
    }

    /// Which columns have entries.
    pub fn columns(&self, table: &TablePlan) -> Vec<bool> {
        let mut kept = vec![false; table.columns.len()];
        self.entries.values().flatten().for_each(|(place, _)| kept[*place] = true);
        kept
    }

    /// The entries of a row.
    pub fn take(&mut self, name: &RowName) -> &[(usize, String)] {
        let Some(entries) = self.entries.get(name) else { return &[] };
        self.used.insert(name.clone());
        entries
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// After all rows: the entries that named none of them.
    pub fn rest(&mut self, table: &TablePlan) -> Vec<(String, String, String)> {
        let unused = self.entries.iter().filter(|(name, _)| !self.used.contains(*name));
        let told = |(name, entries): (&RowName, &Vec<(usize, String)>)| {
            let name = name.describe();
            let each =
                |(place, exact): &(usize, String)| (name.clone(), table.columns[*place].source.clone(), exact.clone());
            entries.iter().map(each).collect::<Vec<_>>()
        };
        let mut rest: Vec<_> = unused.flat_map(told).collect();
        rest.append(&mut self.surplus);
        rest.sort();
        rest
    }
}

/// The statement that reads the planned columns of a table, and behind them its row id where a row can be without a key.
pub fn select(connection: &Connection, table: &TablePlan) -> rusqlite::Result<String> {
    let mut columns: Vec<_> = table.columns.iter().map(|column| quote(&column.target)).collect();
    let may_lack_key = table.key.is_empty() || table.key.iter().any(|column| !table.columns[*column].not_null);
    columns.push(if may_lack_key { rowid(connection, &table.target)? } else { "NULL" }.to_owned());
    Ok(format!("SELECT {} FROM {} NOT INDEXED", columns.join(", "), quote(&table.target)))
}

/// A name of SQLite's for the row id that no column hides; `NULL` where there is none.
fn rowid(connection: &Connection, table: &str) -> rusqlite::Result<&'static str> {
    let without = "SELECT coalesce(max(wr), 0) FROM pragma_table_list(?1) WHERE schema = 'main'";
    if connection.query_row(without, [table], |row| row.get(0))? {
        return Ok("NULL");
    }
    let mut statement = connection.prepare("SELECT lower(name) FROM pragma_table_xinfo(?1)")?;
    let names = statement.query_map([table], |row| row.get(0))?.collect::<rusqlite::Result<HashSet<String>>>()?;
    Ok(["rowid", "_rowid_", "oid"].into_iter().find(|name| !names.contains(*name)).unwrap_or("NULL"))
}

/// The name of a row; `place` is its place in the table, from 1, which names it where it has no row id.
pub fn name_of(table: &TablePlan, row: &Row<'_>, place: i64) -> rusqlite::Result<RowName> {
    let is_null =
        |column: &usize| !table.columns[*column].not_null && matches!(row.get_ref(*column), Ok(ValueRef::Null));
    if table.key.is_empty() || table.key.iter().any(is_null) {
        let rowid: Option<i64> = row.get(table.columns.len())?;
        return Ok(RowName::RowId(rowid.unwrap_or(place)));
    }
    table.key.iter().map(|column| row.get_ref(*column).map(Part::of)).collect::<rusqlite::Result<_>>().map(RowName::Key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_rows_are_read_as_they_are_written() {
        let text = |text: &str| Part::Text(text.into());
        let key = |parts: &[Part]| Some(RowName::Key(parts.to_vec()));
        assert_eq!(RowName::parse("[7]"), key(&[Part::Integer(7)]));
        assert_eq!(RowName::parse(r#"[-3,"a\"],[b",null]"#), key(&[Part::Integer(-3), text("a\"],[b"), Part::Null]));
        assert_eq!(RowName::parse("[1.0,1e300,inf]"), {
            let real = |value: f64| Part::Real(value.to_bits());
            key(&[real(1.0), real(1e300), real(f64::INFINITY)])
        });
        assert_eq!(RowName::parse(r#"["x:00ff","\u00e9"]"#), key(&[text("x:00ff"), text("é")]));
        assert_eq!(RowName::parse("rowid -7"), Some(RowName::RowId(-7)));
        for text in ["", "[", "[]", "7", "[7", "[\"a]", "rowid x", "[\"a\"b]"] {
            assert_eq!(RowName::parse(text), None, "{text}");
        }
    }

    #[test]
    fn what_a_rule_cannot_have_stored_is_told() {
        assert!(matches!(server_text(ValueRef::Real(0.1), "REAL"), Ok(ServerText::Made(text)) if text == "1e-1"));
        assert!(
            matches!(server_text(ValueRef::Blob(&[0, 255]), "BLOB"), Ok(ServerText::Made(text)) if text == "\\x00ff")
        );
        let foreign =
            |value: ValueRef<'_>, declared| server_text(value, declared).map(|_| ()).map_err(|(what, _)| what);
        assert_eq!(foreign(ValueRef::Text(b"1"), "INTEGER"), Err("TEXT where its rule stores INTEGER".into()));
        assert_eq!(foreign(ValueRef::Text(b"a\0"), "TEXT"), Err("a text with U+0000".into()));
        assert_eq!(foreign(ValueRef::Text(b"\xff"), "TEXT"), Err("a text that is not UTF-8".into()));
        assert_eq!(foreign(ValueRef::Null, "TEXT"), Ok(()));
    }
}
