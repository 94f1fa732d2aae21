//! Kept cases: what once failed, as small as it could be made, runs first from then on.
//!
//! A kept case is one SQL file, which `psql` runs, too. Its header names the property and the seed; it has no date and no
//! path, so that the same failure gives the same file everywhere. Where the schema belongs to the case, it comes first:
//!
//! ```sql
//! -- A shrunk case of `random_schemas`: it runs before all others.
//! -- property: counts
//! -- seed: 42
//! -- part: schema
//! CREATE TABLE …
//! -- part: rows
//! INSERT INTO …
//! ```

use super::outcome::Shrunk;
use crate::error::{Context, Error, Result};
use crate::harness::Seed;
use std::fs::Permissions;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

const SCHEMA: &str = "-- part: schema";
const ROWS: &str = "-- part: rows";

/// A case that was kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Kept {
    pub path: PathBuf,
    /// The seed, for whatever in a case is not its rows (what was in the target's place, which mutation).
    pub seed: Seed,
    /// The schema, where it belongs to the case.
    pub schema: Option<String>,
    pub rows: String,
}

/// Every kept case of a folder, in the order of their names; none where there is no folder.
///
/// # Errors
/// When a file cannot be read, or is not a kept case.
pub(super) fn all(folder: &Path) -> Result<Vec<Kept>> {
    const OPERATION: &str = "list kept cases in";
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.could_not(OPERATION, format!("`{}`", folder.display()))?,
    };
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.could_not(OPERATION, format!("`{}`", folder.display()))?.path();
        if path.extension().is_some_and(|extension| extension == "sql") {
            paths.push(path);
        }
    }
    paths.sort();
    paths.into_iter().map(read).collect()
}

fn read(path: PathBuf) -> Result<Kept> {
    let object = format!("`{}`", path.display());
    let text = std::fs::read_to_string(&path).could_not("read the kept case", &object)?;
    let refused = |cause: &str| Error::usage("read the kept case", &object, cause);
    let seed = text.lines().find_map(|line| line.strip_prefix("-- seed: "));
    let seed = seed.ok_or_else(|| refused("it has no line `-- seed: …`"))?.parse()?;
    let Some((before, rows)) = text.split_once(&format!("{ROWS}\n")) else {
        return Err(refused(&format!("it has no line `{ROWS}`")));
    };
    let schema = before.split_once(&format!("{SCHEMA}\n")).map(|(_, schema)| schema.to_owned());
    Ok(Kept { seed, schema, rows: rows.to_owned(), path })
}

/// Writes a case where [`all`] finds it, and returns its path. The same failure overwrites its own file only.
///
/// # Errors
/// When the file cannot be written.
pub(super) fn keep(folder: &Path, scenario: &str, property: &str, seed: Seed, case: &Shrunk) -> Result<PathBuf> {
    const OPERATION: &str = "keep the case as";
    let path = folder.join(format!("{}-{seed}.sql", property.replace(' ', "-")));
    let object = format!("`{}`", path.display());
    let mut text = format!(
        "-- A shrunk case of `{scenario}`: it runs before all others.\n-- property: {property}\n-- seed: {seed}\n"
    );
    if let Some(schema) = &case.schema {
        text.push_str(&format!("{SCHEMA}\n{}\n", schema.trim_end()));
    }
    text.push_str(&format!("{ROWS}\n{}\n", case.sql.trim_end()));
    std::fs::create_dir_all(folder).could_not(OPERATION, &object)?;
    // By a rename, which replaces a link that somebody planted under that name, and does not write through it.
    let mut new = tempfile::Builder::new()
        .permissions(Permissions::from_mode(0o666))
        .tempfile_in(folder)
        .could_not(OPERATION, &object)?;
    new.write_all(text.as_bytes()).could_not(OPERATION, &object)?;
    new.persist(&path).map_err(|error| error.error).could_not(OPERATION, &object)?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_found_again() {
        let folder = tempfile::tempdir().unwrap();
        let regressions = folder.path().join("app");
        assert_eq!(all(&regressions).unwrap(), []);
        let shrunk = |schema: Option<&str>| Shrunk {
            rows: 1,
            schema: schema.map(str::to_owned),
            sql: "INSERT INTO a VALUES ('-- part: rows');\n".into(),
            found: "x".into(),
        };
        std::fs::create_dir(&regressions).unwrap();
        let elsewhere = folder.path().join("elsewhere");
        std::fs::write(&elsewhere, "precious").unwrap();
        std::os::unix::fs::symlink(&elsewhere, regressions.join("source-untouched-7.sql")).unwrap();
        let path = keep(&regressions, "app", "source untouched", Seed(7), &shrunk(None)).unwrap();
        assert_eq!(std::fs::read_to_string(&elsewhere).unwrap(), "precious");
        assert!(path.ends_with("app/source-untouched-7.sql"));
        keep(&regressions, "app", "counts", Seed(8), &shrunk(Some("CREATE TABLE a (b text);"))).unwrap();
        let [counts, untouched] = <[Kept; 2]>::try_from(all(&regressions).unwrap()).unwrap();
        assert_eq!((counts.seed, counts.schema.as_deref()), (Seed(8), Some("CREATE TABLE a (b text);\n")));
        assert_eq!((untouched.seed, untouched.schema), (Seed(7), None));
        assert_eq!(untouched.rows, "INSERT INTO a VALUES ('-- part: rows');\n");
        std::fs::write(regressions.join("x.sql"), "SELECT 1").unwrap();
        assert!(all(&regressions).unwrap_err().to_string().contains("x.sql"));
    }
}
