//! What a failure of the connection or of the server means for people: a cause in plain words, and the way out.

use super::address::EnvironmentMistake;
use crate::endpoint::PostgresUrl;
use crate::error::{Error, Result, chain};
use crate::redact::{ESCAPES, is_ambiguous};
use sqlx::error::DatabaseError;
use sqlx::postgres::{PgDatabaseError, PgErrorPosition};
use std::fmt;
use std::io;
use std::num::ParseIntError;

/// Tells an error of `sqlx` as operation, object, cause and hint.
pub(crate) fn explain(operation: &str, object: impl fmt::Display, error: &sqlx::Error) -> Error {
    let (cause, hint) = match error {
        sqlx::Error::Database(error) => explain_server(error.as_ref()),
        sqlx::Error::Io(error) => explain_connection(error),
        sqlx::Error::Tls(error) => explain_tls(&error.to_string()),
        sqlx::Error::Configuration(error) if error.is::<ParseIntError>() => {
            ("the URL is not valid: there is no number where the port would be".to_owned(), Some(ESCAPES))
        }
        sqlx::Error::Configuration(error) => (format!("the URL is not valid: {error}"), Some(ESCAPES)),
        sqlx::Error::Protocol(what) => (
            format!("the server sent a message that is not of its protocol: {what}"),
            Some(
                "the connection damages what it carries, or no PostgreSQL answers there: `?sslmode=require` guards it; run again",
            ),
        ),
        error => (chain(error), None),
    };
    let told = Error::could_not(operation, object, cause);
    match hint {
        Some(hint) => told.hint(hint),
        None => told,
    }
}

/// Codes whose hint in [`explain`] is for somebody who reads a database in order to copy it.
const HINTS_FOR_READERS: [&str; 7] = ["42501", "53200", "40001", "22021", "42P01", "XX000", "57014"];

/// As [`explain`], for statements of somebody else or that write.
pub(crate) fn explain_statement(operation: &str, object: impl fmt::Display, error: &sqlx::Error) -> Error {
    let explained = explain(operation, object, error);
    let code = error.as_database_error().and_then(|error| error.code());
    if code.is_some_and(|code| HINTS_FOR_READERS.contains(&code.as_ref())) {
        return Error::could_not(operation, explained.object(), explained.cause());
    }
    explained
}

/// As [`crate::error::Context`], for what `sqlx` returns of statements.
pub(crate) trait Explained<T> {
    /// Tells what could not be done, and to what, as [`explain_statement`] does.
    fn could_not(self, operation: &str, object: impl fmt::Display) -> Result<T>;
}

impl<T> Explained<T> for sqlx::Result<T> {
    fn could_not(self, operation: &str, object: impl fmt::Display) -> Result<T> {
        self.map_err(|error| explain_statement(operation, object, &error).because(error))
    }
}

/// What the server says, with its detail and hint.
pub(crate) fn server_message(error: &sqlx::Error) -> String {
    let Some(error) = error.as_database_error() else {
        return explain("", "", error).cause().to_owned();
    };
    let mut text = error.message().to_owned();
    if let Some(server) = error.try_downcast_ref::<PgDatabaseError>() {
        // Which row of a COPY it was.
        let row = server.r#where().filter(|place| place.starts_with("COPY ") && !place.contains('\n'));
        for more in [server.detail(), server.hint(), row].into_iter().flatten() {
            text.push_str("; ");
            text.push_str(more);
        }
    }
    text
}

/// What the server says where it refused a statement; `None` where it was no server that failed, or it was not asked.
pub(crate) fn refusal(error: &Error) -> Option<String> {
    let error = std::error::Error::source(error)?.downcast_ref::<sqlx::Error>()?;
    error.as_database_error()?;
    Some(server_message(error))
}

/// In which line of the statements that were sent a mistake is, counted from 0, where the server says so.
pub(crate) fn line_of_mistake(error: &sqlx::Error, sql: &str) -> Option<usize> {
    let error = error.as_database_error()?.try_downcast_ref::<PgDatabaseError>()?;
    let PgErrorPosition::Original(character) = error.position()? else { return None };
    let before = sql.char_indices().nth(character.saturating_sub(1)).map_or(sql.len(), |(at, _)| at);
    Some(sql[..before].matches('\n').count())
}

