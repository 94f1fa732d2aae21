//! The digest of a table that the server computes by itself, in the snapshot that the rows are read in.
//!
//! Only three numbers come here. What the wire did to the rows, and what our decoders make of them, has no part in it.
//! Every function and operator is the server's own by its full name; [`TextDigest`] says what is hashed.

use super::Session;
use super::copy::{Frames, quote_name, server_text};
use super::wire::Wire;
use crate::catalog::Shape;
use crate::endpoint::{ReadColumn, ReadTable, TakeHash};
use crate::error::{Error, Kind, Result};
use crate::quote::quote;
use crate::value::TextDigest;

/// A function of the server takes so many arguments at most.
const ARGUMENTS_MAX: usize = 100;

const OPERATION: &str = "ask the server for its own digest of";

/// Asks for the digest of the requested columns.
///
/// # Errors
/// What the server says: a row whose texts together are longer than 1 GB, or a server that has no MD5.
pub fn ask(session: &mut Session, request: &ReadTable<'_>) -> Result<TextDigest> {
    session.ensure_held(request.table)?;
    let object = format!("table `{}`", request.table);
    let is_utf8 = prepare(session, &object)?;
    let sql = format!("SELECT pg_catalog.count(*), {}, {} FROM {}", half(1), half(17), row_hashes(request, is_utf8));
    let rows = session.query_rows_at_length(OPERATION, &object, &sql).map_err(|error| {
        match (error.kind(), error.way_out()) {
            (Kind::CouldNotRun, None) => error.hint("`--verify full` does without the server's own digest"),
            _ => error,
        }
    })?;
    digest(&rows).ok_or_else(|| {
        Error::could_not(OPERATION, &object, "its answer is no digest")
            .hint("the server or the connection is at fault; run again")
    })
}

/// Asks for the hash of each row.
///
/// # Errors
/// As [`ask`]; also what `hash` returns.
pub fn hashes(session: &mut Session, request: &ReadTable<'_>, hash: &mut TakeHash<'_>) -> Result<()> {
    session.ensure_held(request.table)?;
    let object = format!("table `{}`", request.table);
    let is_utf8 = prepare(session, &object)?;
    let sql = format!(
        "COPY (SELECT pg_catalog.decode(hash, 'hex') FROM {}) TO STDOUT (FORMAT binary)",
        row_hashes(request, is_utf8)
    );
    let mut frames = Frames::new(1);
    session.copy_out(&object, &sql, &mut |message| {
        frames.take(message, &mut |fields| {
            let halves = fields.first().copied().flatten().and_then(|field| <[u8; 16]>::try_from(field).ok());
            let halves = halves.map(u128::from_be_bytes).ok_or_else(|| {
                Error::could_not(OPERATION, &object, "a row's hash does not have its form")
                    .hint("the server or the connection is at fault; run again")
            })?;
            hash(((halves >> 64) as i64, halves as i64))
        })
    })?;
    frames.finish()
}

/// Lets the server notice that nobody waits any more, where it can: it says nothing until it has read the whole table.
/// Returns whether texts are UTF-8 there; what has no encoding arrives here as it stands there.
fn prepare(session: &mut Session, object: &str) -> Result<bool> {
    let look = match session.version() >= 140_000 {
        true => {
            ", CASE WHEN pg_catalog.version() OPERATOR(pg_catalog.~*) 'linux|darwin|apple|bsd'
               THEN pg_catalog.set_config('client_connection_check_interval', '2s', true) END"
        }
        false => "",
    };
    let sql = format!("SELECT pg_catalog.current_setting('server_encoding'){look}");
    let rows = session.query_rows(OPERATION, object, &sql)?;
    let encoding = rows.first().and_then(|row| row.first()).and_then(Option::as_deref);
    Ok(matches!(encoding, Some("UTF8" | "SQL_ASCII")))
}

/// A half of a row's hash as a signed integer, summed.
fn half(from: usize) -> String {
    let digits = format!("pg_catalog.concat('x', pg_catalog.substr(hash, {from}, 16))");
    format!("pg_catalog.sum({digits}::pg_catalog.bit(64)::pg_catalog.int8)")
}

fn digest(rows: &[Vec<Option<String>>]) -> Option<TextDigest> {
    let [row] = rows else { return None };
    let [Some(rows), first, second] = row.as_slice() else { return None };
    // A table without rows has no sum.
    let sum = |text: &Option<String>| text.as_deref().map_or(Some(0), |text| text.parse::<i128>().ok());
    Some(TextDigest { rows: rows.parse().ok()?, first: sum(first)?, second: sum(second)? })
}

