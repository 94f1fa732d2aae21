//! What no constraint says about generated rows and a project wants: the section `[generate]`.
//!
//! ```toml
//! [generate]
//! rows = 500                                     # in all tables together, where nobody says another number
//! [generate.tables]
//! schema_info = { rows = 0 }                     # the table's own number
//! [generate.columns]
//! "users.email" = { pattern = '[a-z]{3,8}@example\.org' }
//! "*.created_at" = { form = "rfc3339" }          # of every table
//! "messages.role" = { values = ["user", "assistant"] }
//! ```
//!
//! This is plain data. A key names `table.column` or `schema.table.column`, or `*.column`; the more exact key wins.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The section `[generate]`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Hints {
    /// How many rows are generated in all tables together.
    pub rows: Option<u64>,
    /// By table.
    pub tables: BTreeMap<String, TableHint>,
    /// By column.
    pub columns: BTreeMap<String, ColumnHint>,
}

/// What is wanted of a table.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TableHint {
    /// How many rows it gets.
    pub rows: Option<u64>,
}

/// What is wanted of a column, besides what its constraints demand.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ColumnHint {
    /// The only values.
    pub values: Option<Vec<String>>,
    /// The smallest value, itself allowed.
    pub minimum: Option<String>,
    /// The largest value, itself allowed.
    pub maximum: Option<String>,
    /// A regular expression that the whole value matches.
    pub pattern: Option<String>,
    /// The fewest characters.
    pub length_min: Option<u32>,
    /// The most characters.
    pub length_max: Option<u32>,
    /// How often it is NULL, from 0 to 1.
    pub null_share: Option<f64>,
    /// What a text holds.
    pub form: Option<Form>,
    /// Short words of `a-z0-9` only.
    pub plain: bool,
}

/// What a text column holds where its type does not say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// Any JSON.
    Json,
    /// A JSON array.
    JsonArray,
    /// A JSON object.
    JsonObject,
    /// `2026-01-31T12:34:56.789Z`
    Rfc3339,
    /// `2026-01-31 12:34:56`
    DateTime,
    /// `2026-01-31`
    Date,
    /// 36 characters in lower case.
    Uuid,
}

impl Hints {
    /// The hint for a column, if there is one; the more exact key wins.
    pub fn column(&self, schema: &str, table: &str, column: &str) -> Option<&ColumnHint> {
        let keys = [format!("{schema}.{table}.{column}"), format!("{table}.{column}"), format!("*.{column}")];
        keys.iter().find_map(|key| self.columns.get(key))
    }

    /// The hint for a table, if there is one.
    pub fn table(&self, schema: &str, table: &str) -> Option<&TableHint> {
        let keys = [format!("{schema}.{table}"), table.to_owned()];
        keys.iter().find_map(|key| self.tables.get(key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_more_exact_key_wins_and_an_unknown_one_is_refused() {
        let hints: Hints = toml::from_str(
            "rows = 7\n[tables]\ninfo = { rows = 0 }\n[columns]\n'*.at' = { form = 'rfc3339' }\n\
             't.at' = { null_share = 1.0 }\n'app.t.at' = { values = ['x'] }\n",
        )
        .unwrap();
        assert_eq!(hints.column("app", "t", "at").unwrap().values, Some(vec!["x".to_owned()]));
        assert_eq!(hints.column("public", "t", "at").unwrap().null_share, Some(1.0));
        assert_eq!(hints.column("public", "u", "at").unwrap().form, Some(Form::Rfc3339));
        assert_eq!(hints.column("public", "u", "other"), None);
        assert_eq!(hints.table("main", "info").unwrap().rows, Some(0));
        assert!(toml::from_str::<Hints>("[columns]\n'a.b' = { valeus = ['x'] }").is_err());
    }
}
