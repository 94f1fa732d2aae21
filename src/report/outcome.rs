//! What a run did, as text in three parts: before, per table, after.

use super::text::{Align, bytes, columns, count, duration, number};
use super::{RunContext, check, plan, verification};
use crate::backup::manifest::Kind;
use crate::endpoint::sqlite::file::shown;
use crate::endpoint::sqlite::target::JournalMode;
use crate::event::Waiting;
use crate::metadata::LEDGER_TABLE;
use crate::printable::Lines;
use crate::quote::shell;
use crate::to_files;
use crate::to_sqlite::Outcome;
use crate::transfer::copy::Copied;
use crate::verify::Level;
use std::path::Path;
use std::time::Duration;

/// The whole report.
pub fn text(outcome: &Outcome, context: &RunContext) -> Lines {
    let mut text = Lines::new();
    text.line(format_args!("source   {} ({})", outcome.source, outcome.engine));
    text.line(format_args!("target   {}{}", shown(&context.target), published(outcome)));
    text.line(format_args!("needs    SQLite {} or later", outcome.plan.needs_sqlite()));
    text.line(format_args!("verify   {}", level(outcome.verification.level)));
    text.blank();
    text.append(&per_table(outcome));
    text.blank();
    text.append(&totals(outcome));
    text.append(&verification::findings(&outcome.verification));
    if context.metadata {
        let entries = count(
            outcome.ledger_entries(),
            "value that its column cannot hold",
            "values that their columns cannot hold",
        );
        match outcome.ledger_entries() {
            0 => text.line("ledger: empty: every value is held by its column"),
            _ => {
                text.line(format_args!("ledger: {entries}, kept exactly in `{LEDGER_TABLE}`"));
            }
        }
    } else {
        text.line("no metadata: no ledger, no manifest; the way back to the source is not kept in the file");
    }
    if !outcome.rejected.is_empty() {
        text.blank();
        text.line(format_args!("set aside ({}):", number(outcome.rejected.len() as u64)));
        text.append(&check::rejected(&outcome.rejected));
    }
    text.append(&plan::losses(&outcome.plan.losses));
    text.append(&plan::caveats(&outcome.plan.caveats));
    text.blank();
    text.append(&ending(outcome, context));
    text
}

/// The whole report on a tree; `backups` is where its archives go, if not beside it.
pub fn tree(outcome: &to_files::Outcome, backups: Option<&Path>) -> Lines {
    let mut text = Lines::new();
    text.line(format_args!("source   {} ({})", outcome.source, outcome.engine));
    let published = if outcome.published.is_some() { "" } else { ", not published" };
    text.line(format_args!("target   {}{published}", outcome.target.trim_matches('`')));
    text.line(format_args!("verify   {}", level(outcome.verification.level)));
    text.blank();
    let mut rows = vec![["table", "target", "rows", "verified"].map(str::to_owned).to_vec()];
    for (table, check) in outcome.plan.tables.iter().zip(&outcome.verification.tables) {
        rows.push(vec![
            table.source.to_string(),
            table.target.clone(),
            check.target_rows.map_or_else(|| "?".to_owned(), number),
            verification::verified(check).to_owned(),
        ]);
    }
    use Align::{Left, Right};
    text.append(&columns("", &[Left, Left, Right, Left], &rows));
    text.blank();
    let times = &outcome.durations;
    let all = times.plan + times.copy + times.finish + times.verify + times.publish;
    text.line(format_args!(
        "{} in {}; {} in all",
        count(outcome.copied.iter().map(|one| one.digest.rows).sum(), "row", "rows"),
        count(outcome.plan.tables.len() as u64, "table", "tables"),
        duration(all),
    ));
    text.append(&verification::findings(&outcome.verification));
    text.append(&plan::losses(&outcome.plan.losses));
    text.append(&plan::caveats(&outcome.plan.caveats));
    text.blank();
    match &outcome.published {
        None if outcome.dry_run && outcome.verification.is_sound() => text.line(DRY_RUN),
        None => text.line("NOT PUBLISHED: the tree differs from its source; the target is what it was before"),
        Some(published) => {
            published.notes.iter().for_each(|note| text.line(format_args!("note: {note}")));
            if !published.durable {
                text.line("note: the directory could not be synced: a power failure now may bring back the old tree");
            }
            let before = match published.backup.kind {
                Kind::Absent => "that there was no tree before".to_owned(),
                Kind::Tree | Kind::Database | Kind::Empty => {
                    format!("the old tree ({})", bytes(published.backup.size_bytes))
                }
            };
            let place = backups.map_or_else(String::new, |directory| format!(" --backups {}", shell(directory)));
            let target = shell(&published.target);
            let id = &published.backup.id;
            text.line(format_args!("backup {id} keeps {before}; to go back: whimbrel rollback {target}{place}"));
        }
    }
    text
}

const DRY_RUN: &str = "dry run: everything was done but publish; the target is what it was before";

