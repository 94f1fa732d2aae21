//! Proving that a target holds what its source holds: before it is published ([`verify`]), at any time later against its
//! source ([`verify_file`]), and later on its own ([`file::check`]).
//!
//! The order is counts, digests, foreign keys, structural integrity, the user's checks, the source's own digests, differing
//! rows. Every figure is read back from the closed and reopened target. What a level leaves out, the report says.
//!
//! [`compare`] knows a source and a finished target ([`Finished`]) and nothing of either's engine; `sqlite_file` is what a
//! SQLite file shows of itself, before it is published and later.

pub mod checks;
pub mod diff;
pub mod digest;
pub mod file;
mod finished;
mod json;
pub mod objects;
mod own_digest;
mod proof;
pub mod record;
mod since;
mod sources;
mod sqlite_file;
pub mod structure;

use crate::cancel::Cancel;
use crate::catalog::QualifiedName;
use crate::endpoint::inexact::{self, InexactColumn};
use crate::endpoint::{ReadTable, Source};
use crate::error::{Error, Kind, Result};
use crate::event::{Event, Listener, Phase};
use crate::fault;
use crate::plan::{Plan, TablePlan};
use crate::quote::{quote, quote_all};
use crate::value::{Cell, RowHasher, TableDigest, TextDigest};
use checks::CheckOutcome;
use diff::Differences;
pub use finished::{FileOptions, VerifiedFile, remembers_choices, require_database, verify_file};
pub use json::JsonColumn;
pub use own_digest::schema_read_twice;
pub use proof::{Finished, Proof, TableProof};
use record::Difference;
use serde::{Deserialize, Serialize};
pub use since::TableSince;
pub use sources::{ComparedSources, compare_sources};
pub use sqlite_file::{Request, verify};
use structure::{ForeignKeys, Integrity, Orphan};

/// How much is checked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// The number of rows of each table.
    Counts,
    /// Also every value, by digest.
    Digest,
    /// Also foreign keys, structural integrity, and the project's checks.
    #[default]
    Full,
    /// Also the source's own digest of each table, and its schema a second time: what neither the wire nor our own
    /// reading has touched.
    Paranoid,
}

/// How many findings of each kind are shown; the totals are always told.
pub const SHOWN_MAX: usize = 20;

/// How many tables an error names.
const NAMED_MAX: usize = 5;

/// What was found.
#[derive(Debug, Clone, Serialize)]
pub struct Verification {
    /// How much was checked.
    pub level: Level,
    /// Each table.
    pub tables: Vec<TableCheck>,
    /// Objects of the plan that the file lacks, has otherwise, or has besides.
    pub objects: Vec<String>,
    /// How the file differs from what it records of itself.
    pub record: Vec<Difference>,
    /// The digest that its manifest has of everything that the target remembers; `None` where it has none.
    pub manifest_digest: Option<String>,
    /// Foreign keys; `None` where the level leaves them out.
    pub foreign_keys: Option<ForeignKeys>,
    /// Structural integrity; `None` where the level leaves it out.
    pub integrity: Option<Integrity>,
    /// The project's checks.
    pub checks: Vec<CheckOutcome>,
    /// What was not checked, and why.
    pub not_checked: Vec<String>,
    /// Columns that do not hold every value of their source, where no ledger keeps the rest: their values were compared
    /// only as far as that goes.
    pub inexact: Vec<InexactColumn>,
    /// Somebody has allowed that there are such columns.
    pub inexact_allowed: bool,
}

/// One table's part of a verification.
#[derive(Debug, Clone, Serialize)]
pub struct TableCheck {
    /// The table in the source.
    pub source: QualifiedName,
    /// Its name in the target.
    pub target: String,
    /// Rows in the source.
    pub source_rows: u64,
    /// Rows read back from the target; `None` where the table cannot be read.
    pub target_rows: Option<u64>,
    /// Whether every value is the same; `None` where the level leaves values out.
    pub same_values: Option<bool>,
    /// The digest of the source's rows, and of the target's.
    pub digests: Option<(TableDigest, TableDigest)>,
    /// The digest that the source computed by itself, and the same of the target's values; `None` where the level leaves
    /// it out or the source computes none.
    pub own_digests: Option<(TextDigest, TextDigest)>,
    /// Entries of the ledger for the table that say nothing about any of its values; none should.
    pub ledger_surplus: u64,
    /// The rows that differ, where they were looked for.
    pub differences: Option<Differences>,
    /// Why the table could not be read back.
    pub failure: Option<String>,
}

impl TableCheck {
    /// Nothing was found.
    pub fn is_sound(&self) -> bool {
        self.failure.is_none()
            && self.target_rows == Some(self.source_rows)
            && self.same_values != Some(false)
            && self.source_agrees() != Some(false)
            && self.ledger_surplus == 0
    }

    /// Whether the digest that the source computed by itself is the target's; `None` where there is none.
    pub fn source_agrees(&self) -> Option<bool> {
        self.own_digests.map(|(own, target)| own == target)
    }
}

