//! What a definition says, whoever has written it: its words without blanks, quotes and case.

use sqlparser::dialect::SQLiteDialect;
use sqlparser::tokenizer::{Token, Tokenizer, Word};

/// A check of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrittenCheck {
    /// Its name, in lower case.
    pub name: Option<String>,
    /// The words of its condition.
    pub condition: Vec<String>,
}

/// The checks in a CREATE TABLE statement, or in a part of one.
pub fn checks(sql: &str) -> Vec<WrittenCheck> {
    let tokens = tokens(sql);
    let mut found = Vec::new();
    for (at, _) in tokens.iter().enumerate().filter(|(_, token)| is_keyword(token, "check")) {
        let Some(inside) = tokens.get(at + 1..).and_then(inside_parentheses) else { continue };
        let is_named = at >= 2 && is_keyword(&tokens[at - 2], "constraint");
        found.push(WrittenCheck {
            name: is_named.then(|| word(&tokens[at - 1])),
            condition: without_outer(inside).iter().map(word).collect(),
        });
    }
    found
}

/// The words of a CREATE INDEX statement from its list of keys on.
pub fn index_keys(sql: &str) -> Vec<String> {
    let tokens = tokens(sql);
    let keys = tokens.iter().position(|token| *token == Token::LParen).unwrap_or(tokens.len());
    let keys = &tokens[keys..];
    // Behind the list there is nothing but a condition.
    let list = inside_parentheses(keys).map_or(keys.len(), |inside| inside.len() + 2);
    let condition = keys.get(list + 1..).unwrap_or_default();
    keys[..list].iter().chain(keys.get(list)).chain(without_outer(condition)).map(word).collect()
}

fn tokens(sql: &str) -> Vec<Token> {
    let tokens = Tokenizer::new(&SQLiteDialect {}, sql).tokenize().unwrap_or_default();
    tokens.into_iter().filter(|token| !matches!(token, Token::Whitespace(_))).collect()
}

fn is_keyword(token: &Token, keyword: &str) -> bool {
    matches!(token, Token::Word(Word { value, quote_style: None, .. }) if value.eq_ignore_ascii_case(keyword))
}

fn word(token: &Token) -> String {
    match token {
        Token::Word(word) => word.value.to_ascii_lowercase(),
        other => other.to_string(),
    }
}

/// What stands between the parenthesis at the start and its partner.
fn inside_parentheses(tokens: &[Token]) -> Option<&[Token]> {
    let mut depth = 0;
    for (at, token) in tokens.iter().enumerate() {
        match token {
            Token::LParen => depth += 1,
            Token::RParen => depth -= 1,
            _ => {}
        }
        match depth {
            0 if at == 0 => return None,
            0 => return Some(&tokens[1..at]),
            _ => {}
        }
    }
    None
}

/// The same without parentheses around all of it.
fn without_outer(tokens: &[Token]) -> &[Token] {
    match inside_parentheses(tokens) {
        Some(inside) if inside.len() + 2 == tokens.len() => without_outer(inside),
        _ => tokens,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_definition_says_the_same_however_it_is_written() {
        let ours = r#"CREATE TABLE "t" ("a" INTEGER CONSTRAINT "Positive" CHECK ("a" > 0), "check" TEXT) STRICT"#;
        let theirs = "create table T (A int check((a>0)) , [check] text default 'CHECK (x)' /* CHECK (y) */, CHECK (b IN ('A')))";
        let (ours, theirs) = (checks(ours), checks(theirs));
        assert_eq!((ours.len(), theirs.len()), (1, 2), "{theirs:?}");
        assert_eq!((ours[0].name.as_deref(), theirs[0].name.as_deref()), (Some("positive"), None));
        assert_eq!(ours[0].condition, theirs[0].condition);
        assert_eq!(theirs[1].condition, ["b", "in", "(", "'A'", ")"]);
        assert_eq!(
            index_keys(r#"CREATE UNIQUE INDEX "i" ON "t" ("a", lower("b")) WHERE "c" IS NULL"#),
            index_keys("create unique index j on t(A, LOWER(b)) where ((C is null))")
        );
        assert_ne!(
            index_keys("CREATE INDEX i ON t (a) WHERE b = 'x'"),
            index_keys("CREATE INDEX i ON t (a) WHERE b = 'X'")
        );
        assert!(checks("CHECK (((").is_empty() && index_keys("'").is_empty());
    }
}
