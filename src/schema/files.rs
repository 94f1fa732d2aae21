//! Migration files: which names are one, and which are almost one.
//!
//! Read are `NNNN_name.up.sql` with `NNNN_name.down.sql`, where NNNN is a number or a timestamp, and sqlx's plain
//! `NNNN_name.sql`, which has no down. Invariants of [`Migrations`]: versions are positive, unique and ascending;
//! every text is that of its file, byte for byte, but for a byte order mark; checksums do not depend on line endings;
//! nothing that looks like a migration was left out.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::checksum::{checksum, without_mark};
use super::script::{Header, Reversal};
use crate::error::Context;
use crate::{Error, Result};

/// One migration: a version, a name, and the SQL of both directions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migration {
    /// The number or timestamp in front of the name.
    pub version: i64,
    /// The name between version and suffix.
    pub name: String,
    /// The file that holds `up`, for messages.
    pub file: String,
    /// The SQL that goes up, with the line ends of its file.
    pub up: Arc<str>,
    /// The SQL that goes back down, with the line ends of its file; without it the migration is irreversible.
    pub down: Option<Arc<str>>,
    /// The checksum of `up`.
    pub up_checksum: String,
    /// The checksum of `down`.
    pub down_checksum: Option<String>,
}

impl Migration {
    /// What the migration says about its way back; [`Reversal::Irreversible`] without a `down`.
    ///
    /// # Errors
    /// When its label is none.
    pub fn reversal(&self) -> Result<Reversal> {
        match &self.down {
            Some(down) => Ok(Header::read(&self.down_file(), down)?.reversal.unwrap_or(Reversal::Unlabelled)),
            None => Ok(Reversal::Irreversible),
        }
    }

    /// The name that the `down` file has, or would have.
    pub fn down_file(&self) -> String {
        let stem = self.file.strip_suffix(".up.sql").or_else(|| self.file.strip_suffix(".sql")).unwrap_or(&self.file);
        format!("{stem}.down.sql")
    }

    /// Version and name as the file has them: `0001_initial`.
    pub fn label(&self) -> &str {
        self.file.strip_suffix(".up.sql").or_else(|| self.file.strip_suffix(".sql")).unwrap_or(&self.file)
    }

    /// Whether it is the same migration, whatever the line endings of its files.
    fn is_same(&self, other: &Migration) -> bool {
        let parts = |of: &Migration| (of.version, of.file.clone(), of.up_checksum.clone(), of.down_checksum.clone());
        parts(self) == parts(other)
    }
}

/// Every migration of a project, ascending by version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migrations {
    origin: String,
    list: Vec<Migration>,
}

impl Migrations {
    /// Reads a folder. A name that is almost right, a `down` without its `up`, a version that occurs twice, or a
    /// header that cannot be read is an error; other files (`README.md`, `.gitkeep`) are left alone.
    ///
    /// # Errors
    /// When the folder cannot be read, or as said.
    pub fn from_dir(folder: impl AsRef<Path>) -> Result<Migrations> {
        let folder = folder.as_ref();
        let origin = folder.display().to_string();
        let reading = || format!("`{origin}`");
        let mut files = Vec::new();
        if !folder.exists() {
            return Err(Error::could_not("read migrations", "", format!("there is no folder `{origin}`")));
        }
        for entry in std::fs::read_dir(folder).could_not("read migrations in", reading())? {
            let entry = entry.could_not("read migrations in", reading())?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = entry.path();
            if path.is_dir() {
                if name.starts_with(|c: char| c.is_ascii_digit()) {
                    return Err(
                        almost(&name, "it is a folder").hint("write one file per direction: `0001_name.up.sql`")
                    );
                }
                continue;
            }
            if FileName::read(&name)?.is_some() {
                files.push((name, read_script(&path, "read migration")?));
            }
        }
        Migrations::from_files(&origin, files)
    }

