//! The way home, as text: what a database is to get, and what a run did.

use super::text::{Align, columns, count, duration, number};
use super::{outcome, plan, verification};
use crate::endpoint::postgres::Undone;
use crate::plan::home::Definition;
use crate::printable::Lines;
use crate::to_postgres::{Outcome, Since};
use crate::transfer::run::Planned;

/// The whole plan.
pub fn plan(planned: &Planned, target: &str) -> Lines {
    let Planned { source, catalog, plan } = planned;
    let mut text = Lines::of(format_args!("plan: {source} (of {}) to {target}", catalog.engine));
    let Some(home) = &plan.home else { return text };
    text.line(format_args!(
        "{}; {} before the rows, {} over them",
        count(plan.tables.len() as u64, "table", "tables"),
        count(home.before.len() as u64, "statement", "statements"),
        number(home.after.len() as u64)
    ));
    text.append(&definitions("before the rows:", &home.before));
    text.append(&definitions("over the rows:", &home.after));
    text.append(&plan::losses(&plan.losses));
    text.append(&plan::caveats(&plan.caveats));
    text.append(&plan::refusals(&plan.refusals));
    text
}

fn definitions(head: &str, definitions: &[Definition]) -> Lines {
    let mut text = Lines::new();
    if !definitions.is_empty() {
        text.blank();
        text.line(head);
        definitions.iter().for_each(|definition| text.sql("  ", &format!("{};", definition.sql)));
    }
    text
}

/// How a table stands to what it was when its file was made.
pub fn since_words(since: Since) -> &'static str {
    match since {
        Since::AsMade => "as it was made",
        Since::Changed => "changed since",
        Since::New => "new since",
    }
}

/// The whole report.
pub fn outcome(outcome: &Outcome, since: &[Since]) -> Lines {
    let mut text = Lines::new();
    text.line(format_args!("source   {} (of {})", outcome.source, outcome.engine));
    let published = if outcome.published.is_some() { "" } else { ", nothing committed" };
    text.line(format_args!("target   {}{published}", outcome.target.trim_matches('`')));
    text.line(format_args!("verify   {}", outcome::level(outcome.verification.level)));
    text.blank();
    let mut rows = vec![["table", "target", "rows", "in the file", "verified"].map(str::to_owned).to_vec()];
    let tables = outcome.plan.tables.iter().zip(&outcome.verification.tables).zip(since);
    for ((table, check), since) in tables {
        rows.push(vec![
            table.source.to_string(),
            table.target.clone(),
            check.target_rows.map_or_else(|| "?".to_owned(), number),
            since_words(*since).to_owned(),
            verification::verified(check).to_owned(),
        ]);
    }
    use Align::{Left, Right};
    text.append(&columns("", &[Left, Left, Right, Left, Left], &rows));
    text.blank();
    let times = &outcome.durations;
    let all = times.plan + times.copy + times.finish + times.verify + times.publish;
    let rows: u64 = outcome.copied.iter().map(|one| one.digest.rows).sum();
    let rate = (rows as f64 / times.copy.as_secs_f64().max(0.001)) as u64;
    text.line(format_args!(
        "{} in {}; time: plan {}, copy {} ({} rows a second), keys and indexes {}, verify {}, commit {}; {} in all",
        count(rows, "row", "rows"),
        count(outcome.plan.tables.len() as u64, "table", "tables"),
        duration(times.plan),
        duration(times.copy),
        number(rate),
        duration(times.finish),
        duration(times.verify),
        duration(times.publish),
        duration(all),
    ));
    text.append(&verification::findings(&outcome.verification));
    text.append(&plan::losses(&outcome.plan.losses));
    text.append(&plan::caveats(&outcome.plan.caveats));
    text.blank();
    match &outcome.published {
        Some(published) => text.line(match published.run {
            Some(run) => format!("committed; the schema `_whimbrel` remembers it as run {run}"),
            None => "committed; the database does not remember the run".to_owned(),
        }),
        None if outcome.dry_run && outcome.verification.is_sound() => {
            text.line("dry run: everything was done but the commit; the database is what it was before");
        }
        None => text.line("NOTHING COMMITTED: the database differs from its source; it is what it was before"),
    }
    text
}

/// So many objects.
pub fn objects(number: usize) -> String {
    count(number as u64, "object", "objects")
}

/// What was taken back of a database.
pub fn undone(undone: &Undone) -> Lines {
    let removed = objects(undone.removed.len());
    let mut text = Lines::of(format_args!("{}: run {} taken back, {removed} removed", undone.target, undone.run));
    if !undone.kept.is_empty() {
        text.line(format_args!("kept ({}):", number(undone.kept.len() as u64)));
        undone.kept.iter().for_each(|kept| text.line(format_args!("  {}: {}", kept.object, kept.why)));
    }
    text
}
