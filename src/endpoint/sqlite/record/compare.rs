//! A file held against its own record.

use super::added_columns::has_new_columns;
use super::parsed;
use crate::endpoint::findings::{Difference, DifferenceKind};
use crate::endpoint::sqlite::facts::{SETTINGS, facts};
use crate::endpoint::sqlite::read::describe;
use crate::endpoint::sqlite::redefined::difference;
use crate::endpoint::sqlite::snapshot::Snapshot;
use crate::error::{Kind, Result};
use crate::metadata::{
    self, DEFINITIONS, DIGEST, FORM, FORM_WITHOUT_DIGEST, HEADER, LEDGER_TABLE, NUMBERS, OTHER_TABLES, Record,
    TABLES_TABLE, ledger,
};
use crate::plan::{HISTORY_TABLE, TablePlan};
use crate::value::TableDigest;
use rusqlite::Connection;
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// Which definitions are held against the record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Definitions {
    /// All of them.
    All,
    /// Those of the metadata: the others are compared with a plan.
    OfMetadata,
}

/// What is compared.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'s> {
    /// The tables that were copied; their rows are compared by others.
    pub planned: &'s [TablePlan],
    /// Which definitions.
    pub definitions: Definitions,
    /// The file has metadata, whether its tables are still there or not.
    pub metadata: bool,
    /// The file has been published; before that it has another journal mode.
    pub published: bool,
}

/// What a file records of itself, and how it differs from that.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Comparison {
    /// The digest that the manifest has of everything that the target remembers; `None` where it has none.
    pub digest: Option<String>,
    /// The tables that are defined otherwise or are gone, as their users may do it: their rows need not be readable.
    pub redefined: BTreeSet<String>,
    /// What is not what it was.
    pub differences: Vec<Difference>,
    /// What was not compared, and why.
    pub not_checked: Vec<String>,
}

impl Comparison {
    fn add(&mut self, kind: DifferenceKind, damage: bool, text: impl Into<String>) {
        self.differences.push(Difference { kind, damage, text: text.into() });
    }

    /// Damage of the metadata.
    fn metadata(&mut self, text: impl Into<String>) {
        self.add(DifferenceKind::Metadata, true, text);
    }
}

/// Holds an open file against its own record.
///
/// # Errors
/// When the file cannot be read, or somebody asks to stop. What is found is not an error, damage included.
pub fn compare(connection: &Connection, scope: Scope<'_>) -> Result<Comparison> {
    compare_by(|found| compare_into(&Snapshot::begin(connection)?, scope, found))
}

/// The same for a state of the file that is held already.
///
/// # Errors
/// As [`compare`].
pub fn compare_state(snapshot: &Snapshot<'_>, scope: Scope<'_>) -> Result<Comparison> {
    compare_by(|found| compare_into(snapshot, scope, found))
}

fn compare_by(compare: impl FnOnce(&mut Comparison) -> Result<()>) -> Result<Comparison> {
    let mut found = Comparison::default();
    match compare(&mut found) {
        Err(error) if error.kind() == Kind::Differs => {
            found.add(DifferenceKind::Header, true, error.to_string());
        }
        outcome => outcome?,
    }
    Ok(found)
}

fn compare_into(snapshot: &Snapshot<'_>, scope: Scope<'_>, found: &mut Comparison) -> Result<()> {
    let connection = snapshot.connection();
    let facts = facts(snapshot)?;
    facts.damage.into_iter().for_each(|oddity| found.add(DifferenceKind::Header, true, oddity));
    if facts.spare_bytes > 0 {
        let text = format!("{} bytes of spare room stand behind the last page", facts.spare_bytes);
        found.add(DifferenceKind::Header, false, text);
    }
    let copied = scope.planned.iter().map(|table| table.target.as_str());
    let now =
        Record::of(connection, facts.settings, copied).map_err(|error| describe("read back", "the target", error))?;
    let there = |kind: &str, name: &str| now.definitions.contains_key(&format!("{kind} {name}"));
    if !scope.metadata && !metadata::OBJECTS.iter().any(|(kind, name)| there(kind, name)) {
        found.not_checked.push(
            "whether its settings, its numbers of keys and the rows of tables that were not copied are what they were \
             when it was finished (it was not made by whimbrel, or with `--no-metadata`)"
                .to_owned(),
        );
        return Ok(());
    }
    for (kind, name) in metadata::OBJECTS.iter().filter(|(kind, name)| !there(kind, name)) {
        found.metadata(format!("the {kind} `{name}` of the metadata is missing"));
    }
    ledger_of_no_table(connection, &scope, found)?;
    let values =
        metadata::manifest_values(connection).map_err(|error| describe("read the manifest of", "the target", error))?;
    let Some(values) = values else { return Ok(()) };
    match values.get("format").map(String::as_str) {
        Some(FORM) => {
            compare_manifest(connection, &values, found)?;
            compare_record(&values, &scope, &now, found);
        }
        Some(FORM_WITHOUT_DIGEST) => compare_without_digest(&values, &scope, &now, found),
        Some(form) => found.metadata(format!("the manifest has form `{form}`, which this program does not know")),
        None => found.metadata("the manifest does not say of which form it is"),
    }
    Ok(())
}

