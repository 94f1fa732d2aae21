//! A plan as text: what will run, in its order, and everything that it gives up.

use super::remainder;
use super::text::{Align, bytes, columns, count, number};
use crate::endpoint::sqlite::file::{Content, TargetFile};
use crate::error::Error;
use crate::plan::{Caveat, ColumnPlan, Loss, Plan, Refusal, TablePlan};
use crate::printable::Lines;
use crate::project::{From, Origin};
use std::collections::HashSet;
use std::fmt::Write;

/// What is at the target's path now, and what a run does with it, as one line.
pub fn target(file: &TargetFile) -> Lines {
    Lines::of(match file.content {
        Content::Missing => "target: there is no such file yet",
        Content::Empty | Content::Database { .. } | Content::Foreign => {
            "target: a file is there and will be replaced, after a backup"
        }
    })
}

/// The error for a plan whose refusals have been told already, one per line; with one, it is told again.
pub fn undecided(error: Error, refusals: &[Refusal]) -> Error {
    match refusals.len() {
        0 | 1 => error,
        more => Error::usage(error.operation(), "", format!("{} things have to be decided first", number(more as u64)))
            .hint("they are listed above, each with its way out"),
    }
}

/// Where the values of settings are from that name a variable of the environment, one line each.
pub fn origins(origins: &[Origin]) -> Lines {
    let mut text = Lines::new();
    for Origin { key, variable, from } in origins {
        text.line(match from {
            From::Environment => format!("`{key}` is what the variable `{variable}` holds"),
            From::Default => format!("`{key}` is the project's default: the variable `{variable}` is not set"),
            From::Nothing => format!("`{key}` has no value: the variable `{variable}` is not set"),
        });
    }
    text
}

/// The whole plan.
pub fn text(source: &str, engine: &str, target: &str, plan: &Plan) -> Lines {
    let mut text = Lines::of(format_args!("plan: {source} ({engine}) to {target}"));
    let tables = count(plan.tables.len() as u64, "table", "tables");
    if plan.as_it_stands {
        text.line(format_args!("{tables}; every definition goes along as it stands in the source"));
    } else if plan.given_schema {
        text.line(format_args!("{tables}; the target's schema is given, its indexes, views and triggers with it"));
    } else {
        let indexes = count(plan.tables.iter().map(|table| table.indexes.len() as u64).sum(), "index", "indexes");
        let views = count(plan.views.len() as u64, "view", "views");
        text.line(format_args!("{tables}, {indexes}, {views}; the target's schema is derived from the source"));
    }
    text.line(format_args!("the file needs SQLite {} or later", plan.needs_sqlite()));
    for (place, table) in plan.tables.iter().enumerate() {
        text.blank();
        text.append(&table_text(place + 1, table, plan.as_it_stands));
    }
    if !plan.tables.iter().all(|table| table.indexes.is_empty()) || !plan.views.is_empty() {
        text.blank();
        text.line("after the rows:");
        for index in plan.tables.iter().flat_map(|table| &table.indexes) {
            text.sql("  ", &format!("{};", index.sql));
        }
        for view in &plan.views {
            text.sql("  ", &format!("{};", view.sql));
        }
    }
    text.append(&losses(&plan.losses));
    text.append(&caveats(&plan.caveats));
    text.append(&refusals(&plan.refusals));
    text
}

fn table_text(place: usize, table: &TablePlan, as_it_stands: bool) -> Lines {
    let mut head = format!("{place}. {} to `{}`", table.source, table.target);
    if table.row_estimate >= 0 {
        let _ = write!(head, ", about {}", count(table.row_estimate.unsigned_abs(), "row", "rows"));
    }
    if table.size_bytes > 0 {
        let _ = write!(head, ", {} in the source", bytes(table.size_bytes.unsigned_abs()));
    }
    let mut text = Lines::of(head);
    let mut rows = vec![["column", "target", "type", "rule", "exact"].map(str::to_owned).to_vec()];
    for column in &table.columns {
        let target = if column.target == column.source { String::new() } else { column.target.clone() };
        rows.push(vec![
            column.source.clone(),
            target,
            column.type_name.clone(),
            if as_it_stands { "as it stands" } else { column.representation.name() }.to_owned(),
            exactness(column),
        ]);
    }
    if rows.iter().skip(1).all(|row| row[1].is_empty()) {
        rows.iter_mut().for_each(|row| {
            row.remove(1);
        });
    }
    let align = vec![Align::Left; rows[0].len()];
    text.append(&columns("   ", &align, &rows));
    if let Some(ddl) = &table.ddl {
        text.sql("   ", &format!("{};", ddl.sql()));
    }
    if let Some(last) = table.last_number {
        text.line(format_args!("   new keys go on after {}", number(last.unsigned_abs())));
    }
    text
}

fn exactness(column: &ColumnPlan) -> String {
    let computed = if column.computed { ", computed by the target" } else { "" };
    match column.remainder {
        None => format!("yes{computed}"),
        Some(remainder) => format!("with ledger: {}{computed}", remainder::words(remainder)),
    }
}

/// What is not carried, with its reason.
pub fn losses(losses: &[Loss]) -> Lines {
    let mut text = Lines::new();
    if !losses.is_empty() {
        text.blank();
        text.line(format_args!("not carried ({}):", number(losses.len() as u64)));
        for loss in losses {
            text.line(format_args!("  {} {}: {}", loss.kind, loss.object, loss.reason));
        }
    }
    text
}

/// What is carried and behaves differently in a corner.
pub fn caveats(caveats: &[Caveat]) -> Lines {
    let mut text = Lines::new();
    // What several objects share is told once.
    let mut told = HashSet::new();
    let caveats: Vec<_> = caveats.iter().filter(|caveat| told.insert((&caveat.object, &caveat.text))).collect();
    if !caveats.is_empty() {
        text.blank();
        text.line(format_args!("to know ({}):", number(caveats.len() as u64)));
        for caveat in caveats {
            text.line(format_args!("  {}: {}", caveat.object, caveat.text));
        }
    }
    text
}

/// What stops the run until somebody decides.
pub fn refusals(refusals: &[Refusal]) -> Lines {
    let mut text = Lines::new();
    if !refusals.is_empty() {
        text.blank();
        text.line(format_args!("to decide before it can run ({}):", number(refusals.len() as u64)));
        for refusal in refusals {
            text.line(format_args!("  {}: {}", refusal.object(), refusal.reason()));
            text.line(format_args!("    {}", refusal.way_out()));
        }
    }
    text
}
