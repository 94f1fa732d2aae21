//! A path or a URL of `project.toml`: written there, or taken from a variable of the environment.
//!
//! ```toml
//! [source]
//! url = { env = "POSTGRES_URL" }
//! [target]
//! path = { env = "SQLITE_URL", default = "app.db" }
//! ```
//!
//! A variable that is not set, or is empty, stands for its default. What a variable holds means what it means to any
//! program that is started there: a relative path is one from the working directory; a default is written in the project,
//! and is relative to its folder. Invariant: no error of this module repeats what a variable holds.

use crate::endpoint::dump::DumpPlace;
use crate::endpoint::{Endpoint, file_name};
use crate::error::{Error, Result};
use crate::quote::shell;
use crate::redact::{Parts, percent_decode, strip_prefix_ignoring_case};
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::{Path, PathBuf};

pub(super) const OPERATION: &str = "read the project";

/// What a key says.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Setting {
    /// The text itself.
    Written(String),
    /// What a variable holds.
    Variable(Variable),
}

/// A variable of the environment, and what stands for it where it is not set.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Variable {
    env: String,
    default: Option<String>,
}

impl fmt::Debug for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A URL may hold a password.
        match self {
            Setting::Written(text) => f.debug_tuple("Written").field(&crate::redact::url(text)).finish(),
            Setting::Variable(variable) => f.debug_tuple("Variable").field(&variable.env).finish(),
        }
    }
}

impl<'de> Deserialize<'de> for Setting {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Form;
        impl<'de> Visitor<'de> for Form {
            type Value = Setting;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text, or `{ env = \"NAME\", default = \"text\" }`")
            }

            fn visit_str<E>(self, text: &str) -> Result<Setting, E> {
                Ok(Setting::Written(text.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Setting, A::Error> {
                Variable::deserialize(MapAccessDeserializer::new(map)).map(Setting::Variable)
            }
        }
        deserializer.deserialize_any(Form)
    }
}

/// What has decided over a key whose value a variable may give.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum From {
    /// The variable.
    Environment,
    /// The default: the variable is not set.
    Default,
    /// Nothing: the variable is not set, and the key names no default.
    Nothing,
}

/// A key of a project that names a variable of the environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The key, as in `target.path`.
    pub key: &'static str,
    /// The variable's name.
    pub variable: String,
    /// What its value is from.
    pub from: From,
}

/// Reads the settings of one project.
pub(super) struct Settings<'s> {
    pub folder: &'s Path,
    /// The file, for messages.
    pub shown: &'s str,
    pub environment: &'s dyn Fn(&str) -> Option<OsString>,
    /// What was read from variables so far.
    pub origins: Vec<Origin>,
}

/// A value, and whether a variable holds it.
struct Value {
    text: OsString,
    from_variable: bool,
    /// `key …` or `key …, variable …`, for messages.
    place: String,
    /// Whether it may be written as an application writes it.
    is_foreign: bool,
}