/// What a run waits for, among messages of other programs.
pub fn waiting_for(waiting: &Waiting) -> Lines {
    let limit = waiting.left_ms.map(|left_ms| format!(" for at most {}", duration(Duration::from_millis(left_ms))));
    let limit = limit.unwrap_or_default();
    Lines::of(format_args!("whimbrel: waiting for {waiting}; waiting on{limit}, Ctrl-C ends it"))
}

fn published(outcome: &Outcome) -> String {
    match &outcome.published {
        None => ", not published".to_owned(),
        Some(published) => {
            let mode = match published.journal_mode {
                JournalMode::Wal => "WAL",
                JournalMode::Delete => "rollback journal",
            };
            format!(", {}, {mode}", bytes(published.size_bytes))
        }
    }
}

/// What a level checks, in words.
pub fn level(level: Level) -> &'static str {
    match level {
        Level::Counts => "counts: the number of rows of each table",
        Level::Digest => "digest: the number of rows and every value",
        Level::Full => "full: every value, foreign keys, structural integrity, the project's checks",
        Level::Paranoid => {
            "paranoid: all of full, SQLite's own full checks, the source's own digest of each table, its schema read twice"
        }
    }
}

fn per_table(outcome: &Outcome) -> Lines {
    let mut rows =
        vec![["table", "target", "rows", "text and blobs", "exact", "ledger", "verified"].map(str::to_owned).to_vec()];
    let tables = outcome.plan.tables.iter().zip(&outcome.copied).zip(&outcome.verification.tables);
    for ((table, copied), check) in tables {
        rows.push(vec![
            table.source.to_string(),
            table.target.clone(),
            check.target_rows.map_or_else(|| "?".to_owned(), number),
            bytes(copied.bytes),
            exact(copied, outcome.ledger).to_owned(),
            number(if outcome.ledger { copied.inexact_values } else { 0 }),
            verification::verified(check).to_owned(),
        ]);
    }
    use Align::{Left, Right};
    columns("", &[Left, Left, Right, Right, Left, Right, Left], &rows)
}

/// Whether the columns of a table hold every value that was copied.
fn exact(copied: &Copied, ledger: bool) -> &'static str {
    match (copied.inexact_values, ledger) {
        (0, _) => "yes",
        (_, true) => "with ledger",
        (_, false) => "NO",
    }
}

fn totals(outcome: &Outcome) -> Lines {
    let rows = outcome.copied.iter().map(|one| one.digest.rows).sum();
    let size_bytes = outcome.copied.iter().map(|one| one.bytes).sum();
    let times = &outcome.durations;
    let all = times.plan + times.copy + times.finish + times.verify + times.publish;
    let rate = (rows as f64 / times.copy.as_secs_f64().max(0.001)) as u64;
    let mut text = Lines::of(format_args!(
        "{} in {}, {} of text and blobs, {}",
        count(rows, "row", "rows"),
        count(outcome.plan.tables.len() as u64, "table", "tables"),
        bytes(size_bytes),
        objects(outcome),
    ));
    text.line(format_args!(
        "time: plan {}, copy {} ({} rows a second), indexes {}, verify {}, publish {}; {} in all",
        duration(times.plan),
        duration(times.copy),
        number(rate),
        duration(times.finish),
        duration(times.verify),
        duration(times.publish),
        duration(all),
    ));
    text
}

/// What there is besides tables; the plan knows that only of a schema that it has derived.
fn objects(outcome: &Outcome) -> String {
    let plan = &outcome.plan;
    if plan.as_it_stands {
        return "indexes, views and triggers as they stand in the source".to_owned();
    }
    if plan.given_schema {
        return "indexes, views and triggers as the target's own schema has them".to_owned();
    }
    let indexes = plan.tables.iter().map(|table| table.indexes.len() as u64).sum();
    let views = plan.views.len() as u64;
    format!("{}, {}", count(indexes, "index", "indexes"), count(views, "view", "views"))
}

fn ending(outcome: &Outcome, context: &RunContext) -> Lines {
    let Some(published) = &outcome.published else {
        if outcome.dry_run && outcome.verification.is_sound() {
            return Lines::of(DRY_RUN);
        }
        let why = match &outcome.verification {
            found if found.is_sound_but_for_checks() => "a check of the project found rows; nothing else was found",
            found if found.only_lacks_a_ledger() => {
                "columns hold less than the source's values, and nothing keeps the rest"
            }
            found if found.only_repeats_orphans().is_some() => "rows of the source itself have no parent",
            _ => "the copy differs from its source",
        };
        return Lines::of(format_args!("NOT PUBLISHED: {why}; the target is what it was before"));
    };
    let mut text = Lines::new();
    for note in &published.notes {
        text.line(format_args!("note: {note}"));
    }
    if !published.durable {
        text.line("note: the directory could not be synced: a power failure now may bring back the old file");
    }
    let before = match published.backup.kind {
        Kind::Database => format!("the old file ({})", bytes(published.backup.size_bytes)),
        Kind::Tree => format!("the old tree (archived in {})", bytes(published.backup.size_bytes)),
        Kind::Empty => "the old, empty file".to_owned(),
        Kind::Absent => "that there was no file before".to_owned(),
    };
    text.line(format_args!("backup {} keeps {before}; to go back: {}", published.backup.id, context.way_back()));
    text
}
