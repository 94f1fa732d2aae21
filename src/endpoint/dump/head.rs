//! What a statement is to the reader of a dump: rows, a setting of its own, or a definition that others read.

use super::tokens::{Token, Tokens};
use crate::catalog::QualifiedName;
use crate::endpoint::dump::statement::Settings;
use std::sync::Arc;

/// Rows in COPY's text form follow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CopyHead {
    /// The table.
    pub table: QualifiedName,
    /// The columns in the order of the fields; `None` for all that take values.
    pub columns: Option<Vec<String>>,
}

/// What a statement is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Meaning {
    /// The rows that follow.
    Copy(CopyHead),
    /// Rows within the statement.
    Insert,
    /// It is rows in a form that is not read here: why.
    Refused(&'static str),
    /// `client_encoding`
    Encoding(String),
    /// A large object, or a piece of one; whether it is a new one.
    LargeObject(bool),
    /// Anything else.
    Other,
}

/// The schema in which a name without one is.
pub(super) fn resolve((schema, name): (Option<String>, String), settings: &Settings) -> QualifiedName {
    let first =
        || settings.search_path.iter().find(|schema| !schema.starts_with("pg_")).map_or("public", String::as_str);
    QualifiedName::new(schema.unwrap_or_else(|| first().to_owned()), name)
}

/// What a statement is; settings that it changes are changed.
pub(super) fn meaning(text: &str, settings: &mut Settings) -> Meaning {
    let mut tokens = Tokens::new(text, settings.backslash_escapes);
    let Some(first) = tokens.word() else { return Meaning::Other };
    match first {
        Token::Word(word) => match &*word {
            "copy" => copy(tokens, settings),
            "insert" => Meaning::Insert,
            "set" => set(tokens, settings).unwrap_or(Meaning::Other),
            "reset" | "discard" => match tokens.word() {
                Some(Token::Word(name)) if name == "all" || decides(&name) => Meaning::Refused(NOT_SET),
                _ => Meaning::Other,
            },
            "select" => set_config(tokens, settings).unwrap_or(Meaning::Other),
            _ => Meaning::Other,
        },
        _ => Meaning::Other,
    }
}

fn copy(mut tokens: Tokens<'_>, settings: &Settings) -> Meaning {
    const OTHER_FORM: Meaning =
        Meaning::Refused("this form of COPY is not read: pg_dump writes `COPY t (…) FROM stdin`");
    let head = |tokens: &mut Tokens<'_>| {
        // `COPY BINARY …` of old is no name that anything follows.
        let name = tokens.qualified()?;
        let columns = tokens.names()?;
        Some(CopyHead { table: resolve(name, settings), columns })
    };
    let Some(head) = head(&mut tokens) else { return OTHER_FORM };
    if !tokens.keyword("from") {
        // COPY … TO moves rows out of a database.
        return OTHER_FORM;
    }
    match tokens.keyword("stdin") && tokens.is_at_end() {
        true => Meaning::Copy(head),
        false => OTHER_FORM,
    }
}

/// The head of an INSERT, in front of `VALUES`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct InsertHead {
    /// The table.
    pub table: QualifiedName,
    /// The columns in the order of the values; `None` for all, generated ones included.
    pub columns: Option<Vec<String>>,
    /// Whether it is a row of defaults.
    pub is_default: bool,
}

/// Reads the head of an INSERT up to its first row; `None` where it is not one of plain values.
pub(super) fn insert<'a>(text: &'a str, settings: &Settings) -> Option<(InsertHead, Tokens<'a>)> {
    let mut tokens = Tokens::new(text, settings.backslash_escapes);
    if !(tokens.keyword("insert") && tokens.keyword("into")) {
        return None;
    }
    let table = resolve(tokens.qualified()?, settings);
    let columns = tokens.names()?;
    if tokens.keyword("default") {
        let ends = tokens.keyword("values") && tokens.is_at_end();
        return ends.then_some((InsertHead { table, columns, is_default: true }, tokens));
    }
    // USER VALUE would put aside what stands there.
    if tokens.keyword("overriding") && !(tokens.keyword("system") && tokens.keyword("value")) {
        return None;
    }
    tokens.keyword("values").then_some((InsertHead { table, columns, is_default: false }, tokens))
}

/// Why a setting is refused on which the meaning of the rows depends.
const NOT_SET: &str = "it sets what decides how the rows are read to what is not known here";

/// Whether the meaning of what follows depends on that setting.
fn decides(name: &str) -> bool {
    matches!(name, "client_encoding" | "standard_conforming_strings" | "search_path" | "array_nulls" | "intervalstyle")
}

fn set(mut tokens: Tokens<'_>, settings: &mut Settings) -> Option<Meaning> {
    let mut name = tokens.word()?;
    let is_local = name.is("local");
    if name.is("session") || is_local {
        name = tokens.word()?;
    }
    if name.is("names") {
        return Some(value(&mut tokens).map_or(Meaning::Refused(NOT_SET), Meaning::Encoding));
    }
    let name = name.into_name()?.to_ascii_lowercase();
    if !decides(&name) {
        return None;
    }
    let mut values = Vec::new();
    if tokens.sign('=') || tokens.keyword("to") {
        // What the server, the role or the database has set is nowhere said.
        if tokens.peek().is_some_and(|word| word.is("default")) {
            return Some(Meaning::Refused(NOT_SET));
        }
        values.extend(value(&mut tokens));
        while tokens.sign(',') {
            values.extend(value(&mut tokens));
        }
    }
    // Of what holds for one transaction the end would have to be known.
    let is_known = !is_local && tokens.is_at_end();
    Some(match values.as_slice() {
        [] => Meaning::Refused(NOT_SET),
        values if is_known => change(&name, values, settings),
        _ => Meaning::Refused(NOT_SET),
    })
}

