//! How texts compare in the source: which of them are equal, and which comes first.

use serde::{Deserialize, Serialize};

/// What a collation makes of texts; each differs more than the one before it from SQLite, which compares code points.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TextOrder {
    /// By code point, and only ASCII letters have another case: `C`, `POSIX`.
    C,
    /// By code point: `C.UTF-8` and its like.
    CodePoint,
    /// By the rules of a language, or otherwise unlike code points; only the same text is equal. Also what is not known.
    #[default]
    Linguistic,
    /// Different texts can be equal (`deterministic = false`).
    Nondeterministic,
}

impl TextOrder {
    /// Whether SQLite puts any two texts in the same order.
    pub fn is_by_code_point(self) -> bool {
        self <= TextOrder::CodePoint
    }
}

/// The collations of a database.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Collations {
    /// What the database's own collation is called, for example `en_US.UTF-8`.
    pub default_name: String,
    /// What it makes of texts.
    pub default: TextOrder,
    /// The collations that something refers to by name.
    pub named: Vec<NamedCollation>,
}

impl Collations {
    /// What the collation of that name, spelled `schema.name`, makes of texts; `None` where it is not known.
    pub fn order(&self, name: &str) -> Option<TextOrder> {
        if name == "pg_catalog.default" {
            return Some(self.default);
        }
        self.named.iter().find(|collation| collation.name == name).map(|collation| collation.order)
    }
}

/// A collation with a name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedCollation {
    /// Its name as `schema.name`.
    pub name: String,
    /// What it makes of texts.
    pub order: TextOrder,
}
