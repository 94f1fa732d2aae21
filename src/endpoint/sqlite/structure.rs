//! Structural integrity of a finished file: its pages and indexes, and its foreign keys.
//!
//! Invariants: the file is opened again and only read. Every list is bounded, every total is exact, except where
//! SQLite itself stops counting (see `MESSAGES_COUNTED_MAX`), and then the report says so.

use std::borrow::Cow;
use std::fmt::Display;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension};

use super::catalog::{declared, is_understood};
use super::file::quoted;
use super::proof::Verdict;
use super::read::{describe, open};
use crate::endpoint::findings::{Depth, ForeignKeys, Integrity, Orphan};
use crate::error::{Error, Kind, Result};
use crate::quote::quote;
use crate::value::{Stored, row_key};

/// SQLite is asked to stop after so many messages: a file with more is beyond counting.
pub const MESSAGES_COUNTED_MAX: u64 = 1_000_000;

/// The structure and the references of a file of which `proven` was proven: only where that is not all, or `twice` wants
/// SQLite's opinion besides, do SQLite's own checks say what there is.
///
/// # Errors
///
/// As [`integrity_of`] and [`foreign_keys_of`].
pub fn judge(
    connection: &Connection,
    object: &dyn Display,
    proven: &Verdict,
    twice: bool,
    shown_max: usize,
) -> Result<(ForeignKeys, Integrity)> {
    let (wrong, unproven_references) = match proven {
        Verdict::Sound { unproven_references } => (None, Some(unproven_references)),
        Verdict::Wrong(sentences) => (Some(sentences.as_slice()), None),
        Verdict::Unproven => (Some(&[][..]), None),
    };
    let mut integrity = match wrong {
        None if !twice => Integrity::sound(),
        _ => integrity_of(connection, object, Depth::Full, shown_max)?,
    };
    if connection.is_readonly(rusqlite::MAIN_DB).unwrap_or(true) {
        ask_checks(connection, object, shown_max, &mut integrity)?;
    }
    integrity = integrity.or(wrong.unwrap_or_default(), shown_max);
    let is_asked = |table: &str| twice || unproven_references.is_none_or(|tables| tables.contains(table));
    Ok((foreign_keys_in(connection, object, shown_max, &is_asked)?, integrity))
}

/// Runs SQLite's structural check on the file at `path` and keeps the first `shown_max` messages.
///
/// # Errors
///
/// When the file cannot be opened, or somebody asks to stop. Damage that SQLite cannot read past is a message.
pub fn integrity(path: &Path, depth: Depth, shown_max: usize, cancel: &Arc<AtomicBool>) -> Result<Integrity> {
    let connection = match open(path, cancel) {
        Err(error) if error.kind() == Kind::Differs => {
            return Ok(Integrity { depth, ..unreadable(&error).1 });
        }
        opened => opened?,
    };
    integrity_of(&connection, quoted(path), depth, shown_max)
}

/// The same on a connection that is open already; `object` is what a failure names.
///
/// # Errors
///
/// When the check itself fails. Damage that SQLite cannot read past is a message.
pub fn integrity_of(
    connection: &Connection,
    object: impl Display,
    depth: Depth,
    shown_max: usize,
) -> Result<Integrity> {
    let pragma = match depth {
        Depth::Full => "integrity_check",
        Depth::Quick => "quick_check",
    };
    let mut found = Integrity { depth, ..Integrity::sound() };
    match ask(connection, &format!("PRAGMA {pragma}({MESSAGES_COUNTED_MAX})"), shown_max, &mut found) {
        Err(error) if is_of_expression(&error) || is_of_the_connection(&error.to_string()) => {
            // A CHECK or an index whose expression fails ends the check of the whole file: each table is asked by itself.
            found = Integrity { depth, ..Integrity::sound() };
            ask_each(connection, pragma, shown_max, &mut found)
        }
        outcome => outcome,
    }
    .map_err(|error| describe("check integrity of", object, error))?;
    found.stopped = found.total >= MESSAGES_COUNTED_MAX;
    for message in &mut found.messages {
        // In a damaged file the schema itself may not be readable; then the message stands alone.
        if let Ok(Some(meaning)) = meaning(connection, message) {
            message.push_str(&format!(" ({meaning})"));
        }
    }
    Ok(found)
}

