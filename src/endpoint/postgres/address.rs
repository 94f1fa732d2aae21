//! Where a URL and the environment lead, read as libpq reads them.
//!
//! sqlx 0.9.0 reads both in its own way: it refuses `postgres://ann@/app`, looks an IPv6 address up together with its
//! brackets, looks for the socket of the environment's port where the URL names another one, asks ~/.pgpass for another
//! host than a socket's, asks a socket for TLS, and takes a PGSSLMODE or PGPORT that is misspelt for one that is not
//! there. So host and port are worked out here and handed over in the one form that it takes as it is meant. What psql
//! obeys in the environment and nothing here does is refused, as a parameter of the URL is.

use crate::redact::{Parts, SSL_MODES, listed, percent_decode};
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use std::fmt;
use std::path::Path;
use std::str::FromStr;

/// The folders in which servers leave their sockets: Debian's, Homebrew's, PostgreSQL's own.
const SOCKET_FOLDERS: [&str; 3] = ["/var/run/postgresql", "/private/tmp", "/tmp"];
const PORT_DEFAULT: u16 = 5432;

/// Variables that psql obeys and nothing here does, each with the values that ask for nothing that is not done anyway.
const UNHEEDED: [(&str, &[&str]); 12] = [
    ("PGSERVICE", &[]),
    ("PGREQUIREPEER", &[]),
    ("PGREQUIREAUTH", &[]),
    ("PGREQUIRESSL", &["0"]),
    ("PGCHANNELBINDING", &["prefer", "disable"]),
    ("PGSSLCRL", &[]),
    ("PGSSLCRLDIR", &[]),
    ("PGSSLNEGOTIATION", &["postgres"]),
    ("PGSSLMINPROTOCOLVERSION", &["TLSv1", "TLSv1.1", "TLSv1.2"]),
    ("PGSSLMAXPROTOCOLVERSION", &["TLSv1.3"]),
    ("PGGSSENCMODE", &["prefer", "disable"]),
    ("PGTARGETSESSIONATTRS", &["any"]),
];

/// What is wrong with the environment of this process, and the way out.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct EnvironmentMistake {
    pub(super) cause: String,
    pub(super) hint: String,
}

impl fmt::Display for EnvironmentMistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.cause)
    }
}

impl std::error::Error for EnvironmentMistake {}

/// How to connect to a URL.
///
/// # Errors
/// As sqlx has them; `Configuration` with an [`EnvironmentMistake`] where a variable is at fault.
pub(crate) fn connect_options(url: &str) -> Result<PgConnectOptions, sqlx::Error> {
    read(url, &|name| std::env::var(name).ok())
}

/// The value of a variable; one that is empty is not set.
type Environment<'e> = dyn Fn(&str) -> Option<String> + 'e;

