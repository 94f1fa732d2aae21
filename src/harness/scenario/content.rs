//! What a SQLite file holds, apart from how its pages lie: every definition, and every row in its order.

use crate::error::{Context, Result};
use crate::metadata::{MANIFEST_TABLE, is_not_own};
use crate::quote::quote;
use rusqlite::Connection;
use rusqlite::types::ValueRef;
use std::collections::{BTreeMap, BTreeSet};
use xxhash_rust::xxh3::Xxh3;

/// The moment of a run, which two runs do not share: table and column, or the name of a manifest's value.
const MOMENTS: [(&str, &str); 5] = [
    (MANIFEST_TABLE, "finished_at"),
    // Digests over these moments; what else they are over is compared itself.
    (MANIFEST_TABLE, "digest"),
    (MANIFEST_TABLE, "other_tables"),
    ("schema_migrations", "applied_at"),
    ("schema_migrations", "duration_ms"),
];

/// The content of a file: rows are kept as hashes, because one may be large.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Content {
    definitions: BTreeMap<String, String>,
    rows: BTreeMap<String, Vec<u128>>,
}

/// Reads the content of an open file.
///
/// # Errors
/// When it cannot be read.
pub(super) fn content(connection: &Connection) -> Result<Content> {
    read(connection).could_not("read the content of", "the file")
}

fn read(connection: &Connection) -> rusqlite::Result<Content> {
    let mut content = Content { definitions: BTreeMap::new(), rows: BTreeMap::new() };
    let mut statement = connection.prepare("SELECT type, name, tbl_name, coalesce(sql, '') FROM sqlite_schema")?;
    let mut objects = statement.query([])?;
    let mut tables: Vec<(String, bool)> = Vec::new();
    while let Some(object) = objects.next()? {
        let (kind, name, table, sql): (String, String, String, String) =
            (object.get(0)?, object.get(1)?, object.get(2)?, object.get(3)?);
        // A virtual table has no rows of its own; those behind it are tables, too.
        if kind == "table" && !sql.to_ascii_uppercase().starts_with("CREATE VIRTUAL") {
            tables.push((name.clone(), sql.to_ascii_uppercase().contains("WITHOUT ROWID")));
        }
        content.definitions.insert(format!("{kind} `{name}` of `{table}`"), sql);
    }
    for (table, may_lack_rowid) in tables {
        let rows = rows_of(connection, &table, may_lack_rowid)?;
        content.rows.insert(table, rows);
    }
    Ok(content)
}

fn rows_of(connection: &Connection, table: &str, may_lack_rowid: bool) -> rusqlite::Result<Vec<u128>> {
    let from = quote(table);
    let with_rowid = connection.prepare(&format!("SELECT rowid, * FROM {from} ORDER BY rowid"));
    let mut statement = match with_rowid {
        Err(_) if may_lack_rowid => connection.prepare(&format!("SELECT * FROM {from}"))?,
        statement => statement?,
    };
    let names: Vec<String> = statement.column_names().into_iter().map(str::to_owned).collect();
    let compared: Vec<usize> = (0..names.len()).filter(|at| !MOMENTS.contains(&(table, names[*at].as_str()))).collect();
    let name_column = names.iter().position(|name| name == "name").filter(|_| table == MANIFEST_TABLE);
    let mut hashes = Vec::new();
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        if let Some(at) = name_column
            && MOMENTS.contains(&(table, row.get::<_, String>(at)?.as_str()))
        {
            continue;
        }
        let values = compared.iter().map(|at| row.get_ref(*at)).collect::<rusqlite::Result<Vec<_>>>()?;
        hashes.push(hash(values));
    }
    Ok(hashes)
}

/// The hash of values: each one's storage class, length and bytes.
fn hash<'v>(values: impl IntoIterator<Item = ValueRef<'v>>) -> u128 {
    let mut hasher = Xxh3::new();
    let mut put = |tag: u8, bytes: &[u8]| {
        hasher.update(&[tag]);
        hasher.update(&(bytes.len() as u64).to_le_bytes());
        hasher.update(bytes);
    };
    for value in values {
        match value {
            ValueRef::Null => put(0, &[]),
            ValueRef::Integer(number) => put(1, &number.to_le_bytes()),
            ValueRef::Real(number) => put(2, &number.to_bits().to_le_bytes()),
            ValueRef::Text(text) => put(3, text),
            ValueRef::Blob(bytes) => put(4, bytes),
        }
    }
    hasher.digest128()
}

