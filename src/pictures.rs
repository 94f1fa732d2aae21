//! What a migration shows, as texts under names: the target's schema, the plan, the reports, for people and for
//! programs. [`crate::assert_pictures`] keeps them as snapshots, so that a change of any of them is a diff that
//! somebody reviews.

use crate::cancel::Cancel;
use crate::error::{Context, Error, Result};
use crate::event::nobody;
use crate::harness::Scenario;
use crate::harness::snapshot::Picture;
use crate::migration::Migration;
use crate::printable::{self, Lines};
use crate::report::message::{self, Message};
use crate::report::{outcome, plan};
use rusqlite::Connection;
use std::path::Path;

const OPERATION: &str = "take the pictures of";

/// The pictures of a scenario's first case, as [`of_migration`] takes them; the group is the scenario's name.
///
/// # Errors
/// As [`Scenario::fill_source`] and [`of_migration`].
pub fn of_scenario(scenario: &Scenario) -> Result<Vec<Picture>> {
    let source = scenario.fill_source()?;
    let migration = Migration::from(source.url());
    let migration = match source.project() {
        Some(project) => migration.with_project(project),
        None => migration,
    };
    of_migration(scenario.name(), migration)
}

/// Plans a migration, carries it out into a temporary file, and tells what was seen: `plan`, `plan_json`,
/// `target_schema`, `report` and `report_json`, each in the group `group`.
///
/// # Errors
/// When the migration cannot be planned or carried out; when the copy differs from its source.
pub fn of_migration(group: &str, migration: Migration) -> Result<Vec<Picture>> {
    let folder = tempfile::tempdir().could_not(OPERATION, group)?;
    let target = folder.path().join("app.db");
    let migration = migration.to(&target);
    let cancel = Cancel::new();

    let planned = migration.plan(&cancel)?;
    let engine = planned.catalog.engine.as_str();
    let plan_text = plan::text(&planned.source, engine, "app.db", &planned.plan).into();
    let plan_message = message::Plan::new(&planned.source, engine, Some("app.db".into()), &planned.plan);

    let done = migration.attempt(&cancel, &nobody)?.outcome()?;
    let context = migration.run_context(&done);
    let report_text = outcome::text(&done, &context).into();
    let report_message = Message::Outcome(Box::new(message::Outcome::new(&done, &context)));
    let verification = Message::Verification(message::Verification::from(&done.verification));
    done.ensure_published()?;

    let here = |text: String| without_folder(text, folder.path());
    Ok(vec![
        Picture::new(group, "plan", here(plan_text)),
        Picture::new(group, "plan_json", here(indented(&Message::Plan(plan_message))?)),
        Picture::new(group, "target_schema", schema_of(&target)?),
        Picture::new(group, "report", here(report_text)),
        Picture::new(
            group,
            "report_json",
            here(format!("{}\n{}", indented(&verification)?, indented(&report_message)?)),
        ),
    ])
}

/// The schema of a SQLite file as its own statements, one after the other by kind and name.
///
/// # Errors
/// When the file cannot be read.
pub fn schema_of(file: &Path) -> Result<String> {
    let shown = format!("`{}`", file.display());
    let connection = Connection::open(file).could_not(OPERATION, &shown)?;
    let sql = "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
               ORDER BY type = 'trigger', type = 'view', type = 'index', tbl_name, name";
    let mut statement = connection.prepare(sql).could_not(OPERATION, &shown)?;
    let rows = statement.query_map([], |row| row.get::<_, String>(0)).could_not(OPERATION, &shown)?;
    let statements: Vec<String> = rows.collect::<rusqlite::Result<_>>().could_not(OPERATION, &shown)?;
    let mut text = Lines::new();
    statements.iter().for_each(|statement| text.sql("", &format!("{statement};")));
    Ok(text.into())
}

/// A message on many lines, so that a diff shows what changed.
fn indented(message: &Message) -> Result<String> {
    let broken = |error| Error::could_not(OPERATION, "a message", &error).because(error);
    let text = serde_json::to_string_pretty(message).map_err(broken)?;
    Ok(text.lines().map(|line| printable::json(line).into_owned()).collect::<Vec<_>>().join("\n"))
}

fn without_folder(text: String, folder: &Path) -> String {
    let real = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    text.replace(&*real.to_string_lossy(), "[FOLDER]").replace(&*folder.to_string_lossy(), "[FOLDER]")
}
