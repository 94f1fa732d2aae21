//! Snapshots of what a migration shows, in a folder of the caller's own, for people to review.
//!
//! A snapshot is stable: what differs from run to run or from machine to machine (times, sizes, paths, host, port,
//! names of scratch databases, identities of backups) is replaced by a word in brackets before it is compared. What is
//! left changes only when the migration does, and then its diff is worth reading.
//!
//! ```no_run
//! use whimbrel::harness::Scenario;
//!
//! #[test]
//! fn nothing_changes_unseen() {
//!     let scenario = Scenario::project("migrations/app").unwrap();
//!     whimbrel::assert_pictures!("tests/snapshots", whimbrel::pictures::of_scenario(&scenario).unwrap());
//! }
//! ```
//!
//! A new or changed picture fails the test and leaves a `.snap.new` beside its snapshot (in CI it only fails);
//! `cargo insta review`, or renaming that file after reading it, accepts it. A snapshot that no picture has any more
//! fails the test too.

use crate::error::{Context, Result};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// A text under a name; the name is its snapshot's file name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// `group__part`, of letters, digits, `_` and `-`.
    pub name: String,
    /// What is compared, before [`settings`] filters it.
    pub text: String,
}

impl Picture {
    /// A picture of a part of a group: a project's plan, a project's report.
    pub fn new(group: &str, part: &str, text: impl Into<String>) -> Self {
        Picture { name: format!("{group}__{part}"), text: text.into() }
    }

    /// What stands before the `__` of its name.
    fn group(&self) -> &str {
        self.name.split_once("__").map_or(&*self.name, |(group, _)| group)
    }
}

/// What differs between runs and machines, as a regular expression, and the word that stands for it.
pub const FILTERS: [(&str, &str); 16] = [
    (r"postgres://[^\s`'/]+/whimbrel_[a-z0-9_]+(\?[a-z=&]+)?", "postgres://[SERVER]/[DATABASE]"),
    (r"\bwhimbrel_[a-z]+_[0-9a-f]{12}\b", "[DATABASE]"),
    (r"PostgreSQL \d+(\.\d+)*( \([^)]*\))?", "PostgreSQL [VERSION]"),
    (r"\d{8}T\d{6}\.\d{3}Z-[0-9a-f]{6}", "[BACKUP]"),
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "[TIME]"),
    (r"\b\d+ min \d\d s\b", "[TIME]"),
    (r"\b\d+\.\d+ m?s\b", "[TIME]"),
    (r"\b\d+ ms\b", "[TIME]"),
    (r"[\d,]+ rows a second", "[RATE]"),
    (r"\b\d+\.\d [KMG]iB", "[SIZE]"),
    (r#""(\w+_(?:ms|bytes|estimate)|rows_expected)":( ?)-?\d+(\.\d+)?"#, r#""$1":$2"[FIGURE]""#),
    (r"whimbrel \d+\.\d+\.\d+", "whimbrel [VERSION]"),
    (r"\bdigest [0-9a-f]{32}", "digest [DIGEST]"),
    // Over the moment at which the file was finished.
    (r#""manifest_digest":( ?)"[0-9a-f]{32}""#, r#""manifest_digest":$1"[DIGEST]""#),
    // What was filtered has another width than what stands there: columns are set with two blanks.
    (r"([^\n ]) {2,}", "$1  "),
    // The milliseconds of a migration in the table of `schema status`.
    (r"(applied  \w+  \[TIME\])  \d+", "$1  [MS]"),
];

/// How insta compares pictures with the snapshots in `folder`.
pub fn settings(folder: &Path) -> insta::Settings {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(folder);
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    for (expression, word) in FILTERS {
        settings.add_filter(expression, word);
    }
    settings
}

/// The snapshots in `folder` that are not `pictures`: of a group that the pictures have, with a part that none has any
/// more, or not reviewed yet. Empty when the folder and the pictures agree.
///
/// # Errors
/// When the folder cannot be read.
pub fn stale(folder: &Path, pictures: &[Picture]) -> Result<Vec<PathBuf>> {
    let names: BTreeSet<&str> = pictures.iter().map(|picture| &*picture.name).collect();
    let groups: BTreeSet<&str> = pictures.iter().map(Picture::group).collect();
    let shown = format!("`{}`", folder.display());
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).could_not("list the snapshots in", &shown)? {
        let path = entry.could_not("list the snapshots in", &shown)?.path();
        let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let reviewed = file.strip_suffix(".snap");
        let Some(name) = reviewed.or_else(|| file.strip_suffix(".snap.new")) else { continue };
        let group = name.split_once("__").map_or(name, |(group, _)| group);
        if groups.contains(group) && (reviewed.is_none() || !names.contains(name)) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// Removes what an earlier run left for review beside the snapshots of these pictures, where they are to be accepted as
/// they are (`INSTA_UPDATE=always`): it is out of date then.
pub fn forget_unreviewed(folder: &Path, pictures: &[Picture]) {
    if std::env::var("INSTA_UPDATE").is_ok_and(|update| update == "always") {
        for picture in pictures {
            // Mostly there is none.
            let _ = std::fs::remove_file(folder.join(format!("{}.snap.new", picture.name)));
        }
    }
}

/// Compares pictures with the snapshots in a folder of the calling crate, and fails for each that differs, that is
/// new, or that has no picture any more. The folder is relative to the crate's root.
#[macro_export]
macro_rules! assert_pictures {
    ($folder:expr, $pictures:expr) => {{
        let folder = ::std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join($folder);
        let pictures: ::std::vec::Vec<$crate::harness::snapshot::Picture> = $pictures;
        assert!(!pictures.is_empty(), "there is no picture to compare");
        $crate::harness::snapshot::settings(&folder).bind(|| {
            for picture in &pictures {
                $crate::harness::insta::assert_snapshot!(&*picture.name, &*picture.text);
            }
        });
        $crate::harness::snapshot::forget_unreviewed(&folder, &pictures);
        let stale = $crate::harness::snapshot::stale(&folder, &pictures).unwrap();
        assert!(stale.is_empty(), "snapshots without a picture, or not reviewed: {stale:?}");
    }};
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_without_a_picture_is_stale_and_other_groups_are_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["app__plan.snap", "app__old.snap", "app__plan.snap.new", "other__plan.snap", "README.md"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        let found = stale(folder.path(), &[Picture::new("app", "plan", "")]).unwrap();
        let names: Vec<_> = found.iter().map(|path| path.file_name().unwrap().to_string_lossy()).collect();
        assert_eq!(names, ["app__old.snap", "app__plan.snap.new"]);
        assert!(stale(&folder.path().join("missing"), &[]).unwrap_err().to_string().contains("missing"));
    }

    #[test]
    fn what_differs_between_runs_is_filtered_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let picture = "postgres://ann@127.0.0.1:40123/whimbrel_cli_0123456789ab, PostgreSQL 15.18 (Debian 15.18-0)\n\
                       12,345 rows in 0.25 s (49,380 rows a second)  1.5 KiB\n\"duration_ms\": 12.5, \"rows\": 3";
        let expected = "---\nsource: src/harness/snapshot.rs\n---\npostgres://[SERVER]/[DATABASE], PostgreSQL [VERSION]\n\
                        12,345 rows in [TIME] ([RATE])  [SIZE]\n\"duration_ms\": \"[FIGURE]\", \"rows\": 3\n";
        std::fs::write(folder.path().join("filtered.snap"), expected).unwrap();
        settings(folder.path()).bind(|| insta::assert_snapshot!("filtered", picture));
    }
}
