//! Versions of SQLite, and what of its SQL needs which.
//!
//! A file is read by whatever SQLite its readers have. One that lacks a construct refuses the whole file (syntax), fails
//! at the first use (functions) or answers NULL without a word (date formats and modifiers). [`CONSTRUCTS`] is the one
//! table of what came later than [`SqliteVersion::OLDEST`]; `scripts/older-sqlite` asks real versions whether it is right.
//!
//! [`constructs`] finds them in a statement by its tokens. What no token tells is not in the table: that `json_valid(NULL)`
//! was 0 before 3.42 (`bare_json` looks for it), that `round(x, n)` rounds halves otherwise before 3.43; the plan
//! writes neither.

use serde::{Deserialize, Serialize};
use sqlparser::dialect::SQLiteDialect;
use sqlparser::tokenizer::{Token, Tokenizer, Word};
use std::fmt;
use std::str::FromStr;

/// A version of SQLite, as far as it decides over a file: 3 and the number after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct SqliteVersion {
    minor: u32,
}

impl SqliteVersion {
    /// The oldest that reads a target: the first with STRICT tables, which is also what a file needs at most by default.
    pub const OLDEST: SqliteVersion = SqliteVersion { minor: 37 };

    /// The first in which `json_valid(NULL)` is NULL, so that a CHECK lets it pass.
    pub const NULL_IS_NO_JSON: SqliteVersion = SqliteVersion { minor: 42 };

    /// The one inside this program.
    pub fn bundled() -> SqliteVersion {
        SqliteVersion { minor: u32::try_from(rusqlite::version_number() / 1000 % 1000).unwrap_or(0) }
    }
}

impl Default for SqliteVersion {
    fn default() -> Self {
        SqliteVersion::OLDEST
    }
}

impl fmt::Display for SqliteVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "3.{}", self.minor)
    }
}

impl From<SqliteVersion> for String {
    fn from(version: SqliteVersion) -> Self {
        version.to_string()
    }
}

impl TryFrom<String> for SqliteVersion {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl FromStr for SqliteVersion {
    type Err = String;

