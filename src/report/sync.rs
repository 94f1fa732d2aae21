//! What a sync has found and done, as text.

use super::text::{Align, columns, count, number};
use crate::endpoint::Rejected;
use crate::printable::Lines;
use crate::sync::{Change, Outcome, Synced, SyncedRecord, Which};

/// So many records of each outcome are told one by one; `--json` has more.
const TOLD_MAX: usize = 20;

/// All of it.
pub fn text(synced: &Synced) -> Lines {
    let mut text = Lines::new();
    if !synced.tables.is_empty() {
        text.append(&tables(synced));
        text.blank();
    }
    let outcomes = [
        (Outcome::Files, "changed in files"),
        (Outcome::Rows, "changed in rows"),
        (Outcome::Alike, "changed alike on both sides"),
    ];
    for (outcome, title) in outcomes {
        text.append(&records(synced, outcome, title));
    }
    text.append(&left(synced));
    entries(synced, &mut text);
    set_aside(synced, &mut text);
    let read = count(synced.files_read, "file was read", "files were read");
    let rows = if synced.rows_read { "and every row" } else { "and no row: nobody has written to the file since" };
    text.line(format_args!("{read} to find changes, {rows}"));
    text.line(conclusion(synced));
    text
}

/// What was left as it is, and nothing else.
pub fn left(synced: &Synced) -> Lines {
    let mut text = records(synced, Outcome::Conflict, "in conflict, and left as they are");
    text.append(&records(
        synced,
        Outcome::Unwritable,
        "changed in rows in a way that no file can say, and left as they are",
    ));
    if synced.unsaid_count > 0 {
        text.line(format_args!("{} that no file says:", count(synced.unsaid_count, "value", "values")));
        for unsaid in synced.unsaid.iter().take(TOLD_MAX) {
            let (table, key, column, value) = (&unsaid.table, &unsaid.key, &unsaid.column, &unsaid.value);
            let goes = if unsaid.goes { ", and goes with its row" } else { "" };
            text.line(format_args!("  {table} {key}: column `{column}` is `{value}` in rows{goes}"));
        }
        more(synced.unsaid_count, &mut text);
    }
    text
}

fn tables(synced: &Synced) -> Lines {
    let titles = ["table", "files", "rows", "alike", "conflicts", "not writable"].map(str::to_owned).to_vec();
    let rows = synced.tables.iter().map(|table| {
        let counts = [table.files, table.rows, table.alike, table.conflicts, table.unwritable].map(number);
        [vec![table.table.clone()], counts.to_vec()].concat()
    });
    let rows: Vec<Vec<String>> = [titles].into_iter().chain(rows).collect();
    let align = [Align::Left, Align::Right, Align::Right, Align::Right, Align::Right, Align::Right];
    columns("", &align, &rows)
}

fn records(synced: &Synced, outcome: Outcome, title: &str) -> Lines {
    let mut text = Lines::new();
    let all = synced.tables.iter().map(|table| match outcome {
        Outcome::Files => table.files,
        Outcome::Rows => table.rows,
        Outcome::Alike => table.alike,
        Outcome::Conflict => table.conflicts,
        Outcome::Unwritable => table.unwritable,
    });
    let all: u64 = all.sum();
    if all == 0 {
        return text;
    }
    text.line(format_args!("{title}:"));
    for record in synced.records.iter().filter(|record| record.outcome == outcome).take(TOLD_MAX) {
        text.append(&describe(record));
    }
    more(all, &mut text);
    text
}

fn more(all: u64, text: &mut Lines) {
    if let Some(more) = all.checked_sub(TOLD_MAX as u64).filter(|more| *more > 0) {
        text.line(format_args!("  and {} more; `--json` tells the first 1,000", number(more)));
    }
}

fn describe(record: &SyncedRecord) -> Lines {
    let what = match record.outcome {
        Outcome::Files => word(record.files).to_owned(),
        Outcome::Rows => word(record.rows).to_owned(),
        Outcome::Alike | Outcome::Conflict | Outcome::Unwritable => {
            format!("{} in files, {} in rows", word(record.files), word(record.rows))
        }
    };
    let preferred = match record.preferred {
        None => "",
        Some(Which::Files) => ", decided for files",
        Some(Which::Rows) => ", decided for rows",
    };
    let path = record.path.as_ref().map_or_else(String::new, |path| format!(" (`{path}`)"));
    let mut text = Lines::of(format_args!("  {} {}: {what}{preferred}{path}", record.table, record.key));
    if let Some(reason) = &record.reason {
        text.line(format_args!("    {reason}"));
    }
    for values in &record.values {
        let value =
            |value: &Option<String>| value.as_ref().map_or_else(|| "nothing".to_owned(), |value| format!("`{value}`"));
        let (files, rows) = (value(&values.files), value(&values.rows));
        text.line(format_args!("    column `{}`: files {files}, rows {rows}", values.column));
    }
    text
}

fn word(change: Change) -> &'static str {
    match change {
        Change::Same => "as it was",
        Change::Created => "created",
        Change::Changed => "changed",
        Change::Deleted => "deleted",
        Change::Absent => "not there",
    }
}

fn entries(synced: &Synced, text: &mut Lines) {
    if synced.entries.is_empty() {
        return;
    }
    text.line("what else has changed in the tree:");
    for entry in synced.entries.iter().take(TOLD_MAX) {
        text.line(format_args!("  `{}`: {}", entry.path, word(entry.change)));
    }
    more(synced.entries.len() as u64, text);
}

fn set_aside(synced: &Synced, text: &mut Lines) {
    if synced.set_aside.is_empty() {
        return;
    }
    text.line(format_args!("set aside still, and in no row ({}):", number(synced.set_aside.len() as u64)));
    for Rejected { path, line, column, reason, .. } in synced.set_aside.iter().take(TOLD_MAX) {
        text.line(format_args!("  `{path}`, line {line}, column {column}: {reason}"));
    }
    more(synced.set_aside.len() as u64, text);
}

fn conclusion(synced: &Synced) -> String {
    let is_nothing = synced.tables.is_empty() && synced.entries.is_empty() && synced.rows_written == 0;
    let files = synced.files_written + synced.files_removed;
    let (rows, files) = (count(synced.rows_written, "row", "rows"), count(files, "file", "files"));
    let left = synced.left() + synced.unsaid_count;
    match (synced.dry_run, is_nothing) {
        (_, true) if left == 0 => "both sides are equal".to_owned(),
        (true, _) => format!("dry run: nothing was changed; {rows} and {files} would be"),
        (false, _) if left == 0 => {
            format!("both sides are equal again, by their digests: {rows} and {files} were changed")
        }
        (false, _) => format!("both sides are equal but for what is told above: {rows} and {files} were changed"),
    }
}
