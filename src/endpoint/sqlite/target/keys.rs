//! Primary and unique keys built after the rows, by sorting, instead of while the rows come in.
//!
//! SQLite keeps the b-tree of a key up to date with every row, and for text keys in no order that is most of the
//! cost of a load. So a table is loaded without its keys; each key is then built as an ordinary unique index, which
//! SQLite sorts; and last the schema is told that this index *is* the key: the row of `sqlite_schema` gets the name
//! `sqlite_autoindex_…` and the table's row its full definition. The b-tree of a key and of a unique index over the
//! same columns are the same ("Database File Format", 2.6), so the file is one that SQLite could have written itself.
//! That is not taken on trust: what the file's schema says is compared row by row with what SQLite makes of the full
//! definition in an empty database, and the integrity check runs over the result.
//!
//! AUTOINCREMENT is added in the same way: it costs a look into `sqlite_sequence` for every row.

use crate::endpoint::sqlite::loader::Loader;
use crate::endpoint::sqlite::object_list::ObjectList;
use crate::endpoint::sqlite::pragma;
use crate::error::{Context, Error, Result};
use crate::event::{Event, Listener};
use crate::metadata::{self, PASSING_TABLE};
use crate::plan::{Caveat, Plan, TablePlan};
use crate::quote::{quote, quote_all};
use rusqlite::{Connection, params};
use std::collections::{BTreeSet, HashMap};

const OPERATION: &str = "build the keys of";

/// A key as SQLite makes it of the full definition.
struct AutoIndex {
    /// `sqlite_autoindex_…`.
    name: String,
    /// Its parts: the column's name, and the collation.
    parts: Vec<(String, String)>,
}

/// What a schema says of a table and its keys: kind, name and statement of each.
type Definitions = BTreeSet<(String, String, Option<String>)>;

/// Builds the keys of every table whose definition the plan has, and gives the tables their full definitions. Returns where
/// only the rows say that a key goes on with another number than in the source.
///
/// # Errors
/// When two rows have the same key, the file cannot be written, or the result is not the schema that was planned.
pub fn build(loader: &Loader, plan: &Plan, listener: &Listener<'_>) -> Result<Vec<Caveat>> {
    const TARGET: &str = "the target";
    let model = Connection::open_in_memory().could_not(OPERATION, TARGET)?;
    // Else DROP TABLE deletes rows first, with all that their keys would have it look at.
    model.execute_batch("PRAGMA foreign_keys = OFF").could_not(OPERATION, TARGET)?;
    pragma::names_only(&model).could_not(OPERATION, TARGET)?;
    let mut list = loader.hold_objects()?;
    let mut key_names: HashMap<String, String> = HashMap::new();
    let mut full: HashMap<&str, String> = HashMap::new();
    let mut wanted: HashMap<String, Definitions> = HashMap::new();
    for table in &plan.tables {
        let Some(ddl) = &table.ddl else { continue };
        let object = format!("table `{}`", table.target);
        let sql = ddl.sql();
        model.execute_batch(&sql).could_not(OPERATION, &object)?;
        for key in auto_indexes(&model, &table.target).could_not(OPERATION, &object)? {
            listener(Event::IndexStarted { index: key.name.clone() });
            let provisional = metadata::passing_key(key_names.len() + 1);
            build_one(loader.connection(), &mut list, table, &key, &provisional)?;
            key_names.insert(provisional, key.name);
        }
        wanted.extend(definitions(&model).could_not(OPERATION, &object)?);
        // What a statement costs there grows with what the model has.
        model.execute_batch(&format!("DROP TABLE {}", quote(&table.target))).could_not(OPERATION, &object)?;
        full.insert(&table.target, sql);
    }
    let caveats = keep_numbers(loader, plan)?;
    for object in list.objects().could_not(OPERATION, TARGET)? {
        if let Some(name) = key_names.remove(&object.name) {
            object.name = name;
            object.sql = None;
        } else if let Some(sql) = full.remove(object.name.as_str()) {
            object.sql = Some(sql);
        }
    }
    loader.release_objects(list)?;
    ensure_as_planned(loader.connection(), plan, &wanted)?;
    Ok(caveats)
}

