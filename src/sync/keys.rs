//! Foreign keys, of the rows that a sync has touched: each leads to a parent, and nothing leads to one that is gone.

use super::values::Bound;
use crate::error::{Error, Result};
use crate::quote::quote;
use crate::value::{Stored, row_key};
use rusqlite::{Connection, OptionalExtension, params_from_iter};

const VERIFY: &str = "verify the foreign keys of";

/// A foreign key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// The table whose rows lead somewhere.
    pub child: String,
    /// The table that they lead to.
    pub parent: String,
    /// The columns of the child, each with that of the parent.
    pub columns: Vec<(String, String)>,
}

/// The foreign keys of a file.
#[derive(Debug, Default)]
pub struct Keys(Vec<Key>);

/// A row that was touched.
#[derive(Debug, Clone, PartialEq)]
pub struct Touched {
    /// Its table.
    pub table: String,
    /// Its key: columns and values.
    pub key: Vec<(String, Stored<'static>)>,
    /// For each foreign key that leads to its table: what it was known by.
    pub old: Vec<(usize, Vec<Stored<'static>>)>,
    /// Whether it is there still.
    pub stays: bool,
}

fn failed(error: rusqlite::Error) -> Error {
    Error::could_not(VERIFY, "the file", error)
}

impl Keys {
    /// Reads them.
    ///
    /// # Errors
    /// When the schema cannot be read.
    pub fn read(connection: &Connection) -> Result<Keys> {
        let read = || -> rusqlite::Result<Vec<Key>> {
            let mut all = connection.prepare(
                "SELECT child.name, keys.id, keys.\"table\", keys.\"from\", keys.\"to\",
                   (SELECT name FROM pragma_table_xinfo(keys.\"table\") WHERE pk = keys.seq + 1)
                 FROM sqlite_schema AS child, pragma_foreign_key_list(child.name) AS keys
                 WHERE child.type = 'table' ORDER BY child.name, keys.id, keys.seq",
            )?;
            let mut rows = all.query([])?;
            let mut keys: Vec<(i64, Key)> = Vec::new();
            while let Some(row) = rows.next()? {
                let (child, id, parent): (String, i64, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
                let (from, to): (String, Option<String>) = (row.get(3)?, row.get(4)?);
                let to = match to {
                    Some(to) => to,
                    None => row.get::<_, Option<String>>(5)?.unwrap_or_default(),
                };
                match keys.last_mut() {
                    Some((last, key)) if *last == id && key.child == child => key.columns.push((from, to)),
                    _ => keys.push((id, Key { child, parent, columns: vec![(from, to)] })),
                }
            }
            Ok(keys.into_iter().map(|(_, key)| key).collect())
        };
        read().map(Keys).map_err(failed)
    }

    /// All of them.
    pub fn all(&self) -> &[Key] {
        &self.0
    }

    /// What a row is known by, before it is changed.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn touched(
        &self,
        connection: &Connection,
        table: &str,
        key: Vec<(String, Stored<'static>)>,
        stays: bool,
    ) -> Result<Touched> {
        let mut old = Vec::new();
        for (number, of) in self.0.iter().enumerate().filter(|(_, of)| of.parent.eq_ignore_ascii_case(table)) {
            let columns: Vec<String> = of.columns.iter().map(|(_, to)| quote(to)).collect();
            let sql = format!("SELECT {} FROM {} WHERE {}", columns.join(", "), quote(table), filter(&key));
            let mut one = connection.prepare_cached(&sql).map_err(failed)?;
            let values = one
                .query_row(params_from_iter(key.iter().map(|(_, value)| Bound(value))), |row| {
                    (0..columns.len()).map(|place| Ok(Stored::from(row.get_ref(place)?).into_owned())).collect()
                })
                .optional()
                .map_err(failed)?;
            old.extend(values.map(|values: Vec<Stored<'static>>| (number, values)));
        }
        Ok(Touched { table: table.to_owned(), key, old, stays })
    }

    /// Looks at the keys of all rows that were touched.
    ///
    /// # Errors
    /// When one leads nowhere: its row is named.
    pub fn verify(&self, connection: &Connection, touched: &[Touched]) -> Result<()> {
        for row in touched {
            for key in self.0.iter().filter(|key| row.stays && key.child.eq_ignore_ascii_case(&row.table)) {
                let nulls: Vec<String> =
                    key.columns.iter().map(|(from, _)| format!("c.{} IS NOT NULL", quote(from))).collect();
                let same: Vec<String> =
                    key.columns.iter().map(|(from, to)| format!("p.{} = c.{}", quote(to), quote(from))).collect();
                let sql = format!(
                    "SELECT 1 FROM {} AS c WHERE {} AND {} AND NOT EXISTS (SELECT 1 FROM {} AS p WHERE {})",
                    quote(&key.child),
                    filter(&row.key),
                    nulls.join(" AND "),
                    quote(&key.parent),
                    same.join(" AND ")
                );
                let mut one = connection.prepare_cached(&sql).map_err(failed)?;
                let is_orphan = one.exists(params_from_iter(row.key.iter().map(|(_, value)| Bound(value))));
                if is_orphan.map_err(failed)? {
                    return Err(key.refused(row_key(row.key.iter().map(|(_, value)| value.clone()))));
                }
            }
            for (number, values) in &row.old {
                self.0[*number].refuse_left_over(connection, values)?;
            }
        }
        Ok(())
    }
}

impl Key {
    /// Rows that lead to values that no parent has any more.
    fn refuse_left_over(&self, connection: &Connection, values: &[Stored<'static>]) -> Result<()> {
        if values.contains(&Stored::Null) {
            return Ok(());
        }
        let places = self.columns.iter().enumerate();
        let (of_child, of_parent): (Vec<String>, Vec<String>) = places
            .map(|(place, (from, to))| {
                (format!("{} = ?{}", quote(from), place + 1), format!("{} = ?{}", quote(to), place + 1))
            })
            .unzip();
        let sql = format!(
            "SELECT NOT EXISTS (SELECT 1 FROM {} WHERE {}) AND EXISTS (SELECT 1 FROM {} WHERE {})",
            quote(&self.parent),
            of_parent.join(" AND "),
            quote(&self.child),
            of_child.join(" AND ")
        );
        let mut one = connection.prepare_cached(&sql).map_err(failed)?;
        let is_left = one.query_row(params_from_iter(values.iter().map(Bound)), |row| row.get::<_, bool>(0));
        match is_left.map_err(failed)? {
            false => Ok(()),
            true => {
                let columns: Vec<String> = self.columns.iter().map(|(from, _)| format!("`{from}`")).collect();
                let cause = format!(
                    "rows of it lead by {} to {} of `{}`, which is gone from the files",
                    columns.join(", "),
                    row_key(values.iter().cloned()),
                    self.parent
                );
                Err(Error::could_not(VERIFY, format!("table `{}`", self.child), cause)
                    .hint("nothing was changed; remove what leads there as well, or bring it back"))
            }
        }
    }

    fn refused(&self, row: String) -> Error {
        let columns: Vec<String> = self.columns.iter().map(|(from, _)| format!("`{from}`")).collect();
        let cause = format!("its {} leads to no row of `{}`", columns.join(", "), self.parent);
        Error::could_not(VERIFY, format!("table `{}`, row {row}", self.child), cause)
            .hint("nothing was changed; correct the file that has the record, or add what it leads to")
    }
}

fn filter(key: &[(String, Stored<'static>)]) -> String {
    let parts = key.iter().enumerate().map(|(number, (column, _))| format!("{} IS ?{}", quote(column), number + 1));
    parts.collect::<Vec<_>>().join(" AND ")
}
