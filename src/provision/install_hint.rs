//! The exact command that installs PostgreSQL's server binaries on the system this program runs on.
//!
//! Pure apart from [`for_this_system`]: the decision reads the text of `/etc/os-release` and the name of the
//! operating system, so every system is tested on every system.

/// The way out for somebody without a PostgreSQL: the install command, and the two other footings.
pub(super) fn for_this_system() -> String {
    let os_release = ["/etc/os-release", "/usr/lib/os-release"]
        .iter()
        .find_map(|path| std::fs::read_to_string(path).ok())
        .unwrap_or_default();
    let command = install_command(std::env::consts::OS, &os_release);
    let elevated = match &command {
        Some(command) if super::user::is_root() || command.starts_with("brew ") => command.clone(),
        Some(command) => command.split(" && ").map(|step| format!("sudo {step}")).collect::<Vec<_>>().join(" && "),
        None => String::new(),
    };
    let others = "start a Docker engine, or set WHIMBREL_POSTGRES to the URL of a server you may create databases on";
    match command {
        Some(_) => format!("install the server binaries with `{elevated}`, {others}"),
        None => {
            format!("install PostgreSQL's server binaries (initdb, postgres, pg_ctl) and put them on PATH, {others}")
        }
    }
}

/// The install command without `sudo`; none for a system that is not known.
fn install_command(os: &str, os_release: &str) -> Option<String> {
    if os == "macos" {
        return Some("brew install postgresql@17".to_owned());
    }
    let mut families = vec![field(os_release, "ID")];
    families.extend(field(os_release, "ID_LIKE").split_whitespace().map(str::to_owned));
    let command = families.iter().find_map(|family| match family.as_str() {
        "debian" | "ubuntu" => Some("apt-get update && apt-get install -y postgresql"),
        "fedora" | "rhel" | "centos" => Some("dnf install -y postgresql-server"),
        "alpine" => Some("apk add postgresql"),
        "arch" => Some("pacman -Sy --noconfirm postgresql"),
        "opensuse" | "suse" | "sles" | "opensuse-leap" | "opensuse-tumbleweed" => {
            Some("zypper --non-interactive install postgresql-server")
        }
        _ => None,
    })?;
    Some(command.to_owned())
}

/// One field of an os-release file, without its quotes; empty where it is missing.
fn field(os_release: &str, key: &str) -> String {
    os_release
        .lines()
        .filter_map(|line| line.trim().split_once('='))
        .find(|(name, _)| *name == key)
        .map(|(_, value)| value.trim_matches(['"', '\'']).to_owned())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_system_gets_its_own_command() {
        let cases = [
            ("linux", "PRETTY_NAME=\"Debian GNU/Linux 12\"\nID=debian\n", "apt-get"),
            ("linux", "ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n", "apt-get"),
            ("linux", "NAME=Fedora\nID=fedora\n", "dnf"),
            ("linux", "ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\n", "dnf"),
            ("linux", "ID=alpine\n", "apk"),
            ("linux", "ID=manjaro\nID_LIKE=arch\n", "pacman"),
            ("linux", "ID=\"opensuse-leap\"\nID_LIKE=\"suse opensuse\"\n", "zypper"),
            ("macos", "", "brew"),
        ];
        for (os, os_release, expected) in cases {
            let command = install_command(os, os_release).unwrap_or_default();
            assert_eq!(command.split_whitespace().next(), Some(expected), "{os} {os_release}");
        }
    }

    #[test]
    fn an_unknown_system_gets_no_invented_command() {
        assert_eq!(install_command("linux", "ID=haiku\n"), None);
        assert_eq!(install_command("freebsd", ""), None);
        assert!(for_this_system().contains("WHIMBREL_POSTGRES"));
    }
}
