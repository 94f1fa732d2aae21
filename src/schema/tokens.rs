//! A tokenizer for migration scripts: where statements end, and which words they are made of.
//!
//! It knows what a runner must not be fooled by: strings, quoted identifiers, dollar quotes, comments (nested in
//! PostgreSQL), `CASE … END`, trigger bodies, `BEGIN ATOMIC` bodies. It does not parse: a statement that is wrong is
//! left for the database to refuse. Invariant: the statements, in order, hold every token of the text but the
//! semicolons between them, the rows below a COPY, and what `shell` takes out of a dump.
//!
//! Sources: the rule that ends a trigger is that of SQLite's `sqlite3_complete` (`; END ;`), the ones for PostgreSQL
//! are those of psql's lexer.

mod lexer;
mod statement;

pub use lexer::{Class, Dialect, Token};
pub use statement::{Comment, Scan, Statement};

use std::sync::Arc;

use super::checksum::canonical;
use super::shell::{self, Variables};
use crate::{Error, Result};
use lexer::{Lexer, Piece};
use statement::Source;

/// Splits `text` into statements and line comments. A literal, name or comment that never ends is an error that
/// names the line it begins on; so is what only a shell of the database reads, but for the lines of a dump.
///
/// # Errors
/// As said.
pub fn scan(text: impl Into<Arc<str>>, dialect: Dialect) -> Result<Scan> {
    let source = Arc::new(Source { text: text.into(), dialect });
    let text = source.text.as_ref();
    if let Some(at) = text.find('\0') {
        let line = 1 + text[..at].matches('\n').count();
        // Both databases take it for the end of the text, SQLite without a word about the rest.
        return Err(Error::usage("read script", format!("line {line}"), "there is a U+0000 in it")
            .hint("save the file as UTF-8"));
    }
    if u32::try_from(text.len()).is_err() {
        return Err(Error::usage("read script", "", "it is longer than 4 GiB").hint("split it into several migrations"));
    }
    let mut lexer = Lexer { text, at: 0, line: 1, dialect };
    let mut scan = Scan::default();
    let mut open: Option<Open<'_>> = None;
    let (mut variables, mut connects) = (Variables::default(), Vec::new());
    while let Some(piece) = lexer.next()? {
        match piece {
            Piece::Comment { text, line } => {
                let after_sql = open.is_some() || !scan.statements.is_empty();
                scan.comments.push(Comment { text: text.to_owned(), line, after_sql });
            }
            Piece::Command { text, line } => {
                connects.extend(shell::command(text, line, open.is_some(), scan.statements.len())?);
            }
            Piece::Token { class, start, line } => {
                let end = lexer.at;
                let is_end = &text[start..end] == ";" && open.as_ref().is_none_or(|open| open.ends_here(dialect));
                if is_end {
                    variables = Variables::default();
                    let Some(mut statement) = open.take().map(|open| open.close(&source)) else { continue };
                    if shell::has_rows_below(&statement) {
                        let (rows, length) = shell::rows(&text[end..], line)?;
                        statement.rows = Some((short(end + rows.start), short(end + rows.end)));
                        lexer.advance(length);
                    }
                    scan.statements.push(statement);
                } else {
                    let token = Token { class, text: &text[start..end] };
                    match dialect {
                        Dialect::Postgres => variables.refuse(token, start, line)?,
                        Dialect::Sqlite if token.text == "." && open.is_none() => {
                            return Err(shell::point_command(&text[start..], line));
                        }
                        Dialect::Sqlite => {}
                    }
                    open.get_or_insert_with(|| Open::new(start, line)).push(token, end, dialect);
                }
            }
        }
    }
    if let Some(statement) = open.take().map(|open| open.close(&source)) {
        if shell::has_rows_below(&statement) {
            // There is no room for rows: an error that says so.
            shell::rows("", statement.line as usize)?;
        }
        scan.statements.push(statement);
    }
    shell::leave_out_database(&mut scan, &connects)?;
    Ok(scan)
}

/// Whether two definitions are the same but for white space, comments, the case of words and needless quotes.
pub(crate) fn same_definition(one: &str, other: &str, dialect: Dialect) -> bool {
    normal(one, dialect) == normal(other, dialect)
}

