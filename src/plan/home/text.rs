//! SQL that a file remembers, looked at before a server reads it: whether it is one piece that can stand where it is put, which
//! functions it calls, and the same with its objects in another schema.
//!
//! A file is anybody's, so its text may be made to end the statement that it is put into. The server's own printing of
//! an expression has no comment, no semicolon and no parenthesis that it does not close.

use crate::catalog::QualifiedName;
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

/// The tokens of a text; `None` where a quotation does not end, or there is what the server never prints and reads in ways of its
/// own: a comment, a semicolon, a name with escapes, a dollar, a literal that another one goes on with.
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
                // `E'a'` and another one behind it are one literal with escapes; `1e'a'` is read in two ways.
                let escapes = match found.last() {
                    Some((Token::Literal, _)) => return None,
                    Some((Token::Word, word)) if word.end == at => match sql[word.clone()].as_bytes() {
                        [b'e' | b'E'] => true,
                        [b'b' | b'B' | b'x' | b'X'] => false,
                        _ => return None,
                    },
                    Some((Token::Sign(b'&'), sign)) if sign.end == at => return None,
                    _ => false,
                };
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
            b'$' | b';' | 0..0x20 | 0x7f => return None,
            b'-' if bytes.get(at + 1) == Some(&b'-') => return None,
            b'/' if bytes.get(at + 1) == Some(&b'*') => return None,
            byte if is_of_word(byte) => {
                while at < bytes.len() && is_of_word(bytes[at]) {
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

/// The words that follow the first of a type's name.
const WORDS_OF_TYPES: [&str; 14] = [
    "varying",
    "precision",
    "with",
    "without",
    "time",
    "zone",
    "year",
    "month",
    "day",
    "hour",
    "minute",
    "second",
    "to",
    "national",
];
/// What looks like a type, and makes a sequence besides.
const SERIALS: [&str; 6] = ["serial", "serial2", "serial4", "serial8", "bigserial", "smallserial"];

/// Whether it is the name of a type and nothing else: `name`, `schema.name`, the words and numbers of the server's own types, and `[]`.
pub(super) fn is_type(sql: &str) -> bool {
    let Some(tokens) = tokens(sql) else { return false };
    let is_name = |token: &Token| matches!(token, Token::Word | Token::Quoted);
    let word = |range: &Range<usize>| sql[range.clone()].to_ascii_lowercase();
    let mut left = tokens.iter().peekable();
    match left.next() {
        Some((Token::Word, range)) if SERIALS.contains(&word(range).as_str()) => return false,
        Some((token, _)) if is_name(token) => {}
        _ => return false,
    }
    while left.next_if(|(token, _)| *token == Token::Sign(b'.')).is_some() {
        match left.next() {
            Some((Token::Word, range)) if SERIALS.contains(&word(range).as_str()) => return false,
            Some((token, _)) if is_name(token) => {}
            _ => return false,
        }
    }
    let mut has_numbers = false;
    while let Some((token, range)) = left.next() {
        match token {
            Token::Word if WORDS_OF_TYPES.contains(&word(range).as_str()) => {}
            Token::Sign(b'(') if !has_numbers => {
                has_numbers = true;
                let inner = |token: &Token| is_name(token) || matches!(token, Token::Sign(b',' | b'-'));
                while left.next_if(|(token, _)| inner(token)).is_some() {}
                if left.next().is_none_or(|(token, _)| *token != Token::Sign(b')')) {
                    return false;
                }
            }
            Token::Sign(b'[') => {
                left.next_if(|(token, _)| *token == Token::Word);
                if left.next().is_none_or(|(token, _)| *token != Token::Sign(b']')) {
                    return false;
                }
            }
            _ => return false,
        }
    }
    true
}

/// Whether it is one `EXCLUDE …`, and no further action of the statement that it is put into.
pub(super) fn is_exclusion(sql: &str) -> bool {
    let Some(tokens) = tokens(sql) else { return false };
    let mut depth = 0_usize;
    let mut is_action = |token: &Token| {
        match token {
            Token::Sign(b'(') => depth += 1,
            Token::Sign(b')') => depth = depth.saturating_sub(1),
            Token::Word | Token::Quoted | Token::Literal | Token::Sign(_) => {}
        }
        *token == Token::Sign(b',') && depth == 0
    };
    let first =
        matches!(tokens.first(), Some((Token::Word, word)) if sql[word.clone()].eq_ignore_ascii_case("exclude"));
    first && is_one_piece(sql) && !tokens.iter().any(|(token, _)| is_action(token))
}

/// Whether it makes that index, and makes it on that table: what follows in such a statement is of the index alone.
pub(super) fn is_index_of(sql: &str, index: &str, table: &QualifiedName) -> bool {
    let Some(tokens) = tokens(sql) else { return false };
    let mut left = tokens.iter().peekable();
    let is_word = |(token, range): &(Token, Range<usize>), word: &str| {
        *token == Token::Word && sql[range.clone()].eq_ignore_ascii_case(word)
    };
    let is_name = |(token, range): &(Token, Range<usize>), name: &str| {
        matches!(token, Token::Word | Token::Quoted) && name_of(sql, *token, range) == name
    };
    let mut head = || {
        left.next_if(|token| is_word(token, "create"))?;
        left.next_if(|token| is_word(token, "unique"));
        left.next_if(|token| is_word(token, "index"))?;
        left.next_if(|token| is_name(token, index))?;
        left.next_if(|token| is_word(token, "on"))?;
        left.next_if(|token| is_name(token, &table.schema))?;
        left.next_if(|(token, _)| *token == Token::Sign(b'.'))?;
        left.next_if(|token| is_name(token, &table.name))?;
        left.next_if(|token| is_word(token, "using"))
    };
    head().is_some() && is_one_piece(sql)
}

/// A name as the server knows it.
fn name_of(sql: &str, token: Token, range: &Range<usize>) -> String {
    let text = &sql[range.clone()];
    match token {
        Token::Quoted => text[1..text.len() - 1].replace("\"\"", "\""),
        Token::Word | Token::Literal | Token::Sign(_) => text.to_ascii_lowercase(),
    }
}

/// The sequences that a text counts on, each named by schema and name; `None` where `nextval` is asked in any other way.
pub(super) fn counts_on(sql: &str) -> Option<Vec<QualifiedName>> {
    let tokens = tokens(sql)?;
    let is_next = |(token, range): &(Token, Range<usize>)| {
        matches!(token, Token::Word | Token::Quoted) && name_of(sql, *token, range) == "nextval"
    };
    let places = (0..tokens.len()).filter(|place| is_next(&tokens[*place]));
    let named = places.map(|place| match tokens.get(place + 1..place + 6)? {
        [
            (Token::Sign(b'('), _),
            (Token::Literal, literal),
            (Token::Sign(b':'), _),
            (Token::Sign(b':'), _),
            (Token::Word, class),
        ] if sql[class.clone()] == *"regclass" => {
            sequence_of(&sql[literal.start + 1..literal.end - 1].replace("''", "'"))
        }
        _ => None,
    });
    named.collect()
}

fn sequence_of(text: &str) -> Option<QualifiedName> {
    match tokens(text)?.as_slice() {
        [schema, (Token::Sign(b'.'), _), name] if schema.0 != Token::Literal && name.0 != Token::Literal => {
            Some(QualifiedName::new(name_of(text, schema.0, &schema.1), name_of(text, name.0, &name.1)))
        }
        _ => None,
    }
}

/// The names of all functions that a text may call: whatever stands before a parenthesis, or behind the point of an expression,
/// which is another way to call one.
pub(super) fn calls(sql: &str) -> BTreeSet<String> {
    let tokens = tokens(sql).unwrap_or_default();
    let is_name = |place: usize| matches!(tokens[place].0, Token::Word | Token::Quoted);
    let sign = |place: Option<usize>| place.and_then(|place| tokens.get(place)).map(|(token, _)| *token);
    let is_called = |place: &usize| {
        let of_expression = sign(place.checked_sub(1)) == Some(Token::Sign(b'.'))
            && matches!(sign(place.checked_sub(2)), Some(Token::Sign(b')' | b']') | Token::Literal));
        is_name(*place) && (of_expression || sign(Some(place + 1)) == Some(Token::Sign(b'(')))
    };
    (0..tokens.len()).filter(is_called).map(|place| name_of(sql, tokens[place].0, &tokens[place].1)).collect()
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
            "$x$ ; ) $x$",
            // One literal with escapes for the server.
            "E'a'\n'\\' ' ); DROP TABLE x; -- '",
            "1e'\\' ' ); DROP TABLE x; -- '",
            "1$$ ' $$ ); DROP TABLE x; -- '",
            "'a'\u{b}'b'",
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
        for sql in [
            "",
            "integer, b integer",
            "integer DEFAULT 'x'",
            "integer; x",
            "integer)",
            "integer CHECK (pg_reload_conf())",
            "integer DEFAULT nextval",
            "numeric(f(1))",
            "integer(1)(2)",
            "serial",
            "SETOF integer",
        ] {
            assert!(!is_type(sql), "{sql}");
        }
    }

    #[test]
    fn an_index_and_an_exclusion_are_of_their_own_table() {
        let table = QualifiedName::new("public", "T t");
        let made = |sql: &str| is_index_of(sql, "i", &table);
        assert!(made("CREATE UNIQUE INDEX i ON public.\"T t\" USING btree (a, lower(b)) WHERE (a > 0)"));
        for sql in [
            "CREATE INDEX i ON public.victim USING btree (a)",
            "CREATE INDEX j ON public.\"T t\" USING btree (a)",
            "CREATE INDEX i ON public.\"T t\" USING btree (a); DROP TABLE x",
        ] {
            assert!(!made(sql), "{sql}");
        }
        assert!(is_exclusion("EXCLUDE USING gist (a WITH =, b WITH &&) WHERE (a > 0)"));
        assert!(!is_exclusion("EXCLUDE USING btree (id WITH =), ADD CHECK (true)"));
        assert!(!is_exclusion("CHECK (true)"));
    }

    #[test]
    fn a_sequence_is_named_in_one_way() {
        let own = QualifiedName::new("public", "S");
        assert_eq!(counts_on("nextval('public.\"S\"'::regclass)"), Some(vec![own]));
        assert_eq!(counts_on("lower('nextval'::text)"), Some(Vec::new()));
        for sql in ["nextval('s'::regclass)", "nextval(('a.s'::text)::regclass)", "('a.s'::regclass).nextval"] {
            assert_eq!(counts_on(sql), None, "{sql}");
        }
    }

    #[test]
    fn calls_are_found_however_they_are_written() {
        let found = calls("(pg_catalog.Lower(a) = \"pg_read_file\" ('x') AND b IN (1))");
        assert_eq!(found.into_iter().collect::<Vec<_>>(), ["in", "lower", "pg_read_file"]);
        assert_eq!(calls("('x'::text).lo_import = t.a").into_iter().collect::<Vec<_>>(), ["lo_import"]);
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
