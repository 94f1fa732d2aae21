//! A query file: its title, where its parameters come from, its own target, and one statement that reads.
//!
//! Invariant: every parameter of the statement is in the header and the other way round; a mistake names the file, the
//! line and the known forms.

use crate::error::{Context, Error, Result};
use crate::project::{LatencyOptions, Project};
use crate::schema::tokens::{Class, Dialect, Statement, scan};
use rusqlite::types::Value;
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What a query may say of a parameter, for hints.
const PARAMETER_FORMS: &str = "a parameter is `:name  TYPE, SOURCE; remark`, TYPE `text`, `integer`, `real` or `blob`, SOURCE \
                               `from table.column`, `from table.column + 1`, `first word of table.column` (each may go on \
                               with `where condition`), `now in seconds`, `now in milliseconds - 3600000`, \
                               `now as RFC 3339`, `now as date and time` or `always 20`";

/// What a query may say of its target, for hints.
const TARGET_FORMS: &str = "a target is `target: P95 < 5 ms`, or several with commas between them; it limits `P50`, `P95`, \
                            `P99` or `max`, in `us`, `ms` or `s`";

/// One typical query: a file `NAME.sql` in the project's folder `queries`.
///
/// ```sql
/// -- home page: projects of a user that changed since, the last changed first
/// -- :user_id  text, from projects.user_id
/// -- :since    integer, from projects.updated_at - 1; seconds since 1970-01-01
/// -- target: P95 < 5 ms
/// SELECT id, name FROM projects WHERE user_id = :user_id AND updated_at > :since ORDER BY updated_at DESC LIMIT 20;
/// ```
///
/// The first comment is the title. A line for each parameter gives its type, where its values are drawn from, and after
/// a semicolon what people should know. Values drawn from one table come from one row, in which each is of its
/// parameter's type; so rows that have more of them are drawn more often, as in real use. A target here comes before
/// the project's. Other comments are text, unless they look like a key that is not known.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    /// The file's name without its ending.
    pub name: String,
    /// The file.
    pub file: PathBuf,
    /// The first comment.
    pub title: String,
    /// The statement.
    pub sql: String,
    /// Its parameters in the order of the header.
    pub parameters: Vec<Parameter>,
    /// The targets that it names itself.
    pub targets: Targets,
    pub(super) statement: Statement,
}

/// One parameter of a query.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameter {
    /// Its name without the colon.
    pub name: String,
    /// The line of the header, from 1.
    pub line: usize,
    /// Of which type its values are.
    pub kind: Kind,
    /// Where its values come from.
    pub source: Source,
}

/// SQLite's type of a parameter's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// TEXT.
    Text,
    /// INTEGER.
    Integer,
    /// REAL; an integer does, too.
    Real,
    /// BLOB.
    Blob,
}

/// Where a parameter's values come from.
#[derive(Debug, Clone, PartialEq)]
pub enum Source {
    /// A column of a row that is drawn.
    Row {
        /// The table.
        table: String,
        /// The column.
        column: String,
        /// What is made of the value.
        change: Change,
        /// Which rows are drawn from, as SQL; all where there is none.
        condition: Option<String>,
    },
    /// The time of the measurement.
    Now {
        /// In which form.
        form: Clock,
        /// What is added to it, in its unit; 0 for text.
        offset: i64,
    },
    /// The same value in every run.
    Always(Value),
}

/// What is made of a value that was drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Nothing.
    None,
    /// This is added to it.
    Plus(i64),
    /// Its first run of letters and digits, as a string of an FTS5 query.
    FirstWord,
}

/// A form of the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    /// Seconds since 1970-01-01 00:00:00 UTC.
    Seconds,
    /// Milliseconds since then.
    Milliseconds,
    /// Microseconds since then.
    Microseconds,
    /// `2026-01-31T23:59:59.123Z`.
    Rfc3339,
    /// `2026-01-31 23:59:59`, as SQLite's CURRENT_TIMESTAMP.
    DateAndTime,
}

/// What a query's runs have to stay below; nothing is asked where there is none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Targets {
    /// Half of the runs.
    pub p50: Option<Duration>,
    /// 95 of 100 runs.
    pub p95: Option<Duration>,
    /// 99 of 100 runs.
    pub p99: Option<Duration>,
    /// Every run.
    pub max: Option<Duration>,
}

impl Targets {
    /// These, and those of `other` where these say nothing.
    pub fn or(self, other: Targets) -> Targets {
        Targets {
            p50: self.p50.or(other.p50),
            p95: self.p95.or(other.p95),
            p99: self.p99.or(other.p99),
            max: self.max.or(other.max),
        }
    }

