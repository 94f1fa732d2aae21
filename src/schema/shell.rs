//! What a script for psql has that is no SQL: lines that begin with a backslash, variables, the rows below COPY; and the
//! lines of sqlite3's shell that begin with a point.
//!
//! `pg_dump` writes scripts for psql, and the server reads none of it. Taken are the lines of a dump, `\restrict`,
//! `\unrestrict` and `\connect`, and the rows below `COPY … FROM stdin`; every other command and every variable is
//! refused by its line, with what to write instead. Invariant: no text of a command but its word is repeated; it may
//! hold a password.
//!
//! `\connect NAME` means the database that is worked on, whatever it is called: what a dump says of the database itself
//! (`pg_dump --create`) is left out, and a script that goes on to a second database is refused.

use super::tokens::{Class, Dialect, Scan, Statement, Token};
use crate::{Error, Result};

/// A `\connect` of a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Connect {
    /// The database's name.
    name: String,
    line: usize,
    /// How many statements came before it.
    after: usize,
}

fn refused(line: usize, cause: &str, hint: &str) -> Error {
    Error::usage("read script", format!("line {line}"), cause).hint(hint)
}

/// Reads a command, from its backslash to the end of its line. `in_statement`: a statement has begun and not ended.
pub(super) fn command(text: &str, line: usize, in_statement: bool, after: usize) -> Result<Option<Connect>> {
    let (word, argument) = text.trim().split_once(char::is_whitespace).unwrap_or((text.trim(), ""));
    // A command may be written right behind another one.
    let end = word.get(1..).and_then(|rest| rest.find(|c: char| !c.is_ascii_alphabetic() && c != '_'));
    let word = end.map_or(word, |end| &word[..end + 1]);
    match word {
        "\\restrict" | "\\unrestrict" if !in_statement => Ok(None),
        "\\connect" | "\\c" if !in_statement => {
            let name = database(argument).ok_or_else(|| {
                refused(
                    line,
                    &format!("`{word}` of psql names another server or user"),
                    "the script runs in the database that you name, as the user that you name: take the line out",
                )
            })?;
            Ok(Some(Connect { name, line, after }))
        }
        _ => Err(refused(line, &format!("`{word}` is a command of psql, and no SQL"), hint(word, argument))),
    }
}

/// What to write in the place of a command.
fn hint(word: &str, argument: &str) -> &'static str {
    match word {
        "\\i" | "\\ir" | "\\include" | "\\include_relative" => {
            "put the SQL of that file here, or make it a migration of its own"
        }
        "\\copy" => {
            "write `COPY table (columns) FROM stdin;` with the rows below it and a line `\\.` after them, as pg_dump does"
        }
        "\\set" if argument.trim_start().starts_with("ON_ERROR_STOP") => {
            "take it out: the first statement that fails stops the run in any case"
        }
        "\\set" | "\\unset" | "\\prompt" | "\\gset" | "\\getenv" | "\\if" | "\\elif" | "\\else" | "\\endif" => {
            "there are no variables here: write the value itself where it is used"
        }
        "\\g" | "\\gx" | "\\gexec" | "\\gdesc" | "\\crosstabview" => {
            "end the statement with `;`; what is to be built from rows is built in a `DO` block"
        }
        "\\" => "a backslash stands only in literals, and this one begins a command",
        "\\restrict" | "\\unrestrict" | "\\connect" | "\\c" => "the statement before it has no `;`",
        _ => "take the line out",
    }
}

/// The database in `\connect name`, as pg_dump writes it; nothing where more than a database is named.
fn database(argument: &str) -> Option<String> {
    let argument = argument.trim();
    // What psql itself would not take for a plain name.
    if let Some(words) = argument.strip_prefix("-reuse-previous=on ") {
        let name = words.trim().strip_prefix("\"dbname='")?.strip_suffix("'\"")?;
        return Some(name.replace("\"\"", "\"").replace("\\'", "'").replace("\\\\", "\\"));
    }
    if let Some(quoted) = argument.strip_prefix(['"', '\'']) {
        let quote = &argument[..1];
        return quoted.strip_suffix(quote).filter(|name| !name.contains(quote)).map(str::to_owned);
    }
    let is_plain = !argument.is_empty() && !argument.contains(|c: char| c.is_whitespace() || "=:/-'\"".contains(c));
    is_plain.then(|| argument.to_owned())
}

