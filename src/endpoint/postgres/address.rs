//! Where a URL and the environment lead, read as libpq reads them.
//!
//! sqlx 0.9.0 reads both in its own way: it refuses `postgres://ann@/app`, looks an IPv6 address up together with its
//! brackets, looks for the socket of the environment's port where the URL names another one, asks ~/.pgpass for another
//! host than a socket's, asks a socket for TLS, takes a PGSSLMODE or PGPORT that is misspelt for one that is not
//! there, leaves out what follows a `#`, and has no name for the user where neither URL nor environment have one. So
//! place, user, password and database are worked out here and handed over one by one. What psql obeys in the environment
//! and nothing here does is refused, as a parameter of the URL is.

use super::password_file::{self, Wanted};
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
    let this =
        Process { variable: &|name| std::env::var(name).ok(), user: &own_name, password: &password_file::look_up };
    read(url, &this)
}

/// What of this process counts where a URL leaves something open.
struct Process<'p> {
    /// The value of a variable; one that is empty is not set.
    variable: &'p Environment<'p>,
    /// The name of the user that it acts as.
    user: &'p dyn Fn() -> Option<String>,
    /// The password for a place, in ~/.pgpass.
    password: &'p dyn Fn(&Wanted<'_>) -> Option<String>,
}

type Environment<'e> = dyn Fn(&str) -> Option<String> + 'e;

fn read(url: &str, process: &Process<'_>) -> Result<PgConnectOptions, sqlx::Error> {
    let environment = |name: &str| (process.variable)(name).filter(|value| !value.is_empty());
    let Some(parts) = Parts::of(url) else { return PgConnectOptions::from_str(url) };
    let pairs: Vec<(String, String)> =
        parts.query.into_iter().flat_map(|query| query.split('&')).filter(|pair| !pair.is_empty()).map(named).collect();
    let parameter = |name: &str| {
        let mut values = pairs.iter().filter(|(key, value)| key == name && !value.is_empty());
        values.next_back().map(|(_, value)| value.clone())
    };
    let part = |text: Option<&str>| text.map(percent_decode).filter(|text| !text.is_empty());
    let has_mode = parameter("sslmode").or_else(|| parameter("ssl-mode")).is_some();
    let has_options = pairs.iter().any(|(key, _)| key.starts_with("options"));
    refuse_unheeded(&environment, has_mode, has_options).map_err(mistaken)?;
    let port = match parameter("port").or_else(|| part(parts.port)) {
        Some(port) => port.parse().map_err(|error| sqlx::Error::Configuration(Box::new(error)))?,
        None => match environment("PGPORT").map(|port| port.parse::<u16>()) {
            Some(port) => port.map_err(|_| mistaken(not_a_value("PGPORT", "a number up to 65535")))?,
            None => PORT_DEFAULT,
        },
    };
    let in_brackets = parts.host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let named = parameter("host").or_else(|| part(Some(in_brackets.unwrap_or(parts.host))));
    let address = parameter("hostaddr");
    let (named, address) = match (named, address) {
        (None, None) => match (environment("PGHOST"), environment("PGHOSTADDR")) {
            (Some(hosts), None) if hosts.contains(',') => return Err(mistaken(not_a_value("PGHOST", "one host"))),
            of_environment => of_environment,
        },
        of_url => of_url,
    };
    let host = match (&address, &named) {
        (Some(address), _) => address.clone(),
        (None, Some(host)) => host.clone(),
        (None, None) => default_host(port),
    };
    let user = parameter("user").or_else(|| part(parts.user)).or_else(|| environment("PGUSER"));
    let user = user.or_else(process.user).ok_or_else(|| mistaken(nobody()))?;
    let in_path = part(parts.path.strip_prefix('/'));
    let database = parameter("dbname").or(in_path).or_else(|| environment("PGDATABASE"));
    let database = database.unwrap_or_else(|| user.clone());
    let password = parameter("password").or_else(|| part(parts.password)).or_else(|| environment("PGPASSWORD"));
    let password = password.or_else(|| {
        let host = named.as_deref().or(address.as_deref());
        (process.password)(&Wanted { host, port, database: &database, user: &user })
    });
    // The last `options` count, as in libpq; sqlx would take all of them, one after the other.
    let last_options = pairs.iter().rposition(|(key, _)| key == "options");
    let is_of_place = |key: &str| matches!(key, "host" | "hostaddr" | "port" | "user" | "password" | "dbname");
    let others = pairs
        .iter()
        .enumerate()
        .filter(|(place, (key, _))| !is_of_place(key) && (key != "options" || Some(*place) == last_options));
    let others = others.map(|(_, (key, value))| format!("{}={}", percent_encode(key), percent_encode(value)));
    let options =
        PgConnectOptions::from_str(&format!("postgres://localhost?{}", others.collect::<Vec<_>>().join("&")))?;
    let options = options.port(port).username(&user).database(&database);
    // Without one, sqlx sends an empty one where it is asked; its own look into ~/.pgpass is for another place.
    let options = options.password(password.as_deref().unwrap_or_default());
    // libpq never asks a socket for TLS.
    Ok(if host.starts_with('/') { options.socket(host).ssl_mode(PgSslMode::Disable) } else { options.host(&host) })
}

