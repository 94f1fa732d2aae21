//! The values of an INSERT, as the server would have stored them.
//!
//! A constant has a type before it has a column: `-0` is the integer 0 with its sign changed, so 0; `1e2` in a text is `100`; B'10' is bits;
//! a string in quotes is the column's own text. What is no constant (a function, an operator) would have to be computed, and is
//! refused with its line.

use super::tokens::{Token, Tokens};
use crate::types::input;

/// A constant.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    /// NULL
    Null,
    /// DEFAULT
    Default,
    /// TRUE, FALSE
    Bool(bool),
    /// A number, in digits without an exponent; zero has no sign.
    Number(String),
    /// A text that the column's type reads.
    Text(String),
    /// A text that was cast to a type by name.
    Cast(String, String),
    /// ARRAY[…]
    Array(Vec<Value>),
    /// ROW(…)
    Row(Vec<Value>),
}

/// How deep arrays and rows may be in each other.
const DEPTH_MAX: usize = 64;

/// The rows of an INSERT, one by one.
pub(super) struct Rows<'a> {
    tokens: Tokens<'a>,
    ended: bool,
}

impl<'a> Rows<'a> {
    /// What follows VALUES.
    pub(super) fn new(tokens: Tokens<'a>) -> Self {
        Rows { tokens, ended: false }
    }

    /// Reads the next row into `values`; whether there was one.
    ///
    /// # Errors
    /// The place in the statement of what is no constant.
    pub(super) fn next(&mut self, values: &mut Vec<Value>) -> Result<bool, usize> {
        values.clear();
        if self.ended {
            return Ok(false);
        }
        let place = self.tokens.place();
        self.row(values).ok_or_else(|| self.tokens.place().max(place))?;
        Ok(true)
    }

    fn row(&mut self, values: &mut Vec<Value>) -> Option<()> {
        if !self.tokens.sign('(') {
            return None;
        }
        list(&mut self.tokens, ')', values, 0)?;
        if !self.tokens.sign(',') {
            self.ended = true;
            let tokens = &mut self.tokens;
            // pg_dump's `--on-conflict-do-nothing`: its rows have no conflicts.
            let does_nothing =
                tokens.keyword("on") && tokens.keyword("conflict") && tokens.keyword("do") && tokens.keyword("nothing");
            if !(does_nothing || tokens.is_at_end()) || !tokens.is_at_end() {
                return None;
            }
        }
        Some(())
    }
}

/// The constant that an expression is, as a default has it; `None` where it has to be computed.
pub(super) fn constant_of(sql: &str) -> Option<Value> {
    let mut tokens = Tokens::new(sql, false);
    let found = value(&mut tokens, 0)?;
    tokens.is_at_end().then_some(found)
}

/// Values up to the sign that closes their list.
fn list(tokens: &mut Tokens<'_>, close: char, values: &mut Vec<Value>, depth: usize) -> Option<()> {
    if tokens.sign(close) {
        return Some(());
    }
    loop {
        values.push(value(tokens, depth)?);
        if tokens.sign(close) {
            return Some(());
        }
        if !tokens.sign(',') {
            return None;
        }
    }
}

fn value(tokens: &mut Tokens<'_>, depth: usize) -> Option<Value> {
    if depth > DEPTH_MAX {
        return None;
    }
    let mut found = constant(tokens, depth)?;
    loop {
        let mut ahead = tokens.clone();
        if ahead.word() != Some(Token::Cast) {
            return Some(found);
        }
        *tokens = ahead;
        let name = type_name(tokens)?;
        found = cast(found, name)?;
    }
}

