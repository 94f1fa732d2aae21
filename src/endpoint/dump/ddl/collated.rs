//! Which collation an expression of an index has: the server writes none where it follows from the columns.

use super::database::{Database, Relation};
use super::definition::Name;
use super::name::identifier;

/// The server's functions that make a text of a text, which then has the collation of what it was made of.
const TEXT_TO_TEXT: &[&str] = &[
    "btrim",
    "coalesce",
    "greatest",
    "initcap",
    "least",
    "left",
    "lower",
    "lpad",
    "ltrim",
    "md5",
    "normalize",
    "nullif",
    "overlay",
    "regexp_replace",
    "regexp_substr",
    "repeat",
    "replace",
    "reverse",
    "right",
    "rpad",
    "rtrim",
    "split_part",
    "substr",
    "substring",
    "translate",
    "upper",
];

impl Database {
    /// The collation of an expression, where it is not the database's own.
    pub(super) fn expression_collation(&self, relation: &Relation, expression: &str) -> Option<String> {
        let (words, collations) = words(expression);
        if let Some(name) = collations.into_iter().next_back() {
            return Some(self.collation_name(&name, &relation.path)).filter(|name| name != "pg_catalog.default");
        }
        if !is_text(expression) {
            return None;
        }
        let columns = words.iter().filter_map(|word| relation.column(word));
        columns.filter_map(|column| self.column_collation(column)).next()
    }
}

/// What an expression or a query says behind COLLATE.
pub(super) fn collations_in(text: &str) -> Vec<Name> {
    if text.contains("COLLATE") { words(text).1 } else { Vec::new() }
}

/// The names in an expression, and those behind COLLATE.
fn words(expression: &str) -> (Vec<String>, Vec<Name>) {
    let (mut words, mut collations) = (Vec::new(), Vec::new());
    let mut rest = expression;
    while let Some(sign) = rest.chars().next() {
        if sign == '\'' {
            // A doubled quote ends and begins a constant: nothing changes.
            rest = rest[1..].split_once('\'').map_or("", |(_, behind)| behind);
        } else if let Some((word, behind)) = identifier(rest) {
            rest = behind;
            if word == "collate" && sign != '"' {
                let name = rest.trim_start();
                let end = name.find([')', ' ', ',', '\n']).unwrap_or(name.len());
                collations.extend(Name::parse(&name[..end]));
            } else {
                words.push(word);
            }
        } else {
            rest = &rest[sign.len_utf8()..];
        }
    }
    (words, collations)
}

/// Whether it is a call that gives a text.
pub(super) fn is_text_call(expression: &str) -> bool {
    identifier(expression)
        .is_some_and(|(name, behind)| behind.starts_with('(') && TEXT_TO_TEXT.contains(&name.as_str()))
}

/// Whether the expression is known to give a text.
fn is_text(expression: &str) -> bool {
    let mut inside = expression.trim();
    while let Some(inner) = inside.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) {
        inside = inner.trim();
    }
    is_text_call(inside) || inside.ends_with("::text") || inside.contains(" || ")
}