/// Whether the rows of a statement follow it: `COPY … FROM stdin`, outside of a query in parentheses.
pub(super) fn has_rows_below(statement: &Statement) -> bool {
    if statement.dialect() != Dialect::Postgres || !statement.starts_with(&["COPY"]) {
        return false;
    }
    let (mut depth, mut after_from) = (0_usize, false);
    for token in statement.tokens() {
        match token.text {
            "(" => depth += 1,
            ")" => depth = depth.saturating_sub(1),
            _ if depth == 0 && after_from => return token.is("STDIN"),
            _ => {}
        }
        after_from = depth == 0 && token.is("FROM");
    }
    false
}

/// Where the rows below a COPY are: from the first to the end of the last, and how many bytes to the end of the line
/// `\.` after them. `rest` begins behind the semicolon of a COPY on that line.
pub(super) fn rows(rest: &str, line: usize) -> Result<(std::ops::Range<usize>, usize)> {
    let mut lines = rest.split_inclusive('\n');
    let first = lines.next().unwrap_or_default();
    if !first.trim().is_empty() {
        return Err(refused(
            line,
            "the rows of `COPY … FROM stdin` begin on the next line",
            "break the line behind `;`",
        ));
    }
    let start = first.len();
    let mut end = start;
    for row in lines {
        if row.trim_end_matches(['\n', '\r']) == "\\." {
            return Ok((start..end, end + row.len()));
        }
        end += row.len();
    }
    let cause = "the rows of `COPY … FROM stdin` never end: there is no line `\\.`";
    Err(refused(line, cause, "where it is a dump, it is not whole; where no rows are meant, write INSERT"))
}

/// Sees variables of psql, `:name`, `:'name'` and `:"name"`, as token comes after token.
#[derive(Default)]
pub(super) struct Variables {
    /// Where a lone colon ended.
    colon: Option<usize>,
    /// In `[1:n]` a colon is SQL.
    brackets: usize,
}

impl Variables {
    /// # Errors
    /// When the token is the name of a variable.
    pub(super) fn refuse(&mut self, token: Token<'_>, start: usize, line: usize) -> Result<()> {
        let colon = self.colon.take();
        match token.text {
            "[" => self.brackets += 1,
            "]" => self.brackets = self.brackets.saturating_sub(1),
            // The second one of a cast begins nothing.
            ":" if colon != Some(start) => self.colon = Some(start + 1),
            _ if colon == Some(start)
                && self.brackets == 0
                && !matches!(token.class, Class::Symbol | Class::Number) =>
            {
                let cause = format!("`:{}` is a variable of psql, and no SQL", token.text);
                return Err(refused(line, &cause, hint("\\set", "")));
            }
            _ => {}
        }
        Ok(())
    }
}

/// Leaves out what a script says of the database itself, where it connects to one.
///
/// # Errors
/// When it does something in another database than that one.
pub(super) fn leave_out_database(scan: &mut Scan, connects: &[Connect]) -> Result<()> {
    const HINT: &str = "a script is of one database: take a dump of each with `pg_dump`";
    let Some(first) = connects.first() else { return Ok(()) };
    if let Some(other) = connects.iter().find(|connect| connect.name != first.name) {
        return Err(refused(other.line, "`\\connect` goes on to a second database", HINT));
    }
    let before = &scan.statements[..first.after];
    if let Some(other) = before.iter().find(|statement| !is_of_connection(statement) && !is_of_database(statement)) {
        let cause = format!("it comes before the `\\connect` of line {}: it is of another database", first.line);
        return Err(refused(other.line() as usize, &cause, HINT));
    }
    let mut place = 0;
    scan.statements.retain(|statement| {
        place += 1;
        place > first.after && !is_of_database(statement)
    });
    Ok(())
}