/// Runs a check and adds what it says. Damage that ends it is a message.
fn ask(connection: &Connection, sql: &str, shown_max: usize, found: &mut Integrity) -> rusqlite::Result<()> {
    let outcome = run(connection, sql, |row| {
        let message: String = row.get(0)?;
        // One row can hold several lines of findings, and one in front that is none.
        let is_finding = |line: &&str| *line != "ok" && !line.starts_with("*** in database ");
        message.lines().filter(is_finding).for_each(|line| add(found, shown_max, line.to_owned()));
        Ok(())
    });
    match outcome {
        Err(error) => match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DatabaseCorrupt | rusqlite::ErrorCode::NotADatabase) => {
                add(found, shown_max.max(found.messages.len() + 1), error.to_string());
                Ok(())
            }
            _ => Err(error),
        },
        Ok(()) => Ok(()),
    }
}

fn add(found: &mut Integrity, shown_max: usize, message: String) {
    found.total += 1;
    if found.messages.len() < shown_max {
        found.messages.push(message);
    }
}

/// Whether the failure is one of an expression that the schema has, and says something of a row.
fn is_of_expression(error: &rusqlite::Error) -> bool {
    error.sqlite_error().is_some_and(|code| code.extended_code == rusqlite::ffi::SQLITE_ERROR)
}

/// What an application gives its own connection, and ours does not have.
const OF_THE_CONNECTION: [&str; 5] =
    ["no such function", "unknown function", "no such collation sequence", "no such module", "no such tokenizer"];

/// Whether a message speaks of something that an application gives to its connection.
pub fn is_of_the_connection(message: &str) -> bool {
    OF_THE_CONNECTION.iter().any(|words| message.contains(words))
}

/// The message alone, without the statement that was asked.
fn message_of(error: &rusqlite::Error) -> String {
    match error {
        rusqlite::Error::SqlInputError { msg, .. } => msg.clone(),
        other => other.to_string(),
    }
}

/// Checks each table by itself; an expression that fails is a message about its table.
fn ask_each(connection: &Connection, pragma: &str, shown_max: usize, found: &mut Integrity) -> rusqlite::Result<()> {
    let mut tables: Vec<String> = Vec::new();
    run(connection, "SELECT name FROM main.sqlite_schema WHERE type = 'table' ORDER BY rowid", |row| {
        tables.push(row.get(0)?);
        Ok(())
    })?;
    for table in tables {
        match ask(connection, &format!("PRAGMA main.{pragma}({})", quote(&table)), shown_max, found) {
            Err(error) if is_of_the_connection(&error.to_string()) => {
                found.unasked.push(format!("the structure of table `{table}`: {}", message_of(&error)));
            }
            Err(error) if is_of_expression(&error) => {
                let why = "an expression of a CHECK or an index cannot be computed";
                add(found, shown_max, format!("{why} for a row of table `{table}`: {error}"));
            }
            outcome => outcome?,
        }
    }
    Ok(())
}

