//! How a row is named: the stored values of its key, as JSON, which is also what the ledger files it under.

use super::Stored;
use std::fmt::Write;

/// The name of a row from the stored values of its key columns: `[7]`, `["a","b"]`. Bytes stand in hexadecimal behind
/// `x:`; a number with a fraction has the shortest digits that read back.
pub fn row_key<'v>(values: impl IntoIterator<Item = Stored<'v>>) -> String {
    let mut key = String::from("[");
    for (index, value) in values.into_iter().enumerate() {
        if index > 0 {
            key.push(',');
        }
        match value {
            Stored::Null => key.push_str("null"),
            Stored::Integer(value) => write!(key, "{value}").unwrap_or_default(),
            Stored::Real(value) => write!(key, "{value:?}").unwrap_or_default(),
            Stored::Text(value) => key.push_str(&serde_json::Value::from(String::from_utf8_lossy(&value)).to_string()),
            Stored::Blob(value) => {
                key.push_str("\"x:");
                value.iter().for_each(|byte| write!(key, "{byte:02x}").unwrap_or_default());
                key.push('"');
            }
        }
    }
    key.push(']');
    key
}

/// The name of a row in a table without a key.
pub fn rowid_key(rowid: i64) -> String {
    format!("rowid {rowid}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::borrow::Cow;

    #[test]
    fn keys_with_other_parts_have_other_names() {
        let text = |value: &'static str| Stored::Text(Cow::Borrowed(value.as_bytes()));
        assert_eq!(row_key([Stored::Integer(7), text("a\"b")]), r#"[7,"a\"b"]"#);
        assert_ne!(row_key([text("ab"), text("c")]), row_key([text("a"), text("bc")]));
        assert_ne!(row_key([text("1")]), row_key([Stored::Integer(1)]));
        assert_ne!(row_key([Stored::Real(1.0)]), row_key([Stored::Integer(1)]));
        assert_ne!(row_key([Stored::Null]), row_key([text("null")]));
    }
}
