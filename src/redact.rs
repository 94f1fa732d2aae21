//! Text without secrets: only what is known to be harmless of a URL is shown, everything else of it is `***`.
//!
//! Harmless are the scheme, the user, the host, the port and the database, each where it is made of ordinary signs, and
//! the parameters in `parameters` with values of their kind. A password that was not percent-encoded can reach into
//! any part, and a part with other signs may be such a password, percent-encoded or not; so nothing of it is shown.
//!
//! `crate::error::Error` sends what it tells through [`redact`], so a message that repeats what was typed has no
//! password either.

mod parameters;
mod parts;

pub(crate) use parameters::{ESCAPES, SSL_MODES, listed, mistake};
pub(crate) use parts::{Parts, is_host, percent_decode};

use parameters::is_harmless;
use parts::{is_name, is_port};
use std::borrow::Cow;
use std::path::Path;

/// What stands for a part that is not shown.
const HIDDEN: &str = "***";

/// Schemes that may be repeated; what stands before another `://` may be anything.
const SCHEMES: [&str; 14] = [
    "postgres",
    "postgresql",
    "sqlite",
    "mysql",
    "mariadb",
    "mssql",
    "sqlserver",
    "oracle",
    "mongodb",
    "redis",
    "libsql",
    "file",
    "http",
    "https",
];

/// Words of a connection string whose values are secret, or can hold what is.
const SECRET_WORDS: [&str; 8] =
    ["password", "passwd", "sslpassword", "pwd", "passfile", "sslkey", "sslcert", "options"];

impl<'t> Parts<'t> {
    /// Everything that is not shown, as it stands there.
    fn hidden(&self) -> Vec<&'t str> {
        let mut hidden: Vec<&str> = self.password.into_iter().collect();
        let is_ambiguous = self.is_ambiguous();
        hidden.extend(self.user.filter(|user| !is_name(user)));
        hidden.extend((is_ambiguous || !is_host(self.host)).then_some(self.host));
        hidden.extend(self.port.filter(|port| !is_port(port)));
        hidden.extend((is_ambiguous || !self.path_is_harmless()).then(|| self.path.trim_start_matches('/')));
        for pair in self.query.into_iter().flat_map(|query| query.split('&')) {
            match pair.split_once('=') {
                Some((key, value)) if is_harmless(key, value) => {}
                Some((key, value)) => hidden.extend([key, value].into_iter().filter(|part| !is_word(part))),
                None => hidden.push(pair),
            }
        }
        hidden
    }
}

/// Whether a password that was not percent-encoded may have cut the URL in other pieces than were meant.
pub(crate) fn is_ambiguous(url: &str) -> bool {
    Parts::of(url).is_some_and(|parts| parts.is_ambiguous())
}

/// A URL without what may be secret.
pub fn url(text: &str) -> String {
    let Some(parts) = Parts::of(text) else { return HIDDEN.to_owned() };
    let is_known = |scheme: &str| scheme.is_empty() || SCHEMES.iter().any(|known| known.eq_ignore_ascii_case(scheme));
    let scheme = match is_known(parts.scheme) {
        true => parts.scheme,
        false => HIDDEN,
    };
    let mut shown = format!("{scheme}://");
    if text.ends_with("://…") || text.ends_with("://") {
        shown.push_str(text.rsplit_once("://").map_or("", |(_, rest)| rest));
        return shown;
    }
    if parts.is_ambiguous() {
        shown.push_str(HIDDEN);
        return shown;
    }
    let or_hidden = |harmless: bool, part: &str| if harmless { part.to_owned() } else { HIDDEN.to_owned() };
    if let Some(user) = parts.user {
        shown.push_str(&or_hidden(is_name(user), user));
        shown.push_str(if parts.password.is_some() { ":***@" } else { "@" });
    }
    shown.push_str(&or_hidden(is_host(parts.host), parts.host));
    if let Some(port) = parts.port {
        shown.push_str(&format!(":{}", or_hidden(is_port(port), port)));
    }
    if !parts.path.is_empty() {
        shown.push_str(&or_hidden(parts.path_is_harmless(), parts.path).replacen(HIDDEN, "/***", 1));
    }
    for (place, pair) in parts.query.into_iter().flat_map(|query| query.split('&')).enumerate() {
        shown.push(if place == 0 { '?' } else { '&' });
        shown.push_str(&match pair.split_once('=') {
            Some((key, value)) if is_harmless(key, value) => pair.to_owned(),
            Some((key, _)) if is_word(key) => format!("{key}={HIDDEN}"),
            _ => HIDDEN.to_owned(),
        });
    }
    shown
}

