//! A finished target compared with its source, whatever either is.

use super::verification::{TableCheck, Verification};
use super::{diff, orphans, own_digest};
use crate::cancel::Cancel;
use crate::catalog::ObjectKind;
use crate::endpoint::findings::{Orphan, OrphanCause};
use crate::endpoint::inexact::{self, InexactColumn};
use crate::endpoint::{Finished, Level, Proof, ReadTable, SHOWN_MAX, Source};
use crate::error::{Kind, Result};
use crate::event::{Event, Listener, Phase};
use crate::fault;
use crate::plan::{Plan, TablePlan};
use crate::quote::{quote, quote_all};
use crate::value::{Cell, RowHasher, TableDigest};

/// What to compare a finished target with.
pub struct Question<'q> {
    /// The plan that it was made by.
    pub plan: &'q Plan,
    /// How much.
    pub level: Level,
    /// Whether the target keeps a ledger.
    pub metadata: bool,
    /// The digests of the source's rows in the order of the plan's tables, where they are known already.
    pub source_digests: Option<Vec<TableDigest>>,
    /// What the target's columns do not hold of that, where it has no ledger.
    pub inexact: Vec<InexactColumn>,
    /// Whether it is no fault that they do not.
    pub allow_inexact: bool,
}

/// Compares a finished target with its source.
///
/// # Errors
/// When either cannot be read at all, or somebody asks to stop. What is found is not an error.
pub fn compare(
    mut question: Question<'_>,
    source: &mut dyn Source,
    target: &mut dyn Finished,
    cancel: &Cancel,
    listener: &Listener<'_>,
) -> Result<Verification> {
    fault::injected()?;
    listener(Event::PhaseStarted { phase: Phase::Verify });
    let Question { plan, level, metadata, .. } = question;
    let source_digests = match question.source_digests.take() {
        Some(digests) => digests,
        None => digests_of_source(source, &plan.tables, metadata, &mut question.inexact)?,
    };
    let Proof { tables, mut findings } = target.prove(level, cancel, listener)?;
    cancel.check("verify")?;
    let texts: Vec<_> = tables.iter().map(|table| table.read.and_then(|read| read.texts)).collect();
    let shown = plan.tables.iter().zip(&source_digests).zip(tables);
    let mut tables: Vec<_> = shown.map(|((table, source), proof)| TableCheck::of(table, source, proof)).collect();
    let mut not_checked = not_checked(&question);
    if level >= Level::Paranoid {
        let (tables, ledger) = (&mut tables, metadata);
        not_checked.extend(own_digest::compare(source, target, &plan.tables, &texts, ledger, tables, cancel)?);
    }
    if level != Level::Counts {
        show_differences(target, plan, source, metadata, &mut tables, cancel, listener)?;
    }
    not_checked.append(&mut findings.not_checked);
    findings.not_checked = not_checked;
    if let Some(keys) = &mut findings.foreign_keys {
        keys.orphans.iter_mut().for_each(|orphan| orphan.origin = origin_of(orphan, plan));
        let planned = |name: &str| plan.tables.iter().any(|table| table.target.eq_ignore_ascii_case(name));
        let are_in_source = tables.iter().all(|table| table.same_values == Some(true))
            && keys.orphans.iter().all(|orphan| planned(&orphan.table) && planned(&orphan.parent));
        if are_in_source && !keys.orphans.is_empty() {
            keys.cause = Some(OrphanCause::InSource(orphans::keeper(&*source.catalog()?)));
        }
    }
    Ok(Verification { level, tables, findings, inexact: question.inexact, inexact_allowed: question.allow_inexact })
}

/// The source's foreign key that a derived target has over those columns.
fn origin_of(orphan: &Orphan, plan: &Plan) -> Option<String> {
    let table = plan.tables.iter().find(|table| table.target == orphan.table)?;
    let over = format!(
        "FOREIGN KEY ({}) REFERENCES {} ",
        quote_all(orphan.columns.iter().map(String::as_str)),
        quote(&orphan.parent)
    );
    let mut keys = table.ddl.iter().flat_map(|ddl| &ddl.constraints);
    keys.find(|piece| piece.kind == ObjectKind::ForeignKey && piece.sql.contains(&over))
        .map(|piece| piece.origin.clone())
}

fn not_checked(question: &Question<'_>) -> Vec<String> {
    let Question { level, metadata, plan, .. } = *question;
    let mut list = Vec::new();
    if level == Level::Counts {
        list.push("values (`--verify digest` compares them)".to_owned());
    }
    if level < Level::Full {
        list.push(
            "foreign keys, structural integrity and the project's checks (`--verify full` checks them)".to_owned(),
        );
    }
    if !metadata && plan.given_schema {
        list.push(
            "indexes, views and triggers of the given schema (the target has no metadata that tells them)".to_owned(),
        );
    }
    if !question.inexact.is_empty() {
        list.push("what columns cannot hold and the ledger would keep (the target has no metadata)".to_owned());
    }
    list
}

fn show_differences(
    target: &mut dyn Finished,
    plan: &Plan,
    source: &mut dyn Source,
    ledger: bool,
    tables: &mut [TableCheck],
    cancel: &Cancel,
    listener: &Listener<'_>,
) -> Result<()> {
    for (check, table) in tables.iter_mut().zip(&plan.tables) {
        if check.same_values != Some(false) && check.source_agrees() != Some(false) {
            continue;
        }
        listener(Event::PhaseStarted { phase: Phase::Compare });
        let found = target.reread(cancel).and_then(|mut target| {
            let found = diff::rows(source, &mut *target, table, ledger, SHOWN_MAX)?;
            // The left-out columns of a table without a ledger would make every one of its rows another.
            let is_told = found.total() > 0 || !ledger || check.source_agrees() != Some(false);
            if is_told { Ok(found) } else { diff::misread_rows(source, &mut *target, table, SHOWN_MAX) }
        });
        match found {
            Err(error) if error.kind() == Kind::Differs => check.failure = Some(error.to_string()),
            outcome => check.differences = Some(outcome?),
        }
    }
    Ok(())
}

/// The digest of each table of the source as the target has to give it back, and without a `ledger` what its columns do
/// not hold.
fn digests_of_source(
    source: &mut dyn Source,
    tables: &[TablePlan],
    ledger: bool,
    inexact: &mut Vec<InexactColumn>,
) -> Result<Vec<TableDigest>> {
    let requests: Vec<_> = tables.iter().map(ReadTable::of).collect();
    if ledger {
        return source.digests(&requests);
    }
    let codecs: Vec<_> = tables.iter().map(diff::codecs).collect();
    let (mut digests, mut hasher) = (vec![TableDigest::default(); tables.len()], RowHasher::default());
    source.read(&requests, &mut |place: usize, cells: &[Cell<'_>]| {
        diff::hash_source(&mut hasher, cells, &codecs[place], ledger);
        inexact::note_row(inexact, &tables[place], &codecs[place], cells, digests[place].rows);
        digests[place].add(hasher.finish());
        Ok(())
    })?;
    Ok(digests)
}