    /// Reads `3.46`; a third number, as in `3.46.1`, says nothing more about a file.
    fn from_str(text: &str) -> Result<Self, String> {
        let (oldest, bundled) = (SqliteVersion::OLDEST, SqliteVersion::bundled());
        let number = |part: &str| part.parse::<u32>().ok().filter(|_| part.bytes().all(|byte| byte.is_ascii_digit()));
        let parts: Option<Vec<u32>> = text.split('.').map(number).collect();
        match parts.as_deref() {
            Some([3, minor] | [3, minor, _]) if (oldest.minor..=bundled.minor).contains(minor) => {
                Ok(SqliteVersion { minor: *minor })
            }
            _ => Err(format!(
                "`{text}` is no version from {oldest}, the first with STRICT tables, to {bundled}, the one inside this \
                 program; write it as in `3.46`"
            )),
        }
    }
}

/// Something that a statement may say and that SQLite learned after [`SqliteVersion::OLDEST`].
#[derive(Debug)]
pub struct Construct {
    /// What it is, to stand after "it uses".
    pub words: &'static str,
    /// The first version that has it.
    pub since: SqliteVersion,
    /// A query that this version and later ones answer alike, and older ones otherwise or not at all.
    pub sample: &'static str,
    form: Form,
}

/// How a construct looks.
#[derive(Debug)]
enum Form {
    /// A call of one of these functions.
    Call(&'static [&'static str]),
    /// A call of a function with that many arguments.
    CallOf(&'static str, usize),
    /// One of these strings as an argument of a date function, without regard to case.
    DateModifier(&'static [&'static str]),
    /// One of these letters after a `%` in the format of `strftime()`.
    DateFormat(&'static str),
    /// `->` or `->>`.
    Arrow,
    /// `IS DISTINCT FROM`.
    DistinctFrom,
    /// RIGHT or FULL JOIN.
    OuterJoin,
    /// HAVING in a query that has no GROUP BY.
    HavingAlone,
    /// USING over a join in parentheses, or inside of it: the column of that name is ambiguous in older versions.
    UsingAtParentheses,
    /// ORDER BY among the arguments of a function.
    OrderInCall,
    /// `1_000`.
    Underscore,
}

const fn construct(words: &'static str, minor: u32, form: Form, sample: &'static str) -> Construct {
    Construct { words, since: SqliteVersion { minor }, form, sample }
}

/// Everything that is known to need more than [`SqliteVersion::OLDEST`].
pub const CONSTRUCTS: [Construct; 23] = [
    construct("format()", 38, Form::Call(&["format"]), "SELECT format('%d', 1)"),
    construct("unixepoch()", 38, Form::Call(&["unixepoch"]), "SELECT unixepoch(0, 'unixepoch')"),
    construct("`->`", 38, Form::Arrow, "SELECT '[1.50]' -> 0, '[1.50]' ->> 0"),
    construct(
        "the date modifier 'auto' or 'julianday'",
        38,
        Form::DateModifier(&["auto", "julianday"]),
        "SELECT datetime(0, 'auto'), datetime(0, 'julianday')",
    ),
    construct(
        "IS DISTINCT FROM",
        39,
        Form::DistinctFrom,
        "SELECT 1 IS DISTINCT FROM NULL, 1 IS NOT DISTINCT FROM NULL",
    ),
    construct(
        "RIGHT or FULL JOIN",
        39,
        Form::OuterJoin,
        "SELECT a, b FROM (SELECT 1 AS a) FULL JOIN (SELECT 2 AS b) ON a = b ORDER BY a",
    ),
    construct(
        "HAVING without GROUP BY",
        39,
        Form::HavingAlone,
        "SELECT count(*) FROM (SELECT 1 AS a) HAVING count(*) > 0",
    ),
    construct(
        "USING beside a join in parentheses",
        39,
        Form::UsingAtParentheses,
        "WITH t(a) AS (SELECT 1) SELECT a FROM t LEFT JOIN (t AS u JOIN t AS v ON u.a = v.a) USING (a)",
    ),
    construct("unhex()", 41, Form::Call(&["unhex"]), "SELECT hex(unhex('00ff'))"),
    construct(
        "the date modifier 'subsec'",
        42,
        Form::DateModifier(&["subsec", "subsecond"]),
        "SELECT datetime(0.5, 'unixepoch', 'subsec')",
    ),
    construct("json_error_position()", 42, Form::Call(&["json_error_position"]), "SELECT json_error_position('1')"),
    construct(
        "octet_length() or timediff()",
        43,
        Form::Call(&["octet_length", "timediff"]),
        "SELECT octet_length('é'), timediff('2024-01-01', '2023-01-01')",
    ),
    construct(
        "concat(), concat_ws() or string_agg()",
        44,
        Form::Call(&["concat", "concat_ws", "string_agg"]),
        "SELECT concat('a', NULL, 1), concat_ws(',', 1, 2), string_agg(1, ',')",
    ),
    construct(
        "a date format of SQLite 3.44",
        44,
        Form::DateFormat("eFIklpPRTu"),
        "SELECT strftime('%e %F %I %k %l %p %P %R %T %u', '2024-12-30')",
    ),
    construct(
        "ORDER BY in an aggregate",
        44,
        Form::OrderInCall,
        "SELECT group_concat(a, ',' ORDER BY a DESC) FROM (SELECT 1 AS a UNION ALL SELECT 2)",
    ),
    construct(
        "a function over binary JSON",
        45,
        Form::Call(&[
            "jsonb",
            "jsonb_array",
            "jsonb_extract",
            "jsonb_insert",
            "jsonb_object",
            "jsonb_patch",
            "jsonb_remove",
            "jsonb_replace",
            "jsonb_set",
            "jsonb_group_array",
            "jsonb_group_object",
        ]),
        "SELECT json(jsonb('[1]')), json(jsonb_array(1))",
    ),
    construct("json_valid() of two arguments", 45, Form::CallOf("json_valid", 2), "SELECT json_valid('{a:1}', 2)"),
    construct(
        "the date modifier 'floor' or 'ceiling'",
        46,
        Form::DateModifier(&["floor", "ceiling"]),
        "SELECT date('2024-01-31', '+1 month', 'floor'), date('2024-01-31', '+1 month', 'ceiling')",
    ),
    construct(
        "a date format of SQLite 3.46",
        46,
        Form::DateFormat("GgUV"),
        "SELECT strftime('%G %g %U %V', '2024-12-30')",
    ),
    construct("json_pretty()", 46, Form::Call(&["json_pretty"]), "SELECT json_pretty('[]')"),
    construct("`_` in a number", 46, Form::Underscore, "SELECT 1_000"),
    construct("if() or iif() of two arguments", 48, Form::CallOf("iif", 2), "SELECT iif(1, 2)"),
    construct(
        "unistr() or unistr_quote()",
        50,
        Form::Call(&["unistr", "unistr_quote"]),
        "SELECT unistr('\\u00e9'), unistr_quote('a')",
    ),
];

const DATE_FUNCTIONS: [&str; 7] = ["date", "time", "datetime", "julianday", "unixepoch", "strftime", "timediff"];

/// What a statement uses of [`CONSTRUCTS`]; `None` where its tokens cannot be told apart.
pub fn constructs(sql: &str) -> Option<Vec<&'static Construct>> {
    let tokens = Tokenizer::new(&SQLiteDialect {}, sql).tokenize().ok()?;
    let tokens: Vec<Token> = tokens.into_iter().filter(|token| !matches!(token, Token::Whitespace(_))).collect();
    let mut scan = Scan { tokens: &tokens, open: Vec::new(), found: Vec::new() };
    (0..tokens.len()).for_each(|at| scan.step(at));
    let found = scan.found;
    Some(CONSTRUCTS.iter().filter(|one| found.contains(&one.words)).collect())
}

