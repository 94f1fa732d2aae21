//! Where PostgreSQL's server binaries are: PATH, `pg_config`, and the places where packages put them.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// What a directory must hold to run a server from it.
const SERVER_PROGRAMS: [&str; 3] = ["initdb", "pg_ctl", "postgres"];

/// Parent, prefix and suffix of the directories that packages install to: `parent/prefix<version>/suffix`.
const PACKAGED: [(&str, &str, &str); 7] = [
    ("usr/lib/postgresql", "", "bin"),
    ("usr/lib", "postgresql", "bin"),
    ("usr/libexec", "postgresql", ""),
    ("usr", "pgsql-", "bin"),
    ("opt/homebrew/opt", "postgresql@", "bin"),
    ("usr/local/opt", "postgresql@", "bin"),
    ("Applications/Postgres.app/Contents/Versions", "", "bin"),
];

/// The first directory with a complete set of server binaries: on PATH, by `pg_config --bindir`, then the newest
/// version below the places of packages.
pub(super) fn server_binaries(path: Option<&OsStr>) -> Option<PathBuf> {
    search(path, Path::new("/"))
}

/// What was searched, for an error message.
pub(super) const SEARCHED: &str =
    "on PATH, by `pg_config --bindir`, under /usr/lib/postgresql, Homebrew's and Postgres.app's directories";

fn search(path: Option<&OsStr>, root: &Path) -> Option<PathBuf> {
    let on_path: Vec<PathBuf> = path.map(|path| std::env::split_paths(path).collect()).unwrap_or_default();
    let by_pg_config = || {
        let program = on_path.iter().map(|directory| directory.join("pg_config")).find(|file| is_program(file))?;
        let output = output_within(Command::new(program).arg("--bindir"), Duration::from_secs(5)).ok()?;
        Some(PathBuf::from(output.trim())).filter(|directory| is_complete(directory))
    };
    let packaged = || PACKAGED.iter().find_map(|(parent, prefix, suffix)| newest(&root.join(parent), prefix, suffix));
    let complete = on_path.iter().find(|directory| is_complete(directory)).map(|directory| behind_links(directory));
    complete.or_else(by_pg_config).or_else(packaged)
}

/// Packages link /usr/bin/postgres to where it is; people want to read that, and the other programs are there.
fn behind_links(directory: &Path) -> PathBuf {
    let postgres = std::fs::canonicalize(directory.join("postgres")).ok();
    let parent = postgres.as_deref().and_then(Path::parent).filter(|parent| is_complete(parent));
    parent.unwrap_or(directory).to_path_buf()
}

/// A program on PATH.
pub(super) fn program_on_path(name: &str, path: Option<&OsStr>) -> Option<PathBuf> {
    std::env::split_paths(path?).map(|directory| directory.join(name)).find(|file| is_program(file))
}

/// Every program of that name: on PATH, then where packages put it.
pub(super) fn programs(name: &str, path: Option<&OsStr>) -> Vec<PathBuf> {
    let on_path = path.map(|path| std::env::split_paths(path).collect()).unwrap_or_default();
    let packaged = PACKAGED.iter().flat_map(|(parent, prefix, suffix)| {
        installations(&Path::new("/").join(parent), prefix, suffix).into_iter().map(|(_, directory)| directory)
    });
    let directories: Vec<PathBuf> = Vec::into_iter(on_path).chain(packaged).collect();
    directories.into_iter().map(|directory| directory.join(name)).filter(|file| is_program(file)).collect()
}

/// The directories of installations below `parent`, with their versions.
fn installations(parent: &Path, prefix: &str, suffix: &str) -> Vec<(f64, PathBuf)> {
    let version_of = |entry: std::fs::DirEntry| {
        let name = entry.file_name().into_string().ok()?;
        let version: f64 = name.strip_prefix(prefix)?.parse().ok().filter(|version: &f64| version.is_finite())?;
        Some((version, entry.path().join(suffix)))
    };
    std::fs::read_dir(parent).into_iter().flatten().flatten().filter_map(version_of).collect()
}

/// The newest complete installation below `parent`; versions compare as numbers, `9.6` below `17`.
fn newest(parent: &Path, prefix: &str, suffix: &str) -> Option<PathBuf> {
    let mut found = installations(parent, prefix, suffix);
    found.retain(|(_, directory)| is_complete(directory));
    found.sort_by(|left, right| left.0.total_cmp(&right.0));
    found.pop().map(|(_, directory)| directory)
}

