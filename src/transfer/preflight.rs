//! The plan's DDL tried out before a row is copied, in an empty database in memory.
//!
//! A translated expression that SQLite will not take is found here: it is left out of the definition and named among
//! the losses, so that the copy itself meets no surprise. What the table cannot do without is a refusal.

use crate::error::{Context, Result};
use crate::plan::ddl::{Piece, TableDdl};
use crate::plan::{Loss, Plan, Refusal};
use crate::quote::quote;
use rusqlite::Connection;

/// Takes out of the plan what SQLite refuses.
///
/// # Errors
/// When the database in memory cannot be opened.
pub fn settle(plan: &mut Plan) -> Result<()> {
    if plan.given_schema {
        return Ok(());
    }
    let scratch = Connection::open_in_memory().could_not("try the target's definitions", "")?;
    let mut losses = Vec::new();
    for table in &mut plan.tables {
        let Some(ddl) = &mut table.ddl else { continue };
        if let Err(error) = scratch.execute_batch(&ddl.sql()) {
            drop_what_fails(&scratch, ddl, &mut losses);
            if let Err(still) = scratch.execute_batch(&ddl.sql()) {
                plan.refusals.push(Refusal {
                    object: format!("table {}", table.source),
                    reason: format!("SQLite does not take its definition: {still} ({error})"),
                    way_out: "leave the table out under `tables.exclude`, and report this".into(),
                });
                continue;
            }
        }
        for (column, definition) in table.columns.iter_mut().zip(&ddl.columns) {
            column.computed = definition.generated.is_some();
        }
    }
    for table in &mut plan.tables {
        table.indexes.retain(|index| match scratch.execute_batch(&index.sql) {
            Ok(()) => true,
            Err(error) => {
                losses.push(loss("index", &index.origin, &error));
                false
            }
        });
    }
    // A foreign key may refer to a unique index of any table, so every index is there first.
    for ddl in plan.tables.iter_mut().filter_map(|table| table.ddl.as_mut()) {
        drop_mismatched_foreign_keys(&scratch, ddl, &mut losses);
    }
    plan.views.retain(|view| {
        let usable = scratch
            .execute_batch(&view.sql)
            .and_then(|()| scratch.prepare(&format!("SELECT * FROM {}", quote(&view.target))).map(drop));
        match usable {
            Ok(()) => true,
            Err(error) => {
                // A view that cannot be queried must not hide from the views after it.
                let _ = scratch.execute_batch(&format!("DROP VIEW IF EXISTS {}", quote(&view.target)));
                losses.push(loss("view", &view.source.to_string(), &error));
                false
            }
        }
    });
    plan.losses.extend(losses);
    Ok(())
}

fn loss(kind: &str, object: &str, error: &rusqlite::Error) -> Loss {
    Loss { kind: kind.into(), object: object.into(), reason: format!("SQLite does not take its translation: {error}") }
}

/// Tries each piece alone and leaves out those that fail.
fn drop_what_fails(scratch: &Connection, ddl: &mut TableDdl, losses: &mut Vec<Loss>) {
    let mut failing: Vec<Piece> = Vec::new();
    for piece in ddl.pieces().filter(|piece| !piece.origin.is_empty()) {
        let alone = ddl.keeping(|other| other == piece);
        match scratch.execute_batch(&alone.sql()) {
            Ok(()) => {
                // The name is needed again for the next piece; dropping what was just created cannot fail.
                let _ = scratch.execute_batch(&format!("DROP TABLE {}", quote(&ddl.name)));
            }
            Err(error) => {
                losses.push(loss(piece.kind, &piece.origin, &error));
                failing.push(piece.clone());
            }
        }
    }
    *ddl = ddl.keeping(|piece| !failing.contains(piece));
}

/// SQLite finds out late that a foreign key refers to no unique key; an empty table tells early.
fn drop_mismatched_foreign_keys(scratch: &Connection, ddl: &mut TableDdl, losses: &mut Vec<Loss>) {
    let check = |name: &str| -> rusqlite::Result<()> {
        scratch.query_row("SELECT count(*) FROM pragma_foreign_key_check(?1)", [name], |_| Ok(()))
    };
    let Err(error) = check(&ddl.name) else { return };
    let probe = format!("{}{}", crate::plan::names::METADATA_PREFIX, "probe");
    let mut failing = Vec::new();
    for piece in ddl.constraints.iter().filter(|piece| piece.kind == "foreign key") {
        let mut alone = ddl.keeping(|other| other == piece);
        alone.name.clone_from(&probe);
        let sound = scratch.execute_batch(&alone.sql()).and_then(|()| check(&probe));
        let _ = scratch.execute_batch(&format!("DROP TABLE IF EXISTS {}", quote(&probe)));
        if sound.is_err() {
            losses.push(loss(piece.kind, &piece.origin, &error));
            failing.push(piece.clone());
        }
    }
    *ddl = ddl.keeping(|piece| !failing.contains(piece));
}
