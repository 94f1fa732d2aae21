//! `schema new NAME`: both files of a migration, with the next version and the labels to choose from.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::clock::timestamp;
use super::files::Migrations;
use crate::error::Context;
use crate::quote::shell;
use crate::{Error, Result};

/// The files that were written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scaffold {
    /// The file that goes up.
    pub up: PathBuf,
    /// The file that goes back down.
    pub down: PathBuf,
}

/// From this version on, numbers are taken for timestamps `YYYYMMDDhhmmss`.
const FIRST_TIMESTAMP: i64 = 19_700_101_000_000;

/// What the author of a down file has to decide.
const CHOICES: &str = "\
-- Say in a line of its own what that does to the data:
--   `-- whimbrel: lossless`      every row that the older schema can hold is kept
--   `-- whimbrel: lossy`         data goes
--   `-- whimbrel: irreversible`  there is no way back
";

/// Writes `NNNN_name.up.sql` and `NNNN_name.down.sql` into `folder`, which is created where it does not exist. The
/// version follows the folder's habit: the next number, or the present moment in UTC. Overwrites nothing. The down
/// file has no label yet, so that `up` refuses to run it before its author has said what it keeps.
///
/// # Errors
/// When the name is none, a file of it is there, or the folder cannot be written.
pub fn new_migration(folder: impl AsRef<Path>, name: &str) -> Result<Scaffold> {
    let folder = folder.as_ref();
    refuse_swapped(folder, name)?;
    if name.is_empty() || !name.chars().all(is_of_a_name) {
        return Err(Error::usage(
            "write migration",
            format!("`{name}`"),
            "a name has letters, digits, `_` and `-` only",
        ));
    }
    std::fs::create_dir_all(folder).could_not("create folder", format!("`{}`", folder.display()))?;
    let newest =
        Migrations::from_dir(folder)?.iter().next_back().map(|migration| (migration.version, width(&migration.file)));
    let version = match newest {
        Some((newest, _)) if newest >= FIRST_TIMESTAMP => timestamp(SystemTime::now()).max(newest + 1).to_string(),
        Some((newest, width)) => format!("{:0width$}", newest + 1),
        None => "0001".to_owned(),
    };
    let up = folder.join(format!("{version}_{name}.up.sql"));
    let down = folder.join(format!("{version}_{name}.down.sql"));
    write(&up, &format!("-- {name}: what changes, and why.\n\n"))?;
    write(&down, &format!("-- {name}, taken back.\n{CHOICES}\n"))?;
    Ok(Scaffold { up, down })
}

/// A folder in the place of the name, and a name in that of the folder, would make a folder of the migration's name.
fn refuse_swapped(folder: &Path, name: &str) -> Result<()> {
    let is_name = |text: &str| !text.is_empty() && text.chars().all(is_of_a_name);
    match folder.to_str() {
        Some(second) if !folder.exists() && is_name(second) && (Path::new(name).is_dir() || name.contains('/')) => {
            Err(Error::usage("write migration", format!("`{name}`"), "the name comes first, then the folder")
                .hint(format!("`whimbrel schema new {second} {}`", shell(Path::new(name)))))
        }
        _ => Ok(()),
    }
}

fn is_of_a_name(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_' || letter == '-'
}

/// The number of digits in front of a file's name.
fn width(file: &str) -> usize {
    file.chars().take_while(char::is_ascii_digit).count()
}

fn write(path: &Path, text: &str) -> Result<()> {
    let writing = || format!("`{}`", path.display());
    let mut file =
        OpenOptions::new().write(true).create_new(true).open(path).could_not("write migration", writing())?;
    file.write_all(text.as_bytes()).could_not("write migration", writing())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn swapped_arguments_make_no_folder() {
        let folder = tempfile::tempdir().unwrap();
        let there = folder.path().join("target");
        std::fs::create_dir(&there).unwrap();
        let name = "add_orders_in_no_folder_of_this_name";
        for folder_first in [there.to_str().unwrap(), "migrations/that/are/to/be"] {
            let error = new_migration(name, folder_first).unwrap_err();
            assert_eq!(error.cause(), "the name comes first, then the folder");
            let hint = error.way_out().unwrap();
            assert_eq!(hint, format!("`whimbrel schema new {name} {folder_first}`"));
            assert!(!Path::new(name).exists());
        }
        // As the hint says.
        assert!(new_migration(&there, name).is_ok());
        // A folder of the migration's name means nothing where the other one is there, or can only be a folder.
        assert!(new_migration(&there, "src").is_ok() && new_migration(folder.path().join("new"), "src").is_ok());
    }

    #[test]
    fn versions_follow_the_habit_of_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let first = new_migration(folder.path(), "initial").unwrap();
        assert!(first.up.ends_with("0001_initial.up.sql"));
        let second = new_migration(folder.path(), "more").unwrap();
        assert!(second.down.ends_with("0002_more.down.sql"));
        assert_eq!(Migrations::from_dir(folder.path()).unwrap().len(), 2);
        std::fs::write(folder.path().join("20250113000000_dated.sql"), "").unwrap();
        let third = new_migration(folder.path(), "now").unwrap();
        assert!(third.up.file_name().unwrap().to_string_lossy().starts_with("20"));
        assert!(new_migration(folder.path(), "with space").is_err());
    }
}