/// Asks the CHECKs of each table by SELECT: over a connection that may not write, SQLite's own checks do not.
fn ask_checks(connection: &Connection, object: &dyn Display, shown_max: usize, found: &mut Integrity) -> Result<()> {
    let failed = |error: rusqlite::Error| describe("check integrity of", object, error);
    let unasked = |table: &str, cause: &dyn Display| {
        Error::could_not("check integrity of", object, format!("a CHECK of table `{table}` cannot be asked: {cause}"))
            .hint("SQLite asks it itself where the file may be written: check a copy of the file")
    };
    let catalog = match declared(connection) {
        Err(_) if !found.is_sound() => return Ok(()),
        catalog => catalog.map_err(failed)?,
    };
    for table in &catalog.tables {
        let name = &table.name.name;
        for check in &table.checks {
            let sql = format!("SELECT count(*) FROM main.{} WHERE NOT ({})", quote(name), check.expression);
            match connection.query_row(&sql, [], |row| row.get::<_, i64>(0)) {
                Ok(0) => {}
                Ok(_) => add(found, shown_max, format!("CHECK constraint failed in {name}")),
                Err(_) if !found.is_sound() => {}
                Err(error) => return Err(unasked(name, &error)),
            }
        }
        if !is_understood(connection, name).map_err(failed)? {
            return Err(unasked(name, &"its definition is not understood"));
        }
    }
    Ok(())
}

/// What a message of SQLite speaks of: it names an index by its name alone, a tree of pages by the number of its root.
fn meaning(connection: &Connection, message: &str) -> rusqlite::Result<Option<String>> {
    let tree = message.strip_prefix("Tree ").and_then(|rest| rest.split_once(' ')).map(|(number, _)| number);
    let (column, value) = match (tree, message.rsplit_once("index ")) {
        (Some(root), _) if root.bytes().all(|byte| byte.is_ascii_digit()) => ("rootpage", root),
        (_, Some((_, name))) => ("name", name),
        _ => return Ok(None),
    };
    let sql = format!("SELECT type, name, tbl_name FROM main.sqlite_schema WHERE {column} = ?1 AND type <> 'trigger'");
    let object = connection.query_row(&sql, [value], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).optional()?;
    let Some((kind, name, table)): Option<(String, String, String)> = object else { return Ok(None) };
    if kind != "index" {
        return Ok(Some(format!("{kind} `{name}`")));
    }
    let sql = "SELECT origin FROM pragma_index_list(?1) WHERE name = ?2";
    let origin: Option<String> = connection.query_row(sql, [&table, &name], |row| row.get(0)).optional()?;
    let mut parts = connection.prepare("SELECT name FROM pragma_index_info(?1) ORDER BY seqno")?;
    let parts = parts.query_map([&name], |row| row.get::<_, Option<String>>(0))?;
    let parts: Vec<_> =
        parts.map(|part| Ok(part?.unwrap_or("an expression".into()))).collect::<rusqlite::Result<_>>()?;
    let what = match origin.as_deref() {
        Some("pk") => "primary key".to_owned(),
        Some("u") => "unique key".to_owned(),
        _ => format!("index `{name}`"),
    };
    Ok(Some(format!("{what} of table `{table}`: {}", parts.join(", "))))
}

/// What there is to say of a file of which SQLite cannot even read the schema.
pub(crate) fn unreadable(error: &Error) -> (ForeignKeys, Integrity) {
    let keys = ForeignKeys { unusable: vec![error.cause().to_owned()], ..ForeignKeys::default() };
    (keys, Integrity { messages: vec![error.to_string()], total: 1, ..Integrity::sound() })
}

/// Checks every foreign key and keeps the first `shown_max` rows without their parent; `object` is what a failure names.
///
/// # Errors
///
/// When the check itself fails. Damage is a key that cannot be checked.
pub fn foreign_keys_of(connection: &Connection, object: impl Display, shown_max: usize) -> Result<ForeignKeys> {
    foreign_keys_in(connection, &object, shown_max, &|_| true)
}

fn foreign_keys_in(
    connection: &Connection,
    object: &dyn Display,
    shown_max: usize,
    is_asked: &dyn Fn(&str) -> bool,
) -> Result<ForeignKeys> {
    let mut found = ForeignKeys::default();
    match check_foreign_keys(connection, object, shown_max, is_asked, &mut found) {
        // A damaged file tells as much as it can.
        Err(error) if error.kind() == Kind::Differs => found.unusable.push(error.cause().to_owned()),
        outcome => outcome?,
    }
    for orphan in &mut found.orphans {
        // A name that hides the row's number, or damage: the number is told all the same.
        let _ = show(connection, orphan);
    }
    Ok(found)
}

