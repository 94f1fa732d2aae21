//! From the catalog to the plans of its tables.

use super::history::is_history;
use super::order::order;
use super::plan::Planning;
use super::share::share;
use super::table_plan::{Slot, Stores, TablePlan, UniqueKey, Uniqueness};
use super::values::mistake_in;
use super::{GenerateOptions, Generator};
use crate::catalog::{Catalog, QualifiedName, Table, TableKind};
use crate::error::{Error, Result};
use std::collections::BTreeMap;

impl<'c> Generator<'c> {
    /// Plans the rows of every table.
    ///
    /// # Errors
    /// When foreign keys form a cycle that cannot be broken (the cycle is told), when no value can satisfy what is
    /// said about a column, or when nothing is known about the values of its type. Tables that get no rows do not
    /// count.
    pub fn new(catalog: &'c Catalog, options: GenerateOptions) -> Result<Self> {
        generator(catalog, options)
    }
}

fn generator(catalog: &Catalog, options: GenerateOptions) -> Result<Generator<'_>> {
    for (key, hint) in &options.hints.columns {
        if let Some(cause) = hint.pattern.as_deref().and_then(mistake_in) {
            return Err(Error::usage("read the pattern of", options.hints.place(key), cause));
        }
    }
    let tables: Vec<&Table> =
        (catalog.tables.iter()).filter(|table| !matches!(table.kind, TableKind::MaterializedView { .. })).collect();
    // A table that is to stay empty needs no values, and breaks no cycle.
    let asked: Vec<Option<u64>> = tables.iter().map(|table| rows_asked(table, &options)).collect();
    let order = order(catalog, &tables, &asked)?;
    let mut stores = Stores::default();
    let mut plans: Vec<TablePlan<'_>> = Vec::with_capacity(tables.len());
    for (place, rows) in asked.iter().enumerate() {
        let rows = rows.unwrap_or(options.rows);
        let planning = Planning::new(catalog, &tables, place, &order.broken, rows, &options);
        plans.push(planning.plan(&mut stores)?);
    }
    for (store, (table, columns)) in stores.list.iter().enumerate() {
        let plan = &mut plans[*table];
        let places: Option<Vec<usize>> =
            columns.iter().map(|column| plan.names.iter().position(|name| name == column)).collect();
        let places = places.ok_or_else(|| {
            Error::could_not(
                "generate rows of",
                format!("`{}`", plan.table.name),
                format!("a foreign key refers to its generated column among ({})", columns.join(", ")),
            )
        })?;
        plan.feeds.push((store, places));
    }
    for plan in &mut plans {
        for foreign in &mut plan.self_references {
            let names = &stores.list[foreign.store].1;
            foreign.own_key =
                names.iter().filter_map(|name| plan.names.iter().position(|other| other == name)).collect();
        }
    }
    let weights = weights(&plans, &order.units, &stores);
    share_rows(&mut plans, &order.units, &asked, &weights, options.rows, &stores);
    for plan in &mut plans {
        choose_uniqueness(plan);
    }
    let stores = stores.list.iter().map(|(_, columns)| columns.len()).collect();
    let idle_hints = idle_hints(catalog, &options);
    Ok(Generator { plans, units: order.units, stores, options, existing: BTreeMap::new(), idle_hints })
}

/// The keys of hints that name no table or column of the catalog.
fn idle_hints(catalog: &Catalog, options: &GenerateOptions) -> Vec<String> {
    let named = |key: &str, name: &QualifiedName| key == name.name || key == format!("{}.{}", name.schema, name.name);
    let tables = options.hints.tables.keys().filter(|key| !catalog.tables.iter().any(|table| named(key, &table.name)));
    let columns = options.hints.columns.keys().filter(|key| {
        !catalog.tables.iter().any(|table| {
            table.columns.iter().any(|column| {
                let rest = key.strip_suffix(column.name.as_str()).and_then(|rest| rest.strip_suffix('.'));
                rest.is_some_and(|of| of == "*" || named(of, &table.name))
            })
        })
    });
    tables.chain(columns).cloned().collect()
}

