//! Why a target has rows without their parents although it is what was asked for: its source has them, or what somebody
//! has chosen leaves the parents out.

use super::verification::Verification;
use crate::catalog::{Catalog, Dialect, Known};
use crate::endpoint::files::layout::RecordSet;
use crate::endpoint::files::source::LayoutFile;
use crate::endpoint::findings::{Keeper, OrphanCause};
use crate::error::Result;
use crate::plan::choices::{Choices, matches};
use crate::plan::names::natural;
use crate::plan::{Plan, TablePlan};

/// Who keeps the rows of a source with that catalog.
pub(super) fn keeper(catalog: &Catalog) -> Keeper {
    let is_remembered = || {
        let mut columns = catalog.tables.iter().flat_map(|table| &table.columns);
        columns.any(|column| column.data_type.known == Known::Remembered)
    };
    match catalog.dialect {
        Dialect::Sqlite => Keeper::Sqlite,
        Dialect::Postgres if is_remembered() => Keeper::Sqlite,
        Dialect::Postgres if catalog.layout.is_some() => Keeper::Tree,
        Dialect::Postgres => Keeper::Postgres,
    }
}

/// Says where the choices leave out parents of rows that are there.
///
/// # Errors
/// When the layout of a tree, which the catalog remembers, is refused.
pub(crate) fn explain(found: &mut Verification, catalog: &Catalog, plan: &Plan, choices: &Choices) -> Result<()> {
    let Some(keys) = found.findings.foreign_keys.as_mut().filter(|keys| keys.total > 0) else { return Ok(()) };
    let (mut parents, mut options) = (Vec::new(), Vec::new());
    for orphan in &keys.orphans {
        let is_parent = |name: &str| name.eq_ignore_ascii_case(&orphan.parent);
        let left_out = match plan.tables.iter().find(|table| is_parent(&table.target)) {
            Some(table) => kinds_left_out(table, catalog, &choices.only)?,
            None => tables_left_out(catalog, &is_parent, choices),
        };
        if !left_out.is_empty() && !parents.contains(&orphan.parent) {
            parents.push(orphan.parent.clone());
            options.extend(left_out);
        }
    }
    if !parents.is_empty() {
        options.sort();
        options.dedup();
        keys.cause = Some(OrphanCause::LeftOut { parents, way_out: format!("add {}", options.join(" ")) });
    }
    Ok(())
}

/// What has to be chosen so that every file is read that has rows of a table.
fn kinds_left_out(table: &TablePlan, catalog: &Catalog, only: &[String]) -> Result<Vec<String>> {
    let layout = LayoutFile::remembered(catalog, &catalog.database)?.filter(|_| !only.is_empty());
    let Some(layout) = layout.map(|file| file.layout) else { return Ok(Vec::new()) };
    let fills = |sets: &[RecordSet]| has_table(sets, &|place| layout.tables[place].name == table.source.name);
    let is_chosen = |name: &str| only.iter().any(|pattern| matches(pattern, name));
    let left_out = layout.kinds.iter().filter(|kind| fills(&kind.records) && !is_chosen(&kind.name));
    Ok(left_out.map(|kind| format!("`--only {}`", kind.name)).collect())
}

fn has_table(sets: &[RecordSet], is_wanted: &dyn Fn(usize) -> bool) -> bool {
    sets.iter().any(|set| is_wanted(set.table) || has_table(&set.children, is_wanted))
}

/// What carries a table that the choices leave out.
fn tables_left_out(catalog: &Catalog, is_wanted: &dyn Fn(&str) -> bool, choices: &Choices) -> Vec<String> {
    let table = catalog.tables.iter().find(|table| is_wanted(&natural(&table.name)) || is_wanted(&table.name.name));
    let Some(table) = table.filter(|table| !choices.carries(&table.name)) else { return Vec::new() };
    let is_excluded = || Choices { tables: Default::default(), ..choices.clone() }.carries(&table.name);
    match is_excluded() {
        true if !choices.tables.include.is_empty() => vec![format!("`--table {}`", table.name)],
        true => vec![format!("table `{}`, which is excluded by name", table.name)],
        false => vec![format!("table `{}`, which is dropped by name", table.name)],
    }
}