fn check_foreign_keys(
    connection: &Connection,
    object: &dyn Display,
    shown_max: usize,
    is_asked: &dyn Fn(&str) -> bool,
    found: &mut ForeignKeys,
) -> Result<()> {
    let failed = |error: rusqlite::Error| describe("check foreign keys of", object, error);
    // Table by table: one key that cannot be checked must not hide the others.
    let mut tables: Vec<String> = Vec::new();
    run(connection, "SELECT name FROM main.sqlite_schema WHERE type = 'table' ORDER BY name", |row| {
        tables.push(row.get(0)?);
        Ok(())
    })
    .map_err(failed)?;
    tables.retain(|table| is_asked(table));
    for table in tables {
        let name = table.replace('"', "\"\"");
        let mut keys: Vec<(i64, String)> = Vec::new();
        run(connection, &format!("PRAGMA main.foreign_key_list(\"{name}\")"), |row| {
            keys.push((row.get(0)?, row.get(3)?));
            Ok(())
        })
        .map_err(failed)?;
        if keys.is_empty() {
            continue;
        }
        let outcome = run(connection, &format!("PRAGMA main.foreign_key_check(\"{name}\")"), |row| {
            found.total += 1;
            if found.orphans.len() < shown_max {
                let key: i64 = row.get(3)?;
                let columns = keys.iter().filter(|(id, _)| *id == key).map(|(_, column)| column.clone()).collect();
                let (table, rowid, parent) = (row.get(0)?, row.get(1)?, row.get(2)?);
                found.orphans.push(Orphan { table, rowid, parent, columns, ..Orphan::default() });
            }
            Ok(())
        });
        match outcome {
            Ok(()) => {}
            Err(rusqlite::Error::SqliteFailure(code, Some(message)))
                if code.extended_code == rusqlite::ffi::SQLITE_ERROR =>
            {
                found.unusable.push(format!("table `{table}`: {message}"));
            }
            Err(error) => match failed(error) {
                damage if damage.kind() == Kind::Differs => {
                    found.unusable.push(format!("table `{table}`: {}", damage.cause()));
                }
                error => return Err(error),
            },
        }
    }
    Ok(())
}

/// Looks up the row's key and values.
fn show(connection: &Connection, orphan: &mut Orphan) -> rusqlite::Result<()> {
    let Some(rowid) = orphan.rowid else { return Ok(()) };
    let mut key: Vec<(i64, String)> = Vec::new();
    run(connection, &format!("PRAGMA main.table_xinfo({})", quote(&orphan.table)), |row| {
        key.push((row.get(5)?, row.get(1)?));
        Ok(())
    })?;
    key.retain(|(place, _)| *place > 0);
    key.sort();
    let shown: Vec<_> = key.iter().map(|(_, name)| name).chain(&orphan.columns).map(|name| quote(name)).collect();
    let sql = format!("SELECT {} FROM main.{} WHERE rowid = {rowid}", shown.join(", "), quote(&orphan.table));
    run(connection, &sql, |row| {
        let value = |place: usize| Ok::<_, rusqlite::Error>(shown_value(row.get_ref(place)?));
        let values = (0..shown.len()).map(value).collect::<Result<Vec<_>, _>>()?;
        let (own, of_key) = values.split_at(key.len());
        orphan.row = (!own.is_empty()).then(|| row_key(own.iter().cloned()));
        orphan.values = Some(row_key(of_key.iter().cloned()));
        Ok(())
    })
}