fn read(url: &str, environment: &Environment<'_>) -> Result<PgConnectOptions, sqlx::Error> {
    let environment = |name: &str| environment(name).filter(|value| !value.is_empty());
    let parts = match Parts::of(url) {
        // A password hides where the host begins.
        Some(parts) if !parts.is_ambiguous() => parts,
        _ => return PgConnectOptions::from_str(url),
    };
    let pairs: Vec<(String, &str)> = parts.query.into_iter().flat_map(|query| query.split('&')).map(named).collect();
    let parameter = |name: &str| {
        let values = pairs.iter().filter(|(key, _)| key == name).filter_map(|(_, pair)| pair.split_once('='));
        values.map(|(_, value)| percent_decode(&value.replace('+', " "))).rfind(|value| !value.is_empty())
    };
    let has_mode = parameter("sslmode").or_else(|| parameter("ssl-mode")).is_some();
    refuse_unheeded(&environment, has_mode).map_err(mistaken)?;
    let port = match parameter("port").or_else(|| parts.port.filter(|port| !port.is_empty()).map(str::to_owned)) {
        Some(port) => port.parse().map_err(|error| sqlx::Error::Configuration(Box::new(error)))?,
        None => match environment("PGPORT").map(|port| port.parse::<u16>()) {
            Some(port) => port.map_err(|_| mistaken(not_a_value("PGPORT", "a number up to 65535")))?,
            None => PORT_DEFAULT,
        },
    };
    let in_url = parameter("hostaddr").or_else(|| parameter("host")).or_else(|| {
        let host = parts.host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(parts.host);
        Some(percent_decode(host)).filter(|host| !host.is_empty())
    });
    let host = match in_url.or_else(|| environment("PGHOSTADDR")) {
        Some(host) => host,
        None => match environment("PGHOST") {
            Some(hosts) if hosts.contains(',') => return Err(mistaken(not_a_value("PGHOST", "one host"))),
            Some(host) => host,
            None => default_host(port),
        },
    };
    let user = match (parts.user, parts.password) {
        (None, _) => String::new(),
        (Some(user), None) => format!("{user}@"),
        (Some(user), Some(password)) => format!("{user}:{password}@"),
    };
    let of_place = |key: &str| matches!(key, "host" | "hostaddr" | "port");
    let others = pairs.iter().filter(|(key, _)| !of_place(key)).map(|(_, pair)| *pair).collect::<Vec<_>>().join("&");
    // ~/.pgpass names a server behind a socket `localhost`.
    let is_socket = host.starts_with('/');
    let asked = if is_socket { "localhost".to_owned() } else { percent_encode(&host) };
    let options =
        PgConnectOptions::from_str(&format!("postgres://{user}localhost:{port}{}?host={asked}&{others}", parts.path))?;
    let options = match options.get_database() {
        Some("") => {
            let of_the_same_name = options.get_username().to_owned();
            options.database(&of_the_same_name)
        }
        _ => options,
    };
    // libpq never asks a socket for TLS.
    Ok(if is_socket { options.socket(host).ssl_mode(PgSslMode::Disable) } else { options })
}

fn mistaken(mistake: EnvironmentMistake) -> sqlx::Error {
    sqlx::Error::Configuration(Box::new(mistake))
}

fn not_a_value(name: &str, wanted: &str) -> EnvironmentMistake {
    // The value is not repeated: it may be anything.
    EnvironmentMistake {
        cause: format!("the environment's {name} has no such value"),
        hint: format!("it is {wanted}; correct it, or unset it"),
    }
}

/// Refuses what psql would obey and nothing here does, and a mode of TLS that is none: the connection would have none.
fn refuse_unheeded(environment: &Environment<'_>, has_mode: bool) -> Result<(), EnvironmentMistake> {
    for (name, harmless) in UNHEEDED {
        if environment(name).is_some_and(|value| !harmless.contains(&value.as_str())) {
            return Err(EnvironmentMistake {
                cause: format!("the environment's {name}, which psql obeys, is not known here"),
                hint: format!("say in the URL what is meant, and unset it: `env -u {name} whimbrel …`"),
            });
        }
    }
    let is_mode = |mode: String| SSL_MODES.contains(&mode.to_ascii_lowercase().as_str());
    match environment("PGSSLMODE").is_none_or(is_mode) || has_mode {
        true => Ok(()),
        false => Err(not_a_value("PGSSLMODE", &format!("one of {}", listed(&SSL_MODES)))),
    }
}

/// The folder where the socket of a server on that port lies, else `localhost`.
fn default_host(port: u16) -> String {
    let folder = SOCKET_FOLDERS.iter().find(|folder| Path::new(folder).join(format!(".s.PGSQL.{port}")).exists());
    folder.map_or("localhost", |folder| folder).to_owned()
}

/// A pair of the query with the name that it sets.
fn named(pair: &str) -> (String, &str) {
    let key = pair.split_once('=').map_or(pair, |(key, _)| key);
    (percent_decode(&key.replace('+', " ")), pair)
}

