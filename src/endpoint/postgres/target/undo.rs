//! A run taken back: what it created is removed where its rows are still those that were loaded, proved by their digests under locks
//! that nobody writes past, in one transaction.

use super::proof::digest_of;
use super::{begin, connect};
use crate::cancel::Cancel;
use crate::catalog::{Catalog, ObjectKind, QualifiedName};
use crate::endpoint::postgres::Patience;
use crate::endpoint::postgres::copy::quote_name;
use crate::endpoint::postgres::failure::refusal;
use crate::endpoint::postgres::introspect::introspect_own;
use crate::endpoint::postgres::writer::{Connection, Purpose};
use crate::endpoint::{PostgresUrl, ReadColumn, ReadTable};
use crate::error::{Error, Result};
use crate::metadata::home;
use crate::quote::postgres_literal;
use serde::{Deserialize, Serialize};

const UNDOING: Purpose = Purpose { application: "whimbrel rollback", copying: "roll back" };
const OPERATION: &str = "roll back";

/// What is taken back, and how.
#[derive(Debug, Clone)]
pub struct UndoOptions {
    /// The number of the run; the newest without it.
    pub run: Option<i64>,
    /// Whether tables go whose rows have changed since.
    pub force: bool,
    /// How a server is waited for.
    pub patience: Patience,
}

/// What was taken back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Undone {
    /// The database without a password.
    pub target: String,
    /// The number of the run.
    pub run: i64,
    /// What was removed: its kind and its name.
    pub removed: Vec<String>,
    /// What was kept, and why.
    pub kept: Vec<Kept>,
}

/// Something of a run that stays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Kept {
    /// Its kind and its name.
    pub object: String,
    /// Why.
    pub why: String,
}

/// What a run created, as it is remembered.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Created {
    kind: ObjectKind,
    name: String,
}

/// A table of the run.
struct Loaded {
    name: QualifiedName,
    rows: String,
    digest: String,
}

/// Takes a run back.
///
/// # Errors
/// When the database remembers no such run, or it cannot be taken back at all; nothing has changed then.
pub fn undo(url: &PostgresUrl, options: &UndoOptions, cancel: &Cancel) -> Result<Undone> {
    let mut connection = connect(url, UNDOING, &options.patience, cancel)?;
    let label = connection.label().to_owned();
    connection.query(begin(), label)?;
    let (run, created) = remembered(&mut connection, options.run)?;
    let tables = loaded(&mut connection, run)?;
    // Each statement sees what was committed before it; what is locked stays as it is until the end.
    tables.iter().try_for_each(|table| lock(&mut connection, &table.name))?;
    let catalog = introspect_own(&mut connection)?;
    let mut undone = Undone { target: url.to_string(), run, removed: Vec::new(), kept: Vec::new() };
    let mut drops = Vec::new();
    for table in &tables {
        let object = format!("table {}", table.name);
        match (changed(&mut connection, &catalog, table)?, options.force) {
            (None, _) | (Some(Change::Gone), _) => drops.push((object, table.name.clone())),
            (Some(Change::Rows(_)), true) => drops.push((object, table.name.clone())),
            (Some(Change::Rows(why)), false) => undone.kept.push(Kept { object, why }),
        }
    }
    let all_go = undone.kept.is_empty();
    let mut statements = if all_go { others(&mut connection, &created)? } else { Vec::new() };
    let names: Vec<_> = drops.iter().map(|(_, name)| quote_name(name)).collect();
    if all_go && !names.is_empty() {
        // Tables that refer to one another go together.
        statements.push(("tables".to_owned(), format!("DROP TABLE IF EXISTS {}", names.join(", "))));
    }
    statements.extend(drops.into_iter().map(|(object, name)| {
        let sql = format!("DROP TABLE IF EXISTS {}", quote_name(&name));
        (object, sql)
    }));
    execute(&mut connection, statements, &mut undone)?;
    forget(&mut connection, &undone)?;
    let label = connection.label().to_owned();
    connection.query_to_its_end("COMMIT", label)?;
    Ok(undone)
}

fn remembered(connection: &mut Connection, run: Option<i64>) -> Result<(i64, Vec<Created>)> {
    let label = connection.label().to_owned();
    let none = || {
        Error::could_not(OPERATION, &label, "the database remembers no such run")
            .hint("`SELECT run, finished_at, source FROM _whimbrel.runs` lists those that it remembers")
    };
    let there = connection.query("SELECT to_regclass('_whimbrel.runs') IS NOT NULL", &label)?;
    if there.into_iter().flatten().flatten().next().as_deref() != Some("t") {
        return Err(Error::could_not(OPERATION, &label, "the database remembers no run of whimbrel"));
    }
    let rows = connection.query(home::select_run(run), &label)?;
    let Some([Some(run), Some(form), Some(created)]) = rows.first().map(Vec::as_slice) else { return Err(none()) };
    if *form != home::FORM.to_string() {
        let cause = format!("the run has form {form}, this program knows form {}", home::FORM);
        return Err(Error::could_not(OPERATION, &label, cause).hint("use a later whimbrel"));
    }
    let damaged = |error: &dyn std::fmt::Display| {
        Error::differs(OPERATION, &label, format!("what it remembers of the run is not what was written: {error}"))
    };
    let created = serde_json::from_str(created).map_err(|error| damaged(&error))?;
    Ok((run.parse().map_err(|error| damaged(&error))?, created))
}

/// The tables of the run.
fn loaded(connection: &mut Connection, run: i64) -> Result<Vec<Loaded>> {
    let label = connection.label().to_owned();
    let mut tables = Vec::new();
    for row in connection.query(home::select_tables(run), &label)? {
        let [Some(schema), Some(name), Some(rows), Some(digest)] = row.as_slice() else { continue };
        tables.push(Loaded { name: QualifiedName::new(schema, name), rows: rows.clone(), digest: digest.clone() });
    }
    Ok(tables)
}

