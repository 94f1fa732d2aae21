//! Which paths are of a kind, and which path a row has.

/// A path with captures, read and written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathPattern {
    /// As `layout.toml` spells it.
    pub text: String,
}