/// The hashes of the rows, in hexadecimal, as something to select `hash` from.
fn row_hashes(request: &ReadTable<'_>, is_utf8: bool) -> String {
    let texts: Vec<_> = request.columns.iter().enumerate().map(|(place, column)| text_of(place, column)).collect();
    let mut parts: Vec<String> = Vec::with_capacity(3 * texts.len());
    for place in 0..texts.len() {
        let bytes = if is_utf8 { format!("t{place}") } else { format!("pg_catalog.convert_to(t{place}, 'UTF8')") };
        parts.extend([format!("pg_catalog.octet_length({bytes})"), "':'".to_owned(), format!("t{place}")]);
    }
    let row = concat(parts);
    let row = if is_utf8 { row } else { format!("pg_catalog.convert_to({row}, 'UTF8')") };
    // OFFSET 0 keeps the planner from writing an inner expression out wherever it is used: each text is made once.
    format!(
        "(SELECT pg_catalog.md5({row}) AS hash FROM (SELECT {} FROM {}{} OFFSET 0) AS texts OFFSET 0) AS hashes",
        texts.join(", "),
        if request.only { "ONLY " } else { "" },
        quote_name(request.table)
    )
}

/// One column's text under a name of its own. The output function's text is what `concat` takes; a cast goes through a
/// function of its own for some types (inet, boolean, name).
fn text_of(place: usize, column: &ReadColumn<'_>) -> String {
    let name = quote(column.name);
    let text = match Wire::of(column.shape) {
        Wire::Bytes => format!("pg_catalog.md5({name})"),
        Wire::Text if matches!(column.shape.base(), Shape::Text | Shape::VarChar { .. }) => name,
        Wire::PaddedText => {
            format!("CASE WHEN {name} IS NOT NULL THEN pg_catalog.rtrim(pg_catalog.concat({name}), ' ') END")
        }
        Wire::ServerText => server_text(column, &name),
        _ => format!("CASE WHEN {name} IS NOT NULL THEN pg_catalog.concat({name}) END"),
    };
    format!("{text} AS t{place}")
}

/// All parts in one text.
fn concat(mut parts: Vec<String>) -> String {
    while parts.len() > ARGUMENTS_MAX {
        parts = parts.chunks(ARGUMENTS_MAX).map(|chunk| format!("pg_catalog.concat({})", chunk.join(", "))).collect();
    }
    match parts.len() {
        0 => "''::pg_catalog.text".to_owned(),
        _ => format!("pg_catalog.concat({})", parts.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::QualifiedName;

    #[test]
    fn an_answer_that_is_no_digest_is_none() {
        let row = |texts: &[&str]| vec![texts.iter().map(|text| Some((*text).to_owned())).collect::<Vec<_>>()];
        let expected = TextDigest { rows: 2, first: -3, second: 4 };
        assert_eq!(digest(&row(&["2", "-3", "4"])), Some(expected));
        assert_eq!(digest(&[vec![Some("0".into()), None, None]]), Some(TextDigest::default()));
        for wrong in [row(&["2", "-3"]), row(&["2", "x", "4"]), row(&["-2", "3", "4"]), Vec::new()] {
            assert_eq!(digest(&wrong), None);
        }
    }

    #[test]
    fn no_call_has_more_arguments_than_the_server_takes() {
        let name = QualifiedName::new("public", "wide");
        let columns = (0..1600).map(|_| ReadColumn { name: "c", shape: &Shape::Integer }).collect();
        let sql = row_hashes(&ReadTable { table: &name, only: true, columns, key: &[] }, true);
        assert!(sql.contains("FROM ONLY \"public\".\"wide\" OFFSET 0"), "{sql}");
        for call in sql.split("pg_catalog.concat(").skip(1) {
            let mut depth = 1;
            let commas = call.chars().take_while(|character| {
                depth += i32::from(*character == '(') - i32::from(*character == ')');
                depth > 0
            });
            let mut depth = 1;
            let arguments = commas
                .filter(|character| {
                    depth += i32::from(*character == '(') - i32::from(*character == ')');
                    *character == ',' && depth == 1
                })
                .count();
            assert!(arguments < ARGUMENTS_MAX, "{arguments}");
        }
    }
}