impl Verification {
    /// Nothing was found.
    pub fn is_sound(&self) -> bool {
        self.is_sound_but_for_checks() && self.checks.iter().all(|check| check.violations == 0)
    }

    /// Nothing was found but values that their columns do not hold whole, and that.
    pub fn only_lacks_a_ledger(&self) -> bool {
        !self.is_sound() && Verification { inexact_allowed: true, ..self.clone() }.is_sound()
    }

    /// What there is to do where nothing was found but rows without their parent, which the source has as well.
    pub fn only_repeats_orphans(&self) -> Option<String> {
        let keys = self.foreign_keys.as_ref().filter(|keys| keys.in_source && !keys.is_sound())?;
        let is_all = Verification { foreign_keys: None, ..self.clone() }.is_sound() && keys.unusable.is_empty();
        is_all.then(|| keys.way_out())
    }

    /// Nothing but rows of the project's checks was found, if that.
    pub fn is_sound_but_for_checks(&self) -> bool {
        self.is_sound_but_for_inexact_values() && (self.inexact_allowed || self.inexact.is_empty())
    }

    fn is_sound_but_for_inexact_values(&self) -> bool {
        self.tables.iter().all(TableCheck::is_sound)
            && self.objects.is_empty()
            && self.record.is_empty()
            && self.foreign_keys.as_ref().is_none_or(ForeignKeys::is_sound)
            && self.integrity.as_ref().is_none_or(Integrity::is_sound)
    }

    /// An error that tells what was found, in one sentence.
    ///
    /// # Errors
    /// When anything was found.
    pub fn ensure_sound(&self) -> Result<()> {
        if self.is_sound() {
            return Ok(());
        }
        let mut found = Vec::new();
        let different: Vec<_> = self.tables.iter().filter(|table| !table.is_sound()).collect();
        found.extend(different.iter().take(NAMED_MAX).map(|table| format!("table `{}` differs", table.source)));
        if different.len() > NAMED_MAX {
            found.push(format!("{} more tables differ", different.len() - NAMED_MAX));
        }
        let count = |number: u64, one: &str, many: &str| format!("{number} {}", if number == 1 { one } else { many });
        if !self.objects.is_empty() {
            found.push(count(self.objects.len() as u64, "object differs", "objects differ"));
        }
        if !self.record.is_empty() {
            let many = "things are not what they were when the file was finished";
            found.push(count(self.record.len() as u64, "thing is not what it was when the file was finished", many));
        }
        if !self.inexact_allowed && !self.inexact.is_empty() {
            let lost = inexact::total(&self.inexact);
            found.push(count(lost, "value is more than its column holds", "values are more than their columns hold"));
        }
        if let Some(keys) = self.foreign_keys.as_ref().filter(|keys| !keys.is_sound()) {
            found.push(match keys.in_source && keys.unusable.is_empty() {
                true => {
                    let of_source = "of the source itself";
                    let rows = count(keys.total, "row", "rows");
                    let has = if keys.total == 1 { "has" } else { "have" };
                    format!("{rows} {of_source} {has} no parent{}", keys.first())
                }
                false => count(keys.total + keys.unusable.len() as u64, "foreign key finding", "foreign key findings"),
            });
        }
        if let Some(integrity) = self.integrity.as_ref().filter(|integrity| !integrity.is_sound()) {
            found.push(count(integrity.total, "integrity finding", "integrity findings"));
        }
        for check in self.checks.iter().filter(|check| check.violations > 0) {
            found.push(format!("check `{}` found {}", check.file, count(check.violations, "row", "rows")));
        }
        let error = Error::differs("verify", "", found.join(", "));
        Err(match (self.only_lacks_a_ledger(), self.only_repeats_orphans()) {
            (true, _) => error.hint(inexact::WAY_OUT),
            (_, Some(way_out)) => error.hint(way_out),
            _ => error,
        })
    }
}

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
    let Proof { tables, objects, record, manifest_digest, mut foreign_keys, integrity, checks, not_checked: left_out } =
        target.prove(level, cancel, listener)?;
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
    not_checked.extend(left_out);
    if let Some(keys) = &mut foreign_keys {
        keys.orphans.iter_mut().for_each(|orphan| orphan.origin = origin_of(orphan, plan));
        let planned = |name: &str| plan.tables.iter().any(|table| table.target.eq_ignore_ascii_case(name));
        keys.in_source = tables.iter().all(|table| table.same_values == Some(true))
            && keys.orphans.iter().all(|orphan| planned(&orphan.table) && planned(&orphan.parent));
    }
    Ok(Verification {
        level,
        tables,
        objects,
        record,
        manifest_digest,
        foreign_keys,
        integrity,
        checks,
        not_checked,
        inexact: question.inexact,
        inexact_allowed: question.allow_inexact,
    })
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
    keys.find(|piece| piece.kind == "foreign key" && piece.sql.contains(&over)).map(|piece| piece.origin.clone())
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
