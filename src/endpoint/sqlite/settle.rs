//! The plan's DDL tried out before a row is copied, in an empty database in memory.
//!
//! A translated expression that SQLite will not take is found here: it is left out of the definition and named among
//! the losses, so that the copy itself meets no surprise. What the table cannot do without is a refusal.

use crate::catalog::ObjectKind;
use crate::endpoint::sqlite::object_list::ObjectList;
use crate::endpoint::sqlite::pragma;
use crate::error::{Context, Result};
use crate::metadata::PASSING_TABLE;
use crate::plan::ddl::{Piece, TableDdl};
use crate::plan::deep_stack::with_deep_stack;
use crate::plan::{Loss, Plan, Reason, Refusal, TablePlan};
use crate::quote::quote;
use rusqlite::Connection;
use std::collections::HashSet;

const OPERATION: &str = "try the target's definitions";

/// Takes out of the plan what SQLite refuses.
///
/// # Errors
/// When the database in memory cannot be opened.
pub fn settle(plan: &mut Plan) -> Result<()> {
    if plan.given_schema {
        return Ok(());
    }
    with_deep_stack(|| settle_here(plan))
}

fn settle_here(plan: &mut Plan) -> Result<()> {
    let scratch = Connection::open_in_memory().could_not(OPERATION, "")?;
    // Else DROP TABLE deletes rows first, with all that their keys would have it look at.
    scratch.execute_batch("PRAGMA foreign_keys = OFF").could_not(OPERATION, "")?;
    pragma::names_only(&scratch).could_not(OPERATION, "")?;
    let mut losses = Vec::new();
    for table in &mut plan.tables {
        settle_table(&scratch, table, &mut losses, &mut plan.refusals);
    }
    settle_references(&scratch, plan, &mut losses).could_not(OPERATION, "")?;
    plan.losses.extend(losses);
    Ok(())
}

/// Settles a table and its indexes, which look at nothing else, so that the database is empty again afterwards: what a
/// CREATE costs grows with what is there.
fn settle_table(scratch: &Connection, table: &mut TablePlan, losses: &mut Vec<Loss>, refusals: &mut Vec<Refusal>) {
    let Some(ddl) = &mut table.ddl else { return };
    if let Err(error) = scratch.execute_batch(&ddl.sql()) {
        drop_what_fails(scratch, ddl, losses);
        if let Err(still) = scratch.execute_batch(&ddl.sql()) {
            let error = format!("{still} ({error})");
            refusals.push(Refusal::DefinitionNotTaken { source: table.source.clone(), error });
            return;
        }
    }
    for (column, definition) in table.columns.iter_mut().zip(&ddl.columns) {
        column.computed = definition.generated.is_some();
    }
    table.indexes.retain(|index| match scratch.execute_batch(&index.sql) {
        Ok(()) => true,
        Err(error) => {
            losses.push(loss(ObjectKind::Index, &index.origin, &error));
            false
        }
    });
    // What was just created can be dropped.
    let _ = scratch.execute_batch(&format!("DROP TABLE {}", quote(&ddl.name)));
}

/// Settles what refers to other objects: a foreign key may refer to a unique index of any table, so all tables and
/// indexes are there first, then the views in their order.
fn settle_references(scratch: &Connection, plan: &mut Plan, losses: &mut Vec<Loss>) -> rusqlite::Result<()> {
    let refers = |table: &TablePlan| table.ddl.iter().any(|ddl| ddl.constraints.iter().any(is_foreign_key));
    if plan.views.is_empty() && !plan.tables.iter().any(refers) {
        return Ok(());
    }
    let mut all = ObjectList::hold(scratch)?;
    for table in &plan.tables {
        let tables = table.ddl.iter().map(TableDdl::sql);
        for sql in tables.chain(table.indexes.iter().map(|index| index.sql.clone())) {
            match all.create(&sql) {
                // Of a table that is refused already.
                Err(_) if !plan.refusals.is_empty() => {}
                created => created?,
            }
        }
    }
    for ddl in plan.tables.iter_mut().filter(|table| refers(table)).filter_map(|table| table.ddl.as_mut()) {
        drop_mismatched_foreign_keys(scratch, ddl, losses);
    }
    plan.views.retain(|view| {
        let usable = all
            .create(&view.sql)
            .and_then(|()| scratch.prepare(&format!("SELECT * FROM {}", quote(&view.target))).map(drop));
        match usable {
            Ok(()) => true,
            Err(error) => {
                // A view that cannot be queried must not hide from the views after it.
                let _ = scratch.execute_batch(&format!("DROP VIEW IF EXISTS {}", quote(&view.target)));
                losses.push(loss(ObjectKind::View, &view.source.to_string(), &error));
                false
            }
        }
    });
    Ok(())
}

fn is_foreign_key(piece: &Piece) -> bool {
    piece.kind == ObjectKind::ForeignKey
}

fn loss(kind: ObjectKind, object: &str, error: &rusqlite::Error) -> Loss {
    Loss { kind, object: object.into(), reason: Reason::NotTaken(error.to_string()) }
}

/// Leaves out the pieces that fail, found by halving: a table may have thousands, and few of them do.
fn drop_what_fails(scratch: &Connection, ddl: &mut TableDdl, losses: &mut Vec<Loss>) {
    let pieces: Vec<Piece> = ddl.pieces().filter(|piece| !piece.origin.is_empty()).cloned().collect();
    let mut failing: HashSet<Piece> = HashSet::new();
    let mut parts: Vec<&[Piece]> = vec![&pieces];
    while let Some(part) = parts.pop() {
        let kept: HashSet<&Piece> = part.iter().collect();
        let Err(error) = scratch.execute_batch(&ddl.keeping(|piece| kept.contains(piece)).sql()) else {
            // The name is needed again for the next part; dropping what was just created cannot fail.
            let _ = scratch.execute_batch(&format!("DROP TABLE {}", quote(&ddl.name)));
            continue;
        };
        match part {
            [] => {}
            [piece] => {
                losses.push(loss(piece.kind, &piece.origin, &error));
                failing.insert(piece.clone());
            }
            more => {
                let (first, second) = more.split_at(more.len() / 2);
                parts.extend([second, first]);
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
    if check(&ddl.name).is_ok() {
        return;
    }
    let mut failing = HashSet::new();
    let mut alone = ddl.keeping(|_| false);
    alone.name = PASSING_TABLE.to_owned();
    for piece in ddl.constraints.iter().filter(|piece| is_foreign_key(piece)) {
        alone.constraints = vec![piece.clone()];
        let sound = scratch.execute_batch(&alone.sql()).and_then(|()| check(PASSING_TABLE));
        let _ = scratch.execute_batch(&format!("DROP TABLE IF EXISTS {}", quote(PASSING_TABLE)));
        if let Err(error) = sound {
            losses.push(loss(piece.kind, &piece.origin, &error));
            failing.insert(piece.clone());
        }
    }
    *ddl = ddl.keeping(|piece| !failing.contains(piece));
}
