//! Taking passwords out of text that others wrote: error messages that repeat what was typed.

use crate::endpoint::{Endpoint, PostgresUrl, resembles_url};

/// The text with every URL in it shown without its password. A URL behind a quote ends at the next such quote, any
/// other at white space or a quote.
pub fn redact(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let scheme = rest[..at]
            .rfind(|c: char| !c.is_ascii_alphanumeric())
            .map_or(0, |before| before + rest[before..].chars().next().map_or(1, char::len_utf8));
        let length = match rest[..scheme].chars().next_back() {
            Some(quote @ ('"' | '\'' | '`')) => rest[scheme..].find(quote),
            _ => rest[scheme..].find(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`')),
        };
        let length = length.unwrap_or(rest.len() - scheme);
        shown.push_str(&words(&rest[..scheme]));
        shown.push_str(&url(&rest[scheme..scheme + length]));
        rest = &rest[scheme + length..];
    }
    shown.push_str(&words(rest));
    shown
}

/// Masks each word that looks like a URL whose `://` was mistyped.
fn words(text: &str) -> String {
    let is_end = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`');
    text.split_inclusive(is_end)
        .map(|piece| {
            let word = piece.trim_end_matches(is_end);
            format!("{}{}", masked(word), &piece[word.len()..])
        })
        .collect()
}

/// What follows the last `@` of a mistyped URL, up to its parameters; any other text as it is.
fn masked(text: &str) -> String {
    if !resembles_url(text) {
        return text.to_owned();
    }
    let (before, place) = text.rsplit_once('@').map_or(("", text), |(_, place)| ("***@", place));
    match place.split_once(['?', '=']) {
        Some((place, _)) => format!("{before}{place}…"),
        None => format!("{before}{place}"),
    }
}

/// Whether an argument is a URL, or looks like one that was mistyped.
pub fn may_hold_password(argument: &str) -> bool {
    argument.contains("://") || resembles_url(argument)
}

/// One argument as it was typed, without a password: for repeating it in a message.
pub fn argument(text: &str) -> String {
    let Some(at) = text.find("://") else {
        // `--option=URL`: the name of the option may be told.
        return match text.split_once('=').filter(|(name, _)| name.starts_with("--")) {
            Some((name, value)) => format!("{name}={}", masked(value)),
            None => masked(text),
        };
    };
    let scheme = text[..at].rfind(|c: char| !c.is_ascii_alphanumeric()).map_or(0, |before| before + 1);
    match text.get(scheme..) {
        Some(whole) => format!("{}{}", &text[..scheme], url(whole)),
        None => "…".to_owned(),
    }
}

/// A PostgreSQL URL knows how to show itself; of any other only the scheme and the place are kept.
fn url(text: &str) -> String {
    if let Ok(Endpoint::Postgres(url)) = Endpoint::parse(text) {
        return url.to_string();
    }
    // Read as if it were one, so that user information and parameters are treated alike.
    match text.split_once("://") {
        Some((scheme, rest)) => match PostgresUrl::parse(&format!("postgres://{rest}")) {
            Ok(shown) => shown.to_string().replacen("postgres", scheme, 1),
            Err(_) => format!("{scheme}://…"),
        },
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_inside_a_sentence_loses_its_password_only() {
        let told = redact("invalid type: string \"postgres://ann:se@cret@host/app\", expected a table");
        assert_eq!(told, "invalid type: string \"postgres://ann:***@host/app\", expected a table");
        assert_eq!(
            redact("see https://example.org/x and `mysql://a:b@c`"),
            "see https://example.org/x and `mysql://a:***@c`"
        );
        assert_eq!(redact("a string \"postgres://ann:my pass@host\"!"), "a string \"postgres://ann:***@host\"!");
        assert_eq!(redact("nothing here"), "nothing here");
        assert_eq!(
            redact("'postgres:/ann:secret@host' and `postgres//h?password=secret`"),
            "'***@host' and `postgres//h…`"
        );
        assert_eq!(redact("postgres: it is 12:30, `a.b@c`"), "postgres: it is 12:30, `a.b@c`");
    }

    #[test]
    fn an_argument_may_hold_blanks_in_its_password() {
        assert_eq!(argument("postgres://ann:my secret@host/app"), "postgres://ann:***@host/app");
        assert_eq!(argument("--sorce=postgres://ann:secret@host/app"), "--sorce=postgres://ann:***@host/app");
        assert_eq!(argument("--sorce=postgres//ann:my secret@host/app"), "--sorce=***@host/app");
        assert_eq!(argument("app.db"), "app.db");
    }
}
