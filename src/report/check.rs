//! What a finished file looks like on its own, as text.

use super::text::{count, number, one_line};
use super::verification::{check_text, foreign_keys, integrity};
use crate::recheck::file::FileCheck;
use std::fmt::Write;

/// Everything that was checked, and what was found.
pub fn text(check: &FileCheck) -> String {
    let mut text = integrity(&check.integrity);
    text.push_str(&foreign_keys(&check.foreign_keys));
    let columns = check.json.len() as u64;
    let invalid: u64 = check.json.iter().map(|column| column.invalid).sum();
    match (columns, invalid) {
        (0, _) => text.push_str("JSON: no column has to hold it\n"),
        (_, 0) => {
            let _ = writeln!(text, "JSON: every value of {} is valid", count(columns, "column", "columns"));
        }
        _ => {
            let _ = writeln!(text, "JSON: {} not valid", count(invalid, "value is", "values are"));
        }
    }
    text.push_str(&invalid_json(check));
    for check in &check.checks {
        text.push_str(&check_text(check));
    }
    text
}

/// What is wrong, and nothing else.
pub fn differences(check: &FileCheck) -> String {
    let mut text = String::new();
    if !check.integrity.is_sound() {
        text.push_str(&integrity(&check.integrity));
    }
    if !check.foreign_keys.is_sound() {
        text.push_str(&foreign_keys(&check.foreign_keys));
    }
    let columns = invalid_json(check);
    if !columns.is_empty() {
        let _ = write!(text, "JSON: not valid:\n{columns}");
    }
    for check in check.checks.iter().filter(|check| check.violations > 0) {
        text.push_str(&check_text(check));
    }
    text
}

fn invalid_json(check: &FileCheck) -> String {
    let mut text = String::new();
    for column in check.json.iter().filter(|column| column.invalid > 0) {
        let _ = writeln!(text, "  `{}.{}`: {}", column.table, column.column, number(column.invalid));
        for example in &column.examples {
            let _ = writeln!(text, "    {}", one_line(example));
        }
    }
    text
}
