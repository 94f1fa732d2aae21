//! An endpoint is recognised by its form, before anything is opened; of a plain path, by what is there.
//!
//! Invariant: no `Display`, no `Debug` and no error of this module shows a password, wherever in the URL it stands:
//! `redact` decides what of a URL is harmless.

use super::dump::{DumpPlace, is_dump};
use super::sqlite;
use crate::error::{Error, Result};
use crate::redact::{
    self, Parts, percent_decode, resembles_connection_words, resembles_url, strip_prefix_ignoring_case,
};
use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

const KNOWN_FORMS: &str = "known forms: `postgres://user@host:port/database`, the path of a SQLite file (`app.db`, \
                           `sqlite:app.db`), that of a tree of files (`out/`, `files:out`), or a dump (`app.sql`, \
                           `dump:app.dump`, `-` for standard input)";

/// One side of a migration.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Endpoint {
    /// A PostgreSQL database.
    Postgres(PostgresUrl),
    /// A SQLite file.
    Sqlite(PathBuf),
    /// A tree of files.
    Files(PathBuf),
    /// A dump of a PostgreSQL database.
    Dump(DumpPlace),
}

impl Endpoint {
    /// Recognises an endpoint: `postgres://…` and `postgresql://…` are PostgreSQL, `files:…` and what ends in `/` is a tree
    /// of files, `dump:…` and `-` are a dump, `sqlite:…` and everything else that is no URL is the path of a SQLite file. Looks at
    /// nothing.
    ///
    /// # Errors
    /// A usage error that lists the known forms, for an empty text, another URL scheme, a connection string of
    /// `key=value` words, an in-memory SQLite database, a URL whose `://` was mistyped (it may hold a password), a
    /// port that is none, a parameter that nothing obeys, or a file name that SQLite keeps for itself.
    pub fn parse(text: &str) -> Result<Self> {
        let refuse = |shown: &str, cause: &str| {
            let object = if shown.is_empty() { String::new() } else { format!("`{shown}`") };
            Err(Error::usage("read endpoint", object, cause).hint(KNOWN_FORMS))
        };
        if text.trim().is_empty() {
            return refuse("", "it is empty");
        }
        if let Some(url) = PostgresUrl::recognise(text) {
            return url.checked().map(Endpoint::Postgres);
        }
        if let Some(path) = strip_prefix_ignoring_case(text, "sqlite:") {
            let path = match path.strip_prefix("//") {
                // No part of it is repeated: the parameters of some drivers hold a key.
                Some(path) if path.contains(['?', '#']) => {
                    return refuse("sqlite://…", "a SQLite file has no parameters here");
                }
                Some(path) => path,
                None => path,
            };
            return match path {
                "" => refuse(text, "it names no file"),
                ":memory:" => refuse(text, "a database in memory is gone when the run ends"),
                path => file_name(Path::new(path)).map(|()| Endpoint::Sqlite(PathBuf::from(path))),
            };
        }
        if let Some(path) = strip_prefix_ignoring_case(text, "files:") {
            return match path {
                "" => refuse(text, "it names no folder"),
                path => Ok(Endpoint::Files(PathBuf::from(path))),
            };
        }
        if text == "-" {
            return Ok(Endpoint::Dump(DumpPlace::standard_input()));
        }
        if let Some(rest) = strip_prefix_ignoring_case(text, "dump:") {
            return match DumpPlace::parse(OsStr::new(rest)) {
                Some(place) => Ok(Endpoint::Dump(place)),
                None if rest.is_empty() => refuse(text, "it names no file"),
                None => refuse(text, "behind the file only `?database=NAME&schema=FILE` may follow"),
            };
        }
        if text == ":memory:" {
            return refuse(text, "a database in memory is gone when the run ends");
        }
        if let Some((scheme, _)) = text.split_once("://") {
            // Only the scheme is told, and only a known one: any other part may be a password.
            return refuse(&redact::url(&format!("{scheme}://…")), "this scheme is not known");
        }
        if resembles_connection_words(text) {
            return refuse("", "a connection string of `key=value` words is not known");
        }
        if resembles_url(text) {
            // No part of it is repeated: any of them may be a password.
            return Err(Error::usage("read endpoint", "", "this looks like a URL without `://`")
                .hint("write `postgres://user@host/database`; a file of such a name is `sqlite:NAME`"));
        }
        match text.ends_with('/') {
            true => Ok(Endpoint::Files(PathBuf::from(text))),
            false => file_name(Path::new(text)).map(|()| Endpoint::Sqlite(PathBuf::from(text))),
        }
    }

