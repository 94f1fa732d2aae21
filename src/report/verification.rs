//! What a verification found, as text: bounded lists, exact totals.

use super::text::{Align, columns, count, number, one_line};
use crate::verify::checks::CheckOutcome;
use crate::verify::diff::{Differences, RowDifferenceKind};
use crate::verify::structure::{ForeignKeys, Integrity};
use crate::verify::{SHOWN_MAX, TableCheck, Verification};
use std::fmt::Write;

/// What was checked of each table, and what was found.
pub fn text(verification: &Verification) -> String {
    let mut text = tables(&verification.tables);
    text.push('\n');
    text.push_str(&findings(verification));
    text
}

fn tables(tables: &[TableCheck]) -> String {
    let mut rows = vec![["table", "source rows", "target rows", "values"].map(str::to_owned).to_vec()];
    for table in tables {
        rows.push(vec![
            one_line(&table.source.to_string()),
            number(table.source_rows),
            table.target_rows.map_or_else(|| "?".to_owned(), number),
            verified(table).to_owned(),
        ]);
    }
    columns("", &[Align::Left, Align::Right, Align::Right, Align::Left], &rows)
}

/// What verification says of a table in a word or two.
pub fn verified(table: &TableCheck) -> &'static str {
    match (table.is_sound(), table.same_values, table.source_agrees()) {
        (false, ..) => "DIFFERENT",
        (true, Some(true), Some(true)) => "same, by the source too",
        (true, Some(true), _) => "same",
        (true, ..) => "counted only",
    }
}

/// Everything that was found, and what was not checked.
pub fn findings(verification: &Verification) -> String {
    let mut text = tables_and_schema(verification);
    if let Some(keys) = &verification.foreign_keys {
        text.push_str(&foreign_keys(keys));
    }
    if let Some(found) = &verification.integrity {
        text.push_str(&integrity(found));
    }
    for check in &verification.checks {
        text.push_str(&check_text(check));
    }
    for left_out in &verification.not_checked {
        let _ = writeln!(text, "not checked: {left_out}");
    }
    text
}

/// What is wrong, and nothing else.
pub fn differences(verification: &Verification) -> String {
    let mut text = tables_and_schema(verification);
    if let Some(keys) = verification.foreign_keys.as_ref().filter(|keys| !keys.is_sound()) {
        text.push_str(&foreign_keys(keys));
    }
    if let Some(found) = verification.integrity.as_ref().filter(|found| !found.is_sound()) {
        text.push_str(&integrity(found));
    }
    for check in verification.checks.iter().filter(|check| check.violations > 0) {
        text.push_str(&check_text(check));
    }
    text
}

fn tables_and_schema(verification: &Verification) -> String {
    let mut text = String::new();
    for table in verification.tables.iter().filter(|table| !table.is_sound()) {
        text.push_str(&table_findings(table));
    }
    if !verification.objects.is_empty() {
        let _ = writeln!(text, "the schema differs ({}):", number(verification.objects.len() as u64));
        for object in verification.objects.iter().take(SHOWN_MAX) {
            let _ = writeln!(text, "  {}", one_line(object));
        }
        more(&mut text, verification.objects.len() as u64, SHOWN_MAX);
    }
    text
}

fn table_findings(table: &TableCheck) -> String {
    let name = one_line(&table.source.to_string());
    if let Some(failure) = &table.failure {
        return format!("table `{name}` cannot be read back: {failure}\n");
    }
    let rows = table.target_rows.map_or_else(|| "?".to_owned(), number);
    let mut text = format!(
        "table `{name}` differs: {} in the source, {rows} in the target\n",
        count(table.source_rows, "row", "rows")
    );
    if table.source_agrees() == Some(false) {
        text.push_str("  the digest that the source computed by itself is another one\n");
    }
    match &table.differences {
        Some(differences) if differences.total() == 0 => {
            text.push_str(
                "  no row differs when the source is read again: the wire or the program misread it, or still does\n",
            );
        }
        Some(differences) => text.push_str(&differing_rows(differences)),
        None if table.same_values == Some(false) => text.push_str("  its digests differ\n"),
        None => {}
    }
    if table.ledger_surplus > 0 {
        let entries = count(table.ledger_surplus, "entry", "entries");
        let _ = writeln!(text, "  the ledger has {entries} that say nothing about any of its values");
    }
    text
}