/// As [`explain`], for an attempt to connect: the server repeats what it was sent, which nobody else has to see.
pub(super) fn explain_connecting(url: &PostgresUrl, error: &sqlx::Error) -> Error {
    if let Some(told) = explain_environment(format!("`{url}`"), error) {
        return told;
    }
    let told = explain("connect to", format!("`{url}`"), error);
    let without_secrets = Error::could_not("connect to", told.object(), url.without_secrets(told.cause()));
    match told.way_out() {
        // What was looked up or sent may be a piece of a password.
        _ if is_ambiguous(url.secret()) => without_secrets.hint(ESCAPES),
        Some(hint) if is_wrong_password(error) && url.has_password() => {
            without_secrets.hint(format!("{hint}; {ESCAPES}"))
        }
        Some(hint) if is_wrong_password(error) && std::env::var_os("PGPASSWORD").is_none() => without_secrets
            .hint(format!("no password was given, unless a line of `~/.pgpass` is for this server: {hint}")),
        Some(hint) => without_secrets.hint(hint),
        None => without_secrets,
    }
}

/// What is told where a variable of this process is at fault.
fn explain_environment(object: impl fmt::Display, error: &sqlx::Error) -> Option<Error> {
    let sqlx::Error::Configuration(error) = error else { return None };
    let mistake = error.downcast_ref::<EnvironmentMistake>()?;
    Some(Error::usage("connect to", object, &mistake.cause).hint(mistake.hint.clone()))
}

fn is_wrong_password(error: &sqlx::Error) -> bool {
    error.as_database_error().and_then(|error| error.code()).as_deref() == Some("28P01")
}

/// Who ended a statement: the server says so in its message only.
fn ended(message: &str) -> &'static str {
    match message.contains("due to statement timeout") {
        true => {
            "`statement_timeout` ended it: leave it out or raise it in the URL's `options`, in PGOPTIONS, or for the role or \
             the database (0 is no limit)"
        }
        false => "somebody cancelled the statement on the server; start again",
    }
}

