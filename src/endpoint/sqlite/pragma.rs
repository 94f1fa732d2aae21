//! Settings that are read back: SQLite answers a PRAGMA that it cannot carry out, or does not know, without an error.

use std::fmt::Display;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, ffi};

/// Sets `name` to `value` and makes sure that it is what SQLite says afterwards. `value` is written as SQLite prints it:
/// `0` for off, words in lower case.
///
/// # Errors
///
/// When SQLite refuses, or keeps another value.
pub fn set(connection: &Connection, name: &str, value: impl Display) -> rusqlite::Result<()> {
    let wanted = value.to_string();
    connection.execute_batch(&format!("PRAGMA {name} = {wanted}"))?;
    let kept = connection.query_row(&format!("PRAGMA {name}"), [], |row| {
        Ok(match row.get_ref(0)? {
            ValueRef::Integer(number) => number.to_string(),
            ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned(),
            _ => String::new(),
        })
    })?;
    match kept == wanted {
        true => Ok(()),
        false => {
            let told = format!("SQLite kept `{kept}` for `{name}`, which was to be `{wanted}`");
            Err(rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_ERROR), Some(told)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_sqlite_does_not_keep_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let connection = Connection::open(folder.path().join("a.db")).unwrap();
        set(&connection, "page_size", 8192).unwrap();
        connection.execute_batch("CREATE TABLE t (a)").unwrap();
        for (name, value) in [
            ("journal_mode", "off"),
            ("journal_mode", "wal"),
            ("journal_mode", "delete"),
            ("synchronous", "0"),
            ("locking_mode", "exclusive"),
            ("foreign_keys", "0"),
            ("foreign_keys", "1"),
            ("temp_store", "1"),
            ("cache_size", "-16384"),
            ("threads", "2"),
            ("query_only", "0"),
            ("writable_schema", "1"),
        ] {
            set(&connection, name, value).unwrap();
        }
        let error = set(&connection, "page_size", 512).unwrap_err().to_string();
        assert!(error.contains("kept `8192` for `page_size`"), "{error}");
        assert!(set(&connection, "no_such_setting", 1).is_err());
        connection.execute_batch("BEGIN").unwrap();
        assert!(set(&connection, "foreign_keys", 0).is_err(), "inside a transaction it stays what it is");
        let memory = Connection::open_in_memory().unwrap();
        assert!(set(&memory, "journal_mode", "wal").unwrap_err().to_string().contains("kept `memory`"));
    }
}
