//! A finished file held against its source, at any time after it was made.
//!
//! A file remembers how it was made: its manifest keeps the source's schema and the choices. Verification plans anew
//! from the source as it is now, under those choices, so that a table which is new in the source is a finding.

use super::compare::{Question, compare};
use super::orphans;
use super::own_digest::schema_read_twice;
use super::verification::Verification;
use crate::cancel::Cancel;
use crate::endpoint::inexact::InexactColumn;
use crate::endpoint::sqlite::file::{Content, TargetFile, quoted};
use crate::endpoint::sqlite::finished::SqliteFile;
use crate::endpoint::sqlite::read::{describe, open};
use crate::endpoint::sqlite::remembered::{read_manifest, without_rows};
use crate::endpoint::sqlite::schema::read_schema;
use crate::endpoint::sqlite::settle::settle;
use crate::endpoint::{Level, Source};
use crate::error::{Error, Result};
use crate::event::{Event, Listener, Phase};
use crate::metadata;
use crate::plan::choices::Choices;
use crate::plan::given::TargetSchema;
use crate::plan::{self, HISTORY_TABLE, Plan, Refusal};
use crate::value::TableDigest;
use rusqlite::Connection;
use std::path::Path;

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
    request: Request<'_>,
    source: &mut dyn Source,
    cancel: &Cancel,
    listener: &Listener<'_>,
) -> Result<Verification> {
    let Request { path, plan, level, checks, metadata, published, .. } = request;
    let mut file = SqliteFile { path, plan, checks, metadata, published };
    let question = Question {
        plan,
        level,
        metadata,
        source_digests: request.source_digests,
        inexact: request.inexact,
        allow_inexact: request.allow_inexact,
    };
    compare(question, source, &mut file, cancel, listener)
}

/// How to verify a finished file.
#[derive(Debug, Clone, Default)]
pub struct FileOptions<'o> {
    /// The choices for a file that does not remember its own.
    pub choices: Choices,
    /// Whether such a file was made after a given target schema.
    pub given_schema: bool,
    /// Whether it is no fault of such a file that columns hold less than the source's values.
    pub allow_inexact: bool,
    /// How much is checked.
    pub level: Level,
    /// A folder of checks.
    pub checks: Option<&'o Path>,
}

/// What was checked, and what was found.
#[derive(Debug, Clone)]
pub struct VerifiedFile {
    /// The source without a password.
    pub source: String,
    /// The source's engine and version.
    pub engine: String,
    /// The choices came from the file's own manifest.
    pub remembered: bool,
    /// The plan from the source as it is now.
    pub plan: Plan,
    /// What was found.
    pub verification: Verification,
}

/// Refuses a path where no SQLite database is.
///
/// # Errors
/// Says what is there instead.
pub fn require_database(path: &Path) -> Result<()> {
    let refuse = |cause: &str| Err(Error::could_not("open", quoted(path), cause));
    match TargetFile::inspect(path)?.content {
        Content::Missing => refuse("there is no such file"),
        Content::Foreign => refuse("it is not a SQLite database, or it is encrypted"),
        Content::Empty => refuse("it is empty"),
        Content::Database { .. } => Ok(()),
    }
}

/// Whether the file remembers the choices that it was made by.
///
/// # Errors
/// When it cannot be read.
pub fn remembers_choices(path: &Path) -> Result<bool> {
    let connection = open(path, &Cancel::new().flag())?;
    Ok(read_manifest(&connection)?.is_some())
}

/// Whether the file remembers a tree of files that it was made of.
///
/// # Errors
/// When it cannot be read.
pub fn remembers_tree(path: &Path) -> Result<bool> {
    let connection = open(path, &Cancel::new().flag())?;
    Ok(read_manifest(&connection)?.is_some_and(|manifest| manifest.catalog.layout.is_some()))
}