/// Changes a setting on which the meaning of what follows depends.
fn change(name: &str, values: &[String], settings: &mut Settings) -> Meaning {
    match (name, values) {
        ("search_path", path) => set_path(settings, path.to_vec()),
        ("client_encoding", [name]) => return Meaning::Encoding(name.clone()),
        ("standard_conforming_strings", [value]) => match is_on(value) {
            Some(is_on) => settings.backslash_escapes = !is_on,
            None => return Meaning::Refused(NOT_SET),
        },
        ("array_nulls", [value]) if is_on(value) == Some(true) => {}
        ("intervalstyle", [value]) if value.eq_ignore_ascii_case("postgres") => {}
        _ => return Meaning::Refused(NOT_SET),
    }
    Meaning::Other
}

/// `SELECT pg_catalog.set_config('search_path', '', false)`
fn set_config(mut tokens: Tokens<'_>, settings: &mut Settings) -> Option<Meaning> {
    let (_, function) = tokens.qualified()?;
    match function.as_str() {
        "lo_create" => return Some(Meaning::LargeObject(true)),
        "lo_open" | "lowrite" | "lo_close" => return Some(Meaning::LargeObject(false)),
        _ => {}
    }
    if function != "set_config" || !tokens.sign('(') {
        return None;
    }
    let name = value(&mut tokens)?.to_ascii_lowercase();
    if !decides(&name) {
        return None;
    }
    let is_next = tokens.sign(',');
    let given = is_next.then(|| value(&mut tokens)).flatten();
    let is_lasting = tokens.sign(',') && tokens.keyword("false") && tokens.sign(')') && tokens.is_at_end();
    let (Some(given), true) = (given, is_lasting) else { return Some(Meaning::Refused(NOT_SET)) };
    let mut values = Vec::new();
    if name == "search_path" {
        let mut names = Tokens::new(&given, false);
        while let Some(name) = names.word().and_then(Token::into_name) {
            values.push(name.into_owned());
            names.sign(',');
        }
    } else {
        values.push(given);
    }
    Some(change(&name, &values, settings))
}

fn set_path(settings: &mut Settings, path: Vec<String>) {
    let is_schema = |name: &String| !name.is_empty() && name != "$user" && name != "default";
    settings.search_path = path.into_iter().filter(is_schema).collect::<Arc<[String]>>();
}

fn value(tokens: &mut Tokens<'_>) -> Option<String> {
    match tokens.word()? {
        Token::Word(text) | Token::Name(text) | Token::Text(text) => Some(text.into_owned()),
        Token::Number(text) => Some(text.to_owned()),
        Token::Bits(_) | Token::Sign(_) | Token::Cast => None,
    }
}

fn is_on(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "on" | "true" | "yes" | "1" | "t" | "y" => Some(true),
        "off" | "false" | "no" | "0" | "f" | "n" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_and_settings_are_known() {
        let mut settings = Settings::default();
        let head = |schema: &str, name: &str, columns: Option<&[&str]>| {
            let columns = columns.map(|names| names.iter().map(|name| (*name).to_owned()).collect());
            Meaning::Copy(CopyHead { table: QualifiedName::new(schema, name), columns })
        };
        assert_eq!(
            meaning("COPY public.t (a, \"B\") FROM stdin", &mut settings),
            head("public", "t", Some(&["a", "B"]))
        );
        assert_eq!(meaning("COPY app.\"T x\" FROM stdin", &mut settings), head("app", "T x", None));
        assert_eq!(meaning("COPY t () FROM stdin", &mut settings), head("public", "t", Some(&[])));
        for text in ["COPY t FROM '/x'", "COPY t FROM stdin WITH CSV", "COPY t TO stdout", "COPY (SELECT 1) TO stdout"]
        {
            assert!(matches!(meaning(text, &mut settings), Meaning::Refused(_)), "{text}");
        }
        assert_eq!(meaning("SET search_path = app, pg_catalog", &mut settings), Meaning::Other);
        assert_eq!(meaning("copy t from stdin", &mut settings), head("app", "t", None));
        meaning("SELECT pg_catalog.set_config('search_path', '', false)", &mut settings);
        assert!(settings.search_path.is_empty());
        meaning("SET standard_conforming_strings = off", &mut settings);
        assert!(settings.backslash_escapes);
        assert_eq!(meaning("SET client_encoding = 'LATIN1'", &mut settings), Meaning::Encoding("LATIN1".to_owned()));
        for text in ["SET statement_timeout = 0", "SET array_nulls = on", "RESET SESSION AUTHORIZATION"] {
            assert_eq!(meaning(text, &mut settings), Meaning::Other, "{text}");
        }
        for text in [
            "RESET standard_conforming_strings",
            "RESET ALL",
            "DISCARD ALL",
            "SET client_encoding TO DEFAULT",
            "SET LOCAL standard_conforming_strings = on",
            "SET array_nulls = off",
            "SET intervalstyle = sql_standard",
            "SELECT set_config('standard_conforming_strings', 'off', true)",
        ] {
            assert_eq!(meaning(text, &mut settings), Meaning::Refused(NOT_SET), "{text}");
        }
    }
}
