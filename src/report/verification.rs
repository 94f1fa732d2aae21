//! What a verification found, as text: bounded lists, exact totals.

use super::text::{Align, columns, count, number};
use crate::endpoint::findings::{CheckOutcome, ForeignKeys, Integrity, Keeper, OrphanCause};
use crate::endpoint::inexact;
use crate::metadata::tree::is_of_tree;
use crate::printable::Lines;
use crate::verify::diff::{Differences, RowDifferenceKind};
use crate::verify::{Level, SHOWN_MAX, TableCheck, Verification};

/// What was checked of each table, and what was found.
pub fn text(verification: &Verification) -> Lines {
    let mut text = tables(&verification.tables);
    text.blank();
    text.append(&findings(verification));
    text
}

fn tables(tables: &[TableCheck]) -> Lines {
    let mut rows = vec![["table", "source rows", "target rows", "values"].map(str::to_owned).to_vec()];
    for table in tables {
        rows.push(vec![
            table.source.to_string(),
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

/// What a verification that found nothing says of the target: no more than what was compared.
pub fn conclusion(verification: &Verification) -> &'static str {
    match (verification.level, verification.inexact.is_empty()) {
        (Level::Counts, _) => "each table of the target has as many rows as its source; values were not compared",
        (_, false) => "the target holds what its columns can hold of its source; the values above are more than that",
        (_, true) => "the target holds what its source holds",
    }
}

/// What a comparison of two sources that found nothing says.
pub const CONCLUSION_OF_TWO: &str = "both have the same tables, and what was compared of them is the same";

/// Everything that was found, and what was not checked.
pub fn findings(verification: &Verification) -> Lines {
    let mut text = tables_and_schema(verification);
    if let Some(keys) = &verification.findings.foreign_keys {
        text.append(&foreign_keys(keys));
    }
    if let Some(found) = &verification.findings.integrity {
        text.append(&integrity(found));
    }
    if let Some(found) = &verification.findings.source_integrity {
        text.append(&integrity_of(SOURCE_INTEGRITY, found));
    }
    for check in &verification.findings.checks {
        text.append(&check_text(check));
    }
    if let Some(digest) = &verification.findings.manifest_digest {
        text.line(format_args!("remembers: digest {digest}"));
    }
    for left_out in &verification.findings.not_checked {
        text.line(format_args!("not checked: {left_out}"));
    }
    text
}

/// What is wrong, and nothing else.
pub fn differences(verification: &Verification) -> Lines {
    let mut text = tables_and_schema(verification);
    if let Some(keys) = verification.findings.foreign_keys.as_ref().filter(|keys| !keys.is_sound()) {
        text.append(&foreign_keys(keys));
    }
    if let Some(found) = verification.findings.integrity.as_ref().filter(|found| !found.is_sound()) {
        text.append(&integrity(found));
    }
    if let Some(found) = verification.findings.source_integrity.as_ref().filter(|found| !found.is_sound()) {
        text.append(&integrity_of(SOURCE_INTEGRITY, found));
    }
    for check in verification.findings.checks.iter().filter(|check| check.violations > 0) {
        text.append(&check_text(check));
    }
    text
}

fn tables_and_schema(verification: &Verification) -> Lines {
    let mut text = Lines::new();
    for table in verification.tables.iter().filter(|table| !table.is_sound()) {
        text.append(&table_findings(table));
    }
    if !verification.inexact.is_empty() {
        let values = count(inexact::total(&verification.inexact), "value holds", "values hold");
        text.line(format_args!("NOT EXACT: {values} less than the source, and no ledger keeps the rest"));
    }
    for column in verification.inexact.iter().take(SHOWN_MAX) {
        let values = count(column.values, "value", "values");
        text.line(format_args!(
            "  column `{}.{}`: {values}, the first in row {}: `{}`",
            column.table, column.column, column.row, column.value
        ));
    }
    more(&mut text, verification.inexact.len() as u64, SHOWN_MAX);
    text.append(&sentences("the schema differs", &verification.findings.objects));
    let found: Vec<_> = verification.findings.record.iter().map(|difference| &difference.text).collect();
    text.append(&sentences("not what it was when the file was finished", &found));
    text
}

/// A heading with the number of sentences, and the first of them; nothing where there is none.
pub fn sentences(heading: &str, found: &[impl AsRef<str>]) -> Lines {
    let mut text = Lines::new();
    if found.is_empty() {
        return text;
    }
    text.line(format_args!("{heading} ({}):", number(found.len() as u64)));
    for sentence in found.iter().take(SHOWN_MAX) {
        text.line(format_args!("  {}", sentence.as_ref()));
    }
    more(&mut text, found.len() as u64, SHOWN_MAX);
    text
}

fn table_findings(table: &TableCheck) -> Lines {
    let name = table.source.to_string();
    if let Some(failure) = &table.failure {
        return Lines::of(format_args!("table `{name}` cannot be read back: {failure}"));
    }
    let rows = table.target_rows.map_or_else(|| "?".to_owned(), number);
    let mut text = Lines::of(format_args!(
        "table `{name}` differs: {} in the source, {rows} in the target",
        count(table.source_rows, "row", "rows")
    ));
    if table.source_agrees() == Some(false) {
        text.line("  the digest that the source computed by itself is another one");
    }
    match &table.differences {
        Some(differences) if differences.total() == 0 => {
            text.line("  no row differs when the source is read again");
        }
        Some(differences) => {
            if differences.misread {
                text.line(
                    "  reading the source again gives what the target has: the program or the wire misreads it each time",
                );
            }
            text.append(&differing_rows(differences, is_of_tree(&table.source.name)));
        }
        None if table.same_values == Some(false) => text.line("  its digests differ"),
        None => {}
    }
    if table.ledger_surplus > 0 {
        let entries = count(table.ledger_surplus, "entry", "entries");
        text.line(format_args!("  the ledger has {entries} that say nothing about any of its values"));
    }
    text
}

/// What it means where a hash, or bytes that only this program reads, differ in what is remembered of a tree.
fn in_words(column: &str) -> Option<&'static str> {
    match column {
        "hash" => Some("the bytes of the file are others"),
        "records" => Some("its records are others, or in another order"),
        "bytes" => {
            Some("what its records do not tell is other: spacing, the order of keys, comments, the spelling of values")
        }
        _ => None,
    }
}

fn differing_rows(differences: &Differences, of_tree: bool) -> Lines {
    let Differences { missing, surplus, changed, rows, misread: _ } = differences;
    let mut text = Lines::of(format_args!(
        "  {} changed, {} missing from the target, {} in the target only",
        number(*changed),
        number(*missing),
        number(*surplus)
    ));
    for row in rows {
        let key = &row.key;
        match row.kind {
            RowDifferenceKind::Missing => text.line(format_args!("  row {key}: missing from the target")),
            RowDifferenceKind::Surplus => text.line(format_args!("  row {key}: in the target only")),
            RowDifferenceKind::Changed => {
                text.line(format_args!("  row {key}:"));
            }
        }
        for column in &row.columns {
            if let Some(words) = of_tree.then(|| in_words(&column.column)).flatten() {
                text.line(format_args!("    {words}"));
                continue;
            }
            let value =
                |side: &Option<String>| side.as_deref().map_or_else(|| "NULL".to_owned(), |value| format!("`{value}`"));
            text.line(format_args!(
                "    column `{}`: source {}, target {}",
                column.column,
                value(&column.source),
                value(&column.target)
            ));
        }
    }
    let total = missing + surplus + changed;
    let shown = rows.len() as u64;
    if total > shown {
        text.line(format_args!("  … and {} more", number(total - shown)));
    }
    text
}

/// Foreign keys in one line, and what is wrong with them.
pub fn foreign_keys(keys: &ForeignKeys) -> Lines {
    if keys.is_sound() {
        return Lines::of("foreign keys: every row has its parent");
    }
    let unusable = count(keys.unusable.len() as u64, "table whose references", "tables whose references");
    let mut text = match keys.total {
        0 => Lines::of(format_args!("foreign keys: {unusable} cannot be checked")),
        total => Lines::of(format_args!("foreign keys: {} without parent", count(total, "row", "rows"))),
    };
    for orphan in &keys.orphans {
        let row = orphan.place();
        let key = orphan.columns.join(", ");
        let values = orphan.values.as_ref().map_or_else(String::new, |values| format!(" = {values}"));
        let (table, parent) = (&orphan.table, &orphan.parent);
        text.line(format_args!("  table `{table}`{row}: column `{key}`{values} has no parent in `{parent}`"));
    }
    if let Some(cause) = keys.cause.as_ref().filter(|_| keys.total > 0) {
        text.line(format_args!("  {}", cause_of_orphans(cause)));
    }
    for unusable in &keys.unusable {
        text.line(format_args!("  cannot be checked: {unusable}"));
    }
    more(&mut text, keys.total, keys.orphans.len());
    text
}

fn cause_of_orphans(cause: &OrphanCause) -> String {
    let reason = match cause {
        OrphanCause::LeftOut { parents, .. } => {
            return format!("their parents are left out: not every row of `{}` is carried", parents.join("`, `"));
        }
        OrphanCause::InSource(Keeper::Postgres) => {
            "it lets them stand (NOT VALID, disabled triggers, session_replication_role), or takes values for equal that SQLite does not"
        }
        OrphanCause::InSource(Keeper::Sqlite) => "SQLite asks for parents only where `PRAGMA foreign_keys` is on",
        OrphanCause::InSource(Keeper::Tree) => "no file has what they refer to",
    };
    format!("the source has the same rows: {reason}")
}

/// Structural integrity in one line, and what is wrong with it.
pub fn integrity(found: &Integrity) -> Lines {
    integrity_of("integrity", found)
}

const SOURCE_INTEGRITY: &str = "integrity of the source";

fn integrity_of(subject: &str, integrity: &Integrity) -> Lines {
    if integrity.is_sound() {
        let all = if integrity.unasked.is_empty() { "" } else { " that could be looked at" };
        return Lines::of(format_args!("{subject}: every page, row and index entry{all} is in order"));
    }
    let stopped = if integrity.stopped { " at least" } else { "" };
    let mut text = Lines::of(format_args!("{subject}:{stopped} {}", count(integrity.total, "finding", "findings")));
    for message in &integrity.messages {
        text.line(format_args!("  {}", message));
    }
    more(&mut text, integrity.total, integrity.messages.len());
    text
}

/// One check of the project in one line, and the rows that it returned.
pub fn check_text(check: &CheckOutcome) -> Lines {
    let title =
        if check.title == check.file { check.file.clone() } else { format!("{} ({})", check.file, check.title) };
    if check.violations == 0 {
        return Lines::of(format_args!("check {title}: passed"));
    }
    let mut text = Lines::of(format_args!("check {title}: {}", count(check.violations, "violation", "violations")));
    for row in &check.rows {
        let values: Vec<_> =
            check.columns.iter().zip(row).map(|(column, value)| format!("{column} = {value}")).collect();
        text.line(format_args!("  {}", values.join(", ")));
    }
    more(&mut text, check.violations, check.rows.len());
    text
}

fn more(text: &mut Lines, total: u64, shown: usize) {
    let rest = total.saturating_sub(shown as u64);
    if rest > 0 {
        text.line(format_args!("  … and {} more", number(rest)));
    }
}