    /// Puts files together that were read elsewhere, such as at compile time: pairs of file name and text.
    ///
    /// # Errors
    /// As [`Migrations::from_dir`].
    pub fn from_files<N, T>(origin: &str, files: impl IntoIterator<Item = (N, T)>) -> Result<Migrations>
    where
        N: AsRef<str>,
        T: Into<Cow<'static, str>>,
    {
        let mut ups: BTreeMap<i64, Migration> = BTreeMap::new();
        let mut downs: BTreeMap<i64, (String, String, Arc<str>)> = BTreeMap::new();
        for (file, text) in files {
            let file = file.as_ref();
            let Some(name) = FileName::read(file)? else {
                return Err(almost(file, "it does not end in `.sql`"));
            };
            let text: Cow<'static, str> = text.into();
            Header::read(file, &text)?;
            let earlier = if name.is_down {
                let down = (name.name.to_owned(), file.to_owned(), without_mark(&text).into());
                downs.insert(name.version, down).map(|(_, file, _)| file)
            } else {
                ups.insert(name.version, migration(&name, file, text)).map(|earlier| earlier.file)
            };
            if let Some(earlier) = earlier {
                return Err(Error::usage(
                    "read migrations in",
                    format!("`{origin}`"),
                    format!("`{earlier}` and `{file}` have the same version {}", name.version),
                )
                .hint("give one of them another number"));
            }
        }
        for (version, (name, file, down)) in downs {
            let pair = ups.get_mut(&version).filter(|up| up.name == name && up.file.ends_with(".up.sql"));
            let Some(up) = pair else {
                let wanted = file.replace(".down.sql", ".up.sql");
                let refused = |cause: String| Error::usage("read migrations in", format!("`{origin}`"), cause);
                return Err(match ups.get(&version) {
                    // sqlx's plain name, or another one.
                    Some(up) => refused(format!("`{file}` does not belong to `{}`, which has its version", up.file))
                        .hint(format!("give both files one name: rename `{}` to `{wanted}`", up.file)),
                    None => refused(format!("`{file}` has no up of the same name")).hint(format!("write `{wanted}`")),
                });
            };
            up.down_checksum = Some(checksum(&down));
            up.down = Some(down);
        }
        Ok(Migrations { origin: origin.to_owned(), list: ups.into_values().collect() })
    }

    /// Where the files came from, for messages.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The migrations, ascending by version.
    pub fn iter(&self) -> std::slice::Iter<'_, Migration> {
        self.list.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The migration of this version.
    pub fn get(&self, version: i64) -> Option<&Migration> {
        self.list.binary_search_by_key(&version, |migration| migration.version).ok().map(|at| &self.list[at])
    }

    /// The same migrations up to and including `version`; what a database of that age was made from.
    pub fn up_to(&self, version: i64) -> Migrations {
        self.only(|each| each <= version)
    }

    /// Those whose version is wanted.
    pub(crate) fn only(&self, wanted: impl Fn(i64) -> bool) -> Migrations {
        let list = self.list.iter().filter(|migration| wanted(migration.version)).cloned().collect();
        Migrations { origin: self.origin.clone(), list }
    }

    /// Fails, naming the first difference, unless these migrations are what `folder` holds. For a test beside a
    /// list that was embedded at compile time.
    ///
    /// # Errors
    /// When they differ, or the folder cannot be read.
    pub fn expect_same_as_dir(&self, folder: impl AsRef<Path>) -> Result<()> {
        let there = Migrations::from_dir(folder)?;
        let differs =
            |what: String| Error::differs("compare embedded migrations with", format!("`{}`", there.origin), what);
        for migration in &there.list {
            match self.get(migration.version) {
                None => return Err(differs(format!("`{}` is not embedded", migration.file))),
                Some(own) if !own.is_same(migration) => {
                    return Err(differs(format!("`{}` differs from the embedded one", migration.file)));
                }
                Some(_) => {}
            }
        }
        match self.list.iter().find(|own| there.get(own.version).is_none()) {
            Some(own) => Err(differs(format!("`{}` is embedded and not there", own.file))),
            None => Ok(()),
        }
    }
}

impl<'m> IntoIterator for &'m Migrations {
    type Item = &'m Migration;
    type IntoIter = std::slice::Iter<'m, Migration>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

fn migration(name: &FileName<'_>, file: &str, text: Cow<'static, str>) -> Migration {
    let up: Arc<str> = without_mark(&text).into();
    let up_checksum = checksum(&up);
    let (version, name, file) = (name.version, name.name.to_owned(), file.to_owned());
    Migration { version, name, file, up, down: None, up_checksum, down_checksum: None }
}

/// The text of a file of SQL.
///
/// # Errors
/// When it cannot be read, or is not UTF-8; the error says where, and what to do.
pub(crate) fn read_script(path: &Path, operation: &str) -> Result<String> {
    let shown = format!("`{}`", path.display());
    let bytes = std::fs::read(path).could_not(operation, &shown)?;
    String::from_utf8(bytes).map_err(|error| {
        let (bytes, at) = (error.as_bytes(), error.utf8_error().valid_up_to());
        if bytes.starts_with(b"SQLite format 3\0") {
            return Error::usage(operation, shown, "it is a SQLite file, and has to be a text").hint("name a file of SQL");
        }
        if [&[0xff, 0xfe], &[0xfe, 0xff]].iter().any(|mark| bytes.starts_with(*mark)) {
            // What PowerShell's `>` writes.
            return Error::usage(operation, shown, "it is UTF-16, and has to be UTF-8").hint("save it as UTF-8");
        }
        let line = 1 + bytes[..at].iter().filter(|byte| **byte == b'\n').count();
        let cause = format!("it is not UTF-8: line {line} has the byte {:02x}", bytes[at]);
        Error::usage(operation, shown, cause)
            .hint("save it as UTF-8, as `iconv -f LATIN1 -t UTF-8` does; bytes that are no text are `X'…'`, or `'\\x…'` on PostgreSQL")
    })
}

/// The parts of a migration's file name.
#[derive(Debug, PartialEq, Eq)]
struct FileName<'n> {
    version: i64,
    name: &'n str,
    is_down: bool,
}

