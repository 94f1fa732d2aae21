//! In what two definitions of a SQLite table differ: column by column, constraint by constraint.

use super::super::tokens::{Dialect, Token, compared, scan};

/// A definition, taken apart.
struct Parts {
    /// Columns and constraints, in order.
    entries: Vec<Entry>,
    /// What stands behind the parentheses: STRICT, WITHOUT ROWID.
    options: Entry,
}

/// One column or constraint.
#[derive(Clone, Default)]
struct Entry {
    /// As it is written, in one line.
    text: String,
    /// Its tokens, as they are compared.
    tokens: Vec<String>,
    is_constraint: bool,
}

impl Entry {
    fn name(&self) -> Option<&str> {
        self.tokens.first().filter(|_| !self.is_constraint).map(String::as_str)
    }
}

/// The differences of two tables, one sentence each; nothing where a definition is not one that lists its columns.
pub(super) fn differences(expected: &str, found: &str) -> Option<Vec<String>> {
    let (expected, found) = (parts(expected)?, parts(found)?);
    let mut told = Vec::new();
    for entry in &expected.entries {
        let same = |other: &&Entry| match entry.name() {
            Some(name) => other.name() == Some(name),
            None => other.tokens == entry.tokens,
        };
        match found.entries.iter().find(same) {
            None => told.push(format!("`{}` is missing", entry.text)),
            Some(other) if other.tokens != entry.tokens => {
                told.push(format!("`{}` should be `{}`", other.text, entry.text));
            }
            Some(_) => {}
        }
    }
    for entry in &found.entries {
        let is_known = expected.entries.iter().any(|other| match entry.name() {
            Some(name) => other.name() == Some(name),
            None => other.tokens == entry.tokens,
        });
        if !is_known {
            told.push(format!("no migration makes `{}`", entry.text));
        }
    }
    if expected.options.tokens != found.options.tokens {
        let named =
            |entry: &Entry| if entry.text.is_empty() { "nothing".to_owned() } else { format!("`{}`", entry.text) };
        told.push(format!("{} stands behind it and not {}", named(&found.options), named(&expected.options)));
    }
    if told.is_empty() {
        told.push("its columns stand in another order".to_owned());
    }
    Some(told)
}

fn parts(definition: &str) -> Option<Parts> {
    let scan = scan(definition, Dialect::Sqlite).ok()?;
    let statement = scan.statements.first()?;
    if !statement.starts_with(&["CREATE", "TABLE"]) {
        return None;
    }
    let tokens: Vec<Token<'_>> = statement.tokens().collect();
    let open = tokens.iter().position(|token| token.text == "(")?;
    let (mut entries, mut current, mut depth, mut place) = (Vec::new(), Vec::new(), 1_usize, open + 1);
    while depth > 0 {
        let token = tokens.get(place)?;
        match token.text {
            "(" => depth += 1,
            ")" => depth -= 1,
            _ => {}
        }
        match (token.text, depth) {
            (",", 1) | (_, 0) => entries.push(entry(statement.text(), &std::mem::take(&mut current))),
            _ => current.push(*token),
        }
        place += 1;
    }
    Some(Parts { entries, options: entry(statement.text(), &tokens[place..]) })
}

fn entry(text: &str, tokens: &[Token<'_>]) -> Entry {
    let (Some(first), Some(last)) = (tokens.first(), tokens.last()) else { return Entry::default() };
    let at = |token: &Token<'_>| token.text.as_ptr() as usize - text.as_ptr() as usize;
    let written = one_line(&text[at(first)..at(last) + last.text.len()]);
    let words: Vec<&str> = tokens.iter().map(|token| token.text).collect();
    // A comment between the tokens would swallow the rest of the line.
    let has_comment = written.contains("--") || written.contains("/*");
    Entry {
        text: if has_comment { words.join(" ") } else { written },
        tokens: tokens.iter().map(|token| compared(token, Dialect::Sqlite).1).collect(),
        is_constraint: ["CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN"].iter().any(|word| first.is(word)),
    }
}

/// A definition on one line.
pub(super) fn one_line(definition: &str) -> String {
    definition.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_difference_names_its_column_or_constraint() {
        let expected = "CREATE TABLE t (\n  id INTEGER PRIMARY KEY, -- the key\n  a TEXT NOT NULL CHECK (a IN ('x', 'y')),\n  b, \
                        UNIQUE (a, b)\n) STRICT";
        let told = |found: &str| differences(expected, found).unwrap().join("\n");
        assert_eq!(
            told("CREATE TABLE t(id INTEGER PRIMARY KEY, A text not null, c DEFAULT 'q', CHECK (c > 1))"),
            "`A text not null` should be `a TEXT NOT NULL CHECK (a IN ('x', 'y'))`\n`b` is missing\n`UNIQUE (a, b)` is missing\n\
             no migration makes `c DEFAULT 'q'`\nno migration makes `CHECK (c > 1)`\nnothing stands behind it and not `STRICT`"
        );
        assert_eq!(
            told(
                "CREATE TABLE t(id INTEGER PRIMARY KEY, b, a TEXT NOT NULL CHECK(a IN ('x','y')), unique(a,b)) strict"
            ),
            "its columns stand in another order"
        );
        assert!(told("CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT NOT NULL CHECK (a IN ('X', 'y')), b, UNIQUE (a, b)) STRICT")
            .contains("('X', 'y')"));
        assert_eq!(differences("CREATE VIRTUAL TABLE f USING fts5(a)", expected), None);
    }
}
