//! The hashes of a workspace: which files its sessions are in.
//!
//! The application names a file after the first 16 hexadecimal digits of the SHA-256 of the workspace's path. Its commands
//! resolve the path first (links followed, absolute; of a path that is not there only the `/` at its end is taken away); its
//! debates hash the path as it was given. So one workspace may have two files, and whoever reads looks into both.

use std::fmt::Write;
use std::fs::canonicalize;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::model::SessionType;
use crate::{Error, Result};

/// How many hexadecimal digits of the hash the application uses.
const DIGITS: usize = 16;

/// A path and its hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HashedPath {
    /// The path that was hashed.
    pub path: String,
    /// 16 hexadecimal digits in lower case.
    pub hash: String,
}

impl HashedPath {
    fn of(path: String) -> HashedPath {
        let digest = Sha256::digest(path.as_bytes());
        let hash = digest.iter().take(DIGITS / 2).fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        });
        HashedPath { path, hash }
    }
}

/// A workspace, by both of its hashes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workspace {
    resolved: HashedPath,
    as_given: HashedPath,
}

impl Workspace {
    /// The workspace at that path.
    ///
    /// # Errors
    /// [`Usage`](crate::error::Kind::Usage) where the path is blank.
    pub fn at(path: &str) -> Result<Workspace> {
        if path.trim().is_empty() {
            return Err(Error::usage("use workspace", "", "its path is blank"));
        }
        let trimmed = || if path.trim_end_matches('/').is_empty() { path } else { path.trim_end_matches('/') };
        let resolved = canonicalize(Path::new(path)).ok().and_then(|path| path.into_os_string().into_string().ok());
        let resolved = resolved.unwrap_or_else(|| trimmed().to_owned());
        Ok(Workspace { resolved: HashedPath::of(resolved), as_given: HashedPath::of(path.to_owned()) })
    }

    /// Where a new session of that type goes.
    pub fn of_type(&self, session_type: SessionType) -> &HashedPath {
        match session_type {
            SessionType::Debate => &self.as_given,
            SessionType::Competition | SessionType::Ensemble | SessionType::Integration => &self.resolved,
        }
    }

    /// Where its sessions may be: one hash, or two different ones.
    pub fn hashes(&self) -> Vec<&str> {
        match self.resolved.hash == self.as_given.hash {
            true => vec![&self.resolved.hash],
            false => vec![&self.resolved.hash, &self.as_given.hash],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workspace_has_the_hashes_that_the_application_gives_it() {
        // As `printf %s PATH | sha256sum` says.
        assert_eq!(HashedPath::of("/srv/app".to_owned()).hash, "dae668e4084f07b6".to_owned());
    }

    #[test]
    fn a_link_is_followed_by_commands_and_not_by_debates() {
        let folder = tempfile::tempdir().unwrap();
        let (real, link) = (folder.path().join("real"), folder.path().join("link"));
        std::fs::create_dir(&real).unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        let real = real.canonicalize().unwrap().to_string_lossy().into_owned();
        let workspace = Workspace::at(&link.to_string_lossy()).unwrap();
        let direct = Workspace::at(&real).unwrap();
        assert_eq!(workspace.of_type(SessionType::Competition), direct.of_type(SessionType::Debate));
        assert_ne!(workspace.of_type(SessionType::Debate), direct.of_type(SessionType::Debate));
        assert_eq!((workspace.hashes().len(), direct.hashes().len()), (2, 1));
        // Of what is not there, the last slashes go.
        let gone = Workspace::at("/nowhere/at/all//").unwrap();
        assert_eq!(gone.of_type(SessionType::Ensemble).path, "/nowhere/at/all");
        assert_eq!(gone.of_type(SessionType::Debate).path, "/nowhere/at/all//");
        assert!(Workspace::at(" ").is_err());
        assert_eq!(Workspace::at("/").unwrap().hashes().len(), 1);
    }
}