impl Content {
    /// Leaves out the rows of a table.
    pub fn forget_rows(&mut self, table: &str) {
        self.rows.remove(table);
    }

    /// Leaves out every row.
    pub fn forget_all_rows(&mut self) {
        self.rows.clear();
    }

    /// Leaves out the definitions of these objects.
    pub fn forget_objects(&mut self, objects: &BTreeSet<String>) {
        self.definitions.retain(|object, _| !objects.contains(object));
    }

    /// The objects in whose definition one of these names occurs.
    pub fn objects_that_name(&self, names: &[&str]) -> impl Iterator<Item = String> {
        let lower = |text: &str| text.to_lowercase();
        let names: Vec<String> = names.iter().map(|name| lower(name)).collect();
        let is_named = move |text: &str| names.iter().any(|name| lower(text).contains(name));
        let objects = self.definitions.iter().filter(move |(object, sql)| is_named(object) || is_named(sql));
        objects.map(|(object, _)| object.clone())
    }

    /// Where the other content differs from this one; one sentence each.
    pub fn differences(&self, other: &Content) -> Vec<String> {
        let mut found = Vec::new();
        for (object, sql) in &self.definitions {
            match other.definitions.get(object) {
                None => found.push(format!("{object} is in the first file only")),
                Some(there) if there != sql => found.push(format!("{object} is `{sql}` and then `{there}`")),
                Some(_) => {}
            }
        }
        let new = other.definitions.keys().filter(|object| !self.definitions.contains_key(*object));
        found.extend(new.map(|object| format!("{object} is in the second file only")));
        for (table, rows) in &self.rows {
            let Some(there) = other.rows.get(table).filter(|there| *there != rows) else { continue };
            let first = rows.iter().zip(there).position(|(row, there)| row != there);
            let place = first.unwrap_or(rows.len().min(there.len())) + 1;
            found.push(format!(
                "table `{table}` has {} rows and then {}; the first difference is in row {place}",
                rows.len(),
                there.len()
            ));
        }
        found
    }
}

/// The rows of a file's own tables (full-text search, history, statistics and metadata left out): for each table its
/// columns, and each row's values as hashes, in the order of the rowids.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Rows(BTreeMap<String, (Vec<String>, Vec<Vec<u128>>)>);

/// Reads the rows of an open file's own tables.
///
/// # Errors
/// When it cannot be read.
pub(super) fn rows(connection: &Connection) -> Result<Rows> {
    read_rows(connection).could_not("read the rows of", "the file")
}

fn read_rows(connection: &Connection) -> rusqlite::Result<Rows> {
    let mut list = connection.prepare(&format!(
        "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND name <> 'schema_migrations'
           AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND {}",
        is_not_own("name")
    ))?;
    let tables: Vec<String> = list.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    let mut found = Rows::default();
    for table in tables {
        let from = quote(&table);
        let mut statement = match connection.prepare(&format!("SELECT * FROM {from} ORDER BY rowid")) {
            Ok(statement) => statement,
            Err(_) => connection.prepare(&format!("SELECT * FROM {from}"))?,
        };
        let columns: Vec<String> = statement.column_names().into_iter().map(str::to_owned).collect();
        let mut values = Vec::new();
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let hashes = (0..columns.len()).map(|at| Ok(hash([row.get_ref(at)?])));
            values.push(hashes.collect::<rusqlite::Result<_>>()?);
        }
        drop(rows);
        drop(statement);
        found.0.insert(table, (columns, values));
    }
    Ok(found)
}

impl Rows {
    /// Those of these tables only.
    pub fn of_tables(mut self, tables: &[&str]) -> Rows {
        self.0.retain(|table, _| tables.iter().any(|kept| kept.eq_ignore_ascii_case(table)));
        self
    }

