//! `[backups]`: what stays of a target's backups, and in which form.
//!
//! ```toml
//! [backups]
//! compress_after_days = 7
//! delete_after_days = 90
//! keep = 3                 # the newest intact copies, however old they are
//! ```

use crate::backup::prune::{After, Rotation};
use serde::Deserialize;

/// How many copies stay in any case, where a project does not say it.
const KEEP_DEFAULT: usize = 3;

/// The form of the section.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BackupsSection {
    compress_after_days: Option<u32>,
    delete_after_days: Option<u32>,
    keep: Option<usize>,
}

impl BackupsSection {
    /// What it means; else the key that is wrong, and why.
    pub fn rotation(&self) -> Result<Rotation, (&'static str, &'static str)> {
        let keep = self.keep.unwrap_or(KEEP_DEFAULT);
        if keep == 0 {
            return Err(("backups.keep", "the last copy is never removed by its age: keep 1 or more"));
        }
        let after = |days: Option<u32>| days.map_or(After::Never, After::Days);
        Ok(Rotation { keep, remove: after(self.delete_after_days), compress: after(self.compress_after_days) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_said_is_not_done_and_the_last_copy_stays() {
        let read = |text: &str| toml::from_str::<BackupsSection>(text).unwrap().rotation();
        let nothing = Rotation { keep: KEEP_DEFAULT, remove: After::Never, compress: After::Never };
        assert_eq!(read(""), Ok(nothing));
        let all = Rotation { keep: 1, remove: After::Days(90), compress: After::Days(0) };
        assert_eq!(read("keep = 1\ndelete_after_days = 90\ncompress_after_days = 0"), Ok(all));
        assert_eq!(read("keep = 0").unwrap_err().0, "backups.keep");
        assert!(toml::from_str::<BackupsSection>("delete_after_day = 1").is_err());
        assert!(toml::from_str::<BackupsSection>("delete_after_days = -1").is_err());
    }
}
