//! The parameters of a PostgreSQL URL: which are understood, which of their values may be shown, and what is said of
//! any other.
//!
//! sqlx leaves out what it does not know without a word; then a misspelt `sslmode` would connect without TLS.

use super::parts::{Parts, is_host, is_name, is_number, is_port, percent_decode};

/// A parameter that sqlx or this program obeys, and whether a value of it may be shown.
struct Parameter {
    name: &'static str,
    is_harmless: fn(&str) -> bool,
}

pub(crate) const SSL_MODES: [&str; 6] = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"];

/// How an `@` and the like are written in a user or a password.
pub(crate) const ESCAPES: &str = "in the user and the password of a URL, `@` is written `%40`, `/` `%2F`, `:` `%3A`, \
                                  `#` `%23`, `?` `%3F` and `%` `%25`";

const fn shown_if(name: &'static str, is_harmless: fn(&str) -> bool) -> Parameter {
    Parameter { name, is_harmless }
}

const fn hidden(name: &'static str) -> Parameter {
    Parameter { name, is_harmless: |_| false }
}

/// Every one, each besides by the other names that sqlx has for it. The last stands for one of any name.
const UNDERSTOOD: [Parameter; 20] = [
    shown_if("host", is_host),
    shown_if("hostaddr", |value| value.parse::<std::net::IpAddr>().is_ok()),
    shown_if("port", is_port),
    shown_if("dbname", is_name),
    shown_if("user", is_name),
    hidden("password"),
    shown_if("sslmode", |value| SSL_MODES.contains(&value)),
    shown_if("ssl-mode", |value| SSL_MODES.contains(&value)),
    hidden("sslrootcert"),
    hidden("ssl-root-cert"),
    hidden("ssl-ca"),
    hidden("sslcert"),
    hidden("ssl-cert"),
    hidden("sslkey"),
    hidden("ssl-key"),
    shown_if("application_name", is_name),
    shown_if("connect_timeout", is_number),
    shown_if("statement-cache-capacity", is_number),
    hidden("options"),
    hidden("options[NAME]"),
];

/// Parameters of libpq that nothing here obeys: their names may be repeated.
const OF_LIBPQ: [&str; 22] = [
    "target_session_attrs",
    "load_balance_hosts",
    "keepalives",
    "keepalives_idle",
    "keepalives_interval",
    "keepalives_count",
    "tcp_user_timeout",
    "passfile",
    "sslpassword",
    "sslcrl",
    "sslcrldir",
    "sslsni",
    "sslcompression",
    "sslnegotiation",
    "ssl_min_protocol_version",
    "ssl_max_protocol_version",
    "channel_binding",
    "gssencmode",
    "krbsrvname",
    "client_encoding",
    "fallback_application_name",
    "service",
];

/// Whether a parameter and its value may be shown. Names are compared as they are written: one that is percent-encoded
/// is not known.
pub(super) fn is_harmless(key: &str, value: &str) -> bool {
    UNDERSTOOD.iter().any(|parameter| parameter.name == key && (parameter.is_harmless)(value))
}

fn is_understood(key: &str) -> bool {
    UNDERSTOOD.iter().any(|parameter| parameter.name == key) || key.starts_with("options[") && key.ends_with(']')
}

/// What is wrong with the parameters of a URL, and the way out; nothing of it is repeated but the name of a parameter, and
/// that only where it is no password that was cut in pieces.
pub(crate) fn mistake(url: &str) -> Option<(String, String)> {
    let parts = Parts::of(url)?;
    let several = |hosts: &str| {
        let cause = "it names several hosts, and only one can be read from".to_owned();
        hosts.contains(',').then(|| (cause, "name the one that is meant".to_owned()))
    };
    if let Some(mistake) = several(parts.host).filter(|_| !parts.is_ambiguous()) {
        return Some(mistake);
    }
    let decoded = percent_decode(url);
    if decoded.contains('\0') {
        let cause = "it has the sign `%00`, and no name and no password holds it".to_owned();
        return Some((cause, "leave it out".to_owned()));
    }
    if decoded.contains(char::REPLACEMENT_CHARACTER) && !url.contains(char::REPLACEMENT_CHARACTER) {
        let cause = "its percent-encoded signs are no UTF-8".to_owned();
        return Some((cause, "`%C3%A4` is an `ä`".to_owned()));
    }
    for (place, pair) in parts.query?.split('&').enumerate().filter(|(_, pair)| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (key, value) = (percent_decode(key), percent_decode(value));
        if !is_understood(&key) {
            return Some(match (parts.is_ambiguous(), resembles_a_name(&key)) {
                (true, _) => (
                    "its parameters are not known, or a password hides where they begin".to_owned(),
                    ESCAPES.to_owned(),
                ),
                (false, true) => (format!("the parameter `{key}` is not known"), known()),
                (false, false) => (format!("its parameter {} is not known", place + 1), known()),
            });
        }
        if let Some(mistake) = several(&value).filter(|_| matches!(key.as_str(), "host" | "hostaddr")) {
            return Some(mistake);
        }
        if key == "port" && !value.is_empty() && value.parse::<u16>().is_err() {
            let cause = "the parameter `port` has no such value".to_owned();
            return Some((cause, "it is a number up to 65535".to_owned()));
        }
        if matches!(key.as_str(), "sslmode" | "ssl-mode") && !SSL_MODES.contains(&value.to_ascii_lowercase().as_str()) {
            return Some((
                format!("the parameter `{key}` has no such value"),
                format!("its values are {}", listed(&SSL_MODES)),
            ));
        }
    }
    None
}

