//! A SQLite database in memory as the judge: the same table without its keys and triggers takes a row or does not.

use super::conditions::computed_key_texts;
use super::{Judge, RowCondition, Ruling, row_conditions};
use crate::catalog::Table;
use crate::error::{Context, Result};
use crate::harness::generate::dataset::{Row, table_name};
use crate::harness::generate::load_sqlite::value;
use crate::quote::quote_all;
use rusqlite::{Connection, params_from_iter};

/// A scratch database in memory with the tables of a file.
#[derive(Debug)]
pub struct SqliteJudge<'c> {
    file: &'c Connection,
    scratch: Connection,
}

impl<'c> SqliteJudge<'c> {
    /// A scratch database with the same tables as the file, without its triggers, indexes and rows.
    ///
    /// # Errors
    /// When the schema cannot be read.
    pub fn new(file: &'c Connection) -> Result<SqliteJudge<'c>> {
        const OPERATION: &str = "copy the schema of";
        let scratch = Connection::open_in_memory().could_not(OPERATION, "the file")?;
        scratch.execute_batch("PRAGMA foreign_keys = OFF").could_not(OPERATION, "the file")?;
        let mut list = file
            .prepare(
                "SELECT s.sql, s.name FROM sqlite_schema AS s JOIN pragma_table_list AS l ON l.name = s.name
                 WHERE s.type = 'table' AND l.type = 'table' AND l.schema = 'main' AND s.sql IS NOT NULL
                   AND s.name NOT LIKE 'sqlite\\_%' ESCAPE '\\'",
            )
            .could_not(OPERATION, "the file")?;
        let mut rows = list.query([]).could_not(OPERATION, "the file")?;
        while let Some(row) = rows.next().could_not(OPERATION, "the file")? {
            let (sql, name): (String, String) =
                (row.get(0).could_not(OPERATION, "the file")?, row.get(1).could_not(OPERATION, "the file")?);
            scratch.execute_batch(&sql).could_not(OPERATION, format!("`{name}`"))?;
        }
        Ok(SqliteJudge { file, scratch })
    }
}

impl Judge for SqliteJudge<'_> {
    fn rule(&mut self, table: &Table, columns: &[String], rows: &[Row]) -> Result<Vec<Ruling>> {
        const OPERATION: &str = "decide the checks of";
        let object = format!("`{}`", table.name.name);
        let name = table_name(&table.name, true);
        let marks = vec!["?"; columns.len()].join(", ");
        let listed = quote_all(columns.iter().map(String::as_str));
        let sql = format!("INSERT INTO {name} ({listed}) VALUES ({marks})");
        let mut rulings = Vec::with_capacity(rows.len());
        let conditions = row_conditions(table);
        let mut statement = self.scratch.prepare_cached(&sql).could_not(OPERATION, &object)?;
        let keys: Vec<String> = computed_key_texts(table, true).into_iter().map(|(_, key)| key).collect();
        let keys = (!keys.is_empty()).then(|| format!("SELECT {} FROM {name}", keys.join(", ")));
        for row in rows {
            // One row at a time: the keys of candidates may clash, and are not what is asked for.
            self.scratch.execute_batch("SAVEPOINT candidate").could_not(OPERATION, &object)?;
            let values: std::result::Result<Vec<_>, String> = (row.iter().zip(columns))
                .map(|(cell, name)| match table.column(name) {
                    Some(column) => value(cell, &column.data_type.base().shape),
                    None => Err(format!("there is no column `{name}`")),
                })
                .collect();
            rulings.push(match values.map(|values| statement.execute(params_from_iter(values))) {
                // It is the only row there is.
                Ok(Ok(_)) => Ruling::Holds(match &keys {
                    Some(sql) => self.keys(sql).could_not(OPERATION, &object)?,
                    None => Vec::new(),
                }),
                Ok(Err(error)) => missed(&conditions, &error.to_string()),
                Err(_) => Ruling::Unfit,
            });
            self.scratch.execute_batch("ROLLBACK TO candidate; RELEASE candidate").could_not(OPERATION, &object)?;
        }
        Ok(rulings)
    }

    fn computed(&mut self, table: &Table) -> Result<Vec<Vec<String>>> {
        let name = table_name(&table.name, true);
        let computed = computed_key_texts(table, true).into_iter().map(|(_, key)| {
            let sql = format!("SELECT key FROM (SELECT {key} AS key FROM {name}) WHERE key IS NOT NULL");
            self.file.prepare(&sql)?.query_map([], |row| row.get(0))?.collect()
        });
        computed.collect::<rusqlite::Result<_>>().could_not("read the keys of", format!("`{}`", table.name.name))
    }
}

impl SqliteJudge<'_> {
    fn keys(&self, sql: &str) -> rusqlite::Result<Vec<Option<String>>> {
        let mut statement = self.scratch.prepare_cached(sql)?;
        let width = statement.column_count();
        statement.query_row([], |row| (0..width).map(|place| row.get(place)).collect())
    }
}

/// Which condition an error of SQLite is about: it tells a check by its name, or where it has none by its text.
fn missed(conditions: &[RowCondition], error: &str) -> Ruling {
    let Some((_, named)) = error.split_once("CHECK constraint failed: ") else { return Ruling::Unfit };
    let plain =
        |text: &str| text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect::<String>();
    let named = plain(named);
    let mut places = (0..conditions.len())
        .filter(|place| plain(&conditions[*place].name) == named || plain(&conditions[*place].expression) == named);
    match (places.next(), places.next()) {
        (Some(place), None) => Ruling::Misses(place),
        _ => Ruling::Unfit,
    }
}