/// Whether a parameter's name is one of those whose values are secret.
fn is_word(key: &str) -> bool {
    SECRET_WORDS.contains(&key)
}

/// The text with every URL in it, and every word of a connection string, shown without what may be secret. A URL behind
/// a quote ends at the next such quote, any other at white space or a quote.
pub fn redact(text: &str) -> Cow<'_, str> {
    match redact_urls(text) {
        Cow::Borrowed(text) if secret_value(text).is_none() => Cow::Borrowed(text),
        shown => Cow::Owned(without_values_of_secret_words(&shown)),
    }
}

/// As [`redact`], but for sentences of our own: words stay, as the names of columns can be among them.
pub fn redact_urls(text: &str) -> Cow<'_, str> {
    if !text.contains("://") && !text.contains(['@', '?']) && find_ignoring_case(text, "postgres").is_none() {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let scheme = start_of_scheme(&rest[..at]);
        let length = match rest[..scheme].chars().next_back() {
            Some(quote @ ('"' | '\'' | '`')) => rest[scheme..].find(quote),
            _ => rest[scheme..].find(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`')),
        };
        let length = length.unwrap_or(rest.len() - scheme);
        let found = &rest[scheme..scheme + length];
        // What ends a sentence is no part of the URL.
        let found = found.trim_end_matches(['.', ',', ':', ';', ')']);
        let found = if found.ends_with("//") { &rest[scheme..scheme + length] } else { found };
        shown.push_str(&words(&rest[..scheme]));
        shown.push_str(&url(found));
        rest = &rest[scheme + found.len()..];
    }
    shown.push_str(&words(rest));
    if shown == text { Cow::Borrowed(text) } else { Cow::Owned(shown) }
}

fn start_of_scheme(before: &str) -> usize {
    before
        .rfind(|c: char| !c.is_ascii_alphanumeric())
        .map_or(0, |last| last + before[last..].chars().next().map_or(1, char::len_utf8))
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

/// Nothing of a mistyped URL, whose parts cannot be told apart; any other text as it is.
fn masked(text: &str) -> String {
    match parameters_of_a_file(text) {
        Some(parameters) => format!("{}?{HIDDEN}", &text[..parameters]),
        None if resembles_url(text) && !matches!(text, "postgres:" | "postgresql:") => HIDDEN.to_owned(),
        None => text.to_owned(),
    }
}

/// `password = …`, `PWD=…;`, `--password=…`: the value, in quotes or up to a blank or a separator, is not shown.
fn without_values_of_secret_words(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(value) = secret_value(rest) {
        shown.push_str(&rest[..value]);
        rest = &rest[value..];
        let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\'' | '`'));
        let end = match quote {
            Some(quote) => rest[1..].find(quote).map_or(rest.len(), |end| end + 2),
            None => rest
                .find(|c: char| c.is_whitespace() || matches!(c, ';' | '&' | '"' | '\'' | '`'))
                .unwrap_or(rest.len()),
        };
        if end > 0 {
            shown.push_str(HIDDEN);
        }
        rest = &rest[end..];
    }
    shown.push_str(rest);
    shown
}

/// Where the value of the first secret word starts.
fn secret_value(text: &str) -> Option<usize> {
    let signs = text.match_indices(['=', ':']);
    signs.into_iter().find_map(|(at, sign)| {
        let before = text[..at].trim_end();
        // `"password": "…"`: the name of a field of JSON.
        let field = before.strip_suffix(['"', '\'']);
        let before = match sign {
            ":" => field?,
            _ => field.unwrap_or(before),
        };
        let start = before
            .rfind(|c: char| !c.is_alphanumeric() && c != '_')
            .map_or(0, |last| last + before[last..].chars().next().map_or(1, char::len_utf8));
        let after = &text[at + 1..];
        is_secret_word(&before[start..]).then(|| at + 1 + (after.len() - after.trim_start_matches(' ').len()))
    })
}

fn is_secret_word(word: &str) -> bool {
    let word = word.to_ascii_lowercase();
    SECRET_WORDS.contains(&word.as_str()) || word.ends_with("password") || word == "pgoptions"
}

/// Whether an argument names a secret and tells it behind a colon or, as an option with its value in one word, behind
/// blanks. In sentences of our own such words have no secret behind them.
fn tells_secret(argument: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let mut rest = argument;
    while let Some(start) = rest.find(is_part) {
        let length = rest[start..].find(|c| !is_part(c)).unwrap_or(rest.len() - start);
        let (word, after) = rest[start..].split_at(length);
        let behind = after.trim_start_matches(['"', '\'']).trim_start();
        let is_option = rest[..start].ends_with('-') && after.starts_with(char::is_whitespace);
        let is_told = behind.starts_with(':') || is_option && !behind.is_empty();
        if is_told && is_secret_word(word) {
            return true;
        }
        rest = after;
    }
    false
}

/// Whether a text is `user/password@place`, as Oracle's programs write it, and no path of a folder that is there.
fn resembles_oracle(text: &str) -> bool {
    let Some((user, rest)) = text.split_once('/') else { return false };
    let parts = rest.rsplit_once('@').filter(|(password, place)| !password.is_empty() && !place.is_empty());
    parts.is_some() && !user.is_empty() && user != "~" && is_name(user) && !Path::new(user).is_dir()
}

/// Whether a text without `://` is most likely a URL that was mistyped: `postgres:…`, `postgres//…`, `…:password@…`.
pub(crate) fn resembles_url(text: &str) -> bool {
    if text.contains("://") {
        return false;
    }
    let after_scheme = ["postgresql", "postgres"].iter().find_map(|word| strip_prefix_ignoring_case(text, word));
    let mistyped =
        after_scheme.is_some_and(|rest| rest.starts_with([':', ';']) || rest.starts_with("//") || rest.contains('@'));
    mistyped
        || text.rsplit_once('@').is_some_and(|(before, _)| before.contains([':', ';', '=']))
        || resembles_oracle(text)
}

/// Whether a text is a connection string of `key=value` words, as libpq, JDBC or ADO.NET write them.
pub(crate) fn resembles_connection_words(text: &str) -> bool {
    secret_value(text).is_some()
        || tells_secret(text)
        || ["host", "hostaddr", "dbname"].iter().any(|word| {
            text.match_indices('=').any(|(at, _)| {
                let before = text[..at].trim_end();
                before.len() >= word.len()
                    && before.is_char_boundary(before.len() - word.len())
                    && before[before.len() - word.len()..].eq_ignore_ascii_case(word)
            })
        })
}

/// Where the parameters of `file:…?…` and `sqlite:…?…` begin, which hold a key for some drivers.
fn parameters_of_a_file(text: &str) -> Option<usize> {
    let is_file = ["file:", "sqlite:"].iter().any(|scheme| strip_prefix_ignoring_case(text, scheme).is_some());
    text.find(['?', '#']).filter(|_| is_file && !text.contains("://"))
}

/// Whether an argument is a URL, looks like one that was mistyped, or is a connection string of words.
pub fn may_hold_password(argument: &str) -> bool {
    argument.contains("://")
        || parameters_of_a_file(argument).is_some()
        || resembles_url(argument)
        || resembles_connection_words(argument)
}

/// One argument as it was typed, without a password: for repeating it in a message.
pub fn argument(text: &str) -> String {
    let Some(at) = text.find("://") else {
        if tells_secret(text) {
            return HIDDEN.to_owned();
        }
        // `--option=URL`: the name of the option may be told.
        return match text.split_once('=').filter(|(name, _)| name.starts_with("--") && is_name(name)) {
            Some((name, _)) if secret_value(&format!("{name}=")).is_some() => format!("{name}={HIDDEN}"),
            Some((name, value)) => format!("{name}={}", without_values_of_secret_words(&masked(value))),
            None => without_values_of_secret_words(&masked(text)),
        };
    };
    let scheme = start_of_scheme(&text[..at]);
    if tells_secret(&text[..scheme]) {
        return HIDDEN.to_owned();
    }
    format!("{}{}", without_values_of_secret_words(&words(&text[..scheme])), url(&text[scheme..]))
}

/// What a server or a library says about connecting to `url`, without what the URL and the environment hide. Where they
/// send words of somebody's own, the server's message can hold any of them in its own spelling, so what it quotes is
/// shown only where it is a harmless part of the URL.
pub fn about_connecting(url: &str, environment: &[(String, String)], message: &str) -> String {
    let parts = Parts::of(url);
    let mut hidden: Vec<String> = Vec::new();
    let mut sends_words = false;
    for part in parts.iter().flat_map(Parts::hidden) {
        hidden.extend([part.to_owned(), percent_decode(part)]);
    }
    if let Some(parts) = &parts {
        let query = parts.query.unwrap_or_default();
        sends_words = query.split('&').any(|pair| percent_decode(pair).starts_with("options"))
            || parts.is_ambiguous()
            || parts.user.is_some_and(|user| !is_name(user))
            || !parts.path_is_harmless();
    }
    for (name, value) in environment {
        match name.as_str() {
            "PGPASSWORD" | "PGSSLKEY" | "PGSSLCERT" => hidden.push(value.clone()),
            "PGOPTIONS" => {
                sends_words = true;
                hidden.push(value.clone());
            }
            "PGUSER" | "PGDATABASE" | "PGAPPNAME" if !is_name(value) => {
                sends_words = true;
                hidden.push(value.clone());
            }
            _ => {}
        }
    }
    // The words of `-c name=value` come back one by one, and those of a URL that was cut in the wrong places.
    let apart = |c: char| !c.is_alphanumeric() && !matches!(c, '_' | '-' | '.');
    let pieces: Vec<String> = hidden.iter().flat_map(|part| part.split(apart)).map(str::to_owned).collect();
    hidden.extend(pieces.iter().map(|piece| piece.trim_start_matches("--").to_owned()));
    hidden.extend(pieces);
    hidden.retain(|part| part.chars().count() >= SAID_MIN);
    hidden.sort_by_key(|part| std::cmp::Reverse(part.len()));
    let mut shown = message.to_owned();
    for part in &hidden {
        shown = without_word(&shown, part);
    }
    if !sends_words {
        return shown;
    }
    let harmless = |quoted: &str| {
        is_name(quoted)
            && parts.as_ref().is_some_and(|parts| {
                let is_doubtful = parts.is_ambiguous();
                parts.user == Some(quoted)
                    || !is_doubtful && (parts.path.strip_prefix('/') == Some(quoted) || parts.host == quoted)
            })
    };
    without_quoted(&shown, harmless)
}

/// The text with the part masked wherever it is not in the middle of another word.
fn without_word(text: &str, part: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(part) {
        let (before, after) = (&rest[..at], &rest[at + part.len()..]);
        let joins = |a: Option<char>, b: Option<char>| {
            a.is_some_and(char::is_alphanumeric) && b.is_some_and(char::is_alphanumeric)
        };
        let last = before.chars().next_back().or(shown.chars().next_back());
        let inside = joins(last, part.chars().next()) || joins(part.chars().next_back(), after.chars().next());
        shown.push_str(before);
        shown.push_str(if inside { part } else { HIDDEN });
        rest = after;
    }
    shown.push_str(rest);
    shown
}

/// Shorter parts are not looked for in messages, in which they would stand by chance.
const SAID_MIN: usize = 3;

/// The text with everything in quotation marks masked, but for what is harmless.
fn without_quoted(text: &str, harmless: impl Fn(&str) -> bool) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    let closing = |opening: char| match opening {
        '«' => '»',
        '„' | '“' => {
            if opening == '„' {
                '“'
            } else {
                '”'
            }
        }
        same => same,
    };
    while let Some(at) = rest.find(['"', '«', '„', '“']) {
        let opening = rest[at..].chars().next().unwrap_or('"');
        let inside = at + opening.len_utf8();
        // The last one: a name can hold the mark itself.
        let end = rest[inside..].find(closing(opening)).map_or(rest.len(), |end| inside + end);
        shown.push_str(&rest[..inside]);
        shown.push_str(if harmless(&rest[inside..end]) { &rest[inside..end] } else { HIDDEN });
        rest = &rest[end..];
        if let Some(mark) = rest.chars().next() {
            shown.push(mark);
            rest = &rest[mark.len_utf8()..];
        }
    }
    shown.push_str(rest);
    shown
}

