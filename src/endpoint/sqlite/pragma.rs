//! Settings that are read back: SQLite answers a PRAGMA that it cannot carry out, or does not know, without an error.

use std::fmt::Display;

use rusqlite::config::DbConfig;
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

/// Makes a name in double quotes that nothing has an error in queries. SQLite takes it for a text otherwise: a column that
/// is not there then has the value of its own name in every row.
///
/// # Errors
///
/// Never for a connection that is open.
pub fn names_only_in_queries(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, false).map(drop)
}

/// The same in definitions, too. Those that are in the file already are read as they were written.
///
/// # Errors
///
/// Never for a connection that is open.
pub fn names_only(connection: &Connection) -> rusqlite::Result<()> {
    names_only_in_queries(connection)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DDL, false).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_in_quotes_is_never_a_text_and_old_definitions_stay_what_they_are() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        let old = "CREATE TABLE t (a TEXT CHECK (a <> \"none\"));
                   CREATE INDEX i ON t (a || \"some\");
                   INSERT INTO t VALUES ('b')";
        Connection::open(&path).unwrap().execute_batch(old).unwrap();
        let connection = Connection::open(&path).unwrap();
        names_only_in_queries(&connection).unwrap();
        assert!(connection.prepare("SELECT \"none\" FROM t").is_err());
        connection.execute_batch("CREATE TABLE u (a CHECK (a <> \"none\"))").unwrap();
        names_only(&connection).unwrap();
        assert!(connection.execute_batch("CREATE TABLE v (a CHECK (a <> \"none\"))").is_err());
        assert!(connection.execute_batch("INSERT INTO t VALUES ('none')").is_err(), "its check is what it was");
        let sound: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        assert_eq!(sound, "ok");
    }

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
