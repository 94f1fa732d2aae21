//! Names in the target: quoting, and a free name for everything.
//!
//! SQLite compares identifiers without case (ASCII), keeps tables, views and indexes in one room, and reserves
//! `sqlite_`. Names that are clear keep their spelling; of those that collide, the later ones get a number.

pub use crate::quote::{quote, quote_all};

use crate::catalog::QualifiedName;
use std::collections::HashSet;

/// The prefix of whimbrel's own tables in a target.
pub const METADATA_PREFIX: &str = "_whimbrel_";

/// The name that a source's table has in the target before collisions are looked at.
pub fn natural(name: &QualifiedName) -> String {
    if name.schema == "public" { name.name.clone() } else { format!("{}__{}", name.schema, name.name) }
}

/// Names already given out in one room, compared as SQLite does.
#[derive(Default)]
pub struct Room(HashSet<String>);

impl Room {
    /// Takes the wanted name, or the nearest free one: reserved prefixes get a leading `x_`, taken names a number.
    pub fn take(&mut self, wanted: &str) -> String {
        let lower = wanted.to_ascii_lowercase();
        let reserved = lower.starts_with("sqlite_") || lower.starts_with(METADATA_PREFIX);
        let base = if reserved { format!("x_{wanted}") } else { wanted.to_owned() };
        let mut name = base.clone();
        let mut number = 2;
        while !self.0.insert(name.to_ascii_lowercase()) {
            name = format!("{base}_{number}");
            number += 1;
        }
        name
    }

    /// Takes exactly that name; `false` where it is gone.
    pub fn take_exactly(&mut self, name: &str) -> bool {
        self.0.insert(name.to_ascii_lowercase())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_names_that_collide_without_case_get_a_number() {
        let mut room = Room::default();
        assert_eq!(room.take("User"), "User");
        assert_eq!(room.take("user"), "user_2");
        assert_eq!(room.take("USER"), "USER_3");
        assert_eq!(room.take("sqlite_stat1"), "x_sqlite_stat1");
        assert_eq!(room.take("ÉTÉ"), "ÉTÉ");
        assert_eq!(room.take("été"), "été");
    }
}
