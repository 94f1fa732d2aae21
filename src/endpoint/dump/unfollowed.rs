//! Statements that are not understood, and change rows or the tables that hold them: what the dump means is then not known.
//!
//! Of what is not understood most is harmless: an operator class, a comment, a right. What may have changed a row stops the
//! reader, with its line; so does every word that is not known to be harmless.

use super::head::resolve;
use super::statement::Statement;
use super::tokens::{Token, Tokens};
use crate::catalog::QualifiedName;

const CHANGES: &str = "it changes rows or tables in a way that is not followed here";
/// Statements that leave rows and tables as they are.
const HARMLESS: [&str; 26] = [
    "analyze",
    "begin",
    "checkpoint",
    "close",
    "cluster",
    "comment",
    "commit",
    "deallocate",
    "discard",
    "end",
    "fetch",
    "grant",
    "listen",
    "load",
    "lock",
    "notify",
    "reassign",
    "refresh",
    "reindex",
    "release",
    "reset",
    "revoke",
    "savepoint",
    "security",
    "set",
    "show",
];
/// What may be altered without changing a row.
const WITH_ROWS: [&str; 6] = ["table", "foreign", "type", "domain", "schema", "materialized"];
/// What stands behind ADD and DROP where it is no column or field.
const NO_COLUMN: [&str; 12] = [
    "check",
    "constraint",
    "default",
    "exclude",
    "foreign",
    "generated",
    "identity",
    "not",
    "primary",
    "unique",
    "value",
    "null",
];

/// Why a statement that is not understood stops the reader; `None` where it is harmless.
pub(super) fn cause(statement: &Statement, is_defined: impl Fn(&QualifiedName) -> bool) -> Option<&'static str> {
    let mut tokens = Tokens::new(&statement.text, statement.settings.backslash_escapes);
    let Some(Token::Word(first)) = tokens.word() else { return Some(CHANGES) };
    match &*first {
        word if HARMLESS.contains(&word) => None,
        "start" | "unlisten" | "vacuum" => None,
        "create" => creates(tokens, statement, is_defined),
        "alter" => alters(tokens).then_some(CHANGES),
        "drop" => drops(tokens).then_some(CHANGES),
        "select" => calls(tokens).then_some("it may change rows, which only a server could tell"),
        // The server's own catalog has no rows that a dump carries.
        "update" if is_of_server(&mut tokens) => None,
        "delete" if tokens.keyword("from") && is_of_server(&mut tokens) => None,
        _ => Some(CHANGES),
    }
}

/// Whether a statement takes something away.
pub(super) fn is_drop(statement: &Statement) -> bool {
    statement.text.get(..4).is_some_and(|word| word.eq_ignore_ascii_case("drop"))
}

fn is_of_server(tokens: &mut Tokens<'_>) -> bool {
    tokens.keyword("only");
    tokens.qualified().is_some_and(|(schema, _)| schema.as_deref() == Some("pg_catalog"))
}

fn creates(
    mut tokens: Tokens<'_>,
    statement: &Statement,
    is_defined: impl Fn(&QualifiedName) -> bool,
) -> Option<&'static str> {
    if tokens.keyword("temp") || tokens.keyword("temporary") {
        return None;
    }
    while ["global", "local", "unlogged", "foreign"].iter().any(|word| tokens.keyword(word)) {}
    if !tokens.keyword("table") {
        return None;
    }
    let may_exist = tokens.keyword("if");
    if may_exist {
        tokens.keyword("not");
        tokens.keyword("exists");
    }
    let name = resolve(tokens.qualified()?, &statement.settings);
    let has_list = tokens.names().is_none_or(|names| names.is_some());
    if !may_exist && is_defined(&name) {
        return Some("the table is defined already");
    }
    (tokens.keyword("as") || (has_list && words(tokens).any(|word| word == "as"))).then_some(CHANGES)
}

/// Whether ALTER changes what columns a table has, of what type, under which name, or whose rows it has.
fn alters(tokens: Tokens<'_>) -> bool {
    let words: Vec<String> = words(tokens).collect();
    if !words.first().is_some_and(|word| WITH_ROWS.contains(&word.as_str())) {
        return false;
    }
    words.windows(3).any(|found| {
        let [before, word, next] = found else { return false };
        match word.as_str() {
            "rename" | "detach" => before != ".",
            "add" | "drop" => before != "." && !NO_COLUMN.contains(&next.as_str()),
            "set" => matches!(next.as_str(), "data" | "schema" | "expression"),
            _ => false,
        }
    }) || words.windows(4).any(|found| {
        // ALTER [COLUMN] name TYPE
        let [before, alter, name, word] = found else { return false };
        let names_column = alter == "column" || (alter == "alter" && name != "column");
        word == "type" && before != "." && names_column
    })
}

