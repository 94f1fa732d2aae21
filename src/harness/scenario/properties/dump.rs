//! The dump of the source's database gives the same file as the server does.
//!
//! Steps: the server's own pg_dump writes a dump, a script or an archive by the case's seed; it is read and migrated; what it
//! says of the schema is compared with what the server says, every definition of its file with that of the first one, which was
//! verified, each table's digest, each value, and where SQLite goes on to count.
//! Constraints: what a dump does not have is left out: values of generated columns, rows of materialized views, and
//! definitions that name a table with such a column or such a view. Two files of one schema need not have keyless rows in one
//! order. Where there is no pg_dump of the server's version or later, the case is not asked, and the report says so.

use super::super::case::{Case, open};
use super::super::content::{content, rows};
use super::super::dumped::{Dumped, Making};
use super::published::differences;
use super::{Property, Verdict};
use crate::catalog::{Catalog, QualifiedName, TableKind};
use crate::endpoint::Source;
use crate::error::{Context, Result};
use crate::harness::dump;
use crate::to_sqlite::{Attempt, Outcome};
use rusqlite::Connection;
use std::collections::BTreeSet;

pub(super) const PROPERTY: Property =
    Property { name: "dump", says: "the dump of the source gives the same file as the server", ask };

fn ask(case: &mut Case<'_>) -> Result<Verdict> {
    const NO_PROGRAM: &str = "no pg_dump of the server's version or later is on this machine";
    let (name, dumped) = match case.dumped()? {
        Making::NoProgram => return Ok(Verdict::NotAsked(NO_PROGRAM)),
        Making::Made(name, dumped) => (name, dumped),
    };
    let verdict = match dumped {
        Ok(dumped) => compare(case, dumped)?,
        Err(error) if case.cancel.is_cancelled() => return Err(error),
        Err(error) => Verdict::Violated(match error.way_out() {
            Some(hint) => format!("{error} (hint: {hint})"),
            None => error.to_string(),
        }),
    };
    Ok(match verdict {
        Verdict::Violated(found) => Verdict::Violated(format!("from `{name}`: {found}")),
        other => other,
    })
}

fn compare(case: &mut Case<'_>, dumped: Dumped) -> Result<Verdict> {
    let first = case.open_target()?;
    let (outcome, source) = case.parts()?;
    let catalog = source.catalog()?;
    let mut findings: Vec<String> = dump::difference(&catalog, &dumped.catalog)?.into_iter().collect();
    let other = match dumped.attempt {
        Attempt::Done(other) if other.verification.is_sound() => *other,
        Attempt::Done(other) => return Ok(Verdict::of(differences(&other.verification))),
        Attempt::Refused(_) if !lacking(&catalog).is_empty() => {
            return Ok(Verdict::NotAsked("the target's schema wants values that a dump does not have"));
        }
        Attempt::Refused(planned) => return Ok(Verdict::Violated(planned.plan.refused().to_string())),
    };
    let second = open(&dumped.target)?;
    findings.extend(digests(&catalog, outcome, &other));
    let targets = |wanted: &dyn Fn(&QualifiedName) -> bool| {
        let tables = outcome.plan.tables.iter().filter(move |table| wanted(&table.source));
        tables.map(|table| table.target.as_str()).collect::<Vec<_>>()
    };
    let lacking = lacking(&catalog);
    let (mut definitions, mut definitions_now) = (content(&first)?, content(&second)?);
    let named = targets(&|table| lacking.contains(table));
    let left_out: BTreeSet<String> =
        definitions.objects_that_name(&named).chain(definitions_now.objects_that_name(&named)).collect();
    for content in [&mut definitions, &mut definitions_now] {
        content.forget_all_rows();
        content.forget_objects(&left_out);
    }
    findings.extend(definitions.differences(&definitions_now));
    let has_rows = targets(&|table| !is_view(&catalog, table));
    findings.extend(rows(&second)?.differences_in_any_order(&rows(&first)?.of_tables(&has_rows)));
    let numbers = |connection: &Connection| numbers(connection, &has_rows).could_not("read", "the target");
    for (before, now) in numbers(&first)?.iter().zip(numbers(&second)?).filter(|(before, now)| *before != now) {
        findings.push(format!("the next number is {before}, and {now} from the dump"));
    }
    Ok(Verdict::of(findings))
}

/// The tables of which a dump does not have everything.
fn lacking(catalog: &Catalog) -> BTreeSet<&QualifiedName> {
    let lacks = catalog.tables.iter().filter(|table| {
        let is_view = matches!(table.kind, TableKind::MaterializedView { .. });
        is_view || table.columns.iter().any(|column| column.generated.is_some())
    });
    lacks.map(|table| &table.name).collect()
}

fn is_view(catalog: &Catalog, table: &QualifiedName) -> bool {
    catalog.table(table).is_some_and(|table| matches!(table.kind, TableKind::MaterializedView { .. }))
}

/// The digests of the tables of which a dump has everything.
fn digests(catalog: &Catalog, outcome: &Outcome, other: &Outcome) -> Vec<String> {
    let lacking = lacking(catalog);
    let mut findings = Vec::new();
    for (table, copied) in outcome.plan.tables.iter().zip(&outcome.copied) {
        if lacking.contains(&table.source) {
            continue;
        }
        let there = other.plan.tables.iter().zip(&other.copied).find(|(other, _)| other.source == table.source);
        match there {
            None => findings.push(format!("table `{}` is not carried from the dump", table.source)),
            Some((_, there)) if there.digest != copied.digest => findings.push(format!(
                "table `{}`: {} was copied, {} from the dump",
                table.source, copied.digest, there.digest
            )),
            Some(_) => {}
        }
    }
    findings
}

/// Where each table with AUTOINCREMENT goes on to count.
fn numbers(connection: &Connection, tables: &[&str]) -> rusqlite::Result<Vec<String>> {
    let has_numbers: bool =
        connection
            .query_row("SELECT count(*) FROM sqlite_schema WHERE name = 'sqlite_sequence'", [], |row| row.get(0))?;
    if !has_numbers {
        return Ok(Vec::new());
    }
    let mut statement = connection.prepare("SELECT name, seq FROM sqlite_sequence ORDER BY name")?;
    let numbers = statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?)))?;
    let numbers = numbers.collect::<rusqlite::Result<Vec<_>>>()?;
    let wanted = numbers.into_iter().filter(|(name, _)| tables.contains(&name.as_str()));
    Ok(wanted.map(|(name, number)| format!("{number} in `{name}`")).collect())
}
