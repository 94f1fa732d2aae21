//! A tree of files as bytes: read safely, made in secret, put in place in one step, archived.
//!
//! Nothing here knows what stands in a file. Whoever reads a tree gets [`entry::Entry`]s and bytes, whoever makes one gives
//! them; both in paths from the root, `/` between the names, which are UTF-8 ([`entry::check`]).
//!
//! - No symbolic link below the root is ever followed: every directory is opened from its parent, by its name, and is what it
//!   was when it was listed ([`walk`]).
//! - A tree that is made ([`draft`]) is a directory of its own beside the old one, and takes its place by one exchange of two
//!   names. Where the root cannot be renamed, or only few files change, a [`journal`] says what is to be done, is complete
//!   before anything is done, and is done to its end by the next run.
//! - An [`archive`] is a tree in one file that any `tar` can read, with the SHA-256 of each file.

mod append;
pub mod archive;
mod change;
pub mod draft;
pub mod entry;
pub mod journal;
pub mod replace;
mod secret;
pub mod walk;

#[cfg(test)]
mod tests;