    /// Those of a project.
    pub fn of(options: &LatencyOptions) -> Targets {
        let span = |ms: f64| Duration::try_from_secs_f64(ms / 1e3).ok();
        Targets { p50: span(options.p50_ms), p95: span(options.p95_ms), p99: span(options.p99_ms), max: None }
    }
}

/// A project's queries in the order of their names; none where it has no folder `queries`.
///
/// # Errors
/// When a file cannot be read or is no query; the error names the file, the line and the known forms.
pub fn queries(project: &Project) -> Result<Vec<Query>> {
    let Some(folder) = &project.queries else { return Ok(Vec::new()) };
    let shown = || format!("`{}`", folder.display());
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).could_not("list the queries in", shown())? {
        let path = entry.could_not("list the queries in", shown())?.path();
        if path.extension().is_some_and(|extension| extension == "sql") && path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    files.iter().map(|file| Query::read(file)).collect()
}

impl Query {
    /// Reads one file.
    ///
    /// # Errors
    /// As [`queries`].
    pub fn read(file: &Path) -> Result<Query> {
        let text = std::fs::read_to_string(file).could_not("read the query", format!("`{}`", file.display()))?;
        Query::parse(file, &text)
    }

    /// Reads the text of one file.
    ///
    /// # Errors
    /// As [`queries`].
    pub fn parse(file: &Path, text: &str) -> Result<Query> {
        let scanned = scan(text, Dialect::Sqlite).map_err(|error| refused(file, None, error.cause()))?;
        let [statement] = scanned.statements.as_slice() else {
            let cause = match scanned.statements.len() {
                0 => "it has no statement".to_owned(),
                many => format!("it has {many} statements"),
            };
            return Err(refused(file, None, &cause).hint("a query is one statement that reads"));
        };
        let mut header = scanned.comments.iter().filter(|comment| !comment.after_sql);
        let title = header.next().filter(|title| !title.text.is_empty()).ok_or_else(|| {
            refused(file, Some(1), "it has no title").hint("the first line says what the query is for: `-- a title`")
        })?;
        if title.text.starts_with(':') || title.text.to_ascii_lowercase().starts_with("target:") {
            return Err(refused(file, Some(title.line), "it has no title")
                .hint("the first line says what the query is for: `-- a title`"));
        }
        let mut query = Query {
            name: file.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
            file: file.to_owned(),
            title: title.text.clone(),
            sql: statement.text().to_owned(),
            parameters: Vec::new(),
            targets: Targets::default(),
            statement: statement.clone(),
        };
        for comment in header {
            let at = |cause: String| refused(file, Some(comment.line), &cause);
            if let Some(rest) = comment.text.strip_prefix(':') {
                let parameter = parameter(rest, comment.line).map_err(|cause| at(cause).hint(PARAMETER_FORMS))?;
                if query.parameters.iter().any(|other| other.name == parameter.name) {
                    return Err(at(format!("`:{}` is here a second time", parameter.name)));
                }
                query.parameters.push(parameter);
            } else if let Some((key, rest)) = key(&comment.text) {
                match key.eq_ignore_ascii_case("target") {
                    true => targets(rest, &mut query.targets).map_err(|cause| at(cause).hint(TARGET_FORMS))?,
                    false => {
                        let known =
                            "known are `:parameter` and `target:`; other comments have no colon after their first word";
                        return Err(at(format!("`{key}:` is no key")).hint(known));
                    }
                }
            }
        }
        query.check_parameters(text)?;
        Ok(query)
    }

    fn check_parameters(&self, text: &str) -> Result<()> {
        let line_of = |name: &str| text.lines().position(|line| !line.starts_with("--") && line.contains(name));
        let tokens: Vec<_> = self.statement.tokens().collect();
        let mut used = Vec::new();
        for (token, next) in tokens.iter().zip(tokens.iter().skip(1).map(Some).chain([None])) {
            if token.class != Class::Symbol || !matches!(token.text, ":" | "?" | "@" | "$") {
                continue;
            }
            let name = next.map_or("", |next| next.text);
            if token.text != ":" {
                let line = line_of(token.text).map(|line| line + 1);
                return Err(refused(&self.file, line, &format!("a parameter begins with `{}`", token.text))
                    .hint("give it a name behind a colon, `:name`, and a line in the header"));
            }
            if !self.parameters.iter().any(|parameter| parameter.name == name) {
                let line = line_of(&format!(":{name}")).map(|line| line + 1);
                return Err(
                    refused(&self.file, line, &format!("the header says nothing of `:{name}`")).hint(PARAMETER_FORMS)
                );
            }
            used.push(name);
        }
        match self.parameters.iter().find(|parameter| !used.contains(&parameter.name.as_str())) {
            Some(parameter) => Err(self.refused_at(parameter, &format!("the query has no `:{}`", parameter.name))),
            None => Ok(()),
        }
    }

