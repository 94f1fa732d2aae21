//! Checks of a given schema that refuse NULL in older versions of SQLite.
//!
//! `CHECK (json_valid(c))` takes NULL since 3.42, where `json_valid(NULL)` is NULL; before that it is 0, so that rows which one
//! version has written are damage to another. `c IS NULL OR json_valid(c)` says the same to all of them.

use super::given::TargetTable;
use sqlparser::dialect::SQLiteDialect;
use sqlparser::tokenizer::{Token, Tokenizer};

/// The columns of a table that may be NULL and have to be JSON, where nothing in its definition says what NULL is.
pub(super) fn columns(table: &TargetTable) -> Vec<&str> {
    let Ok(tokens) = Tokenizer::new(&SQLiteDialect {}, &table.sql).tokenize() else { return Vec::new() };
    let words: Vec<String> = tokens.into_iter().filter_map(word).collect();
    let says = |parts: &[&str]| words.windows(parts.len()).any(|window| window == parts);
    let mut found = Vec::new();
    for column in table.columns.iter().filter(|column| !column.not_null) {
        let name = column.name.to_lowercase();
        let is_asked = says(&["json_valid", "(", &name, ")"]);
        let is_told = says(&[&name, "is", "null"])
            || says(&[&name, "is", "not", "null"])
            || ["ifnull", "coalesce"].iter().any(|call| says(&[call, "(", "json_valid", "(", &name, ")"]));
        if is_asked && !is_told {
            found.push(column.name.as_str());
        }
    }
    found
}

/// What a token is for a comparison without regard to case; nothing for what stands between tokens.
fn word(token: Token) -> Option<String> {
    match token {
        Token::Whitespace(_) => None,
        Token::Word(word) => Some(word.value.to_lowercase()),
        other => Some(other.to_string()),
    }
}
