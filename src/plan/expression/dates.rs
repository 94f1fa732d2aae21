//! The order of dates and times that are kept as text.
//!
//! As text they sort as time does in the years 1 to 9999 only. In a CHECK or a generated column that is not enough: a
//! valid row of the year 10000 would be refused, or get another value. There the comparison is written so that it holds
//! for every date that PostgreSQL has: before the year 1 (`0044-03-15 BC`), after 9999, and both infinities.

use super::Refusal;
use super::kind::Kind;
use super::render;
use super::term::Term;
use super::translate::{Purpose, Translator};

/// A day beyond both ends of PostgreSQL's calendar, as [`key`] counts.
const INFINITY: i64 = 9_000_000_000;

impl Translator<'_> {
    /// Whether a comparison has to hold for every date, not only for those that sort as text.
    pub fn dates_have_to_be_exact(&self) -> bool {
        matches!(self.purpose, Purpose::Check | Purpose::Generated)
    }

    /// `left operator right` of two dates, or of two times that are kept as ISO 8601; the operator is one of
    /// `< <= > >=`.
    pub fn compare_dates(&mut self, left: &Term, operator: &str, right: &Term) -> Result<Term, Refusal> {
        let later = operator.starts_with('>');
        let sql = if ordinary_literal(right) {
            beside_literal(&left.sql, &format!("{} {operator} {}", left.sql, right.sql), later)
        } else if ordinary_literal(left) {
            beside_literal(&right.sql, &format!("{} {operator} {}", left.sql, right.sql), !later)
        } else if left.kind == Kind::Date {
            format!("({} {operator} {})", key(&left.sql), key(&right.sql))
        } else {
            return Err(Refusal::new(
                "it compares times kept as text, which sort correctly in the years 1 to 9999 only",
            ));
        };
        Ok(Term::from_parts(sql, Kind::Boolean, &[left, right]))
    }
}

/// A literal of the years 1 to 9999.
fn ordinary_literal(term: &Term) -> bool {
    term.text().is_some_and(|text| {
        let year = text.as_bytes().get(..5);
        year.is_some_and(|year| year[..4].iter().all(u8::is_ascii_digit) && year[4] == b'-') && !text.ends_with("BC")
    }) && term.sql == render::text(term.text().unwrap_or_default())
}

/// A comparison with such a literal: as text where the value is of those years too; else the value is earlier than the
/// literal or later, whatever the literal is. `later` says whether a later value passes.
fn beside_literal(value: &str, comparison: &str, later: bool) -> String {
    let not = if later { "NOT " } else { "" };
    format!(
        "(CASE WHEN {value} GLOB '[0-9][0-9][0-9][0-9]-*' AND {value} NOT GLOB '*BC' THEN {comparison} \
         ELSE {not}({value} GLOB '-*' OR {value} GLOB '*BC') END)"
    )
}

/// A date as a number that sorts as dates do: 512 a year and 32 a month leave room for every day; in years before
/// Christ a higher year is an earlier one.
fn key(date: &str) -> String {
    format!(
        "CASE {date} WHEN '-infinity' THEN -{INFINITY} WHEN 'infinity' THEN {INFINITY} ELSE \
         CASE WHEN {date} GLOB '*BC' THEN -512 ELSE 512 END * CAST(substr({date}, 1, instr({date}, '-') - 1) AS INTEGER) \
         + 32 * CAST(substr({date}, instr({date}, '-') + 1, 2) AS INTEGER) \
         + CAST(substr({date}, instr({date}, '-') + 4, 2) AS INTEGER) END"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use rusqlite::Connection;

    /// Dates as PostgreSQL prints them, in its order.
    const DATES: [&str; 15] = [
        "-infinity",
        "4714-11-24 BC",
        "0044-03-15 BC",
        "0044-03-16 BC",
        "0044-11-01 BC",
        "0001-12-31 BC",
        "0001-01-01",
        "1999-12-31",
        "2000-01-01",
        "2000-02-01",
        "9999-12-31",
        "10000-01-01",
        "1722254-07-07",
        "5874897-12-31",
        "infinity",
    ];

    fn answer(sql: &str, left: &str, right: &str) -> Option<bool> {
        let connection = Connection::open_in_memory().unwrap();
        let sql = format!("SELECT {sql} FROM (SELECT {left} AS a, {right} AS b)");
        connection.query_row(&sql, [], |row| row.get(0)).unwrap_or_else(|error| panic!("{error}: {sql}"))
    }

    #[test]
    fn every_pair_of_dates_compares_as_in_postgresql() {
        for (place, left) in DATES.iter().enumerate() {
            for (other, right) in DATES.iter().enumerate() {
                for (operator, expected) in
                    [("<", place < other), ("<=", place <= other), (">", place > other), (">=", place >= other)]
                {
                    let (left, right) = (render::text(left), render::text(right));
                    let by_key = format!("({} {operator} {})", key("a"), key("b"));
                    assert_eq!(answer(&by_key, &left, &right), Some(expected), "{left} {operator} {right}");
                    if (6..=10).contains(&other) {
                        let by_literal = beside_literal("a", &format!("a {operator} b"), operator.starts_with('>'));
                        assert_eq!(answer(&by_literal, &left, &right), Some(expected), "{left} {operator} {right}");
                    }
                }
            }
        }
    }

    #[test]
    fn null_compares_as_null() {
        assert_eq!(answer(&beside_literal("a", "a < b", false), "NULL", "'2000-01-01'"), None);
        assert_eq!(answer(&format!("({} < {})", key("a"), key("b")), "NULL", "'2000-01-01'"), None);
    }
}