fn constant(tokens: &mut Tokens<'_>, depth: usize) -> Option<Value> {
    Some(match tokens.word()? {
        Token::Text(text) => Value::Text(text.into_owned()),
        Token::Bits(bits) => Value::Cast(bits, "bit".to_owned()),
        Token::Number(number) => Value::Number(plain_number(number, false)?),
        Token::Sign('-') => match tokens.word()? {
            Token::Number(number) => Value::Number(plain_number(number, true)?),
            _ => return None,
        },
        Token::Sign('+') => match tokens.word()? {
            Token::Number(number) => Value::Number(plain_number(number, false)?),
            _ => return None,
        },
        Token::Sign('(') => {
            let inner = value(tokens, depth + 1)?;
            // Several in parentheses are a row.
            match tokens.sign(')') {
                true => inner,
                false if tokens.sign(',') => {
                    let mut values = vec![inner];
                    list(tokens, ')', &mut values, depth + 1)?;
                    Value::Row(values)
                }
                false => return None,
            }
        }
        Token::Word(word) => match &*word {
            "null" => Value::Null,
            "default" => Value::Default,
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            "array" if tokens.sign('[') => array(tokens, depth + 1)?,
            "row" if tokens.sign('(') => {
                let mut values = Vec::new();
                list(tokens, ')', &mut values, depth + 1)?;
                Value::Row(values)
            }
            "cast" if tokens.sign('(') => {
                let inner = value(tokens, depth + 1)?;
                if !tokens.keyword("as") {
                    return None;
                }
                let name = type_name(tokens)?;
                if !tokens.sign(')') {
                    return None;
                }
                cast(inner, name)?
            }
            // `DATE '2020-01-01'`
            _ => {
                let mut name = vec![word.clone().into_owned()];
                loop {
                    match tokens.word()? {
                        Token::Word(more) => name.push(more.into_owned()),
                        Token::Text(text) => break Value::Cast(text.into_owned(), name.join(" ")),
                        _ => return None,
                    }
                    if name.len() > 4 {
                        return None;
                    }
                }
            }
        },
        Token::Name(_) | Token::Sign(_) | Token::Cast => return None,
    })
}

/// What follows `ARRAY[`; the arrays within one of several dimensions need no word of their own.
fn array(tokens: &mut Tokens<'_>, depth: usize) -> Option<Value> {
    if depth > DEPTH_MAX {
        return None;
    }
    let mut values = Vec::new();
    if tokens.sign(']') {
        return Some(Value::Array(values));
    }
    loop {
        values.push(if tokens.sign('[') { array(tokens, depth + 1)? } else { value(tokens, depth)? });
        if tokens.sign(']') {
            return Some(Value::Array(values));
        }
        if !tokens.sign(',') {
            return None;
        }
    }
}

/// The name of a type, its modifiers and brackets included, in lower case where it has no quotes.
fn type_name(tokens: &mut Tokens<'_>) -> Option<String> {
    const SECOND_WORDS: [&str; 7] = ["varying", "precision", "with", "without", "time", "zone", "bit"];
    let is_quoted = matches!(tokens.peek(), Some(Token::Name(_)));
    let (schema, mut name) = tokens.qualified()?;
    // `"char"` is another type than `char`, and without its quotes `bit` means one bit.
    let with_length = |name: String| match name.as_str() {
        "char" if is_quoted => "\"char\"".to_owned(),
        "bit" | "char" | "character" if !is_quoted => format!("{name}(1)"),
        _ => name,
    };
    if let Some(schema) = schema.filter(|schema| schema != "pg_catalog") {
        name = format!("{schema}.{name}");
    }
    loop {
        match tokens.peek() {
            Some(Token::Word(word)) if SECOND_WORDS.contains(&&*word) => {
                tokens.word();
                name = format!("{name} {word}");
            }
            Some(Token::Sign('(')) => {
                tokens.word();
                let mut modifiers = Vec::new();
                loop {
                    match tokens.word()? {
                        Token::Number(number) => modifiers.push(number.to_owned()),
                        Token::Sign(',') => {}
                        Token::Sign(')') => break,
                        _ => return None,
                    }
                }
                name = format!("{name}({})", modifiers.join(","));
            }
            Some(Token::Sign('[')) => {
                tokens.word();
                while !tokens.sign(']') {
                    tokens.word()?;
                }
                name = format!("{}[]", with_length(name));
            }
            _ => return Some(with_length(name)),
        }
    }
}

/// A value that is cast: of a text the type decides, of what has its type already nothing may be changed.
fn cast(value: Value, name: String) -> Option<Value> {
    Some(match value {
        Value::Null => Value::Null,
        Value::Text(text) => Value::Cast(text, name),
        Value::Cast(text, before) if before == name => Value::Cast(text, before),
        Value::Number(number) => match name.as_str() {
            "numeric" | "decimal" => Value::Number(number),
            "smallint" | "integer" | "int" | "bigint" | "int2" | "int4" | "int8" if !number.contains('.') => {
                Value::Number(number)
            }
            "real" | "double precision" | "float4" | "float8" => Value::Cast(number, name),
            _ => return None,
        },
        Value::Bool(value) if matches!(name.as_str(), "boolean" | "bool") => Value::Bool(value),
        // What its elements would lose is not looked at.
        Value::Array(_) | Value::Row(_) if name.contains('(') => return None,
        value @ (Value::Array(_) | Value::Row(_)) => value,
        Value::Cast(..) | Value::Bool(_) | Value::Default => return None,
    })
}

