//! Between the JSON of an application and a record of the store: the same values under the keys of the one and under the
//! columns of the other.
//!
//! Invariants: what has no column is in the record's column of extra keys, so that nothing of the application's JSON is
//! lost; there and back is the identity, but for absent keys, which come back as `null`.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::error::Context;
use crate::{Error, Result};

/// The names of one kind of record.
#[derive(Debug)]
pub(crate) struct Names {
    /// Keys of the JSON and the columns that have their values.
    pub keys: &'static [(&'static str, &'static str)],
    /// The column that takes every other key, as an object.
    pub extra: Option<&'static str>,
    /// Keys of arrays of records, the tables that these are of, and their names.
    pub children: &'static [(&'static str, &'static str, &'static Names)],
}

/// A typed value as a record of the store.
///
/// # Errors
/// When it is no object in JSON; none of this crate's is.
pub(crate) fn record(value: &impl Serialize, names: &Names) -> Result<Map<String, Value>> {
    match serde_json::to_value(value).could_not("write", "a record")? {
        Value::Object(keys) => Ok(to_columns(keys, names)),
        _ => Err(Error::could_not("write", "a record", "it is no JSON object")),
    }
}

/// A record of the store as a typed value. `operation` and `object` are for the error.
///
/// # Errors
/// When a value is not of its type: a word that the application does not know, a number beyond its range; when a column has a value for
/// which the typed one has no place, so that it would be lost with the next write.
pub(crate) fn typed<T: DeserializeOwned>(
    columns: Map<String, Value>,
    names: &Names,
    operation: &str,
    object: impl std::fmt::Display,
) -> Result<T> {
    match to_keys(columns, names) {
        Ok(keys) => serde_json::from_value(Value::Object(keys)).could_not(operation, object),
        Err(column) => {
            let cause = format!("its column `{column}` has a value, and would lose it with the next write");
            Err(Error::differs(operation, object, cause).hint("the application of this store knows no such column"))
        }
    }
}

fn to_columns(mut keys: Map<String, Value>, names: &Names) -> Map<String, Value> {
    let mut columns = Map::new();
    for (key, column) in names.keys {
        if let Some(value) = keys.remove(*key) {
            columns.insert((*column).to_owned(), value);
        }
    }
    for (key, table, names) in names.children {
        if let Some(Value::Array(records)) = keys.remove(*key) {
            let inner = |record| match record {
                Value::Object(keys) => Value::Object(to_columns(keys, names)),
                other => other,
            };
            columns.insert((*table).to_owned(), records.into_iter().map(inner).collect());
        }
    }
    match names.extra {
        Some(extra) if keys.is_empty() => drop(columns.insert(extra.to_owned(), Value::Null)),
        Some(extra) => drop(columns.insert(extra.to_owned(), Value::Object(keys))),
        // What has no place is refused by name where the record is written.
        None => columns.extend(keys),
    }
    columns
}

/// The keys, or the column that has a value and no key.
fn to_keys(mut columns: Map<String, Value>, names: &Names) -> Result<Map<String, Value>, String> {
    let mut keys = Map::new();
    for (key, column) in names.keys {
        if let Some(value) = columns.remove(*column) {
            keys.insert((*key).to_owned(), value);
        }
    }
    for (key, table, names) in names.children {
        if let Some(Value::Array(records)) = columns.remove(*table) {
            let inner = |record| match record {
                Value::Object(columns) => to_keys(columns, names).map(Value::Object),
                other => Ok(other),
            };
            keys.insert((*key).to_owned(), records.into_iter().map(inner).collect::<Result<_, _>>()?);
        }
    }
    if let Some(Value::Object(extra)) = names.extra.and_then(|extra| columns.remove(extra)) {
        for (key, value) in extra {
            // A column's value is the newer one.
            keys.entry(key).or_insert(value);
        }
    }
    match columns.into_iter().find(|(_, value)| !value.is_null()) {
        Some((column, _)) => Err(column),
        None => Ok(keys),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const INNER: Names = Names { keys: &[("innerId", "id")], extra: None, children: &[] };
    const OUTER: Names = Names {
        keys: &[("id", "id"), ("createdAt", "created_at")],
        extra: Some("extra"),
        children: &[("parts", "part", &INNER)],
    };

    #[test]
    fn there_and_back_is_the_identity() {
        let Value::Object(keys) = json!({"id": "a", "createdAt": null, "parts": [{"innerId": 1}], "more": [1, {}]})
        else {
            unreachable!()
        };
        let columns = to_columns(keys.clone(), &OUTER);
        let expected = json!({"id": "a", "created_at": null, "part": [{"id": 1}], "extra": {"more": [1, {}]}});
        assert_eq!(Value::Object(columns.clone()), expected);
        assert_eq!(to_keys(columns, &OUTER), Ok(keys));
        let Value::Object(nothing) = json!({"id": "a", "extra": null}) else { unreachable!() };
        assert_eq!(to_keys(nothing, &OUTER).map(Value::Object), Ok(json!({"id": "a"})));
        let Value::Object(more) = json!({"id": "a", "part": [{"id": 1, "other": 2}]}) else { unreachable!() };
        assert_eq!(to_keys(more, &OUTER), Err("other".to_owned()));
    }
}