impl Settings<'_> {
    fn refused(&self, place: &str, cause: impl fmt::Display) -> Error {
        Error::usage(OPERATION, format!("{}, {place}", self.shown), cause)
    }

    /// The value of a key; nothing where there is none.
    fn value(&mut self, key: &'static str, setting: Option<Setting>) -> Result<Option<Value>> {
        let place = format!("key `{key}`");
        let Variable { env, default } = match setting {
            None => return Ok(None),
            Some(Setting::Written(text)) => {
                return Ok(Some(Value { text: text.into(), from_variable: false, place, is_foreign: false }));
            }
            Some(Setting::Variable(variable)) => variable,
        };
        if env.is_empty() || env.contains(['=', '\0']) {
            return Err(self.refused(&place, format!("`{env}` is no name of a variable")));
        }
        let held = (self.environment)(&env).filter(|value| !value.is_empty());
        let from = match (&held, &default) {
            (Some(_), _) => From::Environment,
            (None, Some(_)) => From::Default,
            (None, None) => From::Nothing,
        };
        self.origins.push(Origin { key, variable: env.clone(), from });
        let from_variable = held.is_some();
        let place = if from_variable { format!("{place}, variable `{env}`") } else { place };
        let text = held.or(default.map(OsString::from));
        Ok(text.map(|text| Value { text, from_variable, place, is_foreign: true }))
    }

    /// A folder that has to be there.
    pub fn folder(&mut self, key: &'static str, setting: Option<Setting>) -> Result<Option<PathBuf>> {
        let Some((path, value)) = self.path(key, setting)? else { return Ok(None) };
        match path.is_dir() {
            true => Ok(Some(path)),
            false if value.from_variable => Err(self.refused(&value.place, "it names no folder that is there")),
            false => {
                let hint = match key {
                    "target.schema" => {
                        format!("`whimbrel schema new NAME {}` makes it, with a first migration", shell(&path))
                    }
                    _ => "make it, or correct the path".to_owned(),
                };
                Err(self.refused(&value.place, format!("there is no folder `{}`", path.display())).hint(hint))
            }
        }
    }

    /// A folder that may be made.
    pub fn new_folder(&mut self, key: &'static str, setting: Option<Setting>) -> Result<Option<PathBuf>> {
        Ok(self.path(key, setting)?.map(|(path, _)| path))
    }

    /// A path. Without it something else would be done in silence, so a variable has to be set where there is no default.
    fn path(&mut self, key: &'static str, setting: Option<Setting>) -> Result<Option<(PathBuf, Value)>> {
        let is_given = setting.is_some();
        let Some(value) = self.value(key, setting)? else {
            return match self.origins.last().filter(|_| is_given) {
                Some(origin) => Err(self
                    .refused(&format!("key `{key}`"), format!("the variable `{}` is not set", origin.variable))
                    .hint(format!(
                        "set it, or write a default: `{{ env = \"{}\", default = \"…\" }}`",
                        origin.variable
                    ))),
                None => Ok(None),
            };
        };
        let path = Path::new(&value.text);
        let path = if value.from_variable { path.to_owned() } else { self.folder.join(path) };
        Ok(Some((path, value)))
    }

    /// The endpoint that rows come from.
    pub fn source(&mut self, key: &'static str, setting: Option<Setting>) -> Result<Option<Endpoint>> {
        let Some(value) = self.value(key, setting)? else { return Ok(None) };
        let text = match value.text.to_str() {
            Some(text) if value.is_foreign => OsString::from(without_pool(text)),
            _ => value.text.clone(),
        };
        let endpoint = Endpoint::parse_word(&text).map_err(|error| self.of_value(&value, error))?;
        let here = |path: PathBuf| if value.from_variable { path } else { self.folder.join(path) };
        Ok(Some(match endpoint {
            Endpoint::Postgres(url) => Endpoint::Postgres(url),
            Endpoint::Sqlite(path) => Endpoint::Sqlite(here(path)),
            Endpoint::Files(path) => Endpoint::Files(here(path)),
            Endpoint::Dump(place) => Endpoint::Dump(DumpPlace {
                path: place.path.map(here),
                schema: place.schema.map(here),
                database: place.database,
            }),
        }))
    }

    /// The path of a SQLite file that may be made.
    pub fn file(&mut self, key: &'static str, setting: Option<Setting>) -> Result<Option<PathBuf>> {
        let Some(value) = self.value(key, setting)? else { return Ok(None) };
        let path = match value.is_foreign {
            true => sqlite_path(&value.text),
            false => Ok(PathBuf::from(&value.text)),
        };
        let path = path.and_then(|path| file_name(&path).map(|()| path));
        let path = path.map_err(|error| self.of_value(&value, error))?;
        Ok(Some(if value.from_variable { path } else { self.folder.join(path) }))
    }

    /// The error of a value; of one that a variable holds, without the value.
    fn of_value(&self, value: &Value, error: Error) -> Error {
        let told = match value.from_variable {
            true => self.refused(&value.place, error.cause()),
            false => self.refused(&value.place, &error),
        };
        match error.way_out() {
            Some(hint) if value.from_variable => told.hint(hint),
            _ => told,
        }
    }
}