/// Settings of the connection that `\connect` ends.
fn is_of_connection(statement: &Statement) -> bool {
    statement.starts_with(&["SET"]) || statement.tokens().take(4).any(|token| token.is("SET_CONFIG"))
}

/// What speaks about a database as a whole: making it, its owner, settings, comment and rights.
fn is_of_database(statement: &Statement) -> bool {
    let first = |word| statement.starts_with(&[word]);
    let second = |word| statement.token(1).is_some_and(|token| token.is(word));
    if first("GRANT") || first("REVOKE") {
        let mut tokens = statement.tokens().skip_while(|token| !token.is("ON"));
        return tokens.next().is_some() && tokens.next().is_some_and(|token| token.is("DATABASE"));
    }
    let makes = first("CREATE") || first("ALTER") || first("DROP");
    (makes && second("DATABASE")) || (first("COMMENT") && statement.token(2).is_some_and(|token| token.is("DATABASE")))
}

/// Whether the script is one that `pg_dump` wrote, by its own first comment.
pub(super) fn is_dump(scan: &Scan) -> bool {
    scan.comments
        .iter()
        .take_while(|comment| !comment.after_sql)
        .any(|comment| comment.text.starts_with("PostgreSQL database dump"))
}

/// The error for a line of sqlite3's shell: `text` begins with its point.
pub(super) fn point_command(text: &str, line: usize) -> Error {
    let end = text[1..].find(|c: char| !c.is_ascii_alphabetic()).map_or(text.len(), |end| end + 1);
    let hint = match &text[..end] {
        ".read" => hint("\\i", ""),
        ".import" => "write the rows as INSERT statements",
        _ => "take the line out",
    };
    refused(line, &format!("`{}` is a command of sqlite3's shell, and no SQL", &text[..end]), hint)
}

#[cfg(test)]
mod tests {
    use super::super::tokens::scan;
    use super::*;

    fn read(sql: &str) -> Vec<String> {
        let scan = scan(sql, Dialect::Postgres).unwrap();
        scan.statements
            .iter()
            .map(|statement| {
                format!("{}: {}{}", statement.line(), statement.text(), statement.rows().unwrap_or_default())
            })
            .collect()
    }

    fn refusal(sql: &str, dialect: Dialect) -> (String, String) {
        let error = scan(sql, dialect).unwrap_err();
        (format!("{} {}", error.object(), error.cause()), error.way_out().unwrap().to_owned())
    }

    #[test]
    fn the_lines_of_a_dump_are_taken() {
        let dump =
            "-- PostgreSQL database dump\n\\restrict a1B2\r\nSELECT '\n\\restrict me, please\n';\n\\unrestrict a1B2\n";
        assert_eq!(read(dump), ["3: SELECT '\n\\restrict me, please\n'"]);
        let rows = "COPY a (b, c) FROM stdin;\n1\t;--'\n\\N\t\\\\.\n\\.\nSELECT 1;\nCOPY \"from\" FROM STDIN WITH (FORMAT csv);\n\\.\n";
        assert_eq!(
            read(rows),
            [
                "1: COPY a (b, c) FROM stdin1\t;--'\n\\N\t\\\\.\n",
                "5: SELECT 1",
                "6: COPY \"from\" FROM STDIN WITH (FORMAT csv)"
            ]
        );
        assert_eq!(read("COPY a FROM stdin;\r\n1\r\n\\.\r\nSELECT 2"), ["1: COPY a FROM stdin1\r\n", "4: SELECT 2"]);
        assert_eq!(
            read("COPY (SELECT 1 FROM stdin) TO '/x'; SELECT a[1:n], b::text, f(c := 1), d[:e] FROM g").len(),
            2
        );
    }