fn percent_encode(text: &str) -> String {
    let encoded = |byte: u8| match byte.is_ascii_alphanumeric() || b"-._:".contains(&byte) {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02X}"),
    };
    text.bytes().map(encoded).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(url: &str, variables: &[(&str, &str)]) -> Result<PgConnectOptions, sqlx::Error> {
        let value =
            |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        read(url, &value)
    }

    fn place(url: &str, variables: &[(&str, &str)]) -> (String, u16) {
        let options = with(url, variables).unwrap_or_else(|error| panic!("{url}: {error}"));
        let host = match options.get_socket() {
            Some(folder) => folder.display().to_string(),
            None => options.get_host().to_owned(),
        };
        (host, options.get_port())
    }

    #[test]
    fn every_form_of_libpq_leads_where_libpq_goes() {
        for (url, host, port) in [
            ("postgres://h/d", "h", 5432),
            ("postgres://h:/d", "h", 5432),
            ("postgres://h:7/d?port=8", "h", 8),
            ("postgres://u@/d?host=/tmp&port=6005", "/tmp", 6005),
            ("postgres://u:p@/d?host=%2Ftmp", "/tmp", 5432),
            ("postgres:///d?host=/run/pg&user=u", "/run/pg", 5432),
            ("postgres://%2Frun%2Fpg:7/d", "/run/pg", 7),
            ("postgres://%2frun%2fPG/d", "/run/PG", 5432),
            ("postgres://h/d?host=other", "other", 5432),
            ("postgres://h/d?host=other&hostaddr=127.0.0.2", "127.0.0.2", 5432),
            ("postgres://h/d?hostaddr=::2&host=/tmp", "::2", 5432),
            ("postgres://h/d?host=", "h", 5432),
            ("postgres://u:p@[::1]:5891/d?sslmode=disable#x", "::1", 5891),
            ("postgres://[fe80::2]/d", "fe80::2", 5432),
        ] {
            assert_eq!(place(url, &[]), (host.to_owned(), port), "{url}");
        }
        let read = with("postgres://ann%40x@[::1]:5891/a%20b?sslmode=disable&application_name=n", &[]).unwrap();
        assert_eq!((read.get_username(), read.get_database()), ("ann@x", Some("a b")));
        assert_eq!((read.get_application_name(), read.get_port()), (Some("n"), 5891));
        let read = with("postgres://@/?dbname=d&user=u&host=/tmp&sslmode=require", &[]).unwrap();
        assert_eq!((read.get_username(), read.get_database()), ("u", Some("d")));
        assert!(matches!(read.get_ssl_mode(), PgSslMode::Disable), "a socket has no TLS");
    }

    #[test]
    fn the_environment_says_what_the_url_leaves_open_and_nothing_else() {
        for (url, variables, host, port) in [
            ("postgres:///d", &[("PGHOST", "/run/pg"), ("PGPORT", "7")][..], "/run/pg", 7),
            ("postgres://u@/d", &[("PGHOST", "h")], "h", 5432),
            ("postgres://u@:9/d", &[("PGHOST", "h"), ("PGPORT", "7")], "h", 9),
            ("postgres://", &[("PGHOST", "h"), ("PGHOSTADDR", "127.0.0.3")], "127.0.0.3", 5432),
            ("postgres://other:8/d", &[("PGHOST", "h"), ("PGPORT", "7"), ("PGHOSTADDR", "::1")], "other", 8),
            ("postgres://h/d", &[("PGPORT", ""), ("PGHOST", ""), ("PGSERVICE", ""), ("PGSSLMODE", "")], "h", 5432),
            ("postgres://h/d", &[("PGSSLMODE", "require"), ("PGCHANNELBINDING", "prefer")], "h", 5432),
            ("postgres://h:1/d?sslmode=disable", &[("PGSSLMODE", "reqire"), ("PGPORT", "x")], "h", 1),
        ] {
            assert_eq!(place(url, variables), (host.to_owned(), port), "{url} {variables:?}");
        }
    }

    #[test]
    fn a_variable_that_nothing_obeys_is_refused_by_name_and_not_by_value() {
        for (name, value) in [
            ("PGSERVICE", "hush"),
            ("PGSSLMODE", "hush"),
            ("PGPORT", "hush"),
            ("PGPORT", "70000"),
            ("PGHOST", "hush,hush"),
            ("PGREQUIREPEER", "hush"),
            ("PGCHANNELBINDING", "require"),
            ("PGTARGETSESSIONATTRS", "read-write"),
        ] {
            let error = with("postgres:///d", &[(name, value)]).unwrap_err();
            let sqlx::Error::Configuration(error) = error else { panic!("{error}") };
            let mistake = error.downcast_ref::<EnvironmentMistake>().expect("a variable is at fault");
            let told = format!("{mistake}; {}", mistake.hint);
            assert!(told.contains(name) && !told.contains("hush") && mistake.hint.contains("unset it"), "{told}");
        }
    }
}