/// Verifies a finished file against its source.
///
/// # Errors
/// When the source or the file cannot be read, or somebody asks to stop. What is found is not an error.
pub fn verify_file(
    source: &mut dyn Source,
    target: &Path,
    options: FileOptions<'_>,
    cancel: &Cancel,
    listener: &Listener<'_>,
) -> Result<VerifiedFile> {
    require_database(target)?;
    let (manifest, schema) = {
        let connection = open(target, &cancel.flag())?;
        (read_manifest(&connection)?, read_schema(&connection)?)
    };
    listener(Event::PhaseStarted { phase: Phase::Introspect });
    let catalog = source.catalog()?;
    let remembered = manifest.is_some();
    // A part of the metadata that is gone is a finding, and not a file without any.
    let metadata = remembered || has_metadata(&open(target, &cancel.flag())?)?;
    let (choices, given_schema) = match manifest {
        Some(manifest) => (manifest.choices()?, manifest.given_schema),
        None => (options.choices, options.given_schema),
    };
    let schema = without_rows(schema);
    let mut plan = match given_schema {
        true => plan::onto(&catalog, &choices, &schema),
        false => plan::plan(&catalog, &choices),
    };
    settle(&mut plan)?;
    let missing = leave_out_missing(&mut plan, &schema);
    let request = Request {
        path: target,
        plan: &plan,
        level: options.level,
        source_digests: None,
        inexact: Vec::new(),
        allow_inexact: options.allow_inexact,
        checks: options.checks,
        metadata,
        published: true,
    };
    let mut verification = verify(request, source, cancel, listener)?;
    verification.findings.objects.extend(missing);
    verification.findings.objects.extend(schema_read_twice(options.level, &catalog, source)?);
    orphans::explain(&mut verification, &catalog, &plan, &choices)?;
    // What the plan would refuse today, the file cannot hold: the source has changed since.
    let refused = plan.refusals.iter().map(|refusal| format!("{}: {}", refusal.object(), refusal.reason()));
    verification.findings.objects.extend(refused);
    verification.findings.not_checked.extend(unfilled(&plan, &schema));
    if !remembered {
        verification
            .findings
            .not_checked
            .push("whether the choices are those that the file was made by (it has no manifest)".into());
    }
    Ok(VerifiedFile {
        source: source.label().to_owned(),
        engine: catalog.engine.clone(),
        remembered,
        plan,
        verification,
    })
}

/// Leaves out of a plan each column that the file's table does not have, and says so: the other ones can be compared.
fn leave_out_missing(plan: &mut Plan, schema: &TargetSchema) -> Vec<String> {
    let mut found = Vec::new();
    for table in &mut plan.tables {
        let there = schema.tables.iter().find(|there| there.name.eq_ignore_ascii_case(&table.target));
        let is_there = |name: &str| {
            there.is_some_and(|there| there.columns.iter().any(|column| column.name.eq_ignore_ascii_case(name)))
        };
        let missing: Vec<String> = table
            .columns
            .iter()
            .filter(|column| !is_there(&column.target))
            .map(|column| column.source.clone())
            .collect();
        // Of a table without any of them, nothing could be compared.
        if missing.is_empty() || missing.len() == table.columns.len() {
            continue;
        }
        table.retain_columns(is_there);
        plan.refusals.retain(|refusal| {
            !matches!(refusal, Refusal::NoColumn { source, column, .. } if *source == table.source && missing.contains(column))
        });
        let told = |column| format!("column `{column}` of table `{}` is missing in the target", table.source);
        found.extend(missing.iter().map(told));
    }
    found
}

/// What of a given schema nothing of the source fills, so that nothing is there to compare it with.
fn unfilled(plan: &Plan, schema: &TargetSchema) -> Vec<String> {
    if !plan.given_schema {
        return Vec::new();
    }
    let (mut tables, mut columns) = (Vec::new(), Vec::new());
    for there in schema.tables.iter().filter(|there| !there.name.eq_ignore_ascii_case(HISTORY_TABLE)) {
        let Some(table) = plan.tables.iter().find(|table| table.target.eq_ignore_ascii_case(&there.name)) else {
            tables.push(format!("`{}`", there.name));
            continue;
        };
        let is_planned = |name: &str| table.columns.iter().any(|column| column.target.eq_ignore_ascii_case(name));
        let rest = there.columns.iter().filter(|column| !column.generated && !is_planned(&column.name));
        columns.extend(rest.map(|column| format!("`{}.{}`", there.name, column.name)));
    }
    let told = |what: &str, names: Vec<String>| {
        (!names.is_empty()).then(|| format!("{what} that nothing of the source fills: {}", names.join(", ")))
    };
    told("tables", tables).into_iter().chain(told("columns", columns)).collect()
}

/// Whether any object of the metadata is there.
pub(super) fn has_metadata(connection: &Connection) -> Result<bool> {
    metadata::is_any_there(connection).map_err(|error| describe("read the schema of", "the target", error))
}