fn is_complete(directory: &Path) -> bool {
    SERVER_PROGRAMS.iter().all(|program| is_program(&directory.join(program)))
}

fn is_program(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(file).is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

/// Runs a command that prints little, for at most `limit`: its standard output, or why there is none in one line.
pub(super) fn output_within(command: &mut Command, limit: Duration) -> Result<String, String> {
    let (status, output, errors) = outputs_within(command, limit)?;
    if status.success() {
        return Ok(output);
    }
    let last_line = errors.lines().rev().find(|line| !line.trim().is_empty());
    Err(last_line.map_or_else(|| status.to_string(), |line| line.trim().to_owned()))
}

/// Runs a command that prints little, for at most `limit`: how it ended, its standard output, its standard error.
pub(super) fn outputs_within(command: &mut Command, limit: Duration) -> Result<(ExitStatus, String, String), String> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| error.to_string())?;
    let deadline = Instant::now() + limit;
    loop {
        match child.try_wait() {
            Ok(Some(_)) => break,
            Ok(None) if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(10)),
            Ok(None) => {
                // Already gone is as good as killed.
                let _ = child.kill();
                let _ = child.wait();
                return Err(format!("no answer within {} seconds", limit.as_secs()));
            }
            Err(error) => return Err(error.to_string()),
        }
    }
    let output = child.wait_with_output().map_err(|error| error.to_string())?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok((output.status, text(&output.stdout), text(&output.stderr)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn install(directory: &Path, programs: &[&str]) {
        std::fs::create_dir_all(directory).expect("a directory");
        for program in programs {
            let file = directory.join(program);
            std::fs::write(&file, "#!/bin/sh\n").expect("a file");
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).expect("a mode");
        }
    }

    #[test]
    fn the_newest_complete_installation_wins_and_path_comes_first() {
        let root = tempfile::tempdir().expect("a directory");
        let at = |path: &str| root.path().join(path);
        assert_eq!(search(None, root.path()), None);
        install(&at("opt/homebrew/opt/postgresql@14/bin"), &SERVER_PROGRAMS);
        assert_eq!(search(None, root.path()), Some(at("opt/homebrew/opt/postgresql@14/bin")));
        install(&at("usr/lib/postgresql/9.6/bin"), &SERVER_PROGRAMS);
        install(&at("usr/lib/postgresql/13/bin"), &SERVER_PROGRAMS);
        install(&at("usr/lib/postgresql/17/bin"), &["initdb", "postgres"]);
        assert_eq!(search(None, root.path()), Some(at("usr/lib/postgresql/13/bin")));
        install(&at("elsewhere"), &SERVER_PROGRAMS);
        let elsewhere = std::fs::canonicalize(at("elsewhere")).expect("it exists");
        assert_eq!(search(Some(at("elsewhere").as_os_str()), root.path()), Some(elsewhere.clone()));
        std::fs::create_dir(at("links")).expect("a directory");
        for program in SERVER_PROGRAMS {
            std::os::unix::fs::symlink(elsewhere.join(program), at("links").join(program)).expect("a link");
        }
        assert_eq!(search(Some(at("links").as_os_str()), root.path()), Some(elsewhere));
    }

    #[test]
    fn pg_config_is_believed_only_about_a_complete_directory() {
        let root = tempfile::tempdir().expect("a directory");
        let tools = root.path().join("tools");
        let server = root.path().join("server");
        install(&tools, &["pg_config"]);
        std::fs::write(tools.join("pg_config"), format!("#!/bin/sh\necho '{}'\n", server.display())).expect("a script");
        assert_eq!(search(Some(tools.as_os_str()), root.path()), None);
        install(&server, &SERVER_PROGRAMS);
        assert_eq!(search(Some(tools.as_os_str()), root.path()), Some(server));
    }

    #[test]
    fn a_command_that_hangs_is_ended_and_one_that_fails_tells_why() {
        let hung = output_within(Command::new("sleep").arg("30"), Duration::from_millis(50));
        assert_eq!(hung, Err("no answer within 0 seconds".to_owned()));
        let failed =
            output_within(Command::new("sh").args(["-c", "echo no such thing >&2; exit 3"]), Duration::from_secs(9));
        assert_eq!(failed, Err("no such thing".to_owned()));
    }
}
