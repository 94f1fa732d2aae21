//! Backups of a target, a SQLite file or a tree of files: taken before it is replaced, listed, checked, restored, pruned.
//!
//! They live beside the target in `<name>.whimbrel-backups/`, or in a directory that the caller names, which several
//! targets may share: `<id>.db` is the database, `<id>.tar` the archive of a tree, `<id>.json` its manifest. The id is the UTC time with milliseconds and
//! a short random number, so that ids sort by time. A backup is never overwritten, and only `prune` removes one, or puts its
//! compressed form in its place.
//!
//! `folder` says whose a backup is, and from which moment on it counts; `swap` says what a crash leaves.

mod compress;
mod content;
mod folder;
pub mod list;
pub mod live;
pub mod manifest;
pub mod prune;
pub mod publish;
pub mod restore;
pub mod swap;
pub mod take;
pub mod tree;
