//! Names and literals as SQLite reads them.

/// A name in double quotes. Always quoted: SQLite has keywords that PostgreSQL has not.
pub(super) fn name(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

/// A text literal.
pub(super) fn text(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A double as a literal that reads back as the same double.
pub(super) fn real(value: f64) -> Option<String> {
    if value.is_nan() {
        return None;
    }
    if value.is_infinite() {
        return Some(if value > 0.0 { "9e999" } else { "-9e999" }.to_owned());
    }
    Some(format!("{value:?}"))
}

/// A blob literal.
pub(super) fn blob(bytes: &[u8]) -> String {
    let mut sql = String::with_capacity(bytes.len() * 2 + 3);
    sql.push_str("x'");
    for byte in bytes {
        sql.push_str(&format!("{byte:02x}"));
    }
    sql.push('\'');
    sql
}

/// A key of ORDER BY or GROUP BY. SQLite takes a whole number there for a column's place, a sign and parentheses around it or
/// not; what all rows share orders and parts none of them, as NULL does.
pub(super) fn key(sql: String) -> String {
    let number = sql.trim_matches(|character| "()+- ".contains(character));
    let is_place = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    if is_place { "NULL".to_owned() } else { sql }
}

/// `-term`. Two signs beside each other would begin a comment.
pub(super) fn minus(sql: &str) -> String {
    if sql.starts_with('-') { format!("- {sql}") } else { format!("-{sql}") }
}