/// The ledger speaks of tables that were copied and of no others.
fn ledger_of_no_table(connection: &Connection, scope: &Scope<'_>, found: &mut Comparison) -> Result<()> {
    let names = ledger::tables(connection).map_err(|error| describe("read back", "the ledger", error))?;
    let copied: HashSet<&str> = scope.planned.iter().map(|table| table.target.as_str()).collect();
    for name in names.iter().filter(|name| !copied.contains(name.as_str())) {
        found.metadata(format!("the ledger has entries for `{name}`, which is no table that was copied"));
    }
    Ok(())
}

/// The manifest held against its digest.
fn compare_manifest(connection: &Connection, values: &BTreeMap<String, String>, found: &mut Comparison) -> Result<()> {
    for name in metadata::VALUES.iter().filter(|name| !values.contains_key(**name)) {
        found.metadata(format!("the manifest has no value `{name}`"));
    }
    for name in values.keys().filter(|name| !metadata::VALUES.contains(&name.as_str())) {
        found.metadata(format!("the manifest has a value `{name}` that its form does not know"));
    }
    found.digest = values.get(DIGEST).cloned();
    let now = metadata::digest(connection).map_err(|error| describe("read back", "the manifest", error))?;
    if let Some(digest) = found.digest.as_ref().filter(|digest| **digest != now) {
        found.metadata(format!("the manifest is not what was written: its digest is {now}, and it says {digest}"));
    }
    Ok(())
}

/// A file of the form that had no digest: its definitions are all that it tells of itself.
fn compare_without_digest(values: &BTreeMap<String, String>, scope: &Scope<'_>, now: &Record, found: &mut Comparison) {
    for name in [DIGEST, HEADER, NUMBERS, OTHER_TABLES].iter().filter(|name| values.contains_key(**name)) {
        found.metadata(format!("the manifest has a value `{name}` that its form does not know"));
    }
    found.not_checked.push(
        "whether the metadata, the file's settings, its numbers of keys and the rows of tables that were not copied \
         are what they were when it was finished (its manifest has form 1, without a digest)"
            .to_owned(),
    );
    // Only a given schema is kept there, under names without kinds.
    if values.get("given_schema").map(String::as_str) != Some("true") {
        return;
    }
    let Some(kept) = parsed::<BTreeMap<String, String>>(values, DEFINITIONS).filter(|kept| !kept.is_empty()) else {
        return found.metadata("the manifest does not tell the definitions of the given schema");
    };
    let kind = |name: &str| now.definitions.keys().find(|key| key.split_once(' ').is_some_and(|(_, own)| own == name));
    let kept = kept.into_iter().map(|(name, sql)| (kind(&name).cloned().unwrap_or(format!("object {name}")), sql));
    compare_definitions(&kept.collect(), now, scope.definitions, false, found);
}

fn compare_record(values: &BTreeMap<String, String>, scope: &Scope<'_>, now: &Record, found: &mut Comparison) {
    let unreadable = |found: &mut Comparison, name: &str| {
        if values.contains_key(name) {
            found.metadata(format!("the manifest's value `{name}` is not what was written"));
        }
    };
    match parsed(values, HEADER) {
        Some(then) => compare_header(&then, now, scope.published, found),
        None => unreadable(found, HEADER),
    }
    match parsed(values, NUMBERS) {
        Some(then) => compare_numbers(&then, now, found),
        None => unreadable(found, NUMBERS),
    }
    let tables = parsed(values, OTHER_TABLES);
    match &tables {
        Some(then) => compare_tables(then, now, found),
        None => unreadable(found, OTHER_TABLES),
    }
    match parsed(values, DEFINITIONS) {
        Some(then) => {
            let migrated = tables.as_ref().is_some_and(|then| was_migrated(then, now));
            compare_definitions(&then, now, scope.definitions, migrated, found);
        }
        None => unreadable(found, DEFINITIONS),
    }
}