pub(crate) fn strip_prefix_ignoring_case<'t>(text: &'t str, prefix: &str) -> Option<&'t str> {
    let head = text.get(..prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then(|| &text[prefix.len()..])
}

fn find_ignoring_case(text: &str, word: &str) -> Option<usize> {
    text.as_bytes().windows(word.len()).position(|window| window.eq_ignore_ascii_case(word.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_harmless_of_a_url_is_shown() {
        for harmless in [
            "postgres://ann@db.example.org:5432/app",
            "postgres://ann@%2Fvar%2Frun%2Fpostgresql/app",
            "postgresql://[::1]:5432/app?sslmode=verify-full&connect_timeout=3&application_name=nightly",
            "postgres:///app?host=/var/run/postgresql&user=ann",
            "https://example.org/b.html",
        ] {
            assert_eq!(url(harmless), harmless);
        }
        for (text, shown) in [
            ("postgres://ann:secret@host/app", "postgres://ann:***@host/app"),
            ("postgres://ann%3Asecret@host/app", "postgres://***@host/app"),
            ("postgres://ann;password=secret@host/app", "postgres://***@host/app"),
            ("postgres://ann:se/cret@host/app", "postgres://***"),
            ("postgres://host/app?x=me@secret", "postgres://***"),
            ("postgres://host/app;password=secret#secret", "postgres://host/***"),
            ("postgres://host/app?sslmode=disable#secret", "postgres://host/app?***"),
            ("postgres://ann:se#cret@host/app", "postgres://***"),
            ("postgres://ann:se?cret@host/app?sslmode=disable", "postgres://***"),
            ("postgres://host:1?password=me@secret", "postgres://***"),
            ("postgres://host:secret/app/secret", "postgres://host:***/***"),
            ("postgres://ho;secret/a?secret&secret=1&password=secret", "postgres://***/a?***&***&password=***"),
            ("postgres://h/a?options=-c%20x%3Dsecret&sslmode=secret", "postgres://h/a?options=***&***"),
            ("secret://host/app", "***://host/app"),
        ] {
            assert_eq!(url(text), shown);
            assert_eq!(url(shown), shown, "what is shown stays as it is");
        }
    }

    #[test]
    fn a_url_inside_a_sentence_loses_its_password_only() {
        let told = redact("invalid type: string \"postgres://ann:se@cret@host/app\", expected a table");
        assert_eq!(told, "invalid type: string \"postgres://ann:***@host/app\", expected a table");
        assert_eq!(
            redact("see https://example.org/x and `mysql://a:b@c`."),
            "see https://example.org/x and `mysql://a:***@c`."
        );
        assert_eq!(redact("a string \"postgres://ann:my pass@host\"!"), "a string \"postgres://ann:***@host\"!");
        assert_eq!(redact("nothing here"), "nothing here");
        assert_eq!(redact("'postgres:/ann:secret@host' and `postgres//h?password=secret`"), "'***' and `***`");
        assert_eq!(redact("postgres: it is 12:30, `a.b@c`"), "postgres: it is 12:30, `a.b@c`");
        for ours in ["write `postgres://user@host:port/database`", "`mysql://…`", "at postgres://localhost/app."] {
            assert_eq!(redact(ours), ours);
        }
    }

    #[test]
    fn the_value_of_a_secret_word_is_not_shown() {
        assert_eq!(redact("host=db Password = secret; PWD='my secret' x=1"), "host=db Password = ***; PWD=*** x=1");
        assert_eq!(redact("PGPASSWORD=secret and options=secret"), "PGPASSWORD=*** and options=***");
        assert_eq!(redact("--rule a.b=text, password"), "--rule a.b=text, password");
        assert!(resembles_connection_words("dbname = app") && resembles_connection_words("x SSLPASSWORD=y"));
        assert!(!resembles_connection_words("a=b.db"));
        assert_eq!(redact("`{\"password\": \"a secret\", \"host\":\"h\"}`"), "`{\"password\": ***, \"host\":\"h\"}`");
        for ours in ["password: a sentence", "the option --password is not known", "my-password.db", "pwd/app.db"] {
            assert_eq!(redact(ours), ours);
        }
        for words in ["password: secret", "{'pwd':'secret'}", "--password secret", "-x --passwd\tsecret"] {
            assert!(resembles_connection_words(words), "{words}");
        }
        for name in ["my password list.db", "--password", "passwords:1.db", "a-password.db", "c:\\app.db"] {
            assert!(!resembles_connection_words(name), "{name}");
        }
    }

    #[test]
    fn what_oracle_takes_for_a_user_and_a_password_is_not_shown() {
        assert_eq!(redact("open `scott/secret@h`: no"), "open `***`: no");
        assert_eq!(argument("scott/se/cret@h:1521/app"), "***");
        for path in ["/tmp/a@b.db", "src/a@2x.db", "./a@2x.db", "../x/a@b", "~/a@b", "a@b/c", "a/b", "@scope/name"] {
            assert_eq!(argument(path), path);
        }
    }

    #[test]
    fn an_argument_may_hold_blanks_in_its_password() {
        assert_eq!(argument("postgres://ann:my secret@host/app"), "postgres://ann:***@host/app");
        assert_eq!(argument("--sorce=postgres://ann:secret@host/app"), "--sorce=postgres://ann:***@host/app");
        assert_eq!(argument("--sorce=postgres//ann:my secret@host/app"), "--sorce=***");
        assert_eq!(argument("--password=my-secret"), "--password=***");
        assert_eq!(argument("--password my-secret"), "***");
        assert_eq!(argument("{\"password\":\"my-secret\"}"), "***");
        assert_eq!(argument("file:app.db?key=secret"), "file:app.db?***");
        assert_eq!(argument("app.db"), "app.db");
    }

    #[test]
    fn what_a_server_repeats_is_not_shown() {
        let url = "postgres://ann:hush@host/app?options=-c%20colour%3Dsec%5C%20ret";
        let told = about_connecting(url, &[], "invalid value for parameter \"colour\": \"sec ret\", user \"ann\"");
        assert_eq!(told, "invalid value for parameter \"***\": \"***\", user \"ann\"");
        let told = about_connecting("postgres://ann@host/app", &[], "role \"bob\" does not exist");
        assert_eq!(told, "role \"bob\" does not exist");
        let told = about_connecting("postgres://#a@secret/hush", &[], "no host \"secret\", secret or hush");
        assert_eq!(told, "no host \"***\", *** or ***");
        let environment = [("PGOPTIONS".to_owned(), "secret".to_owned())];
        let told = about_connecting("postgres://host/app", &environment, "invalid command-line argument: secret");
        assert_eq!(told, "invalid command-line argument: ***");
    }
}