fn rows_asked(table: &Table, options: &GenerateOptions) -> Option<u64> {
    if matches!(&table.kind, TableKind::Partitioned { partitions, .. } if partitions.is_empty()) {
        // Nothing takes a row.
        return Some(0);
    }
    if is_history(table) {
        return Some(0);
    }
    let hint = options.hints.table(&table.name.schema, &table.name.name).and_then(|hint| hint.rows);
    options.per_table.get(&table.name).copied().or(hint)
}

/// How much more a table gets that refers to others: by the longest way to a table that refers to none.
fn weights(plans: &[TablePlan<'_>], units: &[Vec<usize>], stores: &Stores<'_>) -> Vec<u64> {
    let mut depth = vec![0_u64; plans.len()];
    for place in units.iter().flatten() {
        let parents = plans[*place].groups.iter().flatten().map(|key| stores.list[key.store].0);
        depth[*place] = parents.map(|parent| depth[parent] + 1).max().unwrap_or(0);
    }
    depth.into_iter().map(|depth| 1 + 2 * depth.min(4)).collect()
}

/// Shares the rows out, parents first, and none more than the keys of a table allow.
fn share_rows(
    plans: &mut [TablePlan<'_>],
    units: &[Vec<usize>],
    asked: &[Option<u64>],
    weights: &[u64],
    rows: u64,
    stores: &Stores<'_>,
) {
    let order: Vec<usize> = units.iter().flatten().copied().collect();
    let in_order = |values: &[u64]| order.iter().map(|place| values[*place]).collect::<Vec<u64>>();
    let asked: Vec<Option<u64>> = order.iter().map(|place| asked[*place]).collect();
    let weights = in_order(weights);
    let mut capacities = vec![u64::MAX; plans.len()];
    // A table's capacity follows from its parents' rows, and these from all capacities: three rounds are enough for
    // what a summary tells anyway.
    for _ in 0..3 {
        let shares = share(rows, &asked, &weights, &in_order(&capacities));
        for (place, share) in order.iter().zip(shares) {
            plans[*place].wanted = share;
        }
        capacities = (0..plans.len()).map(|place| capacity(plans, place, stores)).collect();
    }
}

/// How many rows the keys of a table allow at most.
fn capacity(plans: &[TablePlan<'_>], place: usize, stores: &Stores<'_>) -> u64 {
    let plan = &plans[place];
    let of_key = |key: &UniqueKey| {
        let nullable = key.columns.iter().any(|column| plan.columns[*column].nullable);
        if key.is_computed || nullable && !key.nulls_equal {
            return u64::MAX;
        }
        match plan.slots(&key.columns) {
            None => u64::MAX,
            Some(slots) => (slots.iter())
                .map(|slot| match slot {
                    Slot::Column(column) => plan.columns[*column].capacity(),
                    Slot::Group(group) => plans[stores.list[plan.groups[*group][0].store].0].wanted,
                })
                .fold(1_u64, u64::saturating_mul),
        }
    };
    plan.keys.iter().map(of_key).min().unwrap_or(u64::MAX)
}

/// Decides how each unique key is kept.
fn choose_uniqueness(plan: &mut TablePlan<'_>) {
    let wanted = plan.wanted.saturating_mul(4).saturating_add(1000);
    for column in 0..plan.columns.len() {
        if plan.table.column(&plan.names[column]).is_some_and(|column| column.sequence.is_some())
            && !plan.is_foreign(column)
            && plan.columns[column].capacity() > wanted
        {
            plan.columns[column].distinct = true;
        }
    }
    let mut order: Vec<usize> = (0..plan.keys.len()).collect();
    order.sort_by_key(|key| plan.keys[*key].columns.len());
    let mut enumerated = false;
    for key in order {
        let columns = plan.keys[key].columns.clone();
        let roomy = |column: &usize| !plan.is_foreign(*column) && plan.columns[*column].capacity() >= wanted;
        let distinct = |column: &usize| plan.columns[*column].distinct;
        plan.keys[key].uniqueness = if columns.iter().any(distinct) {
            Uniqueness::Distinct
        } else if plan.keys[key].is_computed {
            Uniqueness::Judged
        } else if let Some(column) = columns.iter().copied().rev().find(roomy) {
            plan.columns[column].distinct = true;
            Uniqueness::Distinct
        } else if !enumerated && plan.slots(&columns).is_some() {
            enumerated = true;
            Uniqueness::Enumerated
        } else {
            Uniqueness::Remembered
        };
    }
}