/// The name that the system has for the user that this process acts as.
fn own_name() -> Option<String> {
    let mut buffer = vec![0_u8; 16 * 1024];
    // SAFETY: a passwd is plain numbers and pointers, for which zero is a value.
    let mut entry: libc::passwd = unsafe { std::mem::zeroed() };
    let mut found = std::ptr::null_mut();
    // SAFETY: the pointers are to live variables, and the length is the buffer's; geteuid cannot fail.
    let code = unsafe {
        libc::getpwuid_r(libc::geteuid(), &raw mut entry, buffer.as_mut_ptr().cast(), buffer.len(), &raw mut found)
    };
    if code != 0 || found.is_null() || entry.pw_name.is_null() {
        return None;
    }
    // SAFETY: the name ends with a zero, and lies in the buffer.
    let name = unsafe { std::ffi::CStr::from_ptr(entry.pw_name) };
    name.to_str().ok().map(str::to_owned)
}

fn nobody() -> EnvironmentMistake {
    EnvironmentMistake {
        cause: "the URL names no user, and the user of this process has no name here".to_owned(),
        hint: "name the user: `postgres://user@host/database`, or PGUSER".to_owned(),
    }
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
fn refuse_unheeded(environment: &Environment<'_>, has_mode: bool, has_options: bool) -> Result<(), EnvironmentMistake> {
    for (name, harmless) in UNHEEDED {
        if environment(name).is_some_and(|value| !harmless.contains(&value.as_str())) {
            return Err(EnvironmentMistake {
                cause: format!("the environment's {name}, which psql obeys, is not known here"),
                hint: format!("say in the URL what is meant, and unset it: `env -u {name} whimbrel …`"),
            });
        }
    }
    if has_options && environment("PGOPTIONS").is_some() {
        return Err(EnvironmentMistake {
            cause: "both the URL's `options` and the environment's PGOPTIONS are given, and psql obeys the URL's only"
                .to_owned(),
            hint: "unset it: `env -u PGOPTIONS whimbrel …`, or leave `options` out of the URL".to_owned(),
        });
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

/// A pair of the query: what it sets, and to which value. A `+` is one, as in libpq.
fn named(pair: &str) -> (String, String) {
    let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
    (percent_decode(key), percent_decode(value))
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
        read(url, &Process { variable: &value, user: &|| Some("me".to_owned()), password: &place_asked })
    }

    /// For a password the place that it was looked up for.
    fn place_asked(wanted: &Wanted<'_>) -> Option<String> {
        let Wanted { host, port, database, user } = wanted;
        Some(format!("{}:{port}:{database}:{user}", host.unwrap_or("nowhere")))
    }

    fn password(options: &PgConnectOptions) -> String {
        // No getter tells it.
        let shown = format!("{options:?}");
        let (_, rest) = shown.split_once("password: Some(\"").expect("a password");
        rest.split_once("\")").expect("its end").0.to_owned()
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
            ("postgres://u:p@[::1]:5891/d#x?sslmode=disable", "::1", 5891),
            ("postgres://u:p#a?s@h:7/d", "h", 7),
            ("postgres:///d?host=/tmp/a+b", "/tmp/a+b", 5432),
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
    fn no_sign_of_a_name_is_lost_on_the_way() {
        for (url, user, database, password) in [
            ("postgres://ann:p@h/own#x", "ann", "own#x", "p"),
            ("postgres://ann:pa#ss@h/own", "ann", "own", "pa#ss"),
            ("postgres://ann:pa?s&s@h/own", "ann", "own", "pa?s&s"),
            ("postgres://a#n:p@h/own@x#y", "a#n", "own@x#y", "p"),
            ("postgres://ann:p@h/own?application_name=x#y", "ann", "own", "p"),
            ("postgres://ann:p@h/%2e%2e", "ann", "..", "p"),
            ("postgres://ann:p@h//a//b/", "ann", "/a//b/", "p"),
            ("postgres://h?dbname=a+b%26#c&user=a%2Bb&password=p+q", "a+b", "a+b&#c", "p+q"),
            ("postgres://ann:%7C%22@h/ä ö", "ann", "ä ö", "|\\\""),
        ] {
            let read = with(url, &[]).unwrap();
            assert_eq!((read.get_username(), read.get_database()), (user, Some(database)), "{url}");
            assert_eq!(self::password(&read), password, "{url}");
        }
        let read = with("postgres://ann@h/own?application_name=x+#y", &[]).unwrap();
        assert_eq!(read.get_application_name(), Some("x+#y"));
        let read = with("postgres://h/d?options=-c%20a%3D1&options=-c%20b%3D2&options[c]=3+4", &[]).unwrap();
        assert_eq!(read.get_options(), Some("-c b=2 -c c=3+4"), "the last ones count");
    }

    #[test]
    fn who_is_not_named_is_the_user_of_the_system_and_a_password_is_looked_up_as_psql_does() {
        for (url, variables, wanted) in [
            ("postgres:///own", &[("PGHOST", "/run/pg"), ("PGPORT", "7")][..], "/run/pg:7:own:me"),
            ("postgres://", &[("PGHOST", "h")], "h:5432:me:me"),
            ("postgres://@h/", &[("PGUSER", "bob")], "h:5432:bob:bob"),
            ("postgres://h", &[("PGUSER", ""), ("PGDATABASE", "d"), ("PGPASSWORD", "")], "h:5432:d:me"),
            ("postgres://ann:@h/d?user=bob", &[], "h:5432:d:bob"),
            ("postgres://ann@h/d?hostaddr=127.0.0.1", &[("PGHOST", "other")], "h:5432:d:ann"),
            ("postgres://ann@/d?hostaddr=127.0.0.1", &[], "127.0.0.1:5432:d:ann"),
            ("postgres://ann@h/d", &[("PGPASSWORD", "p")], "p"),
        ] {
            assert_eq!(password(&with(url, variables).unwrap()), wanted, "{url} {variables:?}");
        }
        // SAFETY: geteuid cannot fail.
        let id = unsafe { libc::geteuid() };
        let users = std::fs::read_to_string("/etc/passwd").unwrap();
        let mut known = users.lines().map(|line| line.split(':').collect::<Vec<_>>());
        let own = known.find(|fields| fields[2] == id.to_string()).map(|fields| fields[0].to_owned());
        assert_eq!(own_name(), own, "USER and LOGNAME do not count");
        let nameless = Process { variable: &|_| None, user: &|| None, password: &|_| None };
        let error = read("postgres://h/d", &nameless).unwrap_err();
        assert!(error.to_string().contains("names no user"), "{error}");
    }

    #[test]
    fn options_of_the_url_and_of_the_environment_are_not_mixed() {
        for url in ["postgres://h/d?options=-c%20a%3D1", "postgres://h/d?options[a]=1"] {
            let error = with(url, &[("PGOPTIONS", "-c hush=1")]).unwrap_err().to_string();
            assert!(error.contains("PGOPTIONS") && !error.contains("hush"), "{error}");
            with(url, &[("PGOPTIONS", "")]).unwrap();
        }
        with("postgres://h/d", &[("PGOPTIONS", "-c a=1")]).unwrap();
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