fn drops(tokens: Tokens<'_>) -> bool {
    const WITH_TABLES: [&str; 7] = ["table", "schema", "owned", "foreign", "type", "domain", "extension"];
    let words: Vec<String> = words(tokens).collect();
    words.first().is_some_and(|word| WITH_TABLES.contains(&word.as_str())) || words.iter().any(|word| word == "cascade")
}

/// Whether SELECT calls what may change a row, or makes a table.
fn calls(tokens: Tokens<'_>) -> bool {
    const KNOWN: [&str; 7] = ["currval", "nextval", "now", "set_config", "setval", "version", "current_setting"];
    let mut call = tokens.clone();
    if let Some((schema, name)) = call.qualified() {
        let is_server = schema.as_deref() == Some("pg_catalog") || (schema.is_none() && KNOWN.contains(&name.as_str()));
        if is_server && call.sign('(') {
            return words(call).any(|word| word == "into");
        }
    }
    words(tokens).any(|word| matches!(word.as_str(), "into" | "("))
}

/// The words outside of parentheses, and the signs that matter: `.` in front of a name, and a parenthesis that opens.
fn words(mut tokens: Tokens<'_>) -> impl Iterator<Item = String> {
    let mut depth = 0_usize;
    std::iter::from_fn(move || {
        loop {
            let token = tokens.word()?;
            let is_outside = depth == 0;
            match &token {
                Token::Sign('(') => depth += 1,
                Token::Sign(')') => depth = depth.saturating_sub(1),
                _ => {}
            }
            match token {
                Token::Word(word) if is_outside => return Some(word.into_owned()),
                // In quotes it is a name whatever it says.
                Token::Name(_) if is_outside => return Some("\"".to_owned()),
                Token::Sign(sign @ ('.' | '(')) if is_outside => return Some(sign.to_string()),
                _ => {}
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::super::statement::{Place, Settings};
    use super::*;

    fn stops(text: &str) -> bool {
        let statement = Statement { text: text.to_owned(), place: Place::Line(1), settings: Settings::default() };
        cause(&statement, |name| name.name == "known").is_some()
    }

    #[test]
    fn what_may_change_rows_stops() {
        for text in [
            "DELETE FROM public.t",
            "UPDATE t SET a = 1",
            "TRUNCATE t",
            "ROLLBACK",
            "ABORT",
            "WITH x AS (SELECT 1) INSERT INTO t SELECT * FROM x",
            "DO $$ BEGIN DELETE FROM t; END $$",
            "CALL p()",
            "MERGE INTO t USING u ON true WHEN MATCHED THEN DELETE",
            "ALTER TABLE p DETACH PARTITION t",
            "ALTER TABLE ONLY public.t ADD COLUMN x integer",
            "ALTER TABLE t ADD x integer",
            "ALTER TABLE t DROP COLUMN x",
            "ALTER TABLE t DROP x",
            "ALTER TABLE t ALTER COLUMN a TYPE text",
            "ALTER TABLE t ALTER a SET DATA TYPE text",
            "ALTER TABLE t RENAME TO u",
            "ALTER TABLE t RENAME COLUMN a TO b",
            "ALTER TABLE t SET SCHEMA app",
            "ALTER TYPE mood RENAME VALUE 'a' TO 'b'",
            "ALTER SCHEMA app RENAME TO other",
            "DROP SCHEMA app CASCADE",
            "DROP TABLE t",
            "CREATE TABLE public.known (a integer)",
            "CREATE TABLE other AS SELECT 1",
            "CREATE UNLOGGED TABLE other (a) AS SELECT 1",
            "SELECT public.fill()",
            "SELECT 1 INTO t",
            "EXECUTE fill",
        ] {
            assert!(stops(text), "{text}");
        }
        for text in [
            "BEGIN",
            "COMMIT",
            "START TRANSACTION",
            "ANALYZE",
            "CREATE WONDER public.w AS 'secret'",
            "CREATE TABLE public.b (i integer DEFAULT )",
            "CREATE TABLE IF NOT EXISTS public.known (a integer)",
            "CREATE TEMPORARY TABLE x AS SELECT 1",
            "CREATE USER MAPPING FOR x SERVER y OPTIONS (password 'p')",
            "ALTER TABLE ONLY public.nowhere ADD CONSTRAINT p PRIMARY KEY (i)",
            "ALTER TABLE ONLY public.nowhere ADD CONSTRAINT p CHECK ((type = 'rename'))",
            "ALTER TABLE public.rename OWNER TO x",
            "ALTER TABLE ONLY public.nowhere ALTER COLUMN type DROP NOT NULL",
            "ALTER FUNCTION f() RENAME TO g",
            "DROP FUNCTION f()",
            "SELECT pg_catalog.setval('public.s', 1, true)",
            "SELECT 1",
            "UPDATE pg_catalog.pg_database SET datistemplate = true",
            "GRANT ALL ON TABLE t TO ann",
        ] {
            assert!(!stops(text), "{text}");
        }
    }
}