    /// As [`Endpoint::parse`], from a word of the command line: one that is not UTF-8 can only be a path; a plain path
    /// at which there is a dump is that, and one at which there is another folder is a tree of files.
    ///
    /// # Errors
    /// As [`Endpoint::parse`], and where what looks like a URL is not UTF-8.
    pub fn parse_word(word: &OsStr) -> Result<Self> {
        let is_path = !word.to_string_lossy().contains("://");
        if is_path && (is_pipe(Path::new(word)) || is_dump(Path::new(word))) {
            return Ok(Endpoint::Dump(DumpPlace::at(word)));
        }
        if is_path && Path::new(word).is_dir() {
            return Ok(Endpoint::Files(PathBuf::from(word)));
        }
        let text = word.to_string_lossy();
        // The prefix that was taken off is ASCII, so what is left are the last bytes of the word.
        let as_typed = |path: &Path| {
            let start = text.len() - path.as_os_str().len();
            PathBuf::from(OsStr::from_bytes(&word.as_bytes()[start..]))
        };
        match Self::parse(&text)? {
            endpoint if word.to_str().is_some() => Ok(endpoint),
            Endpoint::Postgres(_) => {
                Err(Error::usage("read endpoint", "", "a URL has to be UTF-8").hint("write other bytes as `%E9`"))
            }
            Endpoint::Sqlite(path) => Ok(Endpoint::Sqlite(as_typed(&path))),
            Endpoint::Files(path) => Ok(Endpoint::Files(as_typed(&path))),
            Endpoint::Dump(place) => {
                let typed = OsStr::from_bytes(&word.as_bytes()["dump:".len()..]);
                Ok(Endpoint::Dump(DumpPlace::parse(typed).unwrap_or(place)))
            }
        }
    }

    /// The PostgreSQL URL, where it is one.
    pub fn as_postgres(&self) -> Option<&PostgresUrl> {
        match self {
            Endpoint::Postgres(url) => Some(url),
            Endpoint::Sqlite(_) | Endpoint::Files(_) | Endpoint::Dump(_) => None,
        }
    }

    /// The SQLite file's path, where it is one.
    pub fn as_sqlite(&self) -> Option<&Path> {
        match self {
            Endpoint::Postgres(_) | Endpoint::Files(_) | Endpoint::Dump(_) => None,
            Endpoint::Sqlite(path) => Some(path),
        }
    }
}

/// Refuses a path that SQLite would take for something else than a database file.
///
/// # Errors
/// A usage error, for a name that starts with `file:` or ends like the files that SQLite keeps beside a database.
pub fn file_name(path: &Path) -> Result<()> {
    let shown = sqlite::file::shown(path);
    let refuse = |cause: String, hint: &str| Err(Error::usage("use file", format!("`{shown}`"), cause).hint(hint));
    if strip_prefix_ignoring_case(&shown, "file:").is_some() {
        // Not repeated: a URI's parameters can hold a key.
        return Err(Error::usage("use file", "`file:…`", "SQLite reads `file:` as the start of a URI")
            .hint("write the plain path, as in `app.db`"));
    }
    match ["-wal", "-shm", "-journal"].iter().find(|suffix| shown.ends_with(*suffix)) {
        Some(suffix) => refuse(
            format!("SQLite keeps names that end in `{suffix}` for itself"),
            "choose another name, as in `app.db`",
        ),
        None => Ok(()),
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
            Endpoint::Sqlite(path) | Endpoint::Files(path) => sqlite::file::shown(path).fmt(f),
            Endpoint::Dump(place) => place.fmt(f),
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
    /// A usage error where the text is no `postgres://` URL, its port is none, or nothing obeys one of its parameters.
    pub fn parse(text: &str) -> Result<Self> {
        let url = Self::recognise(text).ok_or_else(|| {
            Error::usage("read endpoint", "", "this is no PostgreSQL URL").hint("write `postgres://user@host/database`")
        });
        url?.checked()
    }

    fn checked(self) -> Result<Self> {
        let refused =
            |cause: &str, hint: &str| Err(Error::usage("read endpoint", format!("`{self}`"), cause).hint(hint));
        if let Some((cause, hint)) = redact::mistake(&self.0) {
            return refused(&cause, &hint);
        }
        if !self.port_is_sound() {
            let hint = format!("write `postgres://user@host:port/database`; {}", redact::ESCAPES);
            return refused("its port is no number up to 65535", &hint);
        }
        Ok(self)
    }

    /// Whether the port, where one is given, is one. A password that was not percent-encoded can hide where the
    /// authority ends; then this is not asked.
    fn port_is_sound(&self) -> bool {
        let Some(parts) = Parts::of(&self.0) else { return true };
        if parts.user.is_none() && parts.is_ambiguous() {
            return true;
        }
        parts.port.is_none_or(|port| port.is_empty() || port.parse::<u16>().is_ok())
    }

    /// Whether a password stands in it.
    pub(crate) fn has_password(&self) -> bool {
        Parts::of(&self.0).is_some_and(|parts| parts.password.is_some()) || self.parameter("password").is_some()
    }

    /// The whole URL, its password included: for connecting, never for printing.
    pub fn secret(&self) -> &str {
        &self.0
    }

    /// What a server or a library says about connecting, without what this URL or the environment hides.
    pub(crate) fn without_secrets(&self, message: &str) -> String {
        const READ_BY_SQLX: [&str; 7] =
            ["PGPASSWORD", "PGSSLKEY", "PGSSLCERT", "PGOPTIONS", "PGUSER", "PGDATABASE", "PGAPPNAME"];
        let environment = READ_BY_SQLX.iter().filter_map(|name| {
            let value = std::env::var_os(name)?;
            Some(((*name).to_owned(), value.to_string_lossy().into_owned()))
        });
        redact::about_connecting(&self.0, &environment.collect::<Vec<_>>(), message)
    }

    /// The value of the last query parameter of that name, percent-decoded.
    pub(crate) fn parameter(&self, name: &str) -> Option<String> {
        let parts = Parts::of(&self.0)?;
        let pairs = parts.query?.split('&').filter_map(|pair| pair.split_once('='));
        pairs.filter(|(key, _)| percent_decode(key) == name).map(|(_, value)| percent_decode(value)).next_back()
    }
}

impl fmt::Display for PostgresUrl {
    /// What of it is known to be harmless.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&redact::url(&self.0))
    }
}

