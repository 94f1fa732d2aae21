//! Endpoints from any text, and what of them is shown.

use crate::words::text;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use whimbrel::endpoint::Endpoint;
use whimbrel::redact;

const WORDS: &[&str] = &[
    "postgres://",
    "postgresql://",
    "sqlite:",
    "sqlite://",
    "mysql://",
    "://",
    "file:",
    ":memory:",
    "@",
    ":",
    "/",
    "?",
    "&",
    "=",
    "#",
    "%40",
    "%2F",
    "%",
    "%3A",
    "+",
    "[::1]",
    "]",
    "[",
    "localhost",
    "5432",
    "sslmode=require",
    "password=",
    "passfile=",
    "user=",
    "options=-c%20",
    "host=",
    "port=",
    "dbname=",
    "application_name=",
    "connect_timeout=",
    ";",
    "'",
    "\"",
    "`",
    "***",
    "-wal",
    "-journal",
    "app.db",
    "--",
    "…",
    "\u{feff}",
    "\u{202e}",
    "İ",
    "ß",
    ".",
    ",",
    ")",
    "=***",
    "://…",
];

/// Any word of a command line: an endpoint or a usage error, and what is shown stays what it is.
pub fn urls(bytes: &[u8]) {
    let text = text(bytes, WORDS);
    let shown = redact::url(&text);
    assert_eq!(redact::url(&shown), shown, "shown of {text:?}");
    for word in [OsStr::from_bytes(bytes), OsStr::new(&text)] {
        match Endpoint::parse_word(word) {
            Ok(endpoint) => {
                let _ = format!("{endpoint} {endpoint:?}");
            }
            Err(error) => assert_eq!(error.kind(), whimbrel::error::Kind::Usage, "{error}"),
        }
    }
    let _ =
        (redact::redact(&text), redact::redact_urls(&text), redact::argument(&text), redact::may_hold_password(&text));
    let environment = [("PGOPTIONS".to_owned(), shown)];
    let _ = redact::about_connecting(&text, &environment, &text);
}

const SECRET: &str = "Qz7secret7zQ";

/// A password, whatever stands around it before the last `@`: shown nowhere.
pub fn passwords(bytes: &[u8]) {
    let Some((first, rest)) = bytes.split_first() else { return };
    let cut = usize::from(*first) % (rest.len() + 1);
    let (before, after) = (text(&rest[..cut], WORDS), text(&rest[cut..], WORDS));
    let url = format!("postgres://ann:{before}{SECRET}{after}@host/app");
    let mut shown = vec![redact::url(&url), redact::argument(&url), redact::argument(&format!("--source={url}"))];
    match Endpoint::parse(&url) {
        Ok(endpoint) => shown.extend([endpoint.to_string(), format!("{endpoint:?}")]),
        Err(error) => shown.extend([error.to_string(), format!("{error:?}")]),
    }
    for shown in shown {
        assert!(!shown.contains(SECRET), "{url:?} is shown as {shown:?}");
    }
}