fn differing_rows(differences: &Differences) -> String {
    let Differences { missing, surplus, changed, rows } = differences;
    let mut text = format!(
        "  {} changed, {} missing from the target, {} in the target only\n",
        number(*changed),
        number(*missing),
        number(*surplus)
    );
    for row in rows {
        let key = one_line(&row.key);
        match row.kind {
            RowDifferenceKind::Missing => text.push_str(&format!("  row {key}: missing from the target\n")),
            RowDifferenceKind::Surplus => text.push_str(&format!("  row {key}: in the target only\n")),
            RowDifferenceKind::Changed => {
                let _ = writeln!(text, "  row {key}:");
            }
        }
        for column in &row.columns {
            let value = |side: &Option<String>| {
                side.as_deref().map_or_else(|| "NULL".to_owned(), |v| format!("`{}`", one_line(v)))
            };
            let _ = writeln!(
                text,
                "    column `{}`: source {}, target {}",
                one_line(&column.column),
                value(&column.source),
                value(&column.target)
            );
        }
    }
    let total = missing + surplus + changed;
    let shown = rows.len() as u64;
    if total > shown {
        let _ = writeln!(text, "  … and {} more", number(total - shown));
    }
    text
}

/// Foreign keys in one line, and what is wrong with them.
pub fn foreign_keys(keys: &ForeignKeys) -> String {
    if keys.is_sound() {
        return "foreign keys: every row has its parent\n".to_owned();
    }
    let mut text = format!("foreign keys: {} without parent\n", count(keys.total, "row", "rows"));
    for orphan in &keys.orphans {
        let row = orphan.rowid.map_or_else(String::new, |rowid| format!(", rowid {rowid}"));
        let key = orphan.columns.join(", ");
        let _ = writeln!(text, "  table `{}`{row}: column `{key}` has no parent in `{}`", orphan.table, orphan.parent);
    }
    for unusable in &keys.unusable {
        let _ = writeln!(text, "  cannot be checked: {unusable}");
    }
    more(&mut text, keys.total, keys.orphans.len());
    text
}

/// Structural integrity in one line, and what is wrong with it.
pub fn integrity(integrity: &Integrity) -> String {
    if integrity.is_sound() {
        return "integrity: every page, row and index entry is in order\n".to_owned();
    }
    let stopped = if integrity.stopped { " at least" } else { "" };
    let mut text = format!("integrity:{stopped} {}\n", count(integrity.total, "finding", "findings"));
    for message in &integrity.messages {
        let _ = writeln!(text, "  {}", one_line(message));
    }
    more(&mut text, integrity.total, integrity.messages.len());
    text
}

/// One check of the project in one line, and the rows that it returned.
pub fn check_text(check: &CheckOutcome) -> String {
    let title =
        if check.title == check.file { check.file.clone() } else { format!("{} ({})", check.file, check.title) };
    if check.violations == 0 {
        return format!("check {title}: passed\n");
    }
    let mut text = format!("check {title}: {}\n", count(check.violations, "violation", "violations"));
    for row in &check.rows {
        let values: Vec<_> =
            check.columns.iter().zip(row).map(|(column, value)| format!("{column} = {}", one_line(value))).collect();
        let _ = writeln!(text, "  {}", values.join(", "));
    }
    more(&mut text, check.violations, check.rows.len());
    text
}

fn more(text: &mut String, total: u64, shown: usize) {
    let rest = total.saturating_sub(shown as u64);
    if rest > 0 {
        let _ = writeln!(text, "  … and {} more", number(rest));
    }
}