fn auto_indexes(model: &Connection, table: &str) -> rusqlite::Result<Vec<AutoIndex>> {
    let mut list =
        model.prepare("SELECT name FROM sqlite_schema WHERE type = 'index' AND tbl_name = ?1 AND sql IS NULL")?;
    let mut parts = model.prepare("SELECT name, coll FROM pragma_index_xinfo(?1) WHERE key ORDER BY seqno")?;
    let names: Vec<String> = list.query_map([table], |row| row.get(0))?.collect::<Result<_, _>>()?;
    names
        .into_iter()
        .map(|name| {
            let parts = parts.query_map([&name], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
            Ok(AutoIndex { name, parts })
        })
        .collect()
}

fn build_one(
    connection: &Connection,
    list: &mut ObjectList<'_>,
    table: &TablePlan,
    key: &AutoIndex,
    provisional: &str,
) -> Result<()> {
    let parts: Vec<_> =
        key.parts.iter().map(|(column, collation)| format!("{} COLLATE {collation}", quote(column))).collect();
    let sql = format!("CREATE UNIQUE INDEX {} ON {} ({})", quote(provisional), quote(&table.target), parts.join(", "));
    match list.create(&sql) {
        Ok(()) => Ok(()),
        Err(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::ConstraintViolation) => {
            Err(duplicate(connection, table, key))
        }
        Err(error) => Err(error).could_not(OPERATION, format!("table `{}`", table.target)),
    }
}

/// Names the key that more than one row has: its representation made one of two values.
fn duplicate(connection: &Connection, table: &TablePlan, key: &AutoIndex) -> Error {
    let columns: Vec<&str> = key.parts.iter().map(|(column, _)| column.as_str()).collect();
    let cause = duplicates(connection, &table.target, &columns);
    Error::could_not("copy", format!("table `{}`", table.source), cause).hint(DUPLICATES_HINT)
}

/// What there is to do about rows that a key of the source tells apart and one of a derived target does not.
pub(super) const DUPLICATES_HINT: &str = "choose a rule for the key's columns that keeps them apart, or leave the key out by its name under \
     `tables.exclude_objects`; where the source has these rows twice, its own index is damaged (an update of its \
     collations does that): REINDEX there tells them";

/// Tells the rows that a unique key over those columns does not take.
pub(super) fn duplicates(connection: &Connection, table: &str, columns: &[&str]) -> String {
    let list = quote_all(columns.iter().copied());
    let values: Vec<_> = columns.iter().map(|column| format!("quote({})", quote(column))).collect();
    let some: Vec<_> = columns.iter().map(|column| format!("{} IS NOT NULL", quote(column))).collect();
    let sql = format!(
        "SELECT {}, count(*) FROM {} WHERE {} GROUP BY {list} HAVING count(*) > 1 LIMIT 1",
        values.join(" || ', ' || "),
        quote(table),
        some.join(" AND "),
    );
    let found = connection.query_row(&sql, [], |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?)));
    match found {
        Ok((value, rows)) => {
            let value: String = value.chars().take(VALUE_CHARS_MAX).collect();
            format!("{rows} rows have the key ({list}) = ({value}), as the target represents it")
        }
        Err(_) => format!("two rows have the same key ({list}), as the target represents it"),
    }
}

/// Longer keys are cut when they are shown, in characters.
const VALUE_CHARS_MAX: usize = 200;

/// An AUTOINCREMENT key goes on from the rows, or from the source's sequence where that is ahead of them. Where it is behind
/// them, the source gives another number next, and that is told.
fn keep_numbers(loader: &Loader, plan: &Plan) -> Result<Vec<Caveat>> {
    let mut caveats = Vec::new();
    let connection = loader.connection();
    let counting = plan.tables.iter().filter_map(|table| {
        let column =
            table.ddl.as_ref()?.columns.iter().find(|column| column.rowid_key.as_ref().is_some_and(|key| key.1))?;
        Some((table, &column.name))
    });
    let mut prepared = false;
    for (table, column) in counting {
        let object = format!("table `{}`", table.target);
        if !prepared {
            // SQLite makes its table of numbers with the first table that counts.
            connection
                .execute_batch(&format!(
                    "CREATE TABLE {PASSING_TABLE} (n INTEGER PRIMARY KEY AUTOINCREMENT); DROP TABLE {PASSING_TABLE}"
                ))
                .could_not(OPERATION, &object)?;
            prepared = true;
        }
        let highest: Option<i64> = connection
            .query_row(&format!("SELECT max({}) FROM {}", quote(column), quote(&table.target)), [], |row| row.get(0))
            .could_not(OPERATION, &object)?;
        if let (Some(highest), Some(next)) = (highest, table.next_number)
            && highest >= next
        {
            caveats.push(Caveat {
                object: format!("{}.{column}", table.source),
                text: match highest.checked_add(1) {
                    Some(own) => format!("the source's sequence gives {next} next, below the greatest key {highest}; the target goes on with {own}"),
                    None => format!("the source's sequence gives {next} next; in the target the key is at its greatest number: a new row needs a number that is given"),
                },
            });
        }
        if let Some(number) = highest.max(table.last_number) {
            connection
                .execute("INSERT INTO sqlite_sequence (name, seq) VALUES (?1, ?2)", params![table.target, number])
                .could_not(OPERATION, &object)?;
        }
    }
    Ok(caveats)
}

/// The tables of a database with what its schema says of each.
fn definitions(connection: &Connection) -> rusqlite::Result<HashMap<String, Definitions>> {
    let mut rows = connection
        .prepare("SELECT tbl_name, type, name, sql FROM sqlite_schema WHERE type = 'table' OR sql IS NULL")?;
    let mut rows = rows.query([])?;
    let mut found: HashMap<String, Definitions> = HashMap::new();
    while let Some(row) = rows.next()? {
        found.entry(row.get(0)?).or_default().insert((row.get(1)?, row.get(2)?, row.get(3)?));
    }
    Ok(found)
}

/// Compares what the schema says of each table with what SQLite makes of its full definition.
fn ensure_as_planned(connection: &Connection, plan: &Plan, wanted: &HashMap<String, Definitions>) -> Result<()> {
    let found = definitions(connection).could_not(OPERATION, "the target")?;
    for table in plan.tables.iter().filter(|table| table.ddl.is_some()) {
        let there = found.get(&table.target);
        if there.is_none() || there != wanted.get(&table.target) {
            let object = format!("table `{}`", table.target);
            return Err(
                Error::could_not(OPERATION, object, "the schema is not the planned one").hint("please report this")
            );
        }
    }
    Ok(())
}