/// A definition without what does not matter: one entry per token, words and names in lower case without quotes, texts
/// without their line endings, which are those of the checkout that the script came from.
fn normal(definition: &str, dialect: Dialect) -> Vec<(bool, String)> {
    let Ok(scan) = scan(definition, dialect) else { return vec![(true, definition.to_owned())] };
    scan.statements.iter().flat_map(Statement::tokens).map(|token| compared(&token, dialect)).collect()
}

/// Words that are a value where they stand without quotes, and a name within them.
const VALUES: [&str; 14] = [
    "null",
    "true",
    "false",
    "current_date",
    "current_time",
    "current_timestamp",
    "localtime",
    "localtimestamp",
    "user",
    "current_user",
    "session_user",
    "current_role",
    "current_catalog",
    "current_schema",
];

/// A token without what does not matter, and whether it is a literal.
pub(crate) fn compared(token: &Token<'_>, dialect: Dialect) -> (bool, String) {
    match token.class {
        Class::Text => (true, canonical(token.text).into_owned()),
        Class::Name => {
            let name = folded(&token.unquoted(), dialect);
            let needs_quotes = VALUES.contains(&name.to_ascii_lowercase().as_str())
                || name.starts_with(|first: char| first.is_ascii_digit());
            (false, if needs_quotes { format!("\"{name}\"") } else { name })
        }
        Class::Word | Class::Number | Class::Symbol => (false, token.text.to_ascii_lowercase()),
    }
}

/// A name as its engine compares it: SQLite ignores the case of ASCII letters.
pub(crate) fn folded(name: &str, dialect: Dialect) -> String {
    match dialect {
        Dialect::Sqlite => name.to_ascii_lowercase(),
        Dialect::Postgres => name.to_owned(),
    }
}

/// How many tokens of a statement tell what it is.
const HEAD: usize = 4;

/// A statement that has begun and not ended: what has to be known of it to see its end.
struct Open<'t> {
    head: [Option<Token<'t>>; HEAD],
    count: usize,
    /// The last token but one, and the last.
    before_last: Option<Token<'t>>,
    last: Option<Token<'t>>,
    start: usize,
    end: usize,
    line: usize,
    parentheses: usize,
    blocks: usize,
}

impl<'t> Open<'t> {
    fn new(start: usize, line: usize) -> Self {
        Open {
            head: [None; HEAD],
            count: 0,
            before_last: None,
            last: None,
            start,
            end: start,
            line,
            parentheses: 0,
            blocks: 0,
        }
    }

    fn push(&mut self, token: Token<'t>, end: usize, dialect: Dialect) {
        match token.text {
            "(" => self.parentheses += 1,
            ")" => self.parentheses = self.parentheses.saturating_sub(1),
            _ if dialect == Dialect::Postgres => self.count_blocks(&token),
            _ => {}
        }
        self.end = end;
        if let Some(place) = self.head.get_mut(self.count) {
            *place = Some(token);
        }
        self.count += 1;
        self.before_last = self.last.replace(token);
    }

    /// Whether the token at this place of the head is the word.
    fn head_is(&self, place: usize, word: &str) -> bool {
        self.head[place].is_some_and(|token| token.is(word))
    }

    /// PostgreSQL's SQL-standard function bodies: `BEGIN ATOMIC … END`, with `CASE … END` inside.
    fn count_blocks(&mut self, token: &Token<'_>) {
        if self.blocks > 0 {
            if token.is("CASE") || token.is("BEGIN") {
                self.blocks += 1;
            } else if token.is("END") {
                self.blocks -= 1;
            }
        } else if token.is("ATOMIC") && self.last.is_some_and(|last| last.is("BEGIN")) && self.is_routine() {
            self.blocks = 1;
        }
    }

    fn is_routine(&self) -> bool {
        self.head_is(0, "CREATE")
            && self.head.iter().flatten().any(|token| token.is("FUNCTION") || token.is("PROCEDURE"))
    }

    fn is_trigger(&self) -> bool {
        let temporary = self.head_is(1, "TEMP") || self.head_is(1, "TEMPORARY");
        self.head_is(0, "CREATE") && self.head_is(if temporary { 2 } else { 1 }, "TRIGGER")
    }

