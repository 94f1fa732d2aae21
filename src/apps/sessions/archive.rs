//! The JSON of sessions, once rows alone keep them: archived with the whole tree, verified, and kept for some time.
//!
//! The order, and what a kill leaves: the tree is archived, and the archive read back; then the files of sessions go, one by one, each as it
//! was archived. A kill leaves an archive that has all of them, and the next call archives the rest. A file that somebody has changed
//! meanwhile stays, and is an error.

use std::path::PathBuf;

use serde::Serialize;

use super::{SessionStore, TABLE};
use crate::backup::manifest::Reason;
use crate::backup::prune::{After, Rotation, rotate};
use crate::backup::take::TakeOptions;
use crate::backup::tree::keep;
use crate::cancel::Cancel;
use crate::endpoint::files::tree::replace;
use crate::store::Mode;
use crate::{Error, Result};

const ARCHIVING: &str = "archive the JSON in";

/// For how many days archives are kept: what the application's own documents say.
pub const KEPT_DAYS: u32 = 30;

/// What was archived.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ArchivedJson {
    /// The archive; none where no file was there any more.
    pub archive_id: Option<String>,
    /// The files of sessions that were taken out of the tree.
    pub files: Vec<String>,
    /// Older archives that were removed because their time was over.
    pub removed_ids: Vec<String>,
}

impl SessionStore {
    /// Where archives are: beside the tree. `whimbrel rollback TREE --backups` this folder brings one back.
    pub fn archives(&self) -> PathBuf {
        let mut name = self.place.tree.file_name().unwrap_or_default().to_owned();
        name.push(".sessions_archive");
        self.place.tree.with_file_name(name)
    }

    /// Archives the tree, takes the files of sessions out of it, and removes archives that are older than `kept_days`.
    ///
    /// # Errors
    /// When a mode still keeps files; when the tree cannot be archived or the archive, read back, is not the tree: then nothing was
    /// removed; when a file was changed since, or cannot be removed.
    pub fn archive_json(&self, kept_days: u32) -> Result<ArchivedJson> {
        let object = || format!("`{}`", self.place.tree.display());
        // Nobody steps back meanwhile.
        let _held = self.store.hold()?;
        if self.store.modes()?.only() != Some(Mode::Sqlite) {
            return Err(Error::could_not(ARCHIVING, object(), "files are still kept in some mode")
                .hint("go to the last phase first: `whimbrel store mode PROJECT sqlite`"));
        }
        let mut archived = ArchivedJson::default();
        if !self.place.tree.is_dir() {
            return Ok(archived);
        }
        let (archives, flag) = (self.archives(), Cancel::new().flag());
        let files = self.store.files()?;
        let tree = files.tree()?;
        let known = self.store.layout();
        let mut there = Vec::new();
        for (_, path) in files.paths(&tree, &files.likes_of(known.table(TABLE)?, &[]))? {
            there.extend(tree.stat(&path)?.map(|stat| (path, stat)));
        }
        if !there.is_empty() {
            let ignored: Vec<String> = known.layout.ignore.iter().map(|glob| glob.text().to_owned()).collect();
            let options = TakeOptions {
                directory: Some(&archives),
                reason: Reason::BeforeCutover,
                source: "sessions",
                replacement_digest: None,
                cancel: &flag,
            };
            archived.archive_id = Some(keep(&self.place.tree, &ignored, options)?.id);
        }
        for (path, stat) in there {
            replace::remove(&tree, &path, &stat)?;
            archived.files.push(path);
        }
        if archives.is_dir() {
            // The one that was taken now stays, however short the time is.
            let keep = usize::from(archived.archive_id.is_some());
            let rotation = Rotation { keep, remove: After::Days(kept_days), compress: After::Never };
            archived.removed_ids = rotate(&self.place.tree, Some(&archives), rotation, &flag)?.removed;
        }
        Ok(archived)
    }
}
