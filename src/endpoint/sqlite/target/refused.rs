//! Why a row was not taken: what is told of it, and what there is to do.

use crate::endpoint::inexact::key_of;
use crate::endpoint::sqlite::Batch;
use crate::endpoint::sqlite::loader::{Loader, NO_ROOM_HINT, Refusal, RowRefused};
use crate::error::Error;
use crate::plan::{ColumnPlan, Plan, TablePlan};
use crate::quote::quote;
use crate::types::{Codec, Representation, TextForm};
use crate::value::{Cell, row_key};

/// A key that is longer than this is not shown in a message about a row's size.
const KEY_SHOWN_BYTES_MAX: usize = 200;

/// The row's name in a message about its size: of a key that may itself be the large value, its place is told.
pub(super) fn key_of_large(table: &TablePlan, codecs: &[Codec], cells: &[Cell<'_>], rows_before: u64) -> String {
    let bytes = |place: &usize| codecs[*place].place(&cells[*place]).stored.byte_count();
    if table.key.iter().map(bytes).sum::<usize>() > KEY_SHOWN_BYTES_MAX {
        return format!("{} of the scan", rows_before + 1);
    }
    key_of(table, codecs, cells, rows_before)
}

/// What SQLite does not take, before it is asked.
pub(super) fn too_large(
    table: &TablePlan,
    column: &ColumnPlan,
    key: &str,
    bytes: usize,
    row_bytes_max: usize,
) -> Error {
    let object = format!("table `{}`, row {key}, column `{}`", table.source, column.source);
    let cause = if bytes > row_bytes_max {
        format!("the value has {bytes} bytes; SQLite takes {row_bytes_max} at most")
    } else {
        format!("with this value of {bytes} bytes the row has more than {row_bytes_max}, which SQLite takes at most")
    };
    let name = &table.source.name;
    // Under these rules JSON's quotes and backslashes can be what is too much.
    let shorter = match column.representation {
        Representation::Text(TextForm::JsonArray | TextForm::JsonObject) => format!(
            "give it the rule `server-text` where that is shorter (`--rule {name}.{}=server-text`), ",
            column.source
        ),
        _ => String::new(),
    };
    Error::could_not("copy", object, cause).hint(format!(
        "{shorter}leave the column out with `drop.\"{name}.{}\" = \"why\"` in a project's `project.toml`, or the table \
         with `--exclude-table {name}`, or make the value smaller in the source",
        column.source
    ))
}

pub(super) fn no_room_for(table: &TablePlan, column: &ColumnPlan, value: &str, key: &str) -> Error {
    let object = format!("table `{}`, row {key}, column `{}`", table.source, column.source);
    let cause = format!("SQLite has no {value}, and NULL, which would stand for it, is not allowed there (NOT NULL)");
    Error::could_not("copy", object, cause).hint(format!(
        "keep the column as text: `--rule {0}.{1}=server-text`, or `rules.columns.\"{0}.{1}\" = \"server-text\"`",
        table.source.name, column.source
    ))
}

/// The key of a row that was refused, from the batch's own values.
fn refused_key(table: &TablePlan, batch: &Batch, row: usize) -> String {
    let inserted: Vec<usize> = (0..table.columns.len()).filter(|place| !table.columns[*place].computed).collect();
    let places: Vec<_> = table.key.iter().filter_map(|key| inserted.iter().position(|place| place == key)).collect();
    if places.is_empty() {
        return "without a key".to_owned();
    }
    if places.iter().map(|place| batch.value(row, *place, inserted.len()).byte_count()).sum::<usize>()
        > KEY_SHOWN_BYTES_MAX
    {
        return "with a long key".to_owned();
    }
    row_key(places.into_iter().map(|place| batch.value(row, place, inserted.len())))
}

pub(super) fn refused_row(
    plan: &Plan,
    table: &TablePlan,
    batch: &Batch,
    refused: &RowRefused,
    loader: &Loader,
) -> Error {
    let key = refused_key(table, batch, refused.row);
    let object = format!("table `{}`, row {key}", table.source);
    match refused.reason {
        Refusal::Constraint => {}
        Refusal::Unwritten => {
            let object = format!("{object}, to {}", loader.label());
            return Error::could_not("copy", object, &refused.message).hint(NO_ROOM_HINT);
        }
        Refusal::TooLarge => {
            let inserted: Vec<&ColumnPlan> = table.columns.iter().filter(|column| !column.computed).collect();
            let bytes = |place: usize| batch.value(refused.row, place, inserted.len()).byte_count();
            let largest = (0..inserted.len()).max_by_key(|place| bytes(*place));
            return match (largest, loader.row_bytes_max()) {
                (Some(place), Ok(max)) => too_large(table, inserted[place], &key, bytes(place), max),
                _ => Error::could_not("copy", object, &refused.message),
            };
        }
    }
    let error = Error::could_not("copy", object, &refused.message);
    // SQLite names an unnamed check by its text, and of a text that begins with a quoted name by that name alone.
    let check = refused.message.strip_prefix("CHECK constraint failed: ");
    let is_named = |column: &&ColumnPlan| {
        let json = column.representation.is_json();
        let whole = format!("json_valid({})", quote(&column.target));
        json && check.is_some_and(|check| check == whole || check == column.target)
    };
    if let Some(column) = table.columns.iter().find(is_named) {
        return error.hint(format!(
            "SQLite reads JSON up to a depth of 1000; keep the column as plain text: \
             `rules.columns.\"{}.{}\" = \"server-text\"`",
            table.source.name, column.source
        ));
    }
    if plan.given_schema {
        return error.hint(super::finish::hint_of_given(plan));
    }
    if let Some(check) = check
        && let Some(hint) = plan.known_difference(&format!("{}.{check}", table.source))
    {
        return error.hint(hint);
    }
    if !refused.message.contains("NOT NULL") && !refused.message.contains("datatype") {
        return error.hint(
            "the source holds it for true: leave the constraint out by its name under `tables.exclude_objects`, or choose \
             another rule for the column",
        );
    }
    error.hint("choose another rule for the column under `rules.columns`")
}
