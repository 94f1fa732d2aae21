//! The scripts of a source schema, for a database that is thrown away: of tests, and of rows to measure on.

use std::path::{Path, PathBuf};

use super::files::read_script;
use crate::error::Context;
use crate::{Error, Result};

/// One script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SourceScript {
    /// The file, for messages.
    pub file: String,
    /// Its SQL.
    pub text: String,
}

impl SourceScript {
    /// SQL that comes from no file; `name` for messages.
    pub(crate) fn new(name: &str, text: String) -> SourceScript {
        SourceScript { file: name.to_owned(), text }
    }
}

/// The scripts of a path: the file itself; or those of a folder, without `*.down.sql`, by the number in front of their
/// names and then by name.
///
/// # Errors
/// When there is none, or one cannot be read.
pub(crate) fn source_scripts(path: &Path) -> Result<Vec<SourceScript>> {
    const OPERATION: &str = "read the source schema";
    let read = |path: &Path| {
        let file = path.display().to_string();
        read_script(path, OPERATION).map(|text| SourceScript { file, text })
    };
    if path.is_file() {
        return Ok(vec![read(path)?]);
    }
    let shown = format!("`{}`", path.display());
    let mut files: Vec<PathBuf> = Vec::new();
    for entry in std::fs::read_dir(path).could_not(OPERATION, &shown)? {
        let file = entry.could_not(OPERATION, &shown)?.path();
        let name = file.to_string_lossy();
        if name.ends_with(".sql") && !name.ends_with(".down.sql") {
            files.push(file);
        }
    }
    if files.is_empty() {
        return Err(Error::usage(OPERATION, shown, "there is no file `*.sql` in it"));
    }
    files.sort_by_key(|file| (number(file), file.clone()));
    files.iter().map(|file| read(file)).collect()
}

/// The version in front of a file's name: `10_b.up.sql` comes after `9_a.up.sql`, as for the runner.
fn number(file: &Path) -> Option<u64> {
    let name = file.file_name()?.to_string_lossy();
    let end = name.find(|c: char| !c.is_ascii_digit())?;
    name[..end].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_come_in_the_order_of_their_versions() {
        let folder = tempfile::tempdir().unwrap();
        assert!(source_scripts(folder.path()).unwrap_err().cause().contains("no file `*.sql`"));
        for name in ["10_b.up.sql", "10_b.down.sql", "9_a.up.sql", "0011_c.sql", "README.md"] {
            std::fs::write(folder.path().join(name), name).unwrap();
        }
        let texts = |path: &Path| -> Vec<String> {
            source_scripts(path).unwrap().into_iter().map(|script| script.text).collect()
        };
        assert_eq!(texts(folder.path()), ["9_a.up.sql", "10_b.up.sql", "0011_c.sql"]);
        assert_eq!(texts(&folder.path().join("README.md")), ["README.md"]);
        std::fs::write(folder.path().join("12_d.sql"), b"\xff").unwrap();
        assert!(source_scripts(folder.path()).unwrap_err().cause().contains("line 1 has the byte ff"));
    }
}
