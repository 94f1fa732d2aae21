//! Names in the target: quoting, and a free name for everything.
//!
//! SQLite compares identifiers without case (ASCII), keeps tables, views and indexes in one room, and reserves
//! `sqlite_`. Names that are clear keep their spelling; of those that collide, the later ones get a number.

pub use crate::quote::{quote, quote_all};

use crate::catalog::QualifiedName;
use crate::metadata;
use std::collections::HashMap;

/// The name that a source's table has in the target before collisions are looked at.
pub fn natural(name: &QualifiedName) -> String {
    if name.schema == "public" { name.name.clone() } else { format!("{}__{}", name.schema, name.name) }
}

/// Names already given out in one room, compared as SQLite does, and whether the user chose them.
#[derive(Default)]
pub struct Room(HashMap<String, bool>);

/// A name that was given out.
pub struct Taken {
    /// The name; the wanted one, or the nearest free one.
    pub name: String,
    /// Whether it is not the wanted one although the user chose that, for this object or for the one that has it.
    pub contested: bool,
}

impl Room {
    /// Takes the wanted name, or the nearest free one: reserved prefixes get a leading `x_`, taken names a number.
    pub fn take(&mut self, wanted: &str) -> String {
        self.take_for(wanted, false).name
    }

    /// The same for a name that the user may have chosen: that is not changed in silence.
    pub fn take_for(&mut self, wanted: &str, chosen: bool) -> Taken {
        let lower = wanted.to_ascii_lowercase();
        let reserved = lower.starts_with("sqlite_") || metadata::is_own(wanted);
        let base = if reserved { format!("x_{wanted}") } else { wanted.to_owned() };
        let mut name = base.clone();
        let mut number = 2;
        let holder_chose = self.0.get(&lower).copied().unwrap_or(false);
        while self.0.contains_key(&name.to_ascii_lowercase()) {
            name = format!("{base}_{number}");
            number += 1;
        }
        self.0.insert(name.to_ascii_lowercase(), chosen);
        let contested = name != wanted && (chosen || holder_chose);
        Taken { name, contested }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_somebody_chose_is_not_changed_in_silence() {
        let mut room = Room::default();
        assert!(!room.take_for("orders", true).contested);
        assert!(room.take_for("Orders", false).contested, "the natural name is taken by a chosen one");
        assert!(room.take_for("orders", true).contested);
        assert!(room.take_for("sqlite_x", true).contested, "reserved");
        assert!(!room.take_for("sqlite_y", false).contested);
    }

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
