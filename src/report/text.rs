//! Numbers, sizes, times and columns as people read them.

use crate::printable::{Lines, one_line};
pub use crate::quote::shell;
use std::time::Duration;

/// A number with a comma between thousands.
pub fn number(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number and the word for it: `1 table`, `2 tables`.
pub fn count(value: u64, one: &str, many: &str) -> String {
    format!("{} {}", number(value), if value == 1 { one } else { many })
}

/// A size in bytes, in binary units with one digit.
pub fn bytes(value: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if value < 1024 {
        return format!("{value} B");
    }
    let mut size = value as f64 / 1024.0;
    let mut unit = 0;
    while size >= 1024.0 && unit + 1 < UNITS.len() {
        size /= 1024.0;
        unit += 1;
    }
    format!("{size:.1} {}", UNITS[unit])
}

/// A time span: milliseconds below ten seconds, then seconds, then minutes.
pub fn duration(value: Duration) -> String {
    let seconds = value.as_secs();
    match seconds {
        0..10 => format!("{:.2} s", value.as_secs_f64()),
        10..120 => format!("{:.1} s", value.as_secs_f64()),
        _ => format!("{} min {:02} s", seconds / 60, seconds % 60),
    }
}

/// How a column of a table is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// Rows in columns, two blanks between them, each line behind `indent`. The first row is the head.
pub fn columns(indent: &str, align: &[Align], rows: &[Vec<String>]) -> Lines {
    let shown = |row: &Vec<String>| row.iter().map(|cell| one_line(cell).into_owned()).collect();
    let rows: Vec<Vec<String>> = rows.iter().map(shown).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..align.len()).map(width).collect();
    let mut text = Lines::new();
    for row in &rows {
        let mut line = String::from(indent);
        for ((cell, align), width) in row.iter().zip(align).zip(&widths) {
            match align {
                Align::Left => line.push_str(&format!("{cell:<width$}  ")),
                Align::Right => line.push_str(&format!("{cell:>width$}  ")),
            }
        }
        text.line(line.trim_end());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_read_well() {
        assert_eq!(number(0), "0");
        assert_eq!(number(999), "999");
        assert_eq!(number(1_234_567), "1,234,567");
        assert_eq!(bytes(1023), "1023 B");
        assert_eq!(bytes(1536), "1.5 KiB");
        assert_eq!(bytes(5 << 30), "5.0 GiB");
        assert_eq!(duration(Duration::from_millis(1_234)), "1.23 s");
        assert_eq!(duration(Duration::from_secs(61)), "61.0 s");
        assert_eq!(duration(Duration::from_secs(3_723)), "62 min 03 s");
        assert_eq!(count(1, "row", "rows"), "1 row");
    }
}
