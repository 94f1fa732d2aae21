//! Triggers that a script leaves behind to write the history later.
//!
//! SQLite asks its authorizer about a trigger's statements only when something fires it, and the application may do that
//! long after the run. But it takes no other name for what a trigger writes to than the plain one of the table, so the
//! text tells.

use super::super::tokens::{Statement, Token};

/// The trigger that a statement would create, where a statement of its body writes to `history`.
pub(super) fn writer_of(history: &str, statement: &Statement) -> Option<String> {
    if !statement.starts_with(&["CREATE"]) || !statement.tokens().take(3).any(|token| token.is("TRIGGER")) {
        return None;
    }
    let tokens: Vec<Token<'_>> = statement.tokens().collect();
    let body = tokens.iter().position(|token| token.is("BEGIN"))?;
    let is_written =
        |place: usize| tokens[place].unquoted().eq_ignore_ascii_case(history) && is_target_after(&tokens[body..place]);
    (body + 1..tokens.len()).any(is_written).then(|| name(&tokens))
}

/// Whether the name that follows is what a statement writes to.
fn is_target_after(tokens: &[Token<'_>]) -> bool {
    match tokens {
        [.., last] if last.is("INTO") || last.is("UPDATE") => true,
        [.., delete, from] if delete.is("DELETE") && from.is("FROM") => true,
        [.., update, or, _] => update.is("UPDATE") && or.is("OR"),
        _ => false,
    }
}

/// The name in `CREATE [TEMP] TRIGGER [IF NOT EXISTS] [schema.]name`.
fn name(tokens: &[Token<'_>]) -> String {
    let mut rest = tokens.iter().skip_while(|token| !token.is("TRIGGER")).skip(1).peekable();
    if rest.peek().is_some_and(|token| token.is("IF")) {
        rest.nth(2);
    }
    let first = rest.next().map(Token::unquoted).unwrap_or_default();
    match rest.next().is_some_and(|token| token.text == ".") {
        true => rest.next().map(Token::unquoted).unwrap_or_default(),
        false => first,
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::tokens::{Dialect, scan};
    use super::*;

    fn writer(sql: &str) -> Option<String> {
        let scan = scan(sql, Dialect::Sqlite).unwrap();
        assert_eq!(scan.statements.len(), 1, "{sql}");
        writer_of("Done", &scan.statements[0])
    }

    #[test]
    fn every_statement_that_writes_is_seen_however_the_name_is_written() {
        for name in ["done", "DONE", "\"done\"", "[Done]", "`done`", "'done'", "/* x */ done"] {
            for body in [
                format!("INSERT INTO {name} VALUES (1)"),
                format!("INSERT OR IGNORE INTO {name} SELECT 1"),
                format!("REPLACE INTO {name} VALUES (1)"),
                format!("UPDATE {name} SET a = 1"),
                format!("UPDATE OR FAIL {name} SET a = 1"),
                format!("SELECT 1; DELETE FROM {name} WHERE a = 1"),
            ] {
                for head in ["TRIGGER t", "TEMP TRIGGER temp.t", "TRIGGER IF NOT EXISTS main.\"t\""] {
                    let sql = format!("CREATE {head} AFTER UPDATE OF a ON b WHEN NEW.a > 1 BEGIN {body}; END");
                    assert_eq!(writer(&sql).as_deref(), Some("t"), "{sql}");
                }
            }
        }
    }

    #[test]
    fn what_only_reads_or_writes_something_else_is_let_through() {
        for sql in [
            "CREATE TRIGGER t AFTER UPDATE ON b BEGIN INSERT INTO c SELECT a FROM done; DELETE FROM c WHERE a IN done; END",
            "CREATE TRIGGER done AFTER UPDATE ON b BEGIN UPDATE c SET done = 1 FROM done; END",
            "CREATE TRIGGER t AFTER UPDATE ON b BEGIN INSERT INTO c VALUES ('DELETE FROM done'); END",
            "CREATE TABLE t(a)",
            "DELETE FROM done",
        ] {
            assert_eq!(writer(sql), None, "{sql}");
        }
    }
}
