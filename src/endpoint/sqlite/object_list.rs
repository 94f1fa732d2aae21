//! Thousands of objects made one after the other, in time that grows with their number and not with its square.
//!
//! After each CREATE, SQLite looks for the new row by reading `sqlite_schema` from end to end: with 10,000 tables and
//! their keys that is most of a migration. It has no other use for the rows before the next connection opens the file:
//! what it knows of the objects is in memory. So the rows are taken out while many objects are made, and are put back
//! in their order when all are there. The last step has SQLite read the whole list anew, which fails if it is not one.
//!
//! Only for a database that nobody else can see: between the two steps the file is not complete.

use rusqlite::{Connection, Result, params};

/// So many rows stay in the list before they are taken out: few enough to be read in no time.
const ROWS_LEFT_MAX: usize = 16;

/// One row of `sqlite_schema`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// `table`, `index`, `view` or `trigger`.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// The table that it belongs to; of a table or view its own name.
    pub table: String,
    /// Where its b-tree begins; 0 where it has none.
    pub root_page: i64,
    /// Its statement; none for the index behind a key.
    pub sql: Option<String>,
}

/// The list of objects of a database, held while objects are added.
pub struct ObjectList<'c> {
    connection: &'c Connection,
    taken_out: Vec<Object>,
    created: usize,
}

impl<'c> ObjectList<'c> {
    /// Takes the rows out.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn hold(connection: &'c Connection) -> Result<Self> {
        let mut list = ObjectList { connection, taken_out: Vec::new(), created: 0 };
        list.take_out()?;
        Ok(list)
    }

    /// Executes one statement that creates an object.
    ///
    /// # Errors
    /// When SQLite refuses it.
    pub fn create(&mut self, sql: &str) -> Result<()> {
        // Before and not after, so that what was created last can still be dropped.
        if self.created >= ROWS_LEFT_MAX {
            self.take_out()?;
        }
        self.created += 1;
        self.connection.execute_batch(sql)
    }

    /// Every object of the database in the order of its list, to be looked at or changed.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn objects(&mut self) -> Result<&mut Vec<Object>> {
        self.take_out()?;
        Ok(&mut self.taken_out)
    }

    /// Puts the rows back.
    ///
    /// # Errors
    /// When the database cannot be written, or the list is not one that SQLite reads.
    pub fn release(mut self) -> Result<()> {
        self.take_out()?;
        self.connection.execute_batch("PRAGMA writable_schema = ON")?;
        let sql = "INSERT INTO sqlite_schema (type, name, tbl_name, rootpage, sql) VALUES (?1, ?2, ?3, ?4, ?5)";
        let mut insert = self.connection.prepare(sql)?;
        for object in &self.taken_out {
            insert.execute(params![object.kind, object.name, object.table, object.root_page, object.sql])?;
        }
        drop(insert);
        self.connection.execute_batch("PRAGMA writable_schema = RESET")?;
        // SQLite reads the list when it next needs it.
        self.connection.prepare("SELECT name FROM sqlite_schema").map(drop)
    }

    fn take_out(&mut self) -> Result<()> {
        self.taken_out.extend(read(self.connection)?);
        self.created = 0;
        // Without a condition SQLite would empty the list's b-tree instead of deleting rows.
        self.connection.execute_batch(
            "PRAGMA writable_schema = ON; DELETE FROM sqlite_schema WHERE true; PRAGMA writable_schema = OFF",
        )
    }
}