fn known() -> String {
    let names: Vec<_> = UNDERSTOOD.iter().map(|parameter| parameter.name).collect();
    format!("known are {}", listed(&names))
}

pub(crate) fn listed(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

/// Whether it is the name of a parameter, or one with a mistake in it, a long one with two.
fn resembles_a_name(key: &str) -> bool {
    let understood = UNDERSTOOD.iter().map(|parameter| parameter.name).filter(|name| name.len() > 3);
    key.len() > 3
        && understood.chain(OF_LIBPQ).any(|name| {
            let mistakes = if name.len() > 5 { 2 } else { 1 };
            distance(&key.to_ascii_lowercase(), name) <= mistakes
        })
}

/// How many signs have to be put in, left out or changed to make one text of the other.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (line, sign) in one.chars().enumerate() {
        let mut before = std::mem::replace(&mut row[0], line + 1);
        for (column, wanted) in other.iter().enumerate() {
            let changed = before + usize::from(sign != *wanted);
            before = row[column + 1];
            row[column + 1] = changed.min(before + 1).min(row[column] + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_that_nothing_obeys_is_told_and_no_value() {
        let cause = |query: &str| mistake(&format!("postgres://ann@host/app?{query}")).map(|(cause, _)| cause);
        for query in
            ["sslmode=Require", "options[a.b]=x&host=h", "", "ssl%6Dode=disable", "connect_timeout=3", "ssl-ca=x"]
        {
            assert_eq!(cause(query), None, "{query}");
        }
        assert_eq!(cause("sslmod=hush").as_deref(), Some("the parameter `sslmod` is not known"));
        assert_eq!(cause("SSLMODE=hush").as_deref(), Some("the parameter `SSLMODE` is not known"));
        assert_eq!(cause("keepalives=hush").as_deref(), Some("the parameter `keepalives` is not known"));
        assert_eq!(cause("port=1&hush").as_deref(), Some("its parameter 2 is not known"));
        assert_eq!(cause("sslmode=hush").as_deref(), Some("the parameter `sslmode` has no such value"));
        assert_eq!(cause("port=5432,5433").as_deref(), Some("the parameter `port` has no such value"));
        for several in ["h/app?host=a,b", "a:1,b:2/app", "a,b/app", "/app?hostaddr=::1%2C::2"] {
            let (cause, _) = mistake(&format!("postgres://ann@{several}")).unwrap();
            assert_eq!(cause, "it names several hosts, and only one can be read from", "{several}");
        }
        let (cause, hint) = mistake("postgres://ann:a/?hush@host/app").unwrap();
        assert!(!cause.contains("hush") && hint.contains("`%2F`"), "{cause} {hint}");
        assert_eq!(mistake("postgres://ann:a?hu#sh@host/app#x"), None, "as libpq reads it");
        for (url, told) in [("postgres://h/own%00x", "`%00`"), ("postgres://a%FF@h/d", "no UTF-8")] {
            let (cause, _) = mistake(url).unwrap();
            assert!(cause.contains(told), "{cause}");
        }
        let (_, hint) = mistake("postgres://host/app?sslmod=require").unwrap();
        assert!(hint.contains("`sslmode`") && hint.contains("`options[NAME]`"), "{hint}");
        let (_, hint) = mistake("postgres://host/app?sslmode=on").unwrap();
        assert!(hint.contains("`verify-full`"), "{hint}");
    }

    #[test]
    fn sqlx_obeys_what_is_understood() {
        use sqlx::postgres::PgConnectOptions;
        let plain = format!("{:?}", "postgres://a@h/d".parse::<PgConnectOptions>().unwrap());
        for name in UNDERSTOOD.iter().map(|parameter| parameter.name).filter(|name| *name != "connect_timeout") {
            let (name, value) = match name {
                "options[NAME]" => ("options[a]", "b"),
                "port" | "statement-cache-capacity" => (name, "7"),
                "hostaddr" => (name, "::2"),
                "sslmode" | "ssl-mode" => (name, "require"),
                name => (name, "other"),
            };
            let read: PgConnectOptions = format!("postgres://a@h/d?{name}={value}").parse().unwrap();
            assert_ne!(format!("{read:?}"), plain, "{name}");
        }
    }
}