    /// The error about one of the parameters.
    pub(super) fn refused_at(&self, parameter: &Parameter, cause: &str) -> Error {
        refused(&self.file, Some(parameter.line), cause)
    }
}

pub(super) fn refused(file: &Path, line: Option<usize>, cause: &str) -> Error {
    let place = line.map_or_else(String::new, |line| format!(", line {line}"));
    Error::usage("read the query", format!("`{}`{place}", file.display()), cause)
}

/// `word: rest`.
fn key(text: &str) -> Option<(&str, &str)> {
    let (key, rest) = text.split_once(':')?;
    let is_word = !key.is_empty() && key.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-');
    is_word.then(|| (key, rest.trim()))
}

/// `name  TYPE, SOURCE; remark`
fn parameter(text: &str, line: usize) -> Result<Parameter, String> {
    let (name, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let (kind, source) = without_remark(rest).split_once(',').unwrap_or((without_remark(rest), ""));
    let kind = match kind.trim() {
        "text" => Kind::Text,
        "integer" => Kind::Integer,
        "real" => Kind::Real,
        "blob" => Kind::Blob,
        "" => return Err(format!("`:{name}` has no type")),
        other => return Err(format!("`{other}` is no type of `:{name}`")),
    };
    let source = source.trim();
    if source.is_empty() {
        return Err(format!("it does not say where the values of `:{name}` are drawn from"));
    }
    let source = source_of(source, kind).map_err(|cause| format!("`:{name}`: {cause}"))?;
    Ok(Parameter { name: name.to_owned(), line, kind, source })
}

/// What stands before the first semicolon outside quotes.
fn without_remark(text: &str) -> &str {
    let mut quoted = None;
    for (at, character) in text.char_indices() {
        match (character, quoted) {
            (';', None) => return &text[..at],
            ('\'' | '"', None) => quoted = Some(character),
            (_, Some(quote)) if quote == character => quoted = None,
            _ => {}
        }
    }
    text
}

fn source_of(text: &str, kind: Kind) -> Result<Source, String> {
    if let Some(rest) = text.strip_prefix("from ") {
        return row(rest, kind, None);
    }
    if let Some(rest) = text.strip_prefix("first word of ") {
        return match kind {
            Kind::Text => row(rest, kind, Some(Change::FirstWord)),
            _ => Err("a word is of type `text`".to_owned()),
        };
    }
    if let Some(rest) = text.strip_prefix("now ") {
        return now(rest.trim(), kind);
    }
    if let Some(rest) = text.strip_prefix("always ") {
        return Ok(Source::Always(literal(rest.trim(), kind)?));
    }
    Err(format!("`{text}` is no known source"))
}

/// `table.column`, `+ 1` behind it where a number can be added, then `where condition`.
fn row(text: &str, kind: Kind, change: Option<Change>) -> Result<Source, String> {
    let none = || format!("`{}` is no `table.column`", text.trim());
    let (table, rest) = name(text.trim()).ok_or_else(none)?;
    let (column, rest) = rest.strip_prefix('.').and_then(name).ok_or_else(none)?;
    let rest = rest.trim();
    let (offset, condition) = match rest.strip_prefix("where ") {
        Some(condition) => ("", Some(condition)),
        None => match rest.split_once(" where ") {
            Some((offset, condition)) => (offset.trim(), Some(condition)),
            None => (rest, None),
        },
    };
    let condition = condition.map(str::trim).filter(|condition| !condition.is_empty()).map(str::to_owned);
    let change = match (offset, change) {
        ("", change) => change.unwrap_or(Change::None),
        (offset, None) if matches!(kind, Kind::Integer | Kind::Real) => Change::Plus(signed(offset)?),
        (offset, _) => return Err(format!("`{offset}` cannot be added to a text")),
    };
    Ok(Source::Row { table, column, change, condition })
}

/// A name, plain or in double quotes, and what follows it.
fn name(text: &str) -> Option<(String, &str)> {
    if let Some(rest) = text.strip_prefix('"') {
        let (name, rest) = rest.split_once('"')?;
        return (!name.is_empty()).then(|| (name.to_owned(), rest));
    }
    let end = text.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$')).unwrap_or(text.len());
    (end > 0).then(|| (text[..end].to_owned(), &text[end..]))
}

/// `+ 5` or `- 5`.
fn signed(text: &str) -> Result<i64, String> {
    let none = || format!("`{text}` is not `+` or `-` and a whole number");
    let (sign, digits) = match (text.strip_prefix('+'), text.strip_prefix('-')) {
        (Some(digits), _) => (1, digits),
        (_, Some(digits)) => (-1, digits),
        _ => return Err(none()),
    };
    let number: i64 = digits.trim().replace('_', "").parse().map_err(|_| none())?;
    if number < 0 { Err(none()) } else { Ok(sign * number) }
}

fn now(text: &str, kind: Kind) -> Result<Source, String> {
    const FORMS: [(&str, Clock, Kind); 5] = [
        ("in seconds", Clock::Seconds, Kind::Integer),
        ("in milliseconds", Clock::Milliseconds, Kind::Integer),
        ("in microseconds", Clock::Microseconds, Kind::Integer),
        ("as RFC 3339", Clock::Rfc3339, Kind::Text),
        ("as date and time", Clock::DateAndTime, Kind::Text),
    ];
    let Some((word, form, of)) = FORMS.into_iter().find(|(word, ..)| text.starts_with(word)) else {
        return Err(format!("`now {text}` is no form of the time"));
    };
    if of != kind {
        return Err(format!("`now {word}` is not of that type"));
    }
    let offset = match text[word.len()..].trim() {
        "" => 0,
        offset if of == Kind::Integer => signed(offset)?,
        offset => return Err(format!("`{offset}` cannot be added to a text")),
    };
    Ok(Source::Now { form, offset })
}

fn literal(text: &str, kind: Kind) -> Result<Value, String> {
    let none = |what: &str| format!("`{text}` is no {what}");
    match kind {
        Kind::Text => {
            let inside = text.strip_prefix('\'').and_then(|text| text.strip_suffix('\''));
            Ok(Value::Text(inside.ok_or_else(|| none("text in single quotes"))?.replace("''", "'")))
        }
        Kind::Integer => text.parse().map(Value::Integer).map_err(|_| none("whole number")),
        Kind::Real => text.parse().map(Value::Real).map_err(|_| none("number")),
        Kind::Blob => Err("a constant cannot be a blob".to_owned()),
    }
}

/// `P95 < 5 ms, max < 1 s`
fn targets(text: &str, targets: &mut Targets) -> Result<(), String> {
    for part in without_remark(text).split(',').map(str::trim) {
        let none = || format!("`{part}` is no target");
        let (figure, limit) = part.split_once('<').ok_or_else(none)?;
        let limit = limit.trim();
        let digits = limit.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(limit.len());
        let number: f64 = limit[..digits].parse().map_err(|_| none())?;
        let seconds = match limit[digits..].trim() {
            "us" | "µs" => number / 1e6,
            "ms" => number / 1e3,
            "s" => number,
            _ => return Err(none()),
        };
        let span = Duration::try_from_secs_f64(seconds).ok().filter(|span| !span.is_zero()).ok_or_else(none)?;
        let place = match figure.trim() {
            "P50" => &mut targets.p50,
            "P95" => &mut targets.p95,
            "P99" => &mut targets.p99,
            "max" => &mut targets.max,
            _ => return Err(none()),
        };
        if place.replace(span).is_some() {
            return Err(format!("`{}` is limited twice", figure.trim()));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Query> {
        Query::parse(Path::new("queries/one.sql"), text)
    }

    #[test]
    fn a_header_says_where_values_come_from_and_how_fast_it_has_to_be() {
        let query = parse(
            "-- home page: of a user\n-- :user_id text, from projects.user_id where \"a b\" = ';' ; a remark, from x.y\n\
             -- more about it\n-- :since  integer, from projects.updated_at - 1\n-- :words text, first word of projects.name\n\
             -- :now  integer, now in milliseconds - 60_000\n-- :n integer, always 20\n\
             -- target: P95 < 5 ms, max < 1.5 s\n\
             SELECT 1 FROM projects WHERE user_id = :user_id AND :since < :now AND 'a :b' <> :words LIMIT :n;\n",
        )
        .unwrap();
        assert_eq!((query.name.as_str(), query.title.as_str()), ("one", "home page: of a user"));
        let row = |column: &str, change, condition: Option<&str>| Source::Row {
            table: "projects".into(),
            column: column.into(),
            change,
            condition: condition.map(str::to_owned),
        };
        let sources: Vec<_> = query.parameters.iter().map(|parameter| parameter.source.clone()).collect();
        assert_eq!(
            sources,
            [
                row("user_id", Change::None, Some("\"a b\" = ';'")),
                row("updated_at", Change::Plus(-1), None),
                row("name", Change::FirstWord, None),
                Source::Now { form: Clock::Milliseconds, offset: -60_000 },
                Source::Always(Value::Integer(20)),
            ]
        );
        let (five, more) = (Some(Duration::from_millis(5)), Some(Duration::from_millis(1_500)));
        assert_eq!(query.targets, Targets { p95: five, max: more, ..Targets::default() });
        let all = query.targets.or(Targets::of(&LatencyOptions::default()));
        assert_eq!(
            (all.p50, all.p95, all.p99),
            (Some(Duration::from_millis(10)), five, Some(Duration::from_millis(100)))
        );
        assert!(query.sql.starts_with("SELECT") && query.sql.ends_with(":n"));
    }

    #[test]
    fn a_mistake_names_file_line_and_the_known_forms() {
        for (text, line, cause) in [
            ("SELECT 1", Some(1), "it has no title"),
            ("-- :a  text, from t.a\nSELECT :a", Some(1), "it has no title"),
            ("-- title\n-- nothing else\n", None, "it has no statement"),
            ("-- title\nSELECT 1; SELECT 2", None, "it has 2 statements"),
            ("-- title\n-- :a  text\nSELECT :a", Some(2), "where the values of `:a` are drawn from"),
            ("-- title\n-- :a\nSELECT :a", Some(2), "`:a` has no type"),
            ("-- title\n-- :a uuid, from t.a\nSELECT :a", Some(2), "`uuid` is no type"),
            ("-- title\n-- :a text, of t.a\nSELECT :a", Some(2), "`of t.a` is no known source"),
            ("-- title\n-- :a text, from t\nSELECT :a", Some(2), "`t` is no `table.column`"),
            ("-- title\n-- :a text, from t.a + 1\nSELECT :a", Some(2), "cannot be added to a text"),
            ("-- title\n-- :a integer, from t.a plus 1\nSELECT :a", Some(2), "`plus 1` is not `+` or `-`"),
            ("-- title\n-- :a text, now in seconds\nSELECT :a", Some(2), "not of that type"),
            ("-- title\n-- :a integer, now in weeks\nSELECT :a", Some(2), "`now in weeks` is no form"),
            ("-- title\n-- :a integer, always many\nSELECT :a", Some(2), "`many` is no whole number"),
            ("-- title\n-- :a text, from t.a\n-- :a text, from t.b\nSELECT :a", Some(3), "a second time"),
            ("-- title\n-- :a text, from t.a\nSELECT 1", Some(2), "the query has no `:a`"),
            ("-- title\n\nSELECT 1\nWHERE :b = 2", Some(4), "the header says nothing of `:b`"),
            ("-- title\nSELECT ?1", Some(2), "a parameter begins with `?`"),
            ("-- title\n-- traget: P95 < 5 ms\nSELECT 1", Some(2), "`traget:` is no key"),
            ("-- title\n-- target: P90 < 5 ms\nSELECT 1", Some(2), "`P90 < 5 ms` is no target"),
            ("-- title\n-- target: P95 < 5\nSELECT 1", Some(2), "`P95 < 5` is no target"),
            ("-- title\n-- target: P95 < 0 ms\nSELECT 1", Some(2), "is no target"),
            ("-- title\n-- target: P95 < 5 ms, P95 < 6 ms\nSELECT 1", Some(2), "`P95` is limited twice"),
        ] {
            let error = parse(text).unwrap_err();
            let told = error.to_string();
            assert!(told.contains(cause), "{text}: {told}");
            let place =
                line.map_or_else(|| "`queries/one.sql`:".to_owned(), |line| format!("`queries/one.sql`, line {line}:"));
            assert!(told.contains(&place), "{text}: {told}");
            assert_eq!(error.kind(), crate::error::Kind::Usage);
        }
        let error = parse("-- title\n-- :a  text\nSELECT :a").unwrap_err();
        assert!(error.way_out().is_some_and(|hint| hint.contains("`first word of table.column`")), "{error:?}");
        let error = parse("-- title\n-- target: fast\nSELECT 1").unwrap_err();
        assert!(error.way_out().is_some_and(|hint| hint.contains("`target: P95 < 5 ms`")), "{error:?}");
    }
}
