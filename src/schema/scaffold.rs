//! `schema new NAME`: both files of a migration, with the next version and the labels to choose from.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use super::files::Migrations;
use crate::error::Context;
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
pub fn new_migration(folder: impl AsRef<Path>, name: &str) -> Result<Scaffold> {
    let folder = folder.as_ref();
    if name.is_empty() || !name.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-') {
        return Err(Error::usage("write migration", format!("`{name}`"), "a name has letters, digits, `_` and `-` only"));
    }
    std::fs::create_dir_all(folder).could_not("create folder", format!("`{}`", folder.display()))?;
    let newest = Migrations::from_dir(folder)?.iter().next_back().map(|migration| (migration.version, width(&migration.file)));
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

/// The number of digits in front of a file's name.
fn width(file: &str) -> usize {
    file.chars().take_while(char::is_ascii_digit).count()
}

fn write(path: &Path, text: &str) -> Result<()> {
    let writing = || format!("`{}`", path.display());
    let mut file = OpenOptions::new().write(true).create_new(true).open(path).could_not("write migration", writing())?;
    file.write_all(text.as_bytes()).could_not("write migration", writing())
}

/// A moment as `YYYYMMDDhhmmss` in UTC.
fn timestamp(moment: SystemTime) -> i64 {
    let seconds = moment.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let (days, second) = (i64::try_from(seconds / 86_400).unwrap_or(0), i64::try_from(seconds % 86_400).unwrap_or(0));
    let (year, month, day) = civil(days);
    (((year * 100 + month) * 100 + day) * 100 + second / 3600) * 10_000 + second / 60 % 60 * 100 + second % 60
}

/// Year, month and day of a number of days after 1970-01-01, by the rules of the Gregorian calendar.
fn civil(days: i64) -> (i64, i64, i64) {
    let is_leap = |year: i64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let (mut year, mut left) = (1970, days);
    while left >= 365 + i64::from(is_leap(year)) {
        left -= 365 + i64::from(is_leap(year));
        year += 1;
    }
    let lengths = [31, 28 + i64::from(is_leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = 1;
    for length in lengths {
        if left < length {
            break;
        }
        left -= length;
        month += 1;
    }
    (year, month, left + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn moments_are_written_as_calendars_have_them() {
        let at = |seconds| timestamp(UNIX_EPOCH + Duration::from_secs(seconds));
        assert_eq!(at(0), 1970_01_01_00_00_00);
        assert_eq!(at(951_782_399), 2000_02_28_23_59_59);
        assert_eq!(at(951_782_400), 2000_02_29_00_00_00);
        assert_eq!(at(1_735_689_599), 2024_12_31_23_59_59);
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
