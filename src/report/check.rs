//! What a finished file looks like on its own, as text.

use super::text::{Align, bytes, columns, count, number};
use super::verification::{check_text, foreign_keys, integrity, sentences};
use crate::endpoint::Rejected;
use crate::endpoint::files::source::TreeCheck;
use crate::printable::Lines;
use crate::verify::SHOWN_MAX;
use crate::verify::TableSince;
use crate::verify::file::{FileCheck, Made};
use std::collections::BTreeMap;

/// Everything that was checked, and what was found.
pub fn text(check: &FileCheck) -> Lines {
    let mut text = check.made.as_ref().map_or_else(Lines::new, made);
    text.append(&indexes(check));
    text.append(&integrity(&check.integrity));
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
    text.append(&since(check));
    for left_out in &check.not_checked {
        text.line(format_args!("not checked: {left_out}"));
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
    if check.damages() + check.changes() > 0 {
        text.append(&since(check));
    }
    text
}

fn made(made: &Made) -> Lines {
    let Made { tool, source, finished_at, digest } = made;
    let digest = digest.as_ref().map_or_else(String::new, |digest| format!(", digest {digest}"));
    Lines::of(format_args!("made by {tool} from {source} at {finished_at}{digest}"))
}

/// The indexes by table, and how many there are.
fn indexes(check: &FileCheck) -> Lines {
    let mut tables: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for index in &check.indexes {
        let unique = if index.unique { " (unique)" } else { "" };
        tables.entry(&index.table).or_default().push(format!("`{}`{unique}", index.name));
    }
    let tables: Vec<_> =
        tables.into_iter().map(|(table, indexes)| format!("`{table}`: {}", indexes.join(", "))).collect();
    let mut text = Lines::of(format_args!("indexes: {}", number(check.indexes.len() as u64)));
    tables.iter().take(SHOWN_MAX).for_each(|table| text.line(format_args!("  {table}")));
    if tables.len() > SHOWN_MAX {
        text.line(format_args!(
            "  … and those of {} more",
            count((tables.len() - SHOWN_MAX) as u64, "table", "tables")
        ));
    }
    text
}

/// What is damaged, and what has changed since the file was made.
fn since(check: &FileCheck) -> Lines {
    let differences = |damage: bool| check.record.iter().filter(move |one| one.damage == damage);
    let damaged = check.tables.iter().filter(|table| table.is_damaged()).map(table);
    let damaged: Vec<_> = damaged.chain(differences(true).map(|one| one.text.clone())).collect();
    let changed = check.tables.iter().filter(|table| table.is_changed()).map(table);
    let changed: Vec<_> = changed.chain(differences(false).map(|one| one.text.clone())).collect();
    let mut text = sentences("DAMAGED", &damaged);
    text.append(&sentences("changed since it was made", &changed));
    if check.is_unchanged() == Some(true) {
        text.line("nothing has changed since it was made");
    }
    text
}

/// What has become of a table, in a sentence.
fn table(table: &TableSince) -> String {
    let name = &table.target;
    let Some(now) = table.rows_now.filter(|_| table.failure.is_none()) else {
        let why = table.failure.as_deref().unwrap_or("it cannot be read");
        return format!("table `{name}` cannot be read back: {why}");
    };
    let then = table.rows_then;
    let rows = match now.cmp(&then) {
        std::cmp::Ordering::Less => format!("{} fewer", count(then - now, "row", "rows")),
        std::cmp::Ordering::Greater => format!("{} more", count(now - then, "row", "rows")),
        std::cmp::Ordering::Equal => "as many rows".to_owned(),
    };
    let values = if table.same_values == Some(true) { "" } else { ", values differ" };
    let ledger = match table.ledger_surplus {
        0 => String::new(),
        entries => format!(", {} of the ledger for values that are gone", count(entries, "entry", "entries")),
    };
    format!("table `{name}`: {rows}{values}{ledger}")
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

/// What a tree is by its layout.
pub fn tree(found: &TreeCheck) -> Lines {
    let head = ["kind", "files", "size", "records", "of records alone", "with residue", "residue"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for kind in &found.kinds {
        rows.push(vec![
            kind.kind.clone(),
            number(kind.files),
            bytes(kind.bytes),
            number(kind.records),
            number(kind.of_records),
            number(kind.files - kind.of_records),
            bytes(kind.residue_bytes),
        ]);
    }
    use Align::{Left, Right};
    let mut text = columns("", &[Left, Right, Right, Right, Right, Right, Right], &rows);
    if found.kept.files > 0 {
        let files = count(found.kept.files, "file", "files");
        text.line(format_args!("kept as bytes: {files}, {}", bytes(found.kept.bytes)));
    }
    text.append(&rejected(&found.rejected));
    text
}

/// The files that are not what their layout says, one line each.
pub fn rejected(rejected: &[Rejected]) -> Lines {
    let mut text = Lines::new();
    for Rejected { path, line, column, reason, .. } in rejected {
        text.line(format_args!("  {path}, line {line}, column {column}: {reason}"));
    }
    text
}
