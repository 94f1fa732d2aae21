//! A SQLite database in memory as the judge: the same table without its keys and triggers takes a row or does not.

use super::{Judge, RowCondition, Ruling, row_conditions};
use crate::catalog::Table;
use crate::error::{Context, Result};
use crate::harness::generate::dataset::{Row, table_name};
use crate::harness::generate::load_sqlite::value;
use crate::quote::quote_all;
use rusqlite::{Connection, params_from_iter};

/// A scratch database in memory with the tables of a file.
#[derive(Debug)]
pub struct SqliteJudge {
    scratch: Connection,
}

impl SqliteJudge {
    /// A scratch database with the same tables as the file, without its triggers, indexes and rows.
    ///
    /// # Errors
    /// When the schema cannot be read.
    pub fn new(connection: &Connection) -> Result<SqliteJudge> {
        const OPERATION: &str = "copy the schema of";
        let scratch = Connection::open_in_memory().could_not(OPERATION, "the file")?;
        scratch.execute_batch("PRAGMA foreign_keys = OFF").could_not(OPERATION, "the file")?;
        let mut list = connection
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
        Ok(SqliteJudge { scratch })
    }
}

impl Judge for SqliteJudge {
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
                Ok(Ok(_)) => Ruling::Holds(Vec::new()),
                Ok(Err(error)) => missed(&conditions, &error.to_string()),
                Err(_) => Ruling::Unfit,
            });
            self.scratch.execute_batch("ROLLBACK TO candidate; RELEASE candidate").could_not(OPERATION, &object)?;
        }
        Ok(rulings)
    }
}

/// Which condition an error of SQLite is about: it tells a check by its name, or where it has none by its text.
fn missed(conditions: &[RowCondition], error: &str) -> Ruling {
    let Some((_, told)) = error.split_once("CHECK constraint failed: ") else { return Ruling::Unfit };
    let plain =
        |text: &str| text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect::<String>();
    let told = plain(told);
    let mut places = (0..conditions.len())
        .filter(|place| plain(&conditions[*place].name) == told || plain(&conditions[*place].expression) == told);
    match (places.next(), places.next()) {
        (Some(place), None) => Ruling::Misses(place),
        _ => Ruling::Unfit,
    }
}
