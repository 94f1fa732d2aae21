//! A URL in its parts, and which of them are made of ordinary signs.

/// A URL cut as libpq cuts it: `#` is a sign like others, and what stands before an `@` ahead of the first slash is user and
/// password, whatever else is in it.
pub(crate) struct Parts<'t> {
    pub(super) scheme: &'t str,
    /// The scheme and everything up to the path, as it stands.
    pub(crate) origin: &'t str,
    pub(crate) user: Option<&'t str>,
    pub(crate) password: Option<&'t str>,
    pub(crate) host: &'t str,
    pub(crate) port: Option<&'t str>,
    pub(crate) path: &'t str,
    pub(crate) query: Option<&'t str>,
}

impl<'t> Parts<'t> {
    pub(crate) fn of(text: &'t str) -> Option<Self> {
        let (scheme, rest) = text.split_once("://")?;
        let before_slash = rest.split('/').next().unwrap_or(rest);
        let before_query = before_slash.split('?').next().unwrap_or(before_slash);
        let at = before_query.rfind('@').or_else(|| before_slash.rfind('@'));
        let (user_information, rest) = at.map_or((None, rest), |at| (Some(&rest[..at]), &rest[at + 1..]));
        let (rest, query) = rest.split_once('?').map_or((rest, None), |(rest, query)| (rest, Some(query)));
        let (place, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
        let origin = &text[..text.len() - path.len() - query.map_or(0, |query| query.len() + 1)];
        let (user, password) = match user_information.map(|user| user.split_once(':').ok_or(user)) {
            Some(Ok((user, password))) => (Some(user), Some(password)),
            Some(Err(user)) => (Some(user), None),
            None => (None, None),
        };
        // Brackets hold the colons of an IPv6 address.
        let colon = place.rfind(':').filter(|colon| !place[*colon..].contains(']'));
        let (host, port) = colon.map_or((place, None), |colon| (&place[..colon], Some(&place[colon + 1..])));
        Some(Parts { scheme, origin, user, password, host, port, path, query })
    }

    /// Whether an `@` behind the authority, or a `?` or `#` in front of its last one, says that a password may have been cut in
    /// pieces: libpq takes `h?password=a@b` for a user and the host `b`, and whoever wrote it may have meant something else.
    pub(crate) fn is_ambiguous(&self) -> bool {
        [Some(self.path), self.query].into_iter().flatten().any(|part| part.contains('@'))
            || [self.user, self.password].into_iter().flatten().any(|part| part.contains(['?', '#']))
    }

    pub(super) fn path_is_harmless(&self) -> bool {
        is_name(self.path.strip_prefix('/').unwrap_or(self.path))
    }
}

/// A user, a database, the name of an application: letters, digits, `_`, `-` and `.`.
pub(super) fn is_name(text: &str) -> bool {
    text.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.'))
}

/// A name, an address, several of them; or the folder of a socket, whose slashes are percent-encoded.
pub(crate) fn is_host(text: &str) -> bool {
    if let Some(address) = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
        return address.parse::<std::net::Ipv6Addr>().is_ok();
    }
    if text.parse::<std::net::Ipv6Addr>().is_ok() {
        return true;
    }
    let text = text.replace("%2F", "/").replace("%2f", "/");
    text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | ',' | '/'))
}

/// A number; or the word for it, as hints spell it.
pub(super) fn is_port(text: &str) -> bool {
    text == "port" || text.len() <= 5 && text.bytes().all(|byte| byte.is_ascii_digit())
}

pub(super) fn is_number(text: &str) -> bool {
    !text.is_empty() && text.len() <= 10 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Decodes `%41` and the like; what is no such escape is kept as it is.
pub(crate) fn percent_decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let escaped = (first == b'%').then(|| after.get(..2)).flatten();
        let digits = escaped.filter(|digits| digits.iter().all(u8::is_ascii_hexdigit));
        let decoded = digits.and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok());
        bytes.push(decoded.unwrap_or(first));
        rest = if decoded.is_some() { &after[2..] } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
