//! What a finished file looks like on its own, as text.

use super::text::{count, number};
use super::verification::{check_text, foreign_keys, integrity};
use crate::printable::Lines;
use crate::recheck::file::FileCheck;

/// Everything that was checked, and what was found.
pub fn text(check: &FileCheck) -> Lines {
    let mut text = integrity(&check.integrity);
    text.append(&foreign_keys(&check.foreign_keys));
    let columns = check.json.len() as u64;
    let invalid: u64 = check.json.iter().map(|column| column.invalid).sum();
    match (columns, invalid) {
        (0, _) => text.line("JSON: no column has to hold it"),
        (_, 0) => {
            text.line(format_args!("JSON: every value of {} is valid", count(columns, "column", "columns")));
        }
        _ => {
            text.line(format_args!("JSON: {} not valid", count(invalid, "value is", "values are")));
        }
    }
    text.append(&invalid_json(check));
    for check in &check.checks {
        text.append(&check_text(check));
    }
    text
}

/// What is wrong, and nothing else.
pub fn differences(check: &FileCheck) -> Lines {
    let mut text = Lines::new();
    if !check.integrity.is_sound() {
        text.append(&integrity(&check.integrity));
    }
    if !check.foreign_keys.is_sound() {
        text.append(&foreign_keys(&check.foreign_keys));
    }
    let columns = invalid_json(check);
    if !columns.is_empty() {
        text.line("JSON: not valid:");
        text.append(&columns);
    }
    for check in check.checks.iter().filter(|check| check.violations > 0) {
        text.append(&check_text(check));
    }
    text
}

fn invalid_json(check: &FileCheck) -> Lines {
    let mut text = Lines::new();
    for column in check.json.iter().filter(|column| column.invalid > 0) {
        text.line(format_args!("  `{}.{}`: {}", column.table, column.column, number(column.invalid)));
        for example in &column.examples {
            text.line(format_args!("    {}", example));
        }
    }
    text
}
