//! Which user runs a private server: `initdb` and `postgres` refuse to run as root.

/// A user to drop to, by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct User {
    pub(super) id: u32,
    pub(super) group: u32,
}

/// Whether this process acts as root.
pub(super) fn is_root() -> bool {
    own_id() == 0
}

/// The user that this process acts as.
pub(super) fn own_id() -> u32 {
    // SAFETY: geteuid takes nothing, touches no memory and cannot fail.
    unsafe { libc::geteuid() }
}

/// The user that a server started by root runs as: `postgres`, else `nobody`, else the first ordinary user.
pub(super) fn unprivileged() -> Option<User> {
    choose(&std::fs::read_to_string("/etc/passwd").ok()?)
}

fn choose(passwd: &str) -> Option<User> {
    let users: Vec<(&str, User)> = passwd.lines().filter_map(entry).filter(|(_, user)| user.id != 0).collect();
    let named = |wanted: &str| users.iter().find(|(name, _)| *name == wanted);
    named("postgres")
        .or_else(|| named("_postgres"))
        .or_else(|| named("nobody"))
        .or_else(|| users.iter().find(|(_, user)| user.id >= 1000))
        .map(|(_, user)| *user)
}

fn entry(line: &str) -> Option<(&str, User)> {
    let mut fields = line.split(':');
    let name = fields.next().filter(|name| !name.starts_with('#'))?;
    // macOS writes the highest numbers as negative ones.
    let mut number = || fields.next()?.parse::<i64>().ok().map(|number| number as u32);
    number();
    let id = number()?;
    let group = number()?;
    Some((name, User { id, group }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_user_is_preferred_and_root_is_never_chosen() {
        let root = "root:x:0:0:root:/root:/bin/bash\n";
        let nobody = "nobody:*:-2:-2:Unprivileged User:/var/empty:/usr/bin/false\n";
        let postgres = "postgres:x:101:104:PostgreSQL:/var/lib/postgresql:/bin/bash\n";
        let ordinary = "daemon:x:1:1::/:/bin/sh\nann:x:1000:1001:Ann:/home/ann:/bin/bash\n";
        assert_eq!(choose(&[root, nobody, postgres].concat()), Some(User { id: 101, group: 104 }));
        assert_eq!(choose(&[root, nobody].concat()), Some(User { id: 4294967294, group: 4294967294 }));
        assert_eq!(choose(&[root, ordinary].concat()), Some(User { id: 1000, group: 1001 }));
        assert_eq!(choose(root), None);
    }
}