    #[test]
    fn a_dump_of_a_database_is_of_the_one_that_is_worked_on() {
        for name in ["app", "\"a b\"", "-reuse-previous=on \"dbname='a b'\""] {
            let dump = format!(
                "SET client_encoding = 'UTF8';\nSELECT pg_catalog.set_config('search_path', '', false);\n\
                 DROP DATABASE IF EXISTS app;\nCREATE DATABASE app WITH TEMPLATE = template0;\n\
                 ALTER DATABASE app OWNER TO ann;\n\\connect {name}\nSET row_security = off;\n\
                 ALTER DATABASE app SET work_mem TO '8MB';\nCREATE TABLE a(b int);\nCOMMENT ON DATABASE app IS 'x';\n\
                 GRANT ALL ON DATABASE app TO ann;\nGRANT SELECT ON a TO ann;\n"
            );
            assert_eq!(
                read(&dump),
                ["7: SET row_security = off", "9: CREATE TABLE a(b int)", "12: GRANT SELECT ON a TO ann"]
            );
        }
        for (script, told) in [
            ("CREATE TABLE a(b int);\n\\connect app\n", "line 1 it comes before the `\\connect` of line 2"),
            ("\\connect app\nSELECT 1;\n\\c other\n", "line 3 `\\connect` goes on to a second database"),
            ("\\connect app ann host 5432\n", "line 1 `\\connect` of psql names another server or user"),
            ("\\c postgres://ann:secret@host/app\n", "line 1 `\\c` of psql names another server or user"),
        ] {
            let (refused, _) = refusal(script, Dialect::Postgres);
            assert!(refused.starts_with(told) && !refused.contains("secret"), "{refused}");
        }
    }

    #[test]
    fn other_commands_and_variables_are_named_with_their_line_and_a_way_out() {
        for (script, told, way_out) in [
            ("SELECT 1;\n\\i other.sql\n", "line 2 `\\i` is a command of psql", "make it a migration of its own"),
            ("\\ir other.sql", "line 1 `\\ir` is", "put the SQL of that file here"),
            ("\\copy a FROM 'a.csv' CSV", "`\\copy` is", "FROM stdin;` with the rows below it"),
            ("\\set ON_ERROR_STOP on", "`\\set` is", "stops the run in any case"),
            ("\\set password secret", "`\\set` is", "no variables here"),
            ("SELECT 1 \\gexec", "`\\gexec` is", "`DO` block"),
            ("\\timing", "`\\timing` is", "take the line out"),
            ("CREATE TABLE a(b int)\n\\connect app", "line 2 `\\connect` is", "has no `;`"),
            ("SELECT a \\ b", "line 1 `\\` is", "a backslash stands only in literals"),
            ("\nSELECT :id", "line 2 `:id` is a variable of psql", "write the value itself"),
            ("SELECT :'name', 1", "`:'name'` is a variable", "write the value itself"),
            ("ALTER TABLE a OWNER TO :\"owner\"", "`:\"owner\"` is a variable", "write the value itself"),
            (
                "SELECT 1;\nCOPY a FROM stdin;\n1\n",
                "line 2 the rows of `COPY … FROM stdin` never end",
                "it is not whole",
            ),
            ("COPY a FROM stdin; SELECT 1;\n", "begin on the next line", "break the line"),
            ("COPY a FROM stdin", "never end", "write INSERT"),
        ] {
            let (refused, hint) = refusal(script, Dialect::Postgres);
            assert!(refused.contains(told), "{script}: {refused}");
            assert!(hint.contains(way_out), "{script}: {hint}");
            assert!(!format!("{refused}{hint}").contains("secret"), "{refused}");
        }
        let (refused, hint) = refusal("SELECT 1;\n.read other.sql\n", Dialect::Sqlite);
        assert!(refused.starts_with("line 2 `.read` is a command of sqlite3's shell"), "{refused}");
        assert!(hint.contains("a migration of its own"), "{hint}");
    }
}
