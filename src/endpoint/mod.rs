//! Where rows come from and where they go: an endpoint is recognised by its form.
//!
//! Invariant: no `Display`, no `Debug` and no error of this module shows a password, wherever in the URL it stands.

pub mod postgres;
mod read;
pub mod sqlite;

pub use read::{ReadColumn, ReadRequest, Source, TakeRow};

use crate::error::{Error, Result};
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

const KNOWN_FORMS: &str = "known forms: `postgres://user@host:port/database`, or the path of a SQLite file \
                           (`app.db`, `sqlite:app.db`)";

/// One side of a migration.
#[derive(Clone, PartialEq, Eq)]
pub enum Endpoint {
    /// A PostgreSQL database.
    Postgres(PostgresUrl),
    /// A SQLite file.
    Sqlite(PathBuf),
}

impl Endpoint {
    /// Recognises an endpoint: `postgres://…` and `postgresql://…` are PostgreSQL, `sqlite:…` and everything that
    /// is no URL is the path of a SQLite file. Opens nothing.
    ///
    /// # Errors
    /// A usage error that lists the known forms, for an empty text, another URL scheme, a connection string of
    /// `key=value` words, or an in-memory SQLite database.
    pub fn parse(text: &str) -> Result<Self> {
        let refuse = |shown: &str, cause: &str| {
            let object = if shown.is_empty() { String::new() } else { format!("`{shown}`") };
            Err(Error::usage("read endpoint", object, cause).hint(KNOWN_FORMS))
        };
        if text.trim().is_empty() {
            return refuse("", "it is empty");
        }
        if let Some(url) = PostgresUrl::recognise(text) {
            return Ok(Endpoint::Postgres(url));
        }
        if let Some(path) = strip_prefix_ignoring_case(text, "sqlite:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            return match path {
                "" => refuse(text, "it names no file"),
                ":memory:" => refuse(text, "a database in memory is gone when the run ends"),
                path => Ok(Endpoint::Sqlite(PathBuf::from(path))),
            };
        }
        if text == ":memory:" {
            return refuse(text, "a database in memory is gone when the run ends");
        }
        if let Some((scheme, _)) = text.split_once("://") {
            // Only the scheme is told: what follows it may hold a password.
            return refuse(&format!("{scheme}://…"), "this scheme is not known");
        }
        if let Some(scheme) =
            ["postgres:", "postgresql:"].into_iter().find(|scheme| strip_prefix_ignoring_case(text, scheme).is_some())
        {
            return refuse(&format!("{scheme}…"), "`//` is missing behind the scheme");
        }
        if ["host=", "hostaddr=", "dbname=", "password="].iter().any(|word| text.contains(word)) {
            return refuse("", "a connection string of `key=value` words is not known");
        }
        Ok(Endpoint::Sqlite(PathBuf::from(text)))
    }

    /// The PostgreSQL URL, where it is one.
    pub fn as_postgres(&self) -> Option<&PostgresUrl> {
        match self {
            Endpoint::Postgres(url) => Some(url),
            Endpoint::Sqlite(_) => None,
        }
    }

    /// The SQLite file's path, where it is one.
    pub fn as_sqlite(&self) -> Option<&Path> {
        match self {
            Endpoint::Postgres(_) => None,
            Endpoint::Sqlite(path) => Some(path),
        }
    }
}

impl FromStr for Endpoint {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Endpoint::parse(text)
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Endpoint::Postgres(url) => url.fmt(f),
            Endpoint::Sqlite(path) => path.display().fmt(f),
        }
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Endpoint({self})")
    }
}

/// The URL of a PostgreSQL database. It prints itself without its password.
#[derive(Clone, PartialEq, Eq)]
pub struct PostgresUrl(String);

impl PostgresUrl {
    /// The URL, if the text has the scheme of one.
    fn recognise(text: &str) -> Option<Self> {
        let rest = ["postgres://", "postgresql://"].iter().find_map(|scheme| strip_prefix_ignoring_case(text, scheme));
        rest.map(|rest| PostgresUrl(format!("postgres://{rest}")))
    }

    /// A URL from its text.
    ///
    /// # Errors
    /// A usage error where the text is no `postgres://` URL.
    pub fn parse(text: &str) -> Result<Self> {
        Self::recognise(text).ok_or_else(|| {
            Error::usage("read endpoint", "", "this is no PostgreSQL URL").hint("write `postgres://user@host/database`")
        })
    }

    /// The whole URL, its password included: for connecting, never for printing.
    pub fn secret(&self) -> &str {
        &self.0
    }