impl fmt::Debug for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PostgresUrl({self})")
    }
}

/// Whether it is a pipe, as `/dev/stdin` and the shell's `<(pg_dump app)` are: only a dump is read as it comes. It is not opened.
fn is_pipe(path: &Path) -> bool {
    path.metadata().is_ok_and(|metadata| metadata.file_type().is_fifo())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    fn displayed(text: &str) -> String {
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
    fn a_tree_is_recognised_by_its_form_and_by_what_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let plain = folder.path().join("a tree");
        let found = |word: &OsStr| match Endpoint::parse_word(word).unwrap() {
            Endpoint::Files(path) => Some(path),
            Endpoint::Sqlite(_) | Endpoint::Postgres(_) | Endpoint::Dump(_) => None,
        };
        assert_eq!(found(plain.as_os_str()), None, "what is not there is a SQLite file");
        std::fs::create_dir(&plain).unwrap();
        assert_eq!(found(plain.as_os_str()).as_deref(), Some(plain.as_path()));
        for (word, path) in
            [("out/", "out/"), ("files:out", "out"), ("FILES:a/b.db", "a/b.db"), ("/no/such/", "/no/such/")]
        {
            assert_eq!(found(OsStr::new(word)).as_deref(), Some(Path::new(path)), "{word}");
        }
        let odd = OsStr::from_bytes(b"files:na\xffme");
        assert_eq!(found(odd).unwrap().as_os_str().as_bytes(), b"na\xffme");
        let named = format!("sqlite:{}", plain.display());
        assert_eq!(found(OsStr::new(&named)), None, "the prefix overrules");
    }

    #[test]
    fn a_dump_is_recognised_by_its_form_and_by_what_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let found = |word: &OsStr| match Endpoint::parse_word(word).unwrap() {
            Endpoint::Dump(place) => Some(place),
            Endpoint::Sqlite(_) | Endpoint::Postgres(_) | Endpoint::Files(_) => None,
        };
        assert_eq!(found(OsStr::new("-")), Some(DumpPlace::standard_input()));
        assert_eq!(found(OsStr::new("dump:app.db")), Some(DumpPlace::at("app.db")));
        let odd = OsStr::from_bytes(b"dump:na\xffme");
        assert_eq!(found(odd), Some(DumpPlace::at(OsStr::from_bytes(b"na\xffme"))));
        for (name, bytes, is_dump) in [
            ("a.dump", &b"PGDMP\x01\x0e\x00"[..], true),
            ("a.gz", b"\x1f\x8b\x08\x00", true),
            ("a.txt", b"--\n-- PostgreSQL database dump\n--\n", true),
            ("b.sql", b"CREATE TABLE t (a integer);", true),
            ("b.txt", b"CREATE TABLE t (a integer);", false),
            ("c.sql", b"SQLite format 3\0", false),
            ("d.sql", b"", false),
        ] {
            let path = folder.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            assert_eq!(found(path.as_os_str()).is_some(), is_dump, "{name}");
            let named = format!("sqlite:{}", path.display());
            assert_eq!(found(OsStr::new(&named)), None, "the prefix overrules");
        }
        std::fs::write(folder.path().join("toc.dat"), b"PGDMP").unwrap();
        assert!(found(folder.path().as_os_str()).is_some());
        for word in ["dump:", "dump:a?database=b&c=d"] {
            assert_eq!(Endpoint::parse(word).unwrap_err().kind(), Kind::Usage, "{word}");
        }
    }

    #[test]
    fn a_word_that_is_not_utf_8_is_a_path() {
        let parse = |bytes: &[u8]| Endpoint::parse_word(OsStr::from_bytes(bytes));
        for (word, path) in [
            (&b"na\xffme.db"[..], &b"na\xffme.db"[..]),
            (b"sqlite:na\xffme.db", b"na\xffme.db"),
            (b"SQLite:///var/na\xff\xfeme.db", b"/var/na\xff\xfeme.db"),
            (b"\xff", b"\xff"),
            (b"app.db", b"app.db"),
        ] {
            let endpoint = parse(word).unwrap();
            assert_eq!(endpoint.as_sqlite().unwrap().as_os_str().as_bytes(), path);
        }
        for word in [
            &b"postgres://ann:secret\xff@host/app"[..],
            b"postgres:ann:secret\xff@host",
            b"mysql://ann:secret\xff@host",
            b"na\xffme.db-wal",
            b"file:na\xffme.db",
        ] {
            let error = parse(word).unwrap_err();
            assert!(error.kind() == Kind::Usage && !error.to_string().contains("secret"), "{error}");
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
    fn a_mistyped_url_is_no_file_and_is_not_repeated() {
        for text in [
            "postgres//ann:secret@host/x",
            "postgres:/ann:secret@host/x",
            "POSTGRES:ann:secret@host",
            "postgresql:secret",
            "postgres@host/secret",
            "ann:secret@host/x",
        ] {
            let error = Endpoint::parse(text).unwrap_err();
            assert_eq!(error.kind(), Kind::Usage);
            assert!(error.to_string().contains("without `://`"), "{error}");
            assert!(!format!("{error:?}").contains("secret"), "{error:?}");
        }
        for text in ["postgres.db", "postgres/app.db", "ann@home.db"] {
            assert!(Endpoint::parse(text).unwrap().as_sqlite().is_some(), "{text}");
        }
    }

    #[test]
    fn a_port_is_a_number_and_a_name_is_not_sqlites_own() {
        for text in ["postgres://host:nan/app", "postgres://ann:secret@host:70000/app", "app.db-wal", "file:app.db"] {
            let error = Endpoint::parse(text).unwrap_err();
            assert_eq!(error.kind(), Kind::Usage, "{text}");
            assert!(!error.to_string().contains("secret"), "{error}");
        }
        for text in ["postgres://[::1]/app", "postgres://[::1]:5432/app", "postgres://host:/app", "postgres://h?port=1"]
        {
            assert!(Endpoint::parse(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn no_form_of_password_is_shown() {
        assert_eq!(displayed("postgres://ann:secret@host:5432/app"), "postgres://ann:***@host:5432/app");
        assert_eq!(displayed("postgres://ann@host/app?sslmode=require"), "postgres://ann@host/app?sslmode=require");
        assert_eq!(
            displayed("postgres://host/app?user=ann&password=secret"),
            "postgres://host/app?user=ann&password=***"
        );
        assert_eq!(displayed("postgres://host/app?p%61ssword=secret"), "postgres://host/app?***");
        let refused = Endpoint::parse("postgres://ann:s/?secret@host/app").unwrap_err();
        assert!(
            !format!("{refused:?}").contains("secret") && refused.way_out().unwrap().contains("`%3F`"),
            "{refused:?}"
        );
        for password in ["secret", "se@secret", "s/secret", "s#secret", "s?secret", "s:secret", "s&secret", "s@/secret"]
        {
            let text = format!("postgres://ann:{password}@host/app");
            assert!(!displayed(&text).contains("secret"), "{text} is shown as {}", displayed(&text));
            assert!(!format!("{:?}", Endpoint::parse(&text).unwrap()).contains("secret"));
        }
    }

    #[test]
    fn a_parameter_that_nothing_obeys_is_bad_usage() {
        for text in ["postgres://h/d?sslmod=hush", "postgres://h/d?sslmode=hush", "postgres://h/d?a=1&hush=2"] {
            for error in [Endpoint::parse(text).unwrap_err(), PostgresUrl::parse(text).unwrap_err()] {
                assert_eq!(error.kind(), Kind::Usage);
                assert!(!format!("{error:?}").contains("hush"), "{error:?}");
            }
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