/// The version that statements need, [`SqliteVersion::OLDEST`] at least, as far as [`constructs`] can tell.
pub fn needed<'a>(statements: impl IntoIterator<Item = &'a str>) -> SqliteVersion {
    let found = statements.into_iter().flat_map(|sql| constructs(sql).unwrap_or_default());
    found.map(|construct| construct.since).max().unwrap_or_default()
}

/// A walk over the tokens of a statement.
struct Scan<'a> {
    tokens: &'a [Token],
    /// The parentheses around the token, innermost last.
    open: Vec<Open>,
    found: Vec<&'static str>,
}

/// An open parenthesis.
struct Open {
    /// The word before it in lower case, which may be a function.
    callee: String,
    /// A query stands in it, and not a list of arguments.
    query: bool,
    commas: usize,
}

impl Scan<'_> {
    /// The keyword at a place, in lower case; a quoted name is none.
    fn word(&self, at: usize) -> String {
        match self.tokens.get(at) {
            Some(Token::Word(Word { value, quote_style: None, .. })) => value.to_ascii_lowercase(),
            _ => String::new(),
        }
    }

    fn step(&mut self, at: usize) {
        match &self.tokens[at] {
            Token::LParen => {
                let callee = match at.checked_sub(1).and_then(|before| self.tokens.get(before)) {
                    Some(Token::Word(word)) => word.value.to_ascii_lowercase(),
                    _ => String::new(),
                };
                let query = matches!(self.word(at + 1).as_str(), "select" | "with" | "values");
                self.find(|form| matches!(form, Form::Call(names) if names.contains(&callee.as_str())));
                if callee == "if" {
                    self.find(|form| matches!(form, Form::CallOf("iif", 2)));
                }
                self.open.push(Open { callee, query, commas: 0 });
            }
            Token::RParen => {
                if let Some(Open { callee, query, commas }) = self.open.pop() {
                    if callee == "join" && !query && self.word(at + 1) == "using" {
                        self.find(|form| matches!(form, Form::UsingAtParentheses));
                    }
                    self.find(|form| {
                        matches!(form, Form::CallOf(name, arguments) if *name == callee && *arguments == commas + 1)
                    });
                }
            }
            Token::Comma => {
                if let Some(open) = self.open.last_mut() {
                    open.commas += 1;
                }
            }
            Token::Arrow | Token::LongArrow => self.find(|form| matches!(form, Form::Arrow)),
            Token::Number(text, _) if text.contains('_') => self.find(|form| matches!(form, Form::Underscore)),
            // Or it is read as a number, or a word, and the rest of it as another word.
            Token::Number(..) if self.word(at + 1).starts_with('_') => {
                self.find(|form| matches!(form, Form::Underscore));
            }
            Token::Word(word) if word.quote_style.is_none() && word.value.starts_with(|c: char| c.is_ascii_digit()) => {
                self.find(|form| matches!(form, Form::Underscore));
            }
            Token::SingleQuotedString(text) => self.date_argument(&text.to_ascii_lowercase(), text),
            Token::Word(_) => self.keywords(at),
            _ => {}
        }
    }

    fn date_argument(&mut self, lower: &str, text: &str) {
        let Some(open) = self.open.last() else { return };
        if !DATE_FUNCTIONS.contains(&open.callee.as_str()) {
            return;
        }
        if open.callee == "strftime" && open.commas == 0 {
            let letters: Vec<char> = text.split('%').skip(1).filter_map(|part| part.chars().next()).collect();
            self.find(
                |form| matches!(form, Form::DateFormat(known) if letters.iter().any(|letter| known.contains(*letter))),
            );
        } else {
            self.find(|form| matches!(form, Form::DateModifier(known) if known.contains(&lower)));
        }
    }

    /// Whether GROUP stands between a HAVING and its own SELECT.
    fn is_grouped(&self, having: usize) -> bool {
        let mut depth = 0;
        for at in (0..having).rev() {
            match &self.tokens[at] {
                Token::RParen => depth += 1,
                Token::LParen if depth == 0 => return false,
                Token::LParen => depth -= 1,
                Token::Word(_) if depth == 0 => match self.word(at).as_str() {
                    "group" => return true,
                    "select" => return false,
                    _ => {}
                },
                _ => {}
            }
        }
        false
    }

    fn keywords(&mut self, at: usize) {
        let next = |offset: usize| self.word(at + offset);
        match self.word(at).as_str() {
            "having" if !self.is_grouped(at) => self.find(|form| matches!(form, Form::HavingAlone)),
            "is" if [next(1), next(2)].concat() == "distinctfrom"
                || [next(1), next(2), next(3)].concat() == "notdistinctfrom" =>
            {
                self.find(|form| matches!(form, Form::DistinctFrom));
            }
            "right" | "full" if next(1) == "join" || (next(1) == "outer" && next(2) == "join") => {
                self.find(|form| matches!(form, Form::OuterJoin));
            }
            "using" => {
                let around = self.open.iter().rev().take_while(|open| !open.query);
                if around.into_iter().any(|open| open.callee == "join") {
                    self.find(|form| matches!(form, Form::UsingAtParentheses));
                }
            }
            "order" if next(1) == "by" => {
                let in_call = self.open.last().is_some_and(|open| {
                    !open.query && !open.callee.is_empty() && !matches!(open.callee.as_str(), "over" | "as")
                });
                if in_call {
                    self.find(|form| matches!(form, Form::OrderInCall));
                }
            }
            _ => {}
        }
    }

    fn find(&mut self, is: impl Fn(&Form) -> bool) {
        self.found.extend(CONSTRUCTS.iter().filter(|one| is(&one.form)).map(|one| one.words));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_within_what_can_be_written() {
        let version = |text: &str| text.parse::<SqliteVersion>();
        assert_eq!(version("3.37"), Ok(SqliteVersion::OLDEST));
        assert_eq!(version("3.46.1").unwrap().to_string(), "3.46");
        assert_eq!(version(&SqliteVersion::bundled().to_string()), Ok(SqliteVersion::bundled()));
        for wrong in ["3.36", "3", "4.1", "3.x", "3.+40", "3.999", "", "3.40.1.2"] {
            let refused = version(wrong).unwrap_err();
            assert!(refused.contains("3.37") && refused.contains("3.46"), "{wrong}: {refused}");
        }
        assert!(version("3.38").unwrap() < version("3.40").unwrap());
    }

    #[test]
    fn each_construct_is_found_in_its_own_sample_and_answered_by_the_bundled_version() {
        let connection = rusqlite::Connection::open_in_memory().unwrap();
        for construct in &CONSTRUCTS {
            let found = constructs(construct.sample).unwrap();
            assert!(found.iter().any(|one| one.words == construct.words), "{}: {found:?}", construct.words);
            assert_eq!(needed([construct.sample]), construct.since, "{}", construct.words);
            let answer = connection.query_row(construct.sample, [], |row| row.get::<_, rusqlite::types::Value>(0));
            assert!(answer.is_ok(), "{}: {answer:?}", construct.words);
        }
    }

    #[test]
    fn what_only_looks_like_one_is_none() {
        for sql in [
            "SELECT \"right\", 'IS DISTINCT FROM', '->' FROM \"full\" JOIN b ON 1 -- unixepoch()",
            "SELECT 1 FROM a JOIN (SELECT x FROM b JOIN c USING (x)) USING (x) JOIN d USING (x)",
            "SELECT a, (SELECT max(b) FROM u) FROM t WHERE (a) > 1 GROUP BY a HAVING count(*) > (SELECT 1 FROM u)",
            "SELECT row_number() OVER (ORDER BY a), sum(a) OVER w FROM t WINDOW w AS (ORDER BY a)",
            "SELECT (SELECT a FROM t ORDER BY a), max((SELECT a FROM t ORDER BY a)) FROM t ORDER BY 1",
            "SELECT strftime('%Y-%m-%d %H:%M:%f', a, 'unixepoch', 'floor') = 'subsec', iif(a, 1, 2), json_valid(a)"
                .replace(", 'floor'", "")
                .as_str(),
            "CREATE TABLE a (unixepoch INTEGER, \"format\" TEXT CHECK (length(\"format\") < 3)) STRICT",
        ] {
            let found = constructs(sql).unwrap();
            assert!(found.is_empty(), "{sql}: {found:?}");
        }
    }

    #[test]
    fn each_is_found_where_it_stands() {
        for (sql, version) in [
            ("CREATE TABLE a (b TEXT DEFAULT (datetime('now', 'subsec')))", "3.42"),
            ("CREATE VIEW v AS SELECT a FROM b NATURAL RIGHT OUTER JOIN c", "3.39"),
            ("CREATE VIEW v AS SELECT 1 FROM a JOIN (b JOIN c USING (x)) ON 1", "3.39"),
            ("CREATE VIEW v AS SELECT a FROM t GROUP BY (SELECT 1 FROM u HAVING count(*) > 0)", "3.39"),
            ("CREATE INDEX i ON t (x IS NOT DISTINCT FROM y)", "3.39"),
            ("CREATE TABLE t (a TEXT CHECK (a ->> '$.k' > 1))", "3.38"),
            ("CREATE VIEW v AS SELECT json_group_array(a ORDER BY b) FILTER (WHERE c) FROM t", "3.44"),
            ("CREATE VIEW v AS SELECT if(a, b, c), 1 FROM t", "3.48"),
            ("CREATE TRIGGER g AFTER INSERT ON t BEGIN UPDATE t SET a = unixepoch(); END", "3.38"),
        ] {
            assert_eq!(needed([sql]).to_string(), version, "{sql}");
        }
    }
}
