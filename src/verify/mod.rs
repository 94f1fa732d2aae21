//! Proving that a target holds what its source holds: before it is published ([`verify`]), at any time later against its
//! source ([`verify_file`]), and later on its own ([`file::check`]).
//!
//! The order is counts, digests, the source's own digests, differing rows, foreign keys, structural integrity, the user's checks. Every figure
//! is read back from the closed and reopened file. What a level leaves out, the report says.

pub mod checks;
pub mod diff;
pub mod digest;
pub mod file;
mod finished;
pub mod inexact;
mod json;
pub mod objects;
mod own_digest;
pub mod record;
mod since;
mod sources;
pub mod structure;

use crate::cancel::Cancel;
use crate::catalog::QualifiedName;
use crate::endpoint::sqlite::file::quoted;
use crate::endpoint::sqlite::proof::{Proof, Verdict};
use crate::endpoint::sqlite::read::{open, told};
use crate::endpoint::{ReadTable, Source};
use crate::error::{Error, Kind, Result};
use crate::event::{Event, Listener, Phase};
use crate::fault;
use crate::plan::{Plan, TablePlan};
use crate::quote::{quote, quote_all};
use crate::value::{Cell, RowHasher, TableDigest, TextDigest};
use checks::CheckOutcome;
use diff::Differences;
use digest::Also;
pub use finished::{FileOptions, VerifiedFile, remembers_choices, require_database, verify_file};
use inexact::InexactColumn;
pub use json::JsonColumn;
pub use own_digest::schema_read_twice;
use record::Difference;
use rusqlite::Connection;
use serde::{Deserialize, Serialize};
pub use since::TableSince;
pub use sources::{ComparedSources, compare_sources};
use std::path::Path;
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
    /// reading has touched; and SQLite's own full checks of structure and foreign keys.
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
    /// Before anything was read back.
    fn unread(table: &TablePlan, source: &TableDigest) -> Self {
        TableCheck {
            source: table.source.clone(),
            target: table.target.clone(),
            source_rows: source.rows,
            target_rows: None,
            same_values: None,
            digests: None,
            own_digests: None,
            ledger_surplus: 0,
            differences: None,
            failure: None,
        }
    }

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

/// What to check.
pub struct Request<'r> {
    /// The closed file.
    pub path: &'r Path,
    /// The plan that it was made by.
    pub plan: &'r Plan,
    /// How much.
    pub level: Level,
    /// The digests of the source's rows in the order of the plan's tables, where they are known already.
    pub source_digests: Option<Vec<TableDigest>>,
    /// What the file's columns do not hold of that, where it has no ledger.
    pub inexact: Vec<InexactColumn>,
    /// Whether it is no fault that they do not.
    pub allow_inexact: bool,
    /// The project's folder of checks.
    pub checks: Option<&'r Path>,
    /// Whether the file keeps a ledger.
    pub metadata: bool,
    /// Whether the file has been published; before that it has another journal mode.
    pub published: bool,
}

/// Verifies a file against its source.
///
/// # Errors
/// When the source or the file cannot be read at all, or somebody asks to stop. What is found is not an error.
pub fn verify(
    mut request: Request<'_>,
    source: &mut dyn Source,
    cancel: &Cancel,
    listener: &Listener<'_>,
) -> Result<Verification> {
    fault::injected()?;
    listener(Event::PhaseStarted { phase: Phase::Verify });
    let Request { path, plan, level, metadata, .. } = request;
    let source_digests = match request.source_digests.take() {
        Some(digests) => digests,
        None => digests_of_source(source, &plan.tables, metadata, &mut request.inexact)?,
    };
    // One connection for everything, because each reads the whole schema anew.
    let connection = match open(path, &cancel.flag()) {
        Err(error) if error.kind() == Kind::Differs => return Ok(unreadable(&request, &source_digests, &error)),
        opened => opened?,
    };
    let objects = match objects::compare(&connection, plan) {
        Err(error) if error.kind() == Kind::Differs => vec![error.to_string()],
        outcome => outcome?,
    };
    let scope = record::Scope {
        planned: &plan.tables,
        definitions: if plan.given_schema { record::Definitions::All } else { record::Definitions::OfMetadata },
        metadata: request.metadata,
        published: request.published,
    };
    let recorded = record::compare(&connection, scope)?;
    let file = File { connection: &connection, path };
    let proof = if level >= Level::Full { Proof::of(&connection) } else { None };
    let (mut tables, texts, proven) =
        check_tables(file, plan, &source_digests, level, proof.as_ref(), cancel, listener)?;
    cancel.check("verify")?;
    let mut not_checked = not_checked(&request);
    if level >= Level::Paranoid {
        let (tables, ledger) = (&mut tables, request.metadata);
        not_checked.extend(own_digest::compare(source, &connection, &plan.tables, &texts, ledger, tables)?);
    }
    if level != Level::Counts {
        show_differences(&connection, plan, source, request.metadata, &mut tables, listener)?;
    }
    not_checked.extend(recorded.not_checked);
    let mut verification = Verification {
        level,
        tables,
        objects,
        record: recorded.differences,
        manifest_digest: recorded.digest,
        foreign_keys: None,
        integrity: None,
        checks: Vec::new(),
        not_checked,
        inexact: request.inexact,
        inexact_allowed: request.allow_inexact,
    };
    if level >= Level::Full {
        let twice = level >= Level::Paranoid;
        let (mut keys, integrity) = structure::judge(&connection, &quoted(path), &proven, twice, SHOWN_MAX)?;
        keys.orphans.iter_mut().for_each(|orphan| orphan.origin = origin_of(orphan, plan));
        let planned = |name: &str| plan.tables.iter().any(|table| table.target.eq_ignore_ascii_case(name));
        keys.in_source = verification.tables.iter().all(|table| table.same_values == Some(true))
            && keys.orphans.iter().all(|orphan| planned(&orphan.table) && planned(&orphan.parent));
        verification.foreign_keys = Some(keys);
        verification.integrity = Some(integrity);
        if let Some(folder) = request.checks {
            match checks::run_folder_on(&connection, folder, SHOWN_MAX) {
                Err(error) if error.kind() == Kind::Differs => verification.objects.push(error.to_string()),
                outcome => verification.checks = outcome?,
            }
        }
    }
    Ok(verification)
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

/// The finished file while it is verified.
#[derive(Clone, Copy)]
pub(crate) struct File<'f> {
    pub(crate) connection: &'f Connection,
    /// For threads that open it once more.
    pub(crate) path: &'f Path,
}

