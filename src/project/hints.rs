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

use serde::{Deserialize, Deserializer, Serialize};
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
    /// By the key of a table or column: the file and line where it stands, where it was read from a project.
    #[serde(skip)]
    pub places: BTreeMap<String, String>,
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
    /// The only values, as texts; a project may write numbers, booleans and dates as TOML has them.
    #[serde(deserialize_with = "texts")]
    pub values: Option<Vec<String>>,
    /// The smallest value, itself allowed.
    #[serde(deserialize_with = "text")]
    pub minimum: Option<String>,
    /// The largest value, itself allowed.
    #[serde(deserialize_with = "text")]
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
        self.key_of_column(schema, table, column).and_then(|key| self.columns.get(&key))
    }

    /// The key of that hint.
    pub fn key_of_column(&self, schema: &str, table: &str, column: &str) -> Option<String> {
        let keys = [format!("{schema}.{table}.{column}"), format!("{table}.{column}"), format!("*.{column}")];
        keys.into_iter().find(|key| self.columns.contains_key(key))
    }

    /// The hint for a table, if there is one.
    pub fn table(&self, schema: &str, table: &str) -> Option<&TableHint> {
        let keys = [format!("{schema}.{table}"), table.to_owned()];
        keys.iter().find_map(|key| self.tables.get(key))
    }

    /// Where the hint with that key stands, for messages.
    pub fn place(&self, key: &str) -> String {
        let section = if self.columns.contains_key(key) { "columns" } else { "tables" };
        let told = format!("`generate.{section}` `{key}`");
        self.places.get(key).map_or_else(|| told.clone(), |place| format!("{place}, {told}"))
    }
}

/// A value of TOML as the text that stands for it in a column.
fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Option::<toml::Value>::deserialize(deserializer)?.map(spelled).transpose()
}

fn texts<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<String>>, D::Error> {
    let values = Option::<Vec<toml::Value>>::deserialize(deserializer)?;
    values.map(|values| values.into_iter().map(spelled).collect()).transpose()
}

fn spelled<E: serde::de::Error>(value: toml::Value) -> Result<String, E> {
    Ok(match value {
        toml::Value::String(text) => text,
        toml::Value::Integer(number) => number.to_string(),
        toml::Value::Float(number) if number.is_nan() => "NaN".to_owned(),
        toml::Value::Float(number) if number.is_infinite() => {
            if number > 0.0 { "Infinity" } else { "-Infinity" }.to_owned()
        }
        toml::Value::Float(number) => number.to_string(),
        toml::Value::Boolean(value) => value.to_string(),
        toml::Value::Datetime(moment) => moment.to_string().replacen('T', " ", 1),
        toml::Value::Array(_) | toml::Value::Table(_) => {
            return Err(E::custom("a value is a text, a number, true or false, or a date"));
        }
    })
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

    #[test]
    fn values_are_written_as_toml_has_them() {
        let hints: Hints = toml::from_str(
            "[columns]\na = { minimum = 20, maximum = 20.5 }\nb = { values = [20, 'x', true, 1e300, nan, -inf] }\n\
             c = { minimum = 2026-01-31, maximum = 2026-01-31T12:30:00.5Z }\n",
        )
        .unwrap();
        let bounds = |key: &str| {
            let hint = &hints.columns[key];
            (hint.minimum.clone().unwrap(), hint.maximum.clone().unwrap())
        };
        assert_eq!(bounds("a"), ("20".to_owned(), "20.5".to_owned()));
        assert_eq!(bounds("c"), ("2026-01-31".to_owned(), "2026-01-31 12:30:00.5Z".to_owned()));
        let values = hints.columns["b"].values.clone().unwrap();
        assert_eq!(
            (&values[..3], &values[4..]),
            (&["20", "x", "true"].map(str::to_owned)[..], &["NaN", "-Infinity"].map(str::to_owned)[..])
        );
        let error = toml::from_str::<Hints>("[columns]\na = { minimum = [1] }").unwrap_err().to_string();
        assert!(error.contains("a text, a number, true or false, or a date"), "{error}");
    }
}
