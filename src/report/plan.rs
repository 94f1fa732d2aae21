//! A plan as text: what will run, in its order, and everything that it gives up.

use super::text::{Align, bytes, columns, count, number, one_line};
use crate::endpoint::sqlite::file::{Content, TargetFile};
use crate::error::Error;
use crate::plan::{Caveat, ColumnPlan, Loss, Plan, Refusal, TablePlan};
use std::collections::HashSet;
use std::fmt::Write;

/// What is at the target's path now, and what a run does with it, as one line.
pub fn target(file: &TargetFile) -> String {
    match file.content {
        Content::Missing => "target: there is no such file yet\n".to_owned(),
        _ => "target: a file is there and will be replaced, after a backup\n".to_owned(),
    }
}

/// The error for a plan whose refusals have been told already, one per line; with one, it is told again.
pub fn undecided(error: Error, refusals: &[Refusal]) -> Error {
    match refusals.len() {
        0 | 1 => error,
        more => Error::usage(error.operation(), "", format!("{} things have to be decided first", number(more as u64)))
            .hint("they are listed above, each with its way out"),
    }
}

/// The whole plan.
pub fn text(source: &str, engine: &str, target: &str, plan: &Plan) -> String {
    let mut text = format!("plan: {source} ({engine}) to {target}\n");
    let tables = count(plan.tables.len() as u64, "table", "tables");
    let _ = if plan.given_schema {
        writeln!(text, "{tables}; the target's schema is given, its indexes, views and triggers with it")
    } else {
        let indexes = count(plan.tables.iter().map(|table| table.indexes.len() as u64).sum(), "index", "indexes");
        let views = count(plan.views.len() as u64, "view", "views");
        writeln!(text, "{tables}, {indexes}, {views}; the target's schema is derived from the source")
    };
    for (place, table) in plan.tables.iter().enumerate() {
        text.push('\n');
        text.push_str(&table_text(place + 1, table));
    }
    if !plan.tables.iter().all(|table| table.indexes.is_empty()) || !plan.views.is_empty() {
        text.push_str("\nafter the rows:\n");
        for index in plan.tables.iter().flat_map(|table| &table.indexes) {
            let _ = writeln!(text, "  {};", index.sql.replace('\n', "\n  "));
        }
        for view in &plan.views {
            let _ = writeln!(text, "  {};", view.sql.replace('\n', "\n  "));
        }
    }
    text.push_str(&losses(&plan.losses));
    text.push_str(&caveats(&plan.caveats));
    text.push_str(&refusals(&plan.refusals));
    text
}

fn table_text(place: usize, table: &TablePlan) -> String {
    let mut text = format!("{place}. {} to `{}`", table.source, table.target);
    if table.row_estimate >= 0 {
        let _ = write!(text, ", about {}", count(table.row_estimate.unsigned_abs(), "row", "rows"));
    }
    if table.size_bytes > 0 {
        let _ = write!(text, ", {} in the source", bytes(table.size_bytes.unsigned_abs()));
    }
    text.push('\n');
    let mut rows = vec![["column", "target", "type", "rule", "exact"].map(str::to_owned).to_vec()];
    for column in &table.columns {
        let target = if column.target == column.source { String::new() } else { one_line(&column.target) };
        rows.push(vec![
            one_line(&column.source),
            target,
            one_line(&column.type_name),
            column.rule.name().to_owned(),
            exactness(column),
        ]);
    }
    if rows.iter().skip(1).all(|row| row[1].is_empty()) {
        rows.iter_mut().for_each(|row| {
            row.remove(1);
        });
    }
    let align = vec![Align::Left; rows[0].len()];
    text.push_str(&columns("   ", &align, &rows));
    if let Some(ddl) = &table.ddl {
        let _ = writeln!(text, "   {};", ddl.sql().replace('\n', "\n   "));
    }
    if let Some(last) = table.last_number {
        let _ = writeln!(text, "   new keys go on after {}", number(last.unsigned_abs()));
    }
    text
}

fn exactness(column: &ColumnPlan) -> String {
    let computed = if column.computed { ", computed by the target" } else { "" };
    match column.remainder {
        None => format!("yes{computed}"),
        Some(remainder) => format!("with ledger: {remainder}{computed}"),
    }
}

/// What is not carried, with its reason.
pub fn losses(losses: &[Loss]) -> String {
    let mut text = String::new();
    if !losses.is_empty() {
        let _ = writeln!(text, "\nnot carried ({}):", number(losses.len() as u64));
        for loss in losses {
            let _ = writeln!(text, "  {} {}: {}", loss.kind, one_line(&loss.object), one_line(&loss.reason));
        }
    }
    text
}

/// What is carried and behaves differently in a corner.
pub fn caveats(caveats: &[Caveat]) -> String {
    let mut text = String::new();
    // What several objects share is told once.
    let mut told = HashSet::new();
    let caveats: Vec<_> = caveats.iter().filter(|caveat| told.insert((&caveat.object, &caveat.text))).collect();
    if !caveats.is_empty() {
        let _ = writeln!(text, "\nto know ({}):", number(caveats.len() as u64));
        for caveat in caveats {
            let _ = writeln!(text, "  {}: {}", one_line(&caveat.object), one_line(&caveat.text));
        }
    }
    text
}

/// What stops the run until somebody decides.
pub fn refusals(refusals: &[Refusal]) -> String {
    let mut text = String::new();
    if !refusals.is_empty() {
        let _ = writeln!(text, "\nto decide before it can run ({}):", number(refusals.len() as u64));
        for refusal in refusals {
            let _ = writeln!(text, "  {}: {}", one_line(&refusal.object), one_line(&refusal.reason));
            let _ = writeln!(text, "    {}", one_line(&refusal.way_out));
        }
    }
    text
}
