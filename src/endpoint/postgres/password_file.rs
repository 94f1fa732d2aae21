//! The password for a place in `~/.pgpass`, or the file that PGPASSFILE names, looked up as libpq does.
//!
//! sqlx 0.9.0 looks up a server behind a socket by another name, and in `~/.pgpass` also where PGPASSFILE names a file.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// The folder that libpq takes for the usual one, in Debian's and others' builds, else in PostgreSQL's own; a server behind
/// a socket there is `localhost` in the file, behind any other it is the folder's path.
const USUAL_FOLDERS: [&str; 2] = ["/var/run/postgresql", "/tmp"];

/// What a password is wanted for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted<'w> {
    /// As it was named: a host, an address, the folder of a socket; `None` where nobody did.
    pub(super) host: Option<&'w str>,
    pub(super) port: u16,
    pub(super) database: &'w str,
    pub(super) user: &'w str,
}

/// The password of the first line that fits; `None` also where the file is not there, or not its owner's alone.
pub(super) fn look_up(wanted: &Wanted<'_>) -> Option<String> {
    let named = std::env::var_os("PGPASSFILE").filter(|name| !name.is_empty()).map(PathBuf::from);
    let path = named.or_else(|| Some(std::env::home_dir()?.join(".pgpass")))?;
    let about = std::fs::metadata(&path).ok()?;
    if !about.is_file() || about.permissions().mode() & 0o077 != 0 {
        return None;
    }
    let text = String::from_utf8_lossy(&std::fs::read(&path).ok()?).into_owned();
    let usual = USUAL_FOLDERS.into_iter().find(|folder| Path::new(folder).is_dir()).unwrap_or_default();
    find(&text, wanted, usual)
}

fn find(text: &str, wanted: &Wanted<'_>, usual_folder: &str) -> Option<String> {
    let host = wanted.host.filter(|host| *host != usual_folder).unwrap_or("localhost");
    let port = wanted.port.to_string();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.map(fields).find_map(|(fields, password)| {
        let wanted = [host, &port, wanted.database, wanted.user];
        let fits = fields.iter().zip(wanted).all(|(field, wanted)| *field == "*" || unescaped(field) == wanted);
        (fields.len() == 4 && fits).then(|| unescaped(password))
    })
}

/// The four fields before the password, and what is behind the fourth colon.
fn fields(line: &str) -> (Vec<&str>, &str) {
    let (mut fields, mut start, mut is_escaped) = (Vec::new(), 0, false);
    for (at, sign) in line.char_indices() {
        match sign {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            ':' if fields.len() < 4 => {
                fields.push(&line[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    (fields, &line[start..])
}

/// A field without the backslashes before its signs.
fn unescaped(field: &str) -> String {
    let (mut text, mut signs) = (String::new(), field.chars());
    while let Some(sign) = signs.next() {
        text.extend(if sign == '\\' { signs.next() } else { Some(sign) });
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_found_as_libpq_finds_it() {
        const FILE: &str = "# a:1:b:c:no\n\
            /run/pg:*:*:*:of the folder\n\
            localhost:5432:*:ann:of this machine\n\
            h:7:a\\:b:\\*:with\\:colon\\\\:and:rest\n\
            h:7:short\n\
            *:*:d:*:of d\n";
        let of = |host: Option<&str>, port: u16, database: &str, user: &str| {
            find(FILE, &Wanted { host, port, database, user }, "/tmp")
        };
        for (host, port, database, user, password) in [
            (Some("/run/pg"), 1, "x", "y", Some("of the folder")),
            (Some("/tmp"), 5432, "x", "ann", Some("of this machine")),
            (None, 5432, "x", "ann", Some("of this machine")),
            (Some("/var/run/postgresql"), 5432, "x", "ann", None),
            (Some("h"), 7, "a:b", "*", Some("with:colon\\:and:rest")),
            (Some("h"), 7, "short", "ann", None),
            (Some("a"), 1, "b", "c", None),
            (Some("127.0.0.1"), 9, "d", "bob", Some("of d")),
        ] {
            assert_eq!(of(host, port, database, user).as_deref(), password, "{host:?} {port} {database} {user}");
        }
    }
}