    /// The value of the last query parameter of that name, percent-decoded.
    pub(crate) fn parameter(&self, name: &str) -> Option<String> {
        let (_, query) = self.0.split_once('?')?;
        let query = query.split('#').next().unwrap_or(query);
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.filter(|(key, _)| percent_decode(key) == name).map(|(_, value)| percent_decode(value)).next_back()
    }
}

impl fmt::Display for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rest = self.0.strip_prefix("postgres://").unwrap_or(&self.0);
        f.write_str("postgres://")?;
        let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
        let shown = match rest.rsplit_once('@') {
            None => rest,
            // One `@` inside the authority: the form is what it should be, and the user may be told.
            Some((user_information, shown)) if user_information.len() < authority.len() => {
                match user_information.split_once(':') {
                    Some((user, _)) => write!(f, "{user}:***@")?,
                    None => write!(f, "{user_information}@")?,
                }
                shown
            }
            // A password that was not percent-encoded may reach to the last `@`.
            Some((_, shown)) => {
                f.write_str("***@")?;
                shown
            }
        };
        let Some((before, query)) = shown.split_once('?') else { return f.write_str(shown) };
        f.write_str(before)?;
        for (index, pair) in query.split('&').enumerate() {
            f.write_str(if index == 0 { "?" } else { "&" })?;
            match pair.split_once('=') {
                Some((key, _)) if percent_decode(key).to_lowercase().contains("pass") => write!(f, "{key}=***")?,
                _ => f.write_str(pair)?,
            }
        }
        Ok(())
    }
}

impl fmt::Debug for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PostgresUrl({self})")
    }
}

fn strip_prefix_ignoring_case<'t>(text: &'t str, prefix: &str) -> Option<&'t str> {
    let head = text.get(..prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then(|| &text[prefix.len()..])
}

/// Decodes `%41` and the like; what is no such escape is kept as it is.
fn percent_decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let escaped = (first == b'%').then(|| after.get(..2)).flatten();
        let decoded = escaped.and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok());
        bytes.push(decoded.unwrap_or(first));
        rest = if decoded.is_some() { &after[2..] } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    fn shown(text: &str) -> String {
        Endpoint::parse(text).unwrap().to_string()
    }

    #[test]
    fn an_endpoint_is_recognised_by_its_form() {
        assert!(Endpoint::parse("postgres://localhost/app").unwrap().as_postgres().is_some());
        assert!(Endpoint::parse("POSTGRESQL://localhost/app").unwrap().as_postgres().is_some());
        for (text, path) in [
            ("app.db", "app.db"),
            ("sqlite:app.db", "app.db"),
            ("sqlite:///var/app.db", "/var/app.db"),
            ("dir:with/colon.db", "dir:with/colon.db"),
        ] {
            assert_eq!(Endpoint::parse(text).unwrap().as_sqlite(), Some(Path::new(path)), "{text}");
        }
    }

    #[test]
    fn an_unknown_form_is_a_usage_error_that_lists_the_known_ones() {
        let unknown = [
            "",
            " ",
            "mysql://root:secret@host/app",
            ":memory:",
            "sqlite:",
            "postgres:/ann:secret@host/app",
            "host=db password=secret",
        ];
        for text in unknown {
            let error = Endpoint::parse(text).unwrap_err();
            assert_eq!(error.kind(), Kind::Usage);
            assert!(error.way_out().unwrap().contains("postgres://user@host"), "{text}");
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }

    #[test]
    fn no_form_of_password_is_shown() {
        assert_eq!(shown("postgres://ann:secret@host:5432/app"), "postgres://ann:***@host:5432/app");
        assert_eq!(shown("postgres://ann@host/app?sslmode=require"), "postgres://ann@host/app?sslmode=require");
        assert_eq!(shown("postgres://host/app?user=ann&password=secret"), "postgres://host/app?user=ann&password=***");
        assert_eq!(shown("postgres://host/app?p%61ssword=secret"), "postgres://host/app?p%61ssword=***");
        for password in ["secret", "se@secret", "s/secret", "s?secret", "s#secret", "s:secret", "s&secret", "s@/secret"]
        {
            let text = format!("postgres://ann:{password}@host/app");
            assert!(!shown(&text).contains("secret"), "{text} is shown as {}", shown(&text));
            assert!(!format!("{:?}", Endpoint::parse(&text).unwrap()).contains("secret"));
        }
    }

    #[test]
    fn a_parameter_is_read_from_the_query() {
        let url = PostgresUrl::parse("postgres://h/d?connect_timeout=3&options=-c%20a%3Db").unwrap();
        assert_eq!(url.parameter("connect_timeout").as_deref(), Some("3"));
        assert_eq!(url.parameter("options").as_deref(), Some("-c a=b"));
        assert_eq!(url.parameter("sslmode"), None);
    }
}
