//! Migration scripts: the statements are pieces of the text, and between them there is nothing that would be run.

use crate::words::text;
use std::sync::Arc;
use whimbrel::schema::{Dialect, Script, checksum, scan};

const WORDS: &[&str] = &[
    "CREATE",
    "TABLE",
    "TRIGGER",
    "TEMP",
    "BEGIN",
    "END",
    "END;",
    ";",
    "CASE",
    "ATOMIC",
    "FUNCTION",
    "PROCEDURE",
    "SELECT",
    "INSERT INTO",
    "DROP",
    "ALTER",
    "PRAGMA",
    "foreign_keys",
    "user_version",
    "=",
    "(",
    ")",
    "'",
    "''",
    "\"",
    "`",
    "[",
    "]",
    "$$",
    "$a$",
    "$1",
    "E'",
    "\\'",
    "X'",
    "U&\"",
    "--",
    "-- whimbrel:",
    "loses",
    "lossy",
    "lossless",
    "irreversible",
    "no-transaction",
    "/*",
    "*/",
    "\n",
    "\r",
    "\r\n",
    "\0",
    "\u{feff}",
    "é",
    "COPY",
    "FROM STDIN",
    "FROM STDIN;\n",
    "1\t\\N\n",
    "\\.\n",
    "\\restrict k\n",
    "\\i",
    ":a",
    "::",
    "COMMIT",
    "ROLLBACK",
    "VACUUM",
    "ATTACH",
    "CONCURRENTLY",
    "REINDEX",
    "START TRANSACTION",
    "PREPARE",
    "DO",
    "\u{a0}",
    "\u{2028}",
    "schema_migrations",
];

fn check(text: &str, dialect: Dialect) {
    let text: Arc<str> = Arc::from(text);
    let _ = Script::parse("0001_a.up.sql", Arc::clone(&text), dialect);
    let Ok(found) = scan(Arc::clone(&text), dialect) else { return };
    let mut end = 0;
    let mut pieces: Vec<(usize, usize)> = Vec::new();
    for statement in &found.statements {
        // They share the script's text, so that their place in it is known.
        let start = statement.text().as_ptr() as usize - text.as_ptr() as usize;
        assert!(start >= end, "statements overlap");
        pieces.push((end, start));
        end = start + statement.text().len();
        assert_eq!(statement.line() as usize, 1 + text[..start].matches('\n').count());
        let tokens: Vec<_> = statement.tokens().collect();
        assert!(statement.text().starts_with(tokens[0].text), "it begins with its first token");
        assert!(statement.text().ends_with(tokens[tokens.len() - 1].text), "it ends with its last token");
        for token in &tokens {
            let _ = token.unquoted();
        }
        // By itself it is the same, with the rows below it where it has some.
        let mut whole = statement.text().to_owned();
        if let Some(rows) = statement.rows() {
            let start = rows.as_ptr() as usize - text.as_ptr() as usize;
            assert!(text[end..start].contains(';') && text[end..start].ends_with('\n'), "they begin on the next line");
            assert!(rows.is_empty() || rows.ends_with('\n'), "whole rows");
            end = start + rows.len();
            let last = text[end..].split_inclusive('\n').next().expect("a line `\\.`");
            assert_eq!(last.trim_end(), "\\.");
            end += last.len();
            whole += &format!(";\n{rows}\\.\n");
        }
        let alone = scan(whole, dialect).expect("it was read before");
        assert_eq!(alone.statements.len(), 1, "{:?}", statement.text());
        assert_eq!(alone.statements[0].text(), statement.text());
        assert_eq!(alone.statements[0].rows(), statement.rows());
    }
    pieces.push((end, text.len()));
    if text.contains("\\c") {
        // `\connect` leaves out what is said of the database before it.
        return;
    }
    for (start, end) in pieces {
        let between = scan(&text[start..end], dialect).expect("it was read before");
        assert!(between.statements.is_empty(), "left out: {:?}", &text[start..end]);
    }
}

/// Any text under both dialects.
pub fn scripts(bytes: &[u8]) {
    let text = text(bytes, WORDS);
    check(&text, Dialect::Sqlite);
    check(&text, Dialect::Postgres);
    if !text.contains('\r') {
        assert_eq!(checksum(&text), checksum(&text.replace('\n', "\r\n")), "line ends do not count");
    }
}