/// A value for a message; one that is long is cut.
fn shown_value(value: ValueRef<'_>) -> Stored<'static> {
    match value {
        ValueRef::Null => Stored::Null,
        ValueRef::Integer(value) => Stored::Integer(value),
        ValueRef::Real(value) => Stored::Real(value),
        ValueRef::Text(value) => Stored::Text(Cow::Owned(value[..value.len().min(SHOWN_BYTES_MAX)].to_vec())),
        ValueRef::Blob(value) => Stored::Blob(Cow::Owned(value[..value.len().min(SHOWN_BYTES_MAX)].to_vec())),
    }
}

/// Longer values are cut when they are shown.
const SHOWN_BYTES_MAX: usize = 100;

fn run(
    connection: &Connection,
    sql: &str,
    mut each: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<()>,
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        each(row)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cancel::Cancel;
    use crate::endpoint::sqlite::proof;
    use std::os::unix::fs::FileExt;
    use std::path::PathBuf;

    fn check(path: &Path, shown_max: usize, cancel: &Cancel) -> Result<(ForeignKeys, Integrity)> {
        let connection = match open(path, &cancel.flag()) {
            Err(error) if error.kind() == Kind::Differs => return Ok(unreadable(&error)),
            opened => opened?,
        };
        let proven = proof::prove(&connection, path, cancel)?;
        judge(&connection, &quoted(path), &proven, false, shown_max)
    }

    fn running() -> Arc<AtomicBool> {
        Arc::new(AtomicBool::new(false))
    }

    fn database(sql: &str) -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("app.db");
        let connection = Connection::open(&path).unwrap();
        connection.execute_batch("PRAGMA foreign_keys=OFF").unwrap();
        connection.execute_batch(sql).unwrap();
        (directory, path)
    }

    #[test]
    fn a_sound_file_is_sound_and_reading_leaves_nothing_beside_it() {
        let (directory, path) =
            database("CREATE TABLE t(a PRIMARY KEY); INSERT INTO t VALUES(1); PRAGMA journal_mode=WAL");
        for depth in [Depth::Full, Depth::Quick] {
            assert!(integrity(&path, depth, 10, &running()).unwrap().is_sound());
        }
        let (keys, structure) = check(&path, 10, &Cancel::new()).unwrap();
        assert!(keys.is_sound() && structure.is_sound());
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_changed_index_entry_is_found_by_the_full_check() {
        let (_directory, path) = database(
            "CREATE TABLE t(a TEXT, b); CREATE INDEX i ON t(a);
             INSERT INTO t SELECT 'needle' || value, 0 FROM (WITH RECURSIVE n(value) AS
             (SELECT 1 UNION ALL SELECT value + 1 FROM n WHERE value < 20) SELECT value FROM n)",
        );
        let bytes = std::fs::read(&path).unwrap();
        // The index is the last page; its entries hold the text a second time.
        let at = bytes.windows(8).rposition(|window| window == b"needle20").unwrap();
        let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
        file.write_all_at(b"m", at as u64).unwrap();
        let found = integrity(&path, Depth::Full, 1, &running()).unwrap();
        assert_eq!(
            (found.total, found.messages.as_slice()),
            (1, ["row 20 missing from index i (index `i` of table `t`: a)".to_string()].as_slice())
        );
        assert!(integrity(&path, Depth::Quick, 1, &running()).unwrap().is_sound());
    }

    #[test]
    fn a_finding_of_the_proof_alone_is_told_and_sqlite_decides_where_nothing_was_proven() {
        let (_directory, path) = database("CREATE TABLE t(a UNIQUE); INSERT INTO t VALUES (1)");
        let connection = open(&path, &running()).unwrap();
        let judged = |verdict: &Verdict| judge(&connection, &"a file", verdict, false, 1).unwrap().1;
        let wrong = Verdict::Wrong(vec!["index `i` is wrong".into(), "index `j` is wrong".into()]);
        let found = judged(&wrong);
        assert_eq!((found.total, found.messages), (2, vec!["index `i` is wrong".to_owned()]));
        assert!(judged(&Verdict::Unproven).is_sound());
    }

    #[test]
    fn sqlite_is_asked_twice_where_its_opinion_is_wanted_besides() {
        let (_directory, path) =
            database("CREATE TABLE t(a REFERENCES t(a)); CREATE UNIQUE INDEX i ON t(a); INSERT INTO t VALUES (1)");
        let broken = Connection::open(&path).unwrap();
        broken.execute_batch("PRAGMA foreign_keys=OFF; DROP INDEX i; CREATE UNIQUE INDEX i ON t(a) WHERE 0; PRAGMA writable_schema=ON;
                              UPDATE sqlite_schema SET sql = replace(sql, ' WHERE 0', '') WHERE name = 'i'").unwrap();
        drop(broken);
        let connection = open(&path, &running()).unwrap();
        let sound = Verdict::Sound { unproven_references: Default::default() };
        let (keys, found) = judge(&connection, &"a file", &sound, false, 9).unwrap();
        assert!(keys.is_sound() && found.is_sound(), "what was proven is believed");
        let (keys, found) = judge(&connection, &"a file", &sound, true, 9).unwrap();
        assert!(!keys.is_sound() && !found.is_sound(), "{keys:?} {found:?}");
    }

    #[test]
    fn checks_are_asked_where_the_file_may_not_be_written() {
        let (_directory, path) = database(
            "CREATE TABLE fine (a CHECK (a > 0)); CREATE TABLE t (a, CONSTRAINT small CHECK (a < 10));
             INSERT INTO fine VALUES (1), (NULL)",
        );
        let judged = || {
            let connection = Connection::open_with_flags(&path, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
            let sound = Verdict::Sound { unproven_references: Default::default() };
            judge(&connection, &"a file", &sound, false, 9).unwrap().1
        };
        assert!(judged().is_sound());
        let change = "PRAGMA ignore_check_constraints = ON; INSERT INTO t VALUES (99); INSERT INTO fine VALUES (0)";
        Connection::open(&path).unwrap().execute_batch(change).unwrap();
        let messages = judged().messages;
        assert_eq!(messages, ["CHECK constraint failed in fine", "CHECK constraint failed in t"]);
    }

    #[test]
    fn orphans_are_told_with_their_key_and_counted() {
        let (_directory, path) = database(
            "CREATE TABLE p(x, y, PRIMARY KEY(x, y));
             CREATE TABLE \"c h\"(id INTEGER PRIMARY KEY, px, py, q REFERENCES nowhere(id), FOREIGN KEY(px, py) REFERENCES p(x, y));
             CREATE TABLE d(a REFERENCES p(x));
             INSERT INTO d VALUES (1);
             INSERT INTO \"c h\" VALUES (7, 1, 2, NULL), (8, 3, 4, NULL), (9, NULL, 4, NULL)",
        );
        let (found, structure) = check(&path, 1, &Cancel::new()).unwrap();
        assert!(structure.is_sound(), "{structure:?}");
        let orphan = Orphan {
            table: "c h".into(),
            rowid: Some(7),
            parent: "p".into(),
            columns: vec!["px".into(), "py".into()],
            row: Some("[7]".into()),
            values: Some("[1,2]".into()),
            origin: None,
        };
        assert_eq!((found.total, found.orphans.as_slice()), (2, [orphan].as_slice()));
        assert_eq!(found.unusable.len(), 1, "{found:?}");
        assert!(found.unusable[0].starts_with("table `d`: foreign key mismatch"), "{found:?}");
    }

    #[test]
    fn a_stop_is_heeded() {
        let (_directory, path) = database(
            "CREATE TABLE t(a); INSERT INTO t SELECT value FROM (WITH RECURSIVE n(value) AS
             (SELECT 1 UNION ALL SELECT value + 1 FROM n WHERE value < 50000) SELECT value FROM n)",
        );
        let error = integrity(&path, Depth::Full, 1, &Arc::new(AtomicBool::new(true))).unwrap_err();
        assert_eq!(error.kind(), crate::error::Kind::Interrupted);
    }
}
