//! Names: ordinary ones, and those on which quoting, folding and comparing break.

use crate::harness::Random;
use crate::metadata::LEDGER_TABLE;
use std::collections::HashSet;

const PLAIN: [&str; 28] = [
    "account",
    "amount",
    "author",
    "body",
    "city",
    "code",
    "created_at",
    "customer",
    "detail",
    "email",
    "event",
    "film",
    "item",
    "kind",
    "label",
    "note",
    "owner",
    "parent",
    "payment",
    "price",
    "product",
    "rank",
    "region",
    "state",
    "tag",
    "title",
    "total",
    "visit",
];

const ODD: [&str; 44] = [
    // Mixed case, and pairs that differ by case only: PostgreSQL keeps them apart, SQLite does not.
    "OrderLine",
    "userId",
    "USER",
    "User",
    "Item",
    "iTEM",
    "Größe",
    "größe",
    // Reserved words of one or the other.
    "user",
    "order",
    "select",
    "group",
    "table",
    "index",
    "values",
    "default",
    "check",
    "references",
    "limit",
    "glob",
    "pragma",
    "without",
    "primary",
    // Names that mean something to SQLite.
    "rowid",
    "oid",
    "_rowid_",
    "sqlite_master",
    "sqlite_sequence",
    LEDGER_TABLE,
    // Other scripts, in more than one normal form.
    "表",
    "имя",
    "עברית",
    "e\u{301}",
    "é",
    "naïve 🐦",
    // Characters that end a quoted name somewhere.
    "two words",
    " leading",
    "trailing ",
    "it's",
    "a\"b",
    "a.b",
    "[x]",
    "`tick`",
    "50%$1?:x",
];

/// The names that are taken in one room: relations and types of a schema, or columns of a table.
#[derive(Debug, Default, Clone)]
pub struct Room(HashSet<String>);

impl Room {
    /// A name that is free here; `odd` is the share of those that need care.
    pub fn take(&mut self, random: &mut Random, odd: f64) -> String {
        let mut wanted = if random.chance(odd) {
            match random.below(12) {
                0 => "n".repeat(63),
                1 => format!("{}st", random.below(9) + 1),
                // Sixty-three bytes that end in a letter of two.
                2 => format!("{}ä", "l".repeat(61)),
                _ => ODD[random.below(ODD.len() as u64) as usize].to_owned(),
            }
        } else {
            PLAIN[random.below(PLAIN.len() as u64) as usize].to_owned()
        };
        let base = wanted.clone();
        let mut number = 2;
        while self.0.contains(&wanted) {
            let ending = format!("_{number}");
            let mut end = base.len().min(63 - ending.len());
            while !base.is_char_boundary(end) {
                end -= 1;
            }
            wanted = format!("{}{ending}", &base[..end]);
            number += 1;
        }
        self.0.insert(wanted.clone());
        wanted
    }

    /// Takes exactly this name, where it is free.
    pub fn take_exactly(&mut self, name: &str) -> bool {
        self.0.insert(name.to_owned())
    }
}

/// Whether a name is one of those that need care.
pub fn is_odd(name: &str) -> bool {
    !name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
        || name.len() > 40
        || ODD.contains(&name)
}

/// Labels of enums, some of which look like something else.
pub const LABELS: [&str; 12] =
    ["open", "closed", "in progress", "", " ", "it's", "a,b", "\"q\"", "NULL", "Ärger", "back\\slash", "{x}"];