fn explain_server(error: &dyn DatabaseError) -> (String, Option<&'static str>) {
    let message = error.message();
    let code = error.code().unwrap_or_default();
    let hint = match code.as_ref() {
        "28P01" => Some(
            "check the user and the password: in the URL, in PGPASSWORD or in ~/.pgpass (PGPASSFILE), which nobody else may read",
        ),
        "28000" if message.contains("no encryption") || message.contains("SSL off") => Some(
            "the server does not let this user in from here without TLS: try `?sslmode=require`, or ask its administrator",
        ),
        "28000" if message.contains("pg_hba.conf") => {
            Some("the server's pg_hba.conf does not let this user in from here; ask its administrator")
        }
        "28000" => Some("check the user in the URL; where it names none, it is PGUSER, else who runs this program"),
        "3D000" => Some("check the database's name at the end of the URL; `psql -l` lists them"),
        "42501" if message.contains("row-level security") => {
            Some("a policy would hide rows: connect as the table's owner or as a role with BYPASSRLS")
        }
        "42501" => Some(
            "grant SELECT on it to this role (to fill it INSERT, and USAGE on its schema), connect as another role, or \
             exclude it",
        ),
        "53300" => Some("the server has no connection left; try again later or raise max_connections"),
        "53200" if message.contains("shared memory") => {
            Some("every table is locked against being emptied while it is read: raise max_locks_per_transaction")
        }
        // A row of COPY is one message, and a message one piece of the server's memory.
        "54000" if message.contains("out of memory") => Some(
            "the server cannot send a row of more than 1 GiB: leave one of its large columns out under `drop`, or the \
             table with `--exclude-table`",
        ),
        "53200" | "53100" => Some("the server ran out of memory or disk; see its log"),
        "57P03" => Some("the server is starting, stopping or recovering; try again in a moment"),
        "57P01" | "57P02" => Some("the server was stopped or the connection terminated; start again once it is back"),
        "57014" => Some(ended(message)),
        "40001" if message.contains("recovery") => Some(
            "the standby had to discard what was being read: raise max_standby_streaming_delay or read the primary",
        ),
        "22021" => Some(
            "the database's encoding does not say what its bytes mean; convert the value in the source, or leave its \
             column out under `drop`",
        ),
        "42P01" | "XX000" => Some("it may have been dropped or changed meanwhile; start again"),
        _ => None,
    };
    let mut cause = if code.is_empty() { message.to_owned() } else { format!("{message} (SQLSTATE {code})") };
    // The statement does not show what a trigger or a function did for it.
    let context = error.try_downcast_ref::<PgDatabaseError>().and_then(PgDatabaseError::r#where).unwrap_or_default();
    if let Some(function) = context.lines().find(|line| line.starts_with("PL/") || line.starts_with("SQL function")) {
        cause.push_str(&format!(", in {function}"));
    }
    // 42883, 42P01, 42704: it finds no function, table or type; ours have their schema with them.
    let hint = match matches!(code.as_ref(), "42883" | "42P01" | "42704") && context.contains("SQL function") {
        true => Some(
            "an index, a generated column or statistics of the table call that function, which names something without its schema, \
             and the search path is pinned: `ALTER FUNCTION … SET search_path = …` makes it sound wherever it runs, or exclude \
             the table",
        ),
        false => hint,
    };
    (cause, hint)
}

fn explain_connection(error: &io::Error) -> (String, Option<&'static str>) {
    match error.kind() {
        io::ErrorKind::UnexpectedEof
        | io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe => (
            "the connection to the server was cut".to_owned(),
            Some("see the server's log, and whether something between here and there ends long connections"),
        ),
        io::ErrorKind::ConnectionRefused => (
            "nothing listens there (connection refused)".to_owned(),
            Some("check host and port in the URL, and that the server is running"),
        ),
        io::ErrorKind::NotFound => (
            format!("the server's socket was not found: {error}"),
            Some("check the socket's directory in the URL, and that the server is running"),
        ),
        io::ErrorKind::TimedOut | io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => (
            format!("the server cannot be reached: {error}"),
            Some("check host and port in the URL, the network and the firewall"),
        ),
        _ => (format!("the server cannot be reached: {}", chain(error)), Some("check host and port in the URL")),
    }
}

fn explain_tls(message: &str) -> (String, Option<&'static str>) {
    if message.contains("does not support TLS") {
        return (
            "the server has no TLS, and the URL asks for it".to_owned(),
            Some("say `?sslmode=disable` or `?sslmode=prefer`, or turn `ssl` on at the server"),
        );
    }
    (
        format!("no TLS connection: {message}"),
        Some("check `sslmode` and `sslrootcert` in the URL against the server's certificate"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_told_from_somebody_who_cancels() {
        assert!(ended("canceling statement due to statement timeout").starts_with("`statement_timeout`"));
        assert!(ended("canceling statement due to user request").starts_with("somebody"));
    }

    #[test]
    fn a_password_in_pieces_is_told_how_to_be_written() {
        for text in
            ["postgres://ann:pa/hush@host/app", "postgres://ann:pa/#hush@host/app", "postgres://ann:1/hush@host/app"]
        {
            let url = PostgresUrl::parse(text).unwrap();
            let error = match super::super::address::connect_options(url.secret()) {
                Err(error) => error,
                Ok(_) => sqlx::Error::Io(io::Error::other("failed to lookup address")),
            };
            let told = explain_connecting(&url, &error);
            assert!(told.way_out().unwrap().contains("`%2F`") && !format!("{told:?}").contains("hush"), "{told:?}");
        }
    }

    #[test]
    fn a_cut_connection_is_named() {
        let cut = sqlx::Error::Io(io::Error::new(io::ErrorKind::UnexpectedEof, "expected to read 5 bytes"));
        let error = explain("read table", "`public.film`", &cut);
        assert_eq!(error.to_string(), "read table `public.film`: the connection to the server was cut");
        assert!(error.way_out().is_some());
    }
}