/// The list as it is.
///
/// # Errors
/// When the database cannot be read.
pub fn read(connection: &Connection) -> Result<Vec<Object>> {
    let mut rows =
        connection.prepare("SELECT type, name, tbl_name, rootpage, sql FROM sqlite_schema ORDER BY rowid")?;
    let rows = rows.query_map([], |row| {
        Ok(Object {
            kind: row.get(0)?,
            name: row.get(1)?,
            table: row.get(2)?,
            root_page: row.get(3)?,
            sql: row.get(4)?,
        })
    })?;
    rows.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What every reader of the file sees.
    fn seen(path: &std::path::Path) -> Vec<(String, String, String, i64, Option<String>)> {
        let connection = Connection::open(path).unwrap();
        let problem: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        assert_eq!(problem, "ok");
        let mut rows = connection.prepare("SELECT type, name, tbl_name, rootpage, sql FROM sqlite_schema").unwrap();
        let rows = rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?)));
        rows.unwrap().map(|row| row.unwrap()).collect()
    }

    #[test]
    fn the_file_is_the_one_that_sqlite_would_have_written() {
        let directory = tempfile::tempdir().unwrap();
        let statements: Vec<String> = (0..3 * ROWS_LEFT_MAX)
            .flat_map(|number| {
                [
                    format!("CREATE TABLE t{number} (a TEXT PRIMARY KEY, b INTEGER UNIQUE) STRICT"),
                    format!("CREATE INDEX i{number} ON t{number} (b, a)"),
                    format!("CREATE VIEW v{number} AS SELECT a FROM t{number} JOIN t0 USING (a)"),
                ]
            })
            .collect();
        let (plain, held) = (directory.path().join("plain.db"), directory.path().join("held.db"));
        let connection = Connection::open(&plain).unwrap();
        connection.execute_batch("CREATE TABLE first (n INTEGER PRIMARY KEY AUTOINCREMENT); BEGIN").unwrap();
        statements.iter().for_each(|sql| connection.execute_batch(sql).unwrap());
        connection.execute_batch("INSERT INTO t7 VALUES ('a', 1); COMMIT").unwrap();

        let connection = Connection::open(&held).unwrap();
        connection.execute_batch("CREATE TABLE first (n INTEGER PRIMARY KEY AUTOINCREMENT); BEGIN").unwrap();
        let mut list = ObjectList::hold(&connection).unwrap();
        statements.iter().for_each(|sql| list.create(sql).unwrap());
        // What was made is there for everything but the list.
        connection.execute_batch("INSERT INTO t7 VALUES ('a', 1)").unwrap();
        list.release().unwrap();
        connection.execute_batch("COMMIT").unwrap();
        let without_pages = |path| seen(path).into_iter().map(|row| (row.0, row.1, row.2, row.4)).collect::<Vec<_>>();
        assert_eq!(without_pages(&held), without_pages(&plain));
        assert_eq!(connection.query_row("SELECT b FROM t7 WHERE b = 1", [], |row| row.get::<_, i64>(0)).unwrap(), 1);
    }

    #[test]
    fn what_was_created_last_can_be_dropped_and_a_failure_changes_nothing() {
        let connection = Connection::open_in_memory().unwrap();
        let mut list = ObjectList::hold(&connection).unwrap();
        for number in 0..2 * ROWS_LEFT_MAX {
            list.create(&format!("CREATE TABLE t{number} (a)")).unwrap();
            list.create(&format!("CREATE VIEW v{number} AS SELECT missing FROM t{number}")).unwrap();
            assert!(connection.prepare(&format!("SELECT * FROM v{number}")).is_err());
            connection.execute_batch(&format!("DROP VIEW v{number}")).unwrap();
            assert!(list.create("CREATE TABLE x (a, CHECK (unknown(a)))").is_err());
        }
        assert_eq!(list.objects().unwrap().len(), 2 * ROWS_LEFT_MAX);
        list.release().unwrap();
        let count = "SELECT count(*) FROM sqlite_schema";
        assert_eq!(connection.query_row(count, [], |row| row.get::<_, i64>(0)).unwrap(), 2 * ROWS_LEFT_MAX as i64);
        connection.execute_batch(&format!("INSERT INTO t{} VALUES (1)", 2 * ROWS_LEFT_MAX - 1)).unwrap();
    }

    #[test]
    fn a_list_that_is_none_is_an_error() {
        let connection = Connection::open_in_memory().unwrap();
        let mut list = ObjectList::hold(&connection).unwrap();
        list.create("CREATE TABLE t (a)").unwrap();
        list.objects().unwrap()[0].sql = Some("CREATE TABLE t (".to_owned());
        assert!(list.release().is_err());
    }
}