/// What verification says of a file of which SQLite cannot even read the schema.
fn unreadable(request: &Request<'_>, source_digests: &[TableDigest], error: &Error) -> Verification {
    let told = error.to_string();
    let tables = request.plan.tables.iter().zip(source_digests);
    let full = request.level >= Level::Full;
    Verification {
        level: request.level,
        tables: tables
            .map(|(table, source)| TableCheck { failure: Some(told.clone()), ..TableCheck::unread(table, source) })
            .collect(),
        objects: vec![told.clone()],
        record: Vec::new(),
        manifest_digest: None,
        foreign_keys: full.then(|| structure::unreadable(error).0),
        integrity: full.then(|| structure::unreadable(error).1),
        checks: Vec::new(),
        not_checked: not_checked(request),
        inexact: request.inexact.clone(),
        inexact_allowed: request.allow_inexact,
    }
}

fn not_checked(request: &Request<'_>) -> Vec<String> {
    let Request { level, metadata, plan, .. } = *request;
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
    if !request.inexact.is_empty() {
        list.push("what columns cannot hold and the ledger would keep (the target has no metadata)".to_owned());
    }
    list
}

/// Rows and digests of each table of the file, and what the proof has proven meanwhile. A table that cannot be read is a
/// finding, not the end.
pub(crate) fn check_tables(
    file: File<'_>,
    plan: &Plan,
    source_digests: &[TableDigest],
    level: Level,
    proof: Option<&Proof>,
    cancel: &Cancel,
    listener: &Listener<'_>,
) -> Result<(Vec<TableCheck>, Vec<Option<TextDigest>>, Verdict)> {
    let also = Also { texts: level >= Level::Paranoid, proof };
    let together = match level {
        Level::Counts => None,
        // All tables at once is the fast way; if one cannot be read, each is tried alone.
        _ => digest::of_tables_on(file.connection, file.path, &plan.tables, also, cancel, listener).ok(),
    };
    cancel.check("verify")?;
    let proven = match (proof, &together) {
        (Some(proof), Some(_)) => proof.verdict(file.connection)?,
        _ => Verdict::Unproven,
    };
    let alone = Also { proof: None, ..also };
    let mut checks = Vec::with_capacity(plan.tables.len());
    let mut read_back = vec![None; plan.tables.len()];
    for (place, (table, source)) in plan.tables.iter().zip(source_digests).enumerate() {
        let mut check = TableCheck::unread(table, source);
        let digest = match (&together, level) {
            (Some(digests), _) => Ok(Some(digests[place])),
            (None, Level::Counts) => Ok(None),
            (None, _) => {
                digest::of_tables_on(file.connection, file.path, std::slice::from_ref(table), alone, cancel, listener)
                    .map(|digests| digests.first().copied())
            }
        };
        match digest.and_then(|digest| Ok((digest, count_of(file.connection, table)?))) {
            Ok((digest, rows)) => {
                check.target_rows = Some(rows);
                check.digests = digest.map(|target| (*source, target.digest));
                check.same_values = digest.map(|target| *source == target.digest);
                check.ledger_surplus = digest.map_or(0, |target| target.ledger_surplus);
                read_back[place] = digest.and_then(|target| target.texts);
            }
            Err(error) => {
                cancel.check("verify")?;
                check.failure = Some(error.to_string());
            }
        }
        checks.push(check);
    }
    Ok((checks, read_back, proven))
}

/// The number of rows as SQLite itself counts them, apart from our own reading.
fn count_of(connection: &Connection, table: &TablePlan) -> Result<u64> {
    let count: i64 = connection
        .query_row(&format!("SELECT count(*) FROM {}", quote(&table.target)), [], |row| row.get(0))
        .map_err(|error| told("count rows of", format!("`{}`", table.target), &error))?;
    Ok(count.unsigned_abs())
}

fn show_differences(
    connection: &Connection,
    plan: &Plan,
    source: &mut dyn Source,
    ledger: bool,
    tables: &mut [TableCheck],
    listener: &Listener<'_>,
) -> Result<()> {
    for (check, table) in tables.iter_mut().zip(&plan.tables) {
        if check.same_values != Some(false) && check.source_agrees() != Some(false) {
            continue;
        }
        listener(Event::PhaseStarted { phase: Phase::Compare });
        let found = diff::rows(source, connection, table, ledger, SHOWN_MAX).and_then(|found| {
            // The left-out columns of a table without a ledger would make every one of its rows another.
            let is_told = found.total() > 0 || !ledger || check.source_agrees() != Some(false);
            if is_told { Ok(found) } else { diff::misread_rows(source, connection, table, SHOWN_MAX) }
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