impl FileName<'_> {
    /// The parts; nothing for a file that has nothing to do with migrations; an error for one that almost has.
    fn read(file: &str) -> Result<Option<FileName<'_>>> {
        let lower = file.to_lowercase();
        let digits = file.len() - file.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let has = |part: &str| lower.contains(&format!(".{part}.")) || lower.ends_with(&format!(".{part}"));
        let looks_like = lower.contains(".sql") || has("up") || has("down") || digits > 0;
        if file.starts_with('.') || !looks_like {
            return Ok(None);
        }
        let Some(stem) = file.strip_suffix(".sql") else {
            return Err(almost(file, "it does not end in `.sql`"));
        };
        if digits == 0 {
            return Err(almost(file, "it does not begin with a version number"));
        }
        let (number, rest) = stem.split_at(digits);
        let version = number.parse::<i64>().ok().filter(|version| *version > 0);
        let Some(version) = version else {
            return Err(almost(file, "its version is not between 1 and 9223372036854775807"));
        };
        let Some(rest) = rest.strip_prefix('_') else {
            return Err(almost(file, "the version is not followed by `_`"));
        };
        let (name, is_down) = match (rest.strip_suffix(".up"), rest.strip_suffix(".down")) {
            (Some(name), _) => (name, false),
            (_, Some(name)) => (name, true),
            _ => (rest, false),
        };
        if name.is_empty() {
            return Err(almost(file, "it has no name"));
        }
        if let Some(odd) = name.chars().find(|c| !(c.is_alphanumeric() || *c == '_' || *c == '-')) {
            return Err(almost(file, &format!("`{odd}` may not be part of a name")));
        }
        Ok(Some(FileName { version, name, is_down }))
    }
}

fn almost(file: &str, reason: &str) -> Error {
    Error::usage("read migration", format!("`{file}`"), format!("the name is almost that of a migration, but {reason}"))
        .hint(
            "names are `0001_name.up.sql`, `0001_name.down.sql` or sqlx's `0001_name.sql`; move other files elsewhere",
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read() {
        let read = |file| FileName::read(file).unwrap().map(|name| (name.version, name.name.to_owned(), name.is_down));
        assert_eq!(read("0001_a.up.sql"), Some((1, "a".into(), false)));
        assert_eq!(
            read("20250113000000_initial-schema.down.sql"),
            Some((20_250_113_000_000, "initial-schema".into(), true))
        );
        assert_eq!(read("7_add_users.sql"), Some((7, "add_users".into(), false)));
        for other in ["README.md", ".gitkeep", ".0001_a.up.sql.swp", "notes.update.md"] {
            assert_eq!(read(other), None, "{other}");
        }
    }

    #[test]
    fn names_that_are_almost_right_are_errors() {
        for (file, why) in [
            ("0001-a.up.sql", "not followed by `_`"),
            ("0001_a.UP.sql", "`.` may not"),
            ("0001_a.up.SQL", "does not end in `.sql`"),
            ("0001_a.up.sql.bak", "does not end in `.sql`"),
            ("0001_a.up.sql~", "does not end in `.sql`"),
            ("0001_a.dwon.sql", "`.` may not"),
            ("0001_a.up", "does not end in `.sql`"),
            ("0001_.up.sql", "has no name"),
            ("0001.up.sql", "not followed by `_`"),
            ("0000_a.up.sql", "version is not between"),
            ("99999999999999999999_a.up.sql", "version is not between"),
            ("schema.sql", "does not begin with a version"),
            ("v1_a.up.sql", "does not begin with a version"),
            ("0001_a copy.up.sql", "` ` may not"),
        ] {
            let error = FileName::read(file).unwrap_err();
            assert!(error.cause().contains(why), "{file}: {error}");
        }
    }

    #[test]
    fn pairs_are_put_together_and_strays_refused() {
        let of = |files: &[&str]| Migrations::from_files("test", files.iter().map(|f| (*f, "SELECT 1;\r\n")));
        let good = of(&["0002_b.sql", "0001_a.up.sql", "0001_a.down.sql"]).unwrap();
        assert_eq!(good.iter().map(|m| m.version).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(good.get(1).unwrap().down.as_deref(), Some("SELECT 1;\r\n"));
        assert_eq!(good.get(1).unwrap().down_checksum.as_deref(), Some(checksum("SELECT 1;\n").as_str()));
        assert_eq!(good.get(2).unwrap().reversal().unwrap(), Reversal::Irreversible);
        for wrong in [
            ["0001_a.up.sql", "0001_b.down.sql"],
            ["0001_a.up.sql", "1_b.up.sql"],
            ["0001_a.sql", "0001_a.down.sql"],
            ["0001_a.up.sql", "0002_b.down.sql"],
        ] {
            assert!(of(&wrong).is_err(), "{wrong:?}");
        }
    }
}