/// A number as `numeric` writes it: no exponent, no sign on zero; hexadecimal, octal and binary integers in digits.
fn plain_number(text: &str, negative: bool) -> Option<String> {
    let text: String = text.chars().filter(|sign| *sign != '_').collect();
    let sign =
        |digits: &str| if negative && digits.bytes().any(|digit| matches!(digit, b'1'..=b'9')) { "-" } else { "" };
    for (prefix, base) in [("0x", 16), ("0o", 8), ("0b", 2)] {
        if let Some(digits) = text.to_ascii_lowercase().strip_prefix(prefix) {
            let digits = i128::from_str_radix(digits, base).ok()?.to_string();
            return Some(format!("{}{digits}", sign(&digits)));
        }
    }
    let digits = input::written_out(&text)?;
    let whole = digits.trim_start_matches('0');
    let zero = if whole.is_empty() || whole.starts_with('.') { "0" } else { "" };
    Some(format!("{}{zero}{whole}", sign(&digits)))
}

#[cfg(test)]
mod tests {
    use super::super::head;
    use super::super::statement::Settings;
    use super::*;

    fn rows(text: &str) -> Result<Vec<Vec<Value>>, usize> {
        let (_, tokens) = head::insert(text, &Settings::default()).ok_or(0_usize)?;
        let (mut rows, mut found, mut values) = (Rows::new(tokens), Vec::new(), Vec::new());
        while rows.next(&mut values)? {
            found.push(values.clone());
        }
        Ok(found)
    }

    fn one(value: &str) -> Option<Value> {
        rows(&format!("INSERT INTO public.t VALUES ({value})")).ok()?.into_iter().next()?.into_iter().next()
    }

    #[test]
    fn constants_are_what_the_server_stores() {
        let number = |text: &str| Some(Value::Number(text.to_owned()));
        for (text, plain) in [
            ("-0", "0"),
            ("- 1", "-1"),
            ("-0.00", "0.00"),
            ("1e2", "100"),
            ("1.5e-3", "0.0015"),
            ("12.50", "12.50"),
            ("1e+02", "100"),
            (".5", "0.5"),
            ("5.", "5"),
            ("0x1F", "31"),
            ("1_000", "1000"),
            ("-1.25E1", "-12.5"),
        ] {
            assert_eq!(one(text), number(plain), "{text}");
        }
        let text = |text: &str| Value::Text(text.to_owned());
        let cast = |text: &str, name: &str| Some(Value::Cast(text.to_owned(), name.to_owned()));
        assert_eq!(one("B'01'"), cast("01", "bit"));
        assert_eq!(one("x'0f'"), cast("00001111", "bit"));
        assert_eq!(one("DATE '2020-01-01'"), cast("2020-01-01", "date"));
        assert_eq!(one("'a'::character varying(3)[]"), cast("a", "character varying(3)[]"));
        assert_eq!(one("CAST('a' AS \"public\".mood)"), cast("a", "public.mood"));
        assert_eq!(one("timestamp with time zone '2020-01-01'"), cast("2020-01-01", "timestamp with time zone"));
        assert_eq!(
            one("ARRAY[ARRAY['a'], ['b']]"),
            Some(Value::Array(vec![Value::Array(vec![text("a")]), Value::Array(vec![text("b")])]))
        );
        assert_eq!(
            one("ROW(1, NULL, 'x')"),
            Some(Value::Row(vec![Value::Number("1".to_owned()), Value::Null, text("x")]))
        );
        for wrong in
            ["now()", "1 + 1", "nextval('s')", "a", "'a' || 'b'", "1.5::integer", "'a'::text::integer", "(1", "--"]
        {
            assert!(one(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn rows_come_one_by_one() {
        let found = rows(
            "INSERT INTO t (a, b) OVERRIDING SYSTEM VALUE VALUES (1, 'a;b'),\n(DEFAULT, NULL) ON CONFLICT DO NOTHING",
        );
        assert_eq!(found.unwrap().len(), 2);
        assert!(rows("INSERT INTO t VALUES (1) RETURNING a").is_err());
        assert!(rows("INSERT INTO t SELECT 1").is_err());
        assert!(rows("INSERT INTO t VALUES (1),").is_err());
    }
}