    /// Whether a semicolon here ends the statement.
    fn ends_here(&self, dialect: Dialect) -> bool {
        match dialect {
            Dialect::Postgres => self.parentheses == 0 && self.blocks == 0,
            Dialect::Sqlite if self.is_trigger() => {
                self.last.is_some_and(|last| last.is("END")) && self.before_last.is_some_and(|token| token.text == ";")
            }
            Dialect::Sqlite => true,
        }
    }

    fn close(self, source: &Arc<Source>) -> Statement {
        Statement {
            script: Arc::clone(source),
            start: short(self.start),
            end: short(self.end),
            line: short(self.line),
            rows: None,
        }
    }
}

/// A place in a text: one that is longer was refused before.
fn short(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(sql: &str, dialect: Dialect) -> Vec<String> {
        scan(sql, dialect).unwrap().statements.into_iter().map(|statement| statement.text().to_owned()).collect()
    }

    #[test]
    fn semicolons_inside_strings_names_and_comments_do_not_split() {
        let sql = "INSERT INTO a VALUES('x;''y'); -- c; d\nSELECT \"a;b\" /* ; */ FROM [c;d], `e;f`;";
        assert_eq!(
            texts(sql, Dialect::Sqlite),
            ["INSERT INTO a VALUES('x;''y')", "SELECT \"a;b\" /* ; */ FROM [c;d], `e;f`"]
        );
    }

    #[test]
    fn a_trigger_is_one_statement_with_its_case_and_a_column_called_end() {
        let sql = "CREATE TRIGGER t AFTER UPDATE ON a WHEN CASE WHEN NEW.end THEN 1 END BEGIN\n  UPDATE a SET b = CASE c \
                   WHEN 1 THEN 2 END;\n  SELECT NEW.end;\nEND;\nSELECT 1";
        let found = texts(sql, Dialect::Sqlite);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].ends_with("END"));
    }

    #[test]
    fn dollar_quotes_escape_strings_and_nested_comments_are_postgres() {
        let sql = "CREATE FUNCTION f() RETURNS void AS $body$ BEGIN; COMMIT; $$ ; END $body$ LANGUAGE plpgsql; SELECT \
                   E'a\\';b' /* a /* b; */ c; */; SELECT $1;";
        let found = texts(sql, Dialect::Postgres);
        assert_eq!(found.len(), 3, "{found:?}");
    }

    #[test]
    fn an_atomic_body_and_a_rule_keep_their_semicolons() {
        let sql = "CREATE OR REPLACE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; SELECT 2; END; \
                   CREATE RULE r AS ON INSERT TO a DO (DELETE FROM b; DELETE FROM c); SELECT 1";
        assert_eq!(texts(sql, Dialect::Postgres).len(), 3);
    }

    #[test]
    fn what_the_databases_would_cut_off_is_an_error() {
        for dialect in [Dialect::Sqlite, Dialect::Postgres] {
            assert!(
                scan("SELECT 1;\nSELECT 2\0, 3", dialect)
                    .unwrap_err()
                    .to_string()
                    .contains("line 2: there is a U+0000")
            );
            let error = scan("-- a note\rCREATE TABLE a(b);\r", dialect).unwrap_err();
            assert!(error.to_string().contains("line 1: a comment has a lone carriage return"), "{error}");
            assert_eq!(scan("-- a note\r\nSELECT 1\r;", dialect).unwrap().statements.len(), 1);
        }
    }

    #[test]
    fn what_never_ends_is_an_error_with_its_line() {
        let error = scan("SELECT 1;\nSELECT 'a", Dialect::Sqlite).unwrap_err();
        assert_eq!(error.to_string(), "read script line 2: a string begins here and never ends");
        assert!(scan("/* a", Dialect::Postgres).is_err());
        assert!(scan("SELECT $a$ b", Dialect::Postgres).is_err());
    }

    #[test]
    fn words_are_found_only_outside_quotes() {
        let found = scan("SELECT 'VACUUM', \"VACUUM\" FROM vacuum_log", Dialect::Sqlite).unwrap();
        assert!(!found.statements[0].has_word("VACUUM"));
    }

    #[test]
    fn comments_know_whether_sql_came_first() {
        let found = scan("-- one\nSELECT 1; -- two", Dialect::Sqlite).unwrap();
        let told: Vec<_> = found.comments.iter().map(|c| (c.text.as_str(), c.line, c.after_sql)).collect();
        assert_eq!(told, [("one", 1, false), ("two", 2, true)]);
    }

    use proptest::prelude::*;
    use rusqlite::fallible_iterator::FallibleIterator;

    /// Statements that SQLite prepares against [`TABLES`], each with something that a naive splitter falls for.
    const SQLITE: [&str; 12] = [
        "SELECT ';' || 'it''s;' -- a; b",
        "SELECT \"a;\" FROM [t;]",
        "SELECT `a;` /* ; */ FROM \"t;\"",
        "CREATE TRIGGER g AFTER INSERT ON u BEGIN UPDATE u SET end = CASE WHEN 1 THEN 2 END; SELECT 1; END",
        "CREATE TEMP TRIGGER g AFTER UPDATE OF end ON u WHEN CASE NEW.end WHEN 1 THEN 1 END BEGIN SELECT ';'; END",
        "CREATE TEMPORARY TRIGGER g INSTEAD OF DELETE ON v BEGIN DELETE FROM u WHERE end = OLD.end; END",
        "SELECT x'3b', 1.5e3, 0x3b, CASE WHEN end THEN ';' END FROM u",
        "CREATE TABLE x(a TEXT DEFAULT ';' CHECK (a <> ';'), \"b;\" INT)",
        "INSERT INTO u VALUES (1) /* never ended ;",
        "WITH c AS (SELECT 1) SELECT * FROM c\n-- it's a comment; with a quote",
        "SELECT '-- no comment;', '/* none; */'",
        "CREATE VIEW w AS SELECT \"a;\", 'é;ü' FROM \"t;\"",
    ];

    const TABLES: &str =
        "CREATE TABLE \"t;\"(\"a;\" TEXT); CREATE TABLE u(end INT); CREATE VIEW v AS SELECT end FROM u;";

    proptest! {
        #[test]
        fn sqlite_itself_splits_at_the_same_places(chosen in prop::collection::vec(0..SQLITE.len(), 0..8), gaps in 0..4_usize) {
            let between = [";", ";\n", " ;; ", ";\r\n\t-- note; \n"][gaps];
            // A comment that never ends swallows what follows, so it can only come last.
            let mut list: Vec<&str> = chosen.into_iter().map(|at| SQLITE[at]).collect();
            list.sort_by_key(|sql| sql.contains("never ended"));
            let first = list.iter().position(|sql| sql.contains("never ended")).map_or(list.len(), |at| at + 1);
            let sql = list[..first].iter().map(|sql| format!("{sql}\n")).collect::<Vec<_>>().join(between);
            let connection = rusqlite::Connection::open_in_memory().unwrap();
            connection.execute_batch(TABLES).unwrap();
            let mut batch = rusqlite::Batch::new(&connection, &sql);
            let mut count = 0;
            while let Some(statement) = batch.next().unwrap() {
                count += 1;
                drop(statement);
            }
            let own = scan(sql.as_str(), Dialect::Sqlite).unwrap().statements;
            prop_assert_eq!(own.len(), count, "{}", sql);
            for statement in own {
                prop_assert!(connection.prepare(statement.text()).is_ok(), "{}", statement.text());
            }
        }

        #[test]
        fn no_text_makes_the_tokenizer_panic_or_lose_a_token(text in "[-/*'\"$;a-eE()\\[\\]`\n é]{0,60}") {
            for dialect in [Dialect::Sqlite, Dialect::Postgres] {
                if let Ok(found) = scan(text.as_str(), dialect) {
                    let mut rest = text.as_str();
                    for token in found.statements.iter().flat_map(Statement::tokens) {
                        let at = rest.find(token.text);
                        prop_assert!(at.is_some(), "{:?} of {:?}", token, text);
                        rest = &rest[at.unwrap() + token.text.len()..];
                    }
                }
            }
        }
    }
}