/// Keeps everybody else from a table, where it is there.
fn lock(connection: &mut Connection, name: &QualifiedName) -> Result<()> {
    let (object, quoted) = (format!("table `{name}`"), quote_name(name));
    let sql = format!("SELECT to_regclass({}) IS NOT NULL", postgres_literal(&quoted));
    let there = connection.query(sql, &object)?;
    if there.into_iter().flatten().flatten().next().as_deref() == Some("t") {
        connection.query(format!("LOCK TABLE {quoted} IN ACCESS EXCLUSIVE MODE"), &object)?;
    }
    Ok(())
}

enum Change {
    /// It is no longer there.
    Gone,
    /// Its rows are not those that were loaded, or cannot be told.
    Rows(String),
}

/// Whether a table is not what was loaded.
fn changed(connection: &mut Connection, catalog: &Catalog, table: &Loaded) -> Result<Option<Change>> {
    let Some(known) = catalog.table(&table.name) else { return Ok(Some(Change::Gone)) };
    let columns = known.columns.iter().filter(|column| column.generated.is_none());
    let columns = columns.map(|column| ReadColumn { name: &column.name, shape: &column.data_type.shape }).collect();
    let request = ReadTable { table: &table.name, only: true, columns, key: &[] };
    let now = digest_of(connection, &request)?;
    let is_same = now.to_string() == table.digest && now.rows.to_string() == table.rows;
    let why = || format!("its rows are not those that were loaded: {} then, {} now", table.rows, now.rows);
    Ok((!is_same).then(|| Change::Rows(why())))
}

/// What the run created besides tables, in the order in which it can go, each with the statement that removes it.
fn others(connection: &mut Connection, created: &[Created]) -> Result<Vec<(String, String)>> {
    let label = connection.label().to_owned();
    let mut statements = Vec::new();
    for Created { kind, name } in created.iter().rev() {
        let (word, query) = match kind {
            ObjectKind::View => ("VIEW", OF_RELATION),
            ObjectKind::MaterializedView => ("MATERIALIZED VIEW", OF_RELATION),
            ObjectKind::Sequence => ("SEQUENCE", OF_RELATION),
            ObjectKind::EnumType | ObjectKind::CompositeType => ("TYPE", OF_TYPE),
            ObjectKind::Domain => ("DOMAIN", OF_TYPE),
            ObjectKind::Function => ("FUNCTION", OF_FUNCTION),
            ObjectKind::Procedure => ("PROCEDURE", OF_FUNCTION),
            ObjectKind::Schema => ("SCHEMA", OF_SCHEMA),
            ObjectKind::Extension => ("EXTENSION", OF_EXTENSION),
            // Everything else goes with its table.
            _ => continue,
        };
        let found = connection.query(format!("{query} = {}", postgres_literal(name)), &label)?;
        let found = found.into_iter().flatten().flatten();
        statements.extend(found.map(|quoted| (format!("{kind} {name}"), format!("DROP {word} IF EXISTS {quoted}"))));
    }
    Ok(statements)
}

const OF_RELATION: &str = "SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname || '.' || c.relname";
const OF_TYPE: &str = "SELECT t.oid::regtype::text FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
    WHERE n.nspname || '.' || t.typname";
const OF_FUNCTION: &str =
    "SELECT f.oid::regprocedure::text FROM pg_proc f JOIN pg_namespace n ON n.oid = f.pronamespace
    WHERE format('%s.%s(%s)', n.nspname, f.proname, pg_get_function_identity_arguments(f.oid))";
const OF_SCHEMA: &str = "SELECT quote_ident(nspname) FROM pg_namespace WHERE nspname";
const OF_EXTENSION: &str = "SELECT quote_ident(extname) FROM pg_extension WHERE extname";

/// Removes one after the other, and what others still need again behind them, as long as that makes any of them go.
fn execute(connection: &mut Connection, statements: Vec<(String, String)>, undone: &mut Undone) -> Result<()> {
    let mut left = statements;
    loop {
        let (mut again, count) = (Vec::new(), left.len());
        for (object, sql) in left {
            let statement = format!("SAVEPOINT whimbrel_undo; {sql}; RELEASE SAVEPOINT whimbrel_undo");
            match connection.query(statement, &object) {
                Ok(_) => undone.removed.push(object),
                Err(error) => {
                    let why = refusal(&error).ok_or(error)?;
                    let undo = "ROLLBACK TO SAVEPOINT whimbrel_undo; RELEASE SAVEPOINT whimbrel_undo";
                    connection.query(undo, &object)?;
                    again.push((object, sql, why));
                }
            }
        }
        if again.is_empty() || again.len() == count {
            let kept = again.into_iter().filter(|(object, ..)| object != "tables");
            undone.kept.extend(kept.map(|(object, _, why)| Kept { object, why }));
            undone.removed.retain(|object| object != "tables");
            return Ok(());
        }
        left = again.into_iter().map(|(object, sql, _)| (object, sql)).collect();
    }
}

/// A run that is taken back whole is forgotten.
fn forget(connection: &mut Connection, undone: &Undone) -> Result<()> {
    if !undone.kept.is_empty() {
        return Ok(());
    }
    let label = connection.label().to_owned();
    connection.query(home::delete_run(undone.run), &label)?;
    let left = connection.query("SELECT count(*) FROM _whimbrel.runs", &label)?;
    if left.into_iter().flatten().flatten().next().as_deref() == Some("0") {
        connection.query(home::DROP, &label)?;
    }
    Ok(())
}
