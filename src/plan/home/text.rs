//! SQL that a file remembers, looked at before a server reads it: whether it is one piece that can stand where it is put, which
//! functions it calls, and the same with its objects in another schema.
//!
//! A file is anybody's, so its text may be made to end the statement that it is put into. The server's own printing of
//! an expression has no comment, no semicolon and no parenthesis that it does not close.

use crate::quote::quote;
use std::collections::BTreeSet;
use std::ops::Range;

/// One token; what none of the others is stands alone, character by character.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token {
    /// A word: a name without quotes, a key word or a number.
    Word,
    /// A name in quotes.
    Quoted,
    /// A literal.
    Literal,
    /// Anything else but blanks.
    Sign(u8),
}

type Tokens = Vec<(Token, Range<usize>)>;

/// The tokens of a text; `None` where a quotation does not end, or there is what the server never prints: a comment, a
/// semicolon, a name with escapes.
fn tokens(sql: &str) -> Option<Tokens> {
    let bytes = sql.as_bytes();
    let mut found = Tokens::new();
    let mut at = 0;
    while at < bytes.len() {
        let start = at;
        let token = match bytes[at] {
            b' ' | b'\t' | b'\n' | b'\r' => {
                at += 1;
                continue;
            }
            b'\'' => {
                let escapes = matches!(found.last(), Some((Token::Word, word)) if word.end == at
                    && sql[word.clone()].eq_ignore_ascii_case("e"));
                at = end_of_quotation(bytes, at, b'\'', escapes)?;
                Token::Literal
            }
            b'"' => {
                // `U&"…"` is a name that can be any other one.
                if at > 0 && bytes[at - 1] == b'&' {
                    return None;
                }
                at = end_of_quotation(bytes, at, b'"', false)?;
                Token::Quoted
            }
            b'$' => {
                let tag = dollar_tag(&sql[at..])?;
                let end = sql[at + tag.len()..].find(tag)?;
                at += 2 * tag.len() + end;
                Token::Literal
            }
            b';' | 0 => return None,
            b'-' if bytes.get(at + 1) == Some(&b'-') => return None,
            b'/' if bytes.get(at + 1) == Some(&b'*') => return None,
            byte if is_of_word(byte) => {
                while at < bytes.len() && (is_of_word(bytes[at]) || bytes[at] == b'$') {
                    at += 1;
                }
                Token::Word
            }
            byte => {
                at += 1;
                Token::Sign(byte)
            }
        };
        found.push((token, start..at));
    }
    Some(found)
}

fn is_of_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

fn end_of_quotation(bytes: &[u8], start: usize, quotation: u8, escapes: bool) -> Option<usize> {
    let mut at = start + 1;
    loop {
        match *bytes.get(at)? {
            b'\\' if escapes => at += 2,
            byte if byte == quotation => match bytes.get(at + 1) {
                Some(next) if *next == quotation => at += 2,
                Some(_) | None => return Some(at + 1),
            },
            _ => at += 1,
        }
    }
}

/// `$…$` at the start of a text.
fn dollar_tag(text: &str) -> Option<&str> {
    let end = text[1..].find('$')? + 2;
    let tag = &text[..end];
    let name = &tag[1..end - 1];
    (name.bytes().all(is_of_word) && !name.starts_with(|c: char| c.is_ascii_digit())).then_some(tag)
}

/// Whether a text is one piece: it ends no statement, closes no parenthesis that is not its own, and leaves none open.
pub(super) fn is_one_piece(sql: &str) -> bool {
    let Some(tokens) = tokens(sql) else { return false };
    let mut open = Vec::new();
    for (token, _) in tokens {
        match token {
            Token::Sign(sign @ (b'(' | b'[')) => open.push(sign),
            Token::Sign(b')') if open.pop() != Some(b'(') => return false,
            Token::Sign(b']') if open.pop() != Some(b'[') => return false,
            Token::Word | Token::Quoted | Token::Literal | Token::Sign(_) => {}
        }
    }
    open.is_empty()
}

/// Whether it is the name of a type: one piece in which nothing stands beside it.
pub(super) fn is_type(sql: &str) -> bool {
    let plain = |token: &Token| match token {
        Token::Word | Token::Quoted => true,
        Token::Sign(sign) => b".,()[]".contains(sign) || *sign == b'-',
        Token::Literal => false,
    };
    let mut depth = 0_usize;
    let separates = |token: &Token, depth: &mut usize| {
        match token {
            Token::Sign(b'(') => *depth += 1,
            Token::Sign(b')') => *depth = depth.saturating_sub(1),
            Token::Word | Token::Quoted | Token::Literal | Token::Sign(_) => {}
        }
        *token == Token::Sign(b',') && *depth == 0
    };
    let Some(tokens) = tokens(sql) else { return false };
    is_one_piece(sql)
        && !tokens.is_empty()
        && tokens.iter().all(|(token, _)| plain(token))
        && !tokens.iter().any(|(token, _)| separates(token, &mut depth))
}