/// Whether schema migrations ran since, so that other definitions are to be expected.
fn was_migrated(then: &BTreeMap<String, TableDigest>, now: &Record) -> bool {
    now.other_tables.get(HISTORY_TABLE).is_some_and(|history| then.get(HISTORY_TABLE) != Some(history))
}

fn compare_header(then: &BTreeMap<String, i64>, now: &Record, published: bool, found: &mut Comparison) {
    for setting in &SETTINGS {
        if setting.name == "journal_mode" && !published {
            continue;
        }
        let (Some(then), Some(now)) = (then.get(setting.name), now.header.get(setting.name)) else { continue };
        if then != now {
            let text = format!("`{}` is {}, and was {}", setting.name, setting.word(*now), setting.word(*then));
            found.add(DifferenceKind::Header, setting.fixed, text);
        }
    }
}

fn compare_numbers(then: &BTreeMap<String, String>, now: &Record, found: &mut Comparison) {
    let mut tables: Vec<_> = then.keys().chain(now.numbers.keys()).collect();
    tables.sort();
    tables.dedup();
    for table in tables {
        let (then, now) = (then.get(table), now.numbers.get(table));
        if then != now {
            let value = |number: Option<&String>| number.map_or("nothing", |number| number.as_str()).to_owned();
            let text = format!("the key of table {table} counts on from {}, and did from {}", value(now), value(then));
            found.add(DifferenceKind::Number, false, text);
        }
    }
}

fn compare_tables(then: &BTreeMap<String, TableDigest>, now: &Record, found: &mut Comparison) {
    for (table, then) in then {
        // A table that is gone is told among the definitions.
        let Some(now) = now.other_tables.get(table).filter(|now| *now != then) else { continue };
        let damage = [LEDGER_TABLE, TABLES_TABLE].contains(&table.as_str());
        let kind = if damage { DifferenceKind::Metadata } else { DifferenceKind::Rows };
        let rows = |digest: &TableDigest| format!("{} row{}", digest.rows, if digest.rows == 1 { "" } else { "s" });
        let text = match then.rows == now.rows {
            true => format!("the values of table `{table}` are not what they were ({})", rows(now)),
            false => format!("table `{table}` has {}, and had {}", rows(now), rows(then)),
        };
        found.add(kind, damage, text);
    }
}

fn compare_definitions(
    then: &BTreeMap<String, String>,
    now: &Record,
    which: Definitions,
    migrated: bool,
    found: &mut Comparison,
) {
    let name = |key: &str| key.split_once(' ').map_or(key, |(_, name)| name).to_owned();
    let of_metadata = |key: &str| metadata::is_own(&name(key));
    let wanted = |key: &&String| which == Definitions::All || of_metadata(key);
    let table = |key: &str| key.strip_prefix("table ").map(str::to_owned);
    let shown = |key: &str| match key.split_once(' ') {
        Some((kind, name)) => format!("{kind} `{name}`"),
        None => format!("`{key}`"),
    };
    for (key, then) in then.iter().filter(|(key, _)| wanted(key)) {
        let metadata = of_metadata(key);
        match now.definitions.get(key) {
            // One of the metadata's own has been told already.
            None if metadata => {}
            None => {
                found.redefined.extend(migrated.then(|| table(key)).flatten());
                found.add(DifferenceKind::Definition, !migrated, format!("{} is missing", shown(key)));
            }
            Some(now) if now != then => {
                let damage = metadata || !(migrated || has_new_columns(then, now));
                found.redefined.extend((!damage).then(|| table(key)).flatten());
                let text = format!("{} is not defined as it was: {}", shown(key), difference(then, now));
                found.add(DifferenceKind::Definition, damage, text);
            }
            Some(_) => {}
        }
    }
    for key in now.definitions.keys().filter(wanted).filter(|key| !then.contains_key(*key)) {
        found.add(DifferenceKind::Addition, of_metadata(key), format!("{} has been added", shown(key)));
    }
}
