//! Connection URLs: putting one together, exchanging its database, taking its password out.
//!
//! No function here prints or returns a password other than to the caller that passed the URL.

use crate::redact::Parts;

/// The scheme and authority of a URL, its path without the slash, and its query without the question mark.
fn split(url: &str) -> (&str, &str, &str) {
    let Some(parts) = Parts::of(url) else { return (url, "", "") };
    (parts.origin, parts.path.strip_prefix('/').unwrap_or(parts.path), parts.query.unwrap_or_default())
}

fn join(authority: &str, database: &str, query: &[&str]) -> String {
    let question = if query.is_empty() { "" } else { "?" };
    format!("{authority}/{database}{question}{}", query.join("&"))
}

fn parameters(query: &str) -> impl Iterator<Item = &str> {
    query.split('&').filter(|parameter| !parameter.is_empty())
}

fn key(parameter: &str) -> &str {
    parameter.split('=').next().unwrap_or_default()
}

/// Whether a URL is one that PostgreSQL's clients understand.
pub(super) fn is_postgres(url: &str) -> bool {
    url.starts_with("postgres://") || url.starts_with("postgresql://")
}

/// The URL of a server that this module started, whose clients never need TLS: it listens on this machine only.
pub(super) fn private(host: &str, port: u16, password: &str, database: &str) -> String {
    format!("postgres://postgres:{password}@{host}:{port}/{}?sslmode=disable", percent_encoded(database))
}

/// The same server, user and parameters, another database.
pub(super) fn with_database(url: &str, database: &str) -> String {
    let (authority, _, query) = split(url);
    let kept: Vec<&str> = parameters(query).filter(|parameter| key(parameter) != "dbname").collect();
    join(authority, &percent_encoded(database), &kept)
}

/// The database of a URL as it is reached within the container of a private server.
pub(super) fn within_container(url: &str) -> String {
    let (_, database, _) = split(url);
    join("postgres://postgres@127.0.0.1", database, &[])
}

/// The database that a URL names, still percent-encoded; empty where it names none.
pub(super) fn names_database(url: &str) -> bool {
    let (_, database, query) = split(url);
    !database.is_empty() || parameters(query).any(|parameter| key(parameter) == "dbname")
}

/// The URL without its password and without parameters that libpq does not know, and the password.
pub(super) fn without_password(url: &str) -> (String, Option<String>) {
    const LIBPQ: [&str; 11] = [
        "sslmode",
        "sslrootcert",
        "sslcert",
        "sslkey",
        "host",
        "hostaddr",
        "port",
        "dbname",
        "user",
        "options",
        "application_name",
    ];
    let (authority, database, query) = split(url);
    let mut password = None;
    let mut bare = authority.to_owned();
    let start = authority.find("://").map_or(0, |at| at + 3);
    if let Some(at) = authority[start..].rfind('@')
        && let Some(colon) = authority[start..start + at].find(':')
    {
        password = Some(percent_decoded(&authority[start + colon + 1..start + at]));
        bare = format!("{}{}", &authority[..start + colon], &authority[start + at..]);
    }
    let mut kept = Vec::new();
    for parameter in parameters(query) {
        match parameter.split_once('=') {
            Some(("password", value)) => password = Some(percent_decoded(value)),
            _ if LIBPQ.contains(&key(parameter)) => kept.push(parameter),
            _ => {}
        }
    }
    (join(&bare, database, &kept), password)
}

fn percent_encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~');
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let escaped = match after {
            [high, low, ..] if first == b'%' => {
                char::from(*high).to_digit(16).zip(char::from(*low).to_digit(16)).map(|(high, low)| high * 16 + low)
            }
            _ => None,
        };
        match escaped {
            Some(byte) => {
                bytes.push(byte as u8);
                rest = &after[2..];
            }
            None => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_database_keeps_server_user_and_parameters() {
        let cases = [
            ("postgres://u:p@h:5432/a?sslmode=require", "postgres://u:p@h:5432/b?sslmode=require"),
            ("postgres://h", "postgres://h/b"),
            ("postgres://u:p#?p@h:5432/a#c?sslmode=require", "postgres://u:p#?p@h:5432/b?sslmode=require"),
            ("postgresql://u@h/?dbname=a&port=1", "postgresql://u@h/b?port=1"),
            ("postgres:///a?host=/var/run/postgresql", "postgres:///b?host=/var/run/postgresql"),
        ];
        for (url, expected) in cases {
            assert_eq!(with_database(url, "b"), expected);
        }
        assert_eq!(with_database("postgres://h/a", "ü b/c"), "postgres://h/%C3%BC%20b%2Fc");
        assert_eq!(within_container("postgres://u@h:5/a%20b?sslmode=disable"), "postgres://postgres@127.0.0.1/a%20b");
    }

    #[test]
    fn a_url_names_its_database_in_the_path_or_as_a_parameter() {
        assert!(names_database("postgres://h/a"));
        assert!(names_database("postgres://h?dbname=a"));
        assert!(!names_database("postgres://h/?sslmode=disable"));
    }

    #[test]
    fn the_password_is_taken_out_wherever_it_stands() {
        let (url, password) = without_password("postgres://u:p%40%zz@h:1/a?statement-cache-capacity=9&sslmode=prefer");
        assert_eq!(url, "postgres://u@h:1/a?sslmode=prefer");
        assert_eq!(password.as_deref(), Some("p@%zz"));
        let (url, password) = without_password("postgres://h/a?password=s%20t&user=u");
        assert_eq!(url, "postgres://h/a?user=u");
        assert_eq!(password.as_deref(), Some("s t"));
        assert_eq!(without_password("postgres://u@h/a"), ("postgres://u@h/a".to_owned(), None));
    }
}
