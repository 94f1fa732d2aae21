//! What a target remembers of the tree of files that its rows came from, so that the same tree can be made of them.
//!
//! | table | holds |
//! |---|---|
//! | `_whimbrel_tree` | each entry of the tree: what it is, its permissions, and the hash of its bytes when it was read |
//! | `_whimbrel_pieces` | each piece of a file: which records it held, in their order, and what of it they do not tell |
//!
//! Unlike the other tables of the metadata they are tables of the source's catalog, so that they are planned, copied, counted
//! and compared as any other: a tree has them, and a file that was made of it.

use super::{OBJECTS, OTHER_HISTORY_TABLE, PASSING_TABLE, is_own};
use crate::catalog::{DataType, QualifiedName, Shape, Table};

/// The table of the entries of a tree.
pub const TREE_TABLE: &str = "_whimbrel_tree";
/// The table of the pieces of files.
pub const PIECES_TABLE: &str = "_whimbrel_pieces";

/// The places of the columns of [`TREE_TABLE`].
pub mod entry {
    /// The path from the root.
    pub const PATH: usize = 0;
    /// `file`, `directory` or `link`.
    pub const ENTRY: usize = 1;
    /// The kind of file in the layout; NULL for what has none.
    pub const KIND: usize = 2;
    /// The permissions.
    pub const MODE: usize = 3;
    /// Where a link leads.
    pub const LINK: usize = 4;
    /// The time of the last change in nanoseconds since 1970, where times belong to the tree.
    pub const MODIFIED_NS: usize = 5;
    /// The size of a file in bytes.
    pub const SIZE_BYTES: usize = 6;
    /// XXH3-128 of a file's bytes, the most significant byte first.
    pub const HASH: usize = 7;
}

/// The places of the columns of [`PIECES_TABLE`].
pub mod piece {
    /// The path of its file.
    pub const PATH: usize = 0;
    /// Its number in the file, from 0.
    pub const PIECE: usize = 1;
    /// Its records in their order, 34 bytes each: the place of the table in the layout (2), the hash of the key (16), the hash
    /// of the row (16). NULL for a file that is carried as bytes.
    pub const RECORDS: usize = 2;
    /// What the records do not tell of its bytes; NULL where they tell all of them.
    pub const BYTES: usize = 3;
}

/// Whether a table is one of these.
pub fn is_of_tree(name: &str) -> bool {
    is_own(name) && [TREE_TABLE, PIECES_TABLE].iter().any(|table| table.eq_ignore_ascii_case(name))
}

/// Whether a table with a name of whimbrel's own is one that it makes, these among them, and not somebody else's.
pub fn is_known(table: &str) -> bool {
    let made = OBJECTS.iter().map(|(_, name)| *name);
    made.chain([OTHER_HISTORY_TABLE, PASSING_TABLE]).any(|name| name.eq_ignore_ascii_case(table)) || is_of_tree(table)
}

/// Both, as a catalog has them.
pub fn tables() -> [Table; 2] {
    let text = || DataType::new("text", Shape::Text);
    let number = || DataType::new("bigint", Shape::BigInt);
    let bytes = || DataType::new("bytea", Shape::Bytea);
    let entries = [
        ("path", text(), true),
        ("entry", text(), true),
        ("kind", text(), false),
        ("mode", number(), true),
        ("link", text(), false),
        ("modified_ns", number(), false),
        ("size_bytes", number(), false),
        ("hash", bytes(), false),
    ];
    let pieces =
        [("path", text(), true), ("piece", number(), true), ("records", bytes(), false), ("bytes", bytes(), false)];
    [table(TREE_TABLE, &entries, &["path"]), table(PIECES_TABLE, &pieces, &["path", "piece"])]
}

fn table(name: &str, columns: &[(&str, DataType, bool)], key: &[&str]) -> Table {
    let columns = columns.iter().map(|(name, data_type, not_null)| ((*name).to_owned(), data_type.clone(), *not_null));
    Table::of_columns(QualifiedName::new("public", name), columns, key.iter().map(|name| (*name).to_owned()).collect())
}