/// The path in what an application calls its database: `app.db`, `sqlite:app.db`, `sqlite:///var/app.db?mode=rwc` (sqlx),
/// `file:./app.db?connection_limit=1` (Prisma).
fn sqlite_path(text: &OsStr) -> Result<PathBuf> {
    let refuse = |cause: &str| Err(Error::usage("use file", "", cause).hint("write the plain path, as in `app.db`"));
    let told = text.to_string_lossy();
    let rest = ["sqlite:", "file:"].iter().find_map(|scheme| strip_prefix_ignoring_case(&told, scheme));
    let Some(rest) = rest.filter(|_| text.to_str().is_some()) else {
        return match Endpoint::parse_word(text)? {
            Endpoint::Sqlite(path) => Ok(path),
            Endpoint::Postgres(_) => refuse("it is the URL of a PostgreSQL database, and the target is a SQLite file"),
            Endpoint::Files(_) => refuse("it is a folder, and the target is a SQLite file"),
            Endpoint::Dump(_) => refuse("it is a dump, and the target is a SQLite file"),
        };
    };
    let (path, parameters) = rest.split_once('?').unwrap_or((rest, ""));
    // They say how the application opens the file, and nothing of where it is.
    const OF_CONNECTIONS: [&str; 8] = [
        "mode=rwc",
        "mode=rw",
        "cache=private",
        "cache=shared",
        "connection_limit",
        "socket_timeout",
        "pool_timeout",
        "timeout",
    ];
    let is_known = |parameter: &&str| {
        let name = parameter.split('=').next().unwrap_or_default();
        OF_CONNECTIONS.contains(parameter) || OF_CONNECTIONS.contains(&name)
    };
    if parameters.split('&').any(|parameter| !parameter.is_empty() && !is_known(&parameter)) {
        return refuse("it has a parameter that is not known");
    }
    if path.contains(['%', '#']) {
        return refuse("a `%` or `#` in it may stand for another character");
    }
    // `///var/app.db` has no host, `//app.db` is how sqlx takes a relative path.
    match path.strip_prefix("//").unwrap_or(path) {
        "" => refuse("it names no file"),
        ":memory:" => refuse("a database in memory is gone when the run ends"),
        path => Ok(PathBuf::from(path)),
    }
}

/// A URL without what tells an application's pool of connections how large it is, and without Prisma's name for the schema
/// that is looked in anyway.
fn without_pool(url: &str) -> String {
    const OF_POOLS: [&str; 5] =
        ["connection_limit", "pool_timeout", "pgbouncer", "socket_timeout", "statement_cache_size"];
    let Some(query) = Parts::of(url).and_then(|parts| parts.query) else { return url.to_owned() };
    let before = &url[..url.len() - query.len() - 1];
    let is_kept = |pair: &&str| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        !(OF_POOLS.contains(&name) || (name == "schema" && percent_decode(value) == "public"))
    };
    let kept: Vec<&str> = query.split('&').filter(is_kept).collect();
    if kept.is_empty() { before.to_owned() } else { format!("{before}?{}", kept.join("&")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_applications_call_their_file_is_its_path() {
        for (text, path) in [
            ("app.db", "app.db"),
            ("sqlite:vibing2.db", "vibing2.db"),
            ("sqlite://vibing2.db?mode=rwc", "vibing2.db"),
            ("sqlite:///var/app.db", "/var/app.db"),
            ("file:./dev.db", "./dev.db"),
            ("file:./dev.db?connection_limit=1&socket_timeout=10", "./dev.db"),
            ("file:///var/app.db", "/var/app.db"),
            ("/var/100%.db", "/var/100%.db"),
        ] {
            assert_eq!(sqlite_path(OsStr::new(text)).unwrap(), Path::new(path), "{text}");
        }
        for text in [
            "sqlite::memory:",
            "file::memory:",
            "file:app.db?mode=memory",
            "file:app.db?key=secret",
            "file:a%20b.db",
            "sqlite:",
            "postgres://ann:secret@host/app",
            "mysql://ann:secret@host/app",
        ] {
            let error = sqlite_path(OsStr::new(text)).unwrap_err();
            assert!(!format!("{error:?}").contains("secret"), "{error:?}");
        }
    }

    #[test]
    fn what_is_of_a_pool_is_left_out_of_a_url() {
        for (url, kept) in [
            ("postgres://ann@h/d", "postgres://ann@h/d"),
            ("postgres://ann@h/d?schema=public&connection_limit=5", "postgres://ann@h/d"),
            ("postgres://h/d?schema=public&sslmode=require&pgbouncer=true", "postgres://h/d?sslmode=require"),
            ("postgres://ann:a?b&pgbouncer=1@h/d?pgbouncer=true", "postgres://ann:a?b&pgbouncer=1@h/d"),
            ("postgres://h/d?schema=app", "postgres://h/d?schema=app"),
        ] {
            assert_eq!(without_pool(url), kept);
        }
    }
}
