//! What to do about a statement that failed, where the database says what is wrong and not the way out.
//!
//! Told by the server's code and by what the statement is, so that a server in another language is understood, too; a
//! message is only looked into where one code means several things. `tests/schema/hints.rs` follows each hint and sees
//! the migration run.

use sqlx::error::DatabaseError;

use super::rights::Roles;
use super::tokens::Statement;
use crate::Error;

/// What is put outside a transaction, on either database.
const NO_TRANSACTION: &str = "put it into a migration of its own with `-- whimbrel: no-transaction` in the header";

/// Adds the way out to the error of a statement on PostgreSQL, where it has none.
pub(super) fn on_postgres(told: Error, error: &sqlx::Error, statement: &Statement) -> Error {
    let Some(server) = error.as_database_error() else { return told };
    if hides_rows(server) {
        return told.hint(HIDDEN_ROWS);
    }
    match (told.way_out(), of_postgres(server.code().as_deref().unwrap_or_default(), server.message(), statement)) {
        (None, Some(hint)) => told.hint(hint),
        _ => told,
    }
}

/// What to do where row-level security would hide rows from a script.
const HIDDEN_ROWS: &str = "a migration is for all rows: run it as a role that sees them (BYPASSRLS), or put `ALTER TABLE … NO FORCE \
     ROW LEVEL SECURITY` before the statement and FORCE behind it; `SET LOCAL row_security = on` in the script takes only \
     the rows that the policies show";

/// Whether the server has refused a statement because row-level security would hide rows from it.
fn hides_rows(error: &dyn DatabaseError) -> bool {
    let server = error.try_downcast_ref::<sqlx::postgres::PgDatabaseError>();
    server.is_some_and(|error| error.code() == "42501" && error.routine() == Some("check_enable_rls"))
}

fn of_postgres(code: &str, message: &str, statement: &Statement) -> Option<String> {
    let hint = match code {
        // A value of an enum that this transaction has added.
        "55P04" => "put `ALTER TYPE … ADD VALUE` into a migration of its own, before the one that uses the new value",
        "55006" if message.contains("pending trigger events") => {
            "write `SET CONSTRAINTS ALL IMMEDIATE;` before this statement, so that what was put off is checked first; or \
             put the statement into a migration of its own"
        }
        "25001" | "2D000" => NO_TRANSACTION,
        "42501" => {
            return Some(
                "connect as the role that owns the object, or have its owner grant you the right (to create in a \
                 schema: `GRANT CREATE ON SCHEMA … TO …`)"
                    .to_owned(),
            );
        }
        "57014" if message.contains("statement timeout") => {
            "write `SET LOCAL statement_timeout = 0;` at the top of the script, for the migration alone"
        }
        "23502" if statement.starts_with(&["ALTER", "TABLE"]) => {
            "give the column a DEFAULT, or fill it with UPDATE before it becomes NOT NULL"
        }
        "42704" | "42883" | "0A000" | "58P01" => return missing_object(code, statement),
        _ => return None,
    };
    Some(hint.to_owned())
}

/// What is not there: a role, an extension, or what an extension would bring.
fn missing_object(code: &str, statement: &Statement) -> Option<String> {
    if code == "42704" && Roles::of(statement).is_some() {
        return Some(
            "make the role first, on the server (`CREATE ROLE … NOLOGIN`), or leave out whose rights these are: \
             `pg_dump --no-owner --no-privileges` writes none"
                .to_owned(),
        );
    }
    if statement.starts_with(&["CREATE", "EXTENSION"]) {
        return Some(
            "install it where the server runs; `SELECT name FROM pg_available_extensions` lists what this server has"
                .to_owned(),
        );
    }
    let extension = statement.tokens().find_map(|token| {
        let name = token.unquoted().to_lowercase();
        BROUGHT_BY.iter().find(|(_, names)| names.contains(&name.as_str())).map(|(extension, _)| extension)
    })?;
    Some(format!(
        "write `CREATE EXTENSION IF NOT EXISTS \"{extension}\";` before it, and see that its schema is in the search path"
    ))
}

/// What extensions bring that schemas use most, each with its extension.
const BROUGHT_BY: [(&str, &[&str]); 10] = [
    ("citext", &["citext"]),
    ("hstore", &["hstore"]),
    ("ltree", &["ltree", "lquery"]),
    ("cube", &["cube"]),
    ("pg_trgm", &["gin_trgm_ops", "gist_trgm_ops", "similarity", "word_similarity"]),
    ("uuid-ossp", &["uuid_generate_v1", "uuid_generate_v1mc", "uuid_generate_v4", "uuid_generate_v5"]),
    ("pgcrypto", &["gen_random_bytes", "crypt", "digest", "gen_salt", "hmac"]),
    ("unaccent", &["unaccent"]),
    ("postgis", &["geometry", "geography", "st_makepoint", "st_setsrid"]),
    ("vector", &["vector", "halfvec", "sparsevec", "vector_cosine_ops", "vector_l2_ops", "vector_ip_ops"]),
];

/// Adds the way out to the error of a statement on SQLite, or of a look at foreign keys, where it has none.
pub(super) fn on_sqlite(told: Error, statement: Option<&Statement>) -> Error {
    match (told.way_out(), of_sqlite(told.cause(), statement)) {
        (None, Some(hint)) => told.hint(hint),
        _ => told,
    }
}

fn of_sqlite(cause: &str, statement: Option<&Statement>) -> Option<String> {
    const REBUILD: &str = "make the new table under another name, copy the rows, drop the old one, rename the new one";
    let is_alter = statement.is_some_and(|statement| statement.starts_with(&["ALTER", "TABLE"]));
    let says = |words: &str| cause.contains(words);
    let hint = if says("foreign key mismatch") {
        "what a foreign key refers to has to be the PRIMARY KEY or UNIQUE: make a unique index over exactly these columns, \
         `CREATE UNIQUE INDEX … ON parent(columns)`"
    } else if says("within a transaction") {
        NO_TRANSACTION
    } else if says("no such module") {
        "fts3, fts4, fts5 and rtree are built in (`SELECT name FROM pragma_module_list`); a module that the application loads \
         is there where the application runs the migration, by `Runner::on_connection`"
    } else if says("no such function") || says("no such collation sequence") {
        "what the application defines is there where the application runs the migration, by `Runner::on_connection`"
    } else if says("table is locked") || says("schema is locked") {
        "another connection of this process that shares its cache is using it: end its statements and its transaction first"
    } else if says("Cannot add a NOT NULL column with default value NULL") {
        "give the column a DEFAULT that is not NULL, or rebuild the table"
    } else if says("Cannot add a UNIQUE column") {
        "add the column without UNIQUE, then `CREATE UNIQUE INDEX … ON table(column)`"
    } else if says("Cannot add a PRIMARY KEY column") || says("Cannot add a column with non-constant default") {
        REBUILD
    } else if is_alter && says("syntax error") {
        "ALTER TABLE of SQLite renames, and adds or drops a column; for anything else rebuild the table: make the new one under \
         another name, copy the rows, drop the old one, rename the new one"
    } else {
        return None;
    };
    Some(hint.to_owned())
}