    /// Where the rows of a table of `before` are others here, whatever their order: as far as both have a column.
    pub fn differences_in_any_order(&self, before: &Rows) -> Vec<String> {
        let mut found = Vec::new();
        for (table, (columns, rows)) in &before.0 {
            let Some((columns_now, rows_now)) = self.0.get(table) else {
                found.push(format!("table `{table}` is gone"));
                continue;
            };
            let places = columns.iter().enumerate();
            let both = places.filter_map(|(at, name)| Some((at, columns_now.iter().position(|now| now == name)?)));
            let (here, there): (Vec<usize>, Vec<usize>) = both.unzip();
            let sorted = |rows: &[Vec<u128>], places: &[usize]| {
                let part = |row: &Vec<u128>| places.iter().map(|at| row[*at]).collect();
                let mut rows: Vec<Vec<u128>> = rows.iter().map(part).collect();
                rows.sort_unstable();
                rows
            };
            let (rows, rows_now) = (sorted(rows, &here), sorted(rows_now, &there));
            if rows != rows_now {
                let others = rows_now.iter().filter(|row| rows.binary_search(row).is_err()).count();
                found.push(format!(
                    "table `{table}` had {} rows and has {}, {others} of them with other values",
                    rows.len(),
                    rows_now.len()
                ));
            }
        }
        found
    }

    /// Where these rows are not those of `before`: as far as both have the table and the column, or, where the `whole`
    /// has to be there, everywhere. One sentence each, `when` in front.
    pub fn differences(&self, before: &Rows, whole: bool, when: &str) -> Vec<String> {
        let mut found = Vec::new();
        for (table, (columns, rows)) in &before.0 {
            let Some((columns_now, rows_now)) = self.0.get(table) else {
                if whole {
                    found.push(format!("{when}: table `{table}` is gone"));
                }
                continue;
            };
            if rows.len() != rows_now.len() {
                found.push(format!("{when}: table `{table}` had {} rows and has {}", rows.len(), rows_now.len()));
                continue;
            }
            for (at, column) in columns.iter().enumerate() {
                let Some(at_now) = columns_now.iter().position(|now| now == column) else {
                    if whole {
                        found.push(format!("{when}: column `{table}.{column}` is gone"));
                    }
                    continue;
                };
                let differs = rows.iter().zip(rows_now).position(|(row, now)| row[at] != now[at_now]);
                if let Some(place) = differs {
                    found.push(format!("{when}: column `{table}.{column}` has another value in row {}", place + 1));
                }
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(sql: &str) -> Content {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(sql).unwrap();
        content(&connection).unwrap()
    }

    const SCHEMA: &str = "CREATE TABLE a (b TEXT); CREATE TABLE c (d TEXT PRIMARY KEY) WITHOUT ROWID;
        CREATE VIRTUAL TABLE f USING fts5 (b, content='');
        CREATE TABLE _whimbrel_manifest (name TEXT, value TEXT);";

    #[test]
    fn every_change_but_of_the_moment_is_a_difference() {
        let same = of(&format!("{SCHEMA} INSERT INTO _whimbrel_manifest VALUES ('finished_at', 'now')"));
        let later = of(&format!("{SCHEMA} INSERT INTO _whimbrel_manifest VALUES ('finished_at', 'then')"));
        assert!(same.differences(&later).is_empty());
        let before = of(&format!("{SCHEMA} INSERT INTO a VALUES ('1'), (NULL); INSERT INTO c VALUES ('x')"));
        for change in [
            "UPDATE a SET b = '' WHERE b IS NULL",
            "UPDATE a SET b = x'31' WHERE b = '1'",
            "UPDATE a SET rowid = 7 WHERE b = '1'",
            "DELETE FROM c",
            "CREATE INDEX i ON a (b)",
            "INSERT INTO _whimbrel_manifest VALUES ('source', 'another')",
            "INSERT INTO f (rowid, b) VALUES (1, 'word')",
        ] {
            let changed =
                of(&format!("{SCHEMA} INSERT INTO a VALUES ('1'), (NULL); INSERT INTO c VALUES ('x'); {change}"));
            assert!(!before.differences(&changed).is_empty(), "{change}");
            assert!(!changed.differences(&before).is_empty(), "{change}");
        }
    }
}