/// A name as the server knows it.
fn name_of(sql: &str, token: Token, range: &Range<usize>) -> String {
    let text = &sql[range.clone()];
    match token {
        Token::Quoted => text[1..text.len() - 1].replace("\"\"", "\""),
        Token::Word | Token::Literal | Token::Sign(_) => text.to_lowercase(),
    }
}

/// The names of all functions that a text may call: whatever stands before a parenthesis.
pub(super) fn calls(sql: &str) -> BTreeSet<String> {
    let tokens = tokens(sql).unwrap_or_default();
    let calls = tokens.windows(2).filter(|two| two[1].0 == Token::Sign(b'('));
    let names = calls.filter(|two| matches!(two[0].0, Token::Word | Token::Quoted));
    names.map(|two| name_of(sql, two[0].0, &two[0].1)).collect()
}

/// The text with every name of one of the schemas in the schema `to` instead: `a.t` and `'a.s'::regclass`.
pub(super) fn moved(sql: &str, from: &BTreeSet<String>, to: &str) -> String {
    let Some(tokens) = tokens(sql) else { return sql.to_owned() };
    let mut text = String::with_capacity(sql.len());
    let mut copied = 0;
    for (place, (token, range)) in tokens.iter().enumerate() {
        let sign = |place: Option<usize>| place.and_then(|place| tokens.get(place)).map(|(token, _)| *token);
        let before = sign(place.checked_sub(1));
        let replacement = match token {
            Token::Word | Token::Quoted => {
                let qualifies = sign(Some(place + 1)) == Some(Token::Sign(b'.')) && before != Some(Token::Sign(b'.'));
                (qualifies && from.contains(&name_of(sql, *token, range))).then(|| quote(to))
            }
            Token::Literal => {
                let cast = tokens.get(place + 1..place + 4).unwrap_or_default();
                let is_class = matches!(cast, [(Token::Sign(b':'), _), (Token::Sign(b':'), _), (Token::Word, word)]
                    if ["regclass", "regtype"].contains(&&sql[word.clone()]));
                let inner = &sql[range.start + 1..range.end.saturating_sub(1).max(range.start + 1)];
                is_class.then(|| format!("'{}'", moved(inner, from, to)))
            }
            Token::Sign(_) => None,
        };
        if let Some(replacement) = replacement {
            text.push_str(&sql[copied..range.start]);
            text.push_str(&replacement);
            copied = range.end;
        }
    }
    text.push_str(&sql[copied..]);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_end_its_statement_is_no_piece() {
        for sql in [
            "0",
            "('a;b'::text || \"x)\")",
            "E'it\\'s )'::text",
            "(ARRAY['a'::text, 'b'::text])[1]",
            "$x$ ; ) $x$",
            "CASE WHEN (a > 0) THEN '--' ELSE '/*' END",
        ] {
            assert!(is_one_piece(sql), "{sql}");
        }
        for sql in [
            "0; DROP TABLE x",
            "0) , (1",
            "(0",
            "'a",
            "0 -- ",
            "0 /* */",
            "\"a",
            "U&\"a\"",
            "$x$ ;",
            "a[1",
            "(a]",
            "'a\\'; DROP TABLE x",
        ] {
            assert!(!is_one_piece(sql), "{sql}");
        }
    }

    #[test]
    fn a_type_is_one_name() {
        for sql in [
            "integer",
            "numeric(10,-2)",
            "public.mood[]",
            "timestamp(3) without time zone",
            "\"a,b\".\"c d\"",
            "\"char\"",
        ] {
            assert!(is_type(sql), "{sql}");
        }
        for sql in ["", "integer, b integer", "integer DEFAULT 'x'", "integer; x", "integer)"] {
            assert!(!is_type(sql), "{sql}");
        }
    }

    #[test]
    fn calls_are_found_however_they_are_written() {
        let found = calls("(pg_catalog.Lower(a) = \"pg_read_file\" ('x') AND b IN (1))");
        assert_eq!(found.into_iter().collect::<Vec<_>>(), ["in", "lower", "pg_read_file"]);
    }

    #[test]
    fn a_schema_is_replaced_where_it_qualifies_a_name() {
        let from = BTreeSet::from(["public".to_owned(), "A b".to_owned()]);
        for (sql, expected) in [
            ("nextval('public.s'::regclass)", "nextval('\"x\".s'::regclass)"),
            ("nextval('\"A b\".\"S\"'::regclass)", "nextval('\"x\".\"S\"'::regclass)"),
            ("'public.s'::text", "'public.s'::text"),
            ("(public.f(t.public) > 0)", "(\"x\".f(t.public) > 0)"),
            ("SELECT a.public.b, PUBLIC.c", "SELECT a.public.b, \"x\".c"),
        ] {
            assert_eq!(moved(sql, &from, "x"), expected);
        }
    }
}
