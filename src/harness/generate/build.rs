//! From the catalog to the plans of its tables.

use super::checks;
use super::column::ColumnPlan;
use super::dataset::{identifying, is_sqlite};
use super::expressions;
use super::history::is_history;
use super::judge::row_conditions;
use super::order::{is_set_later, order};
use super::referrers;
use super::share::share;
use super::table_plan::{Foreign, JudgedCondition, TablePlan, UniqueKey, Way};
use super::values::{Bound, Limits, mistake_in, unsolvable};
use super::{Generator, Options};
use crate::catalog::{Catalog, Column, IndexKey, IndexPart, QualifiedName, Shape, Table, TableKind};
use crate::error::{Error, Result};
use std::collections::{BTreeMap, BTreeSet};

const OPERATION: &str = "generate values of";
/// How often a nullable foreign key is NULL.
const FOREIGN_NULL_SHARE: f64 = 0.15;
/// What a B-tree takes of one entry, with room for the rest of it.
const INDEX_OCTETS_MAX: u32 = 2000;

/// The stores of keys: table and columns of each.
#[derive(Default)]
struct Stores<'c> {
    list: Vec<(usize, Vec<&'c str>)>,
}

impl<'c> Stores<'c> {
    fn of(&mut self, table: usize, columns: &'c [String]) -> usize {
        let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
        let known = self.list.iter().position(|(other, names)| *other == table && *names == columns);
        known.unwrap_or_else(|| {
            self.list.push((table, columns));
            self.list.len() - 1
        })
    }
}

impl<'c> Generator<'c> {
    /// Plans the rows of every table.
    ///
    /// # Errors
    /// When foreign keys form a cycle that cannot be broken (the cycle is told), when no value can satisfy what is
    /// said about a column, or when nothing is known about the values of its type. Tables that get no rows do not
    /// count.
    pub fn new(catalog: &'c Catalog, options: Options) -> Result<Self> {
        generator(catalog, options)
    }
}

fn generator(catalog: &Catalog, options: Options) -> Result<Generator<'_>> {
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
    for (place, table) in tables.iter().enumerate() {
        let rows = asked[place].unwrap_or(options.rows);
        plans.push(plan(catalog, &tables, place, table, &order.broken, rows, &options, &mut stores)?);
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
        for foreign in &mut plan.selves {
            let names = &stores.list[foreign.store].1;
            foreign.own_key =
                names.iter().filter_map(|name| plan.names.iter().position(|other| other == name)).collect();
        }
    }
    let weights = weights(&plans, &order.units, &stores);
    share_rows(&mut plans, &order.units, &asked, &weights, options.rows, &stores);
    for plan in &mut plans {
        choose_ways(plan);
    }
    let stores = stores.list.iter().map(|(_, columns)| columns.len()).collect();
    let idle_hints = idle_hints(catalog, &options);
    Ok(Generator { plans, units: order.units, stores, options, existing: BTreeMap::new(), idle_hints })
}

/// The keys of hints that name no table or column of the catalog.
fn idle_hints(catalog: &Catalog, options: &Options) -> Vec<String> {
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

fn rows_asked(table: &Table, options: &Options) -> Option<u64> {
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

#[allow(clippy::too_many_arguments)]
fn plan<'c>(
    catalog: &'c Catalog,
    tables: &[&'c Table],
    place: usize,
    table: &'c Table,
    broken: &BTreeSet<(usize, usize)>,
    rows: u64,
    options: &Options,
    stores: &mut Stores<'c>,
) -> Result<TablePlan<'c>> {
    let inserted: Vec<&Column> = table.columns.iter().filter(|column| column.generated.is_none()).collect();
    let names: Vec<String> = inserted.iter().map(|column| column.name.clone()).collect();
    let at = |name: &String| names.iter().position(|other| other == name);
    let mut plan = TablePlan {
        table,
        columns: Vec::new(),
        groups: Vec::new(),
        selves: Vec::new(),
        broken: Vec::new(),
        deferred: Vec::new(),
        later: Vec::new(),
        keys: Vec::new(),
        conditions: Vec::new(),
        orderings: Vec::new(),
        judged: Vec::new(),
        judged_conditions: Vec::new(),
        unsolved: Vec::new(),
        feeds: Vec::new(),
        wanted: rows,
        names: names.clone(),
    };
    if rows == 0 {
        // Nothing is asked of a table that stays empty; others may refer to rows that are there.
        return empty_plan(plan, &inserted);
    }
    let mut later = BTreeSet::new();
    let mut left_null = Vec::new();
    for (number, key) in table.foreign_keys_of_any_part().enumerate() {
        let Some(parent) = tables.iter().position(|other| other.name == key.references) else { continue };
        let Some(columns) = key.columns.iter().map(at).collect::<Option<Vec<_>>>() else {
            return Err(Error::could_not(
                "generate rows of",
                format!("`{}`", table.name),
                format!("its foreign key `{}` starts at a generated column", key.name),
            ));
        };
        let hinted = |column: &usize| {
            let hint = options.hints.column(&table.name.schema, &table.name.name, &names[*column]);
            hint.and_then(|hint| hint.null_share)
        };
        let foreign = Foreign {
            null_share: columns.iter().find_map(hinted).unwrap_or(FOREIGN_NULL_SHARE),
            columns,
            store: stores.of(parent, &key.referenced_columns),
            own_key: Vec::new(),
            match_full: key.match_full,
        };
        if parent == place {
            plan.selves.push(foreign);
        } else if broken.contains(&(place, number)) {
            if is_set_later(table, key) {
                if identifying(Some(table), &names).is_empty() {
                    // Nothing by which a row could be found again.
                    left_null.extend(foreign.columns.iter().copied().filter(|column| !inserted[*column].not_null));
                    continue;
                }
                later.extend(foreign.columns.iter().copied().filter(|column| !inserted[*column].not_null));
            }
            plan.broken.push(foreign);
        } else {
            join(&mut plan.groups, foreign);
        }
    }
    // The key with the most columns decides over the others.
    for group in &mut plan.groups {
        group.sort_by_key(|key| std::cmp::Reverse(key.columns.len()));
    }
    let needed: BTreeSet<usize> = needed_by_others(catalog, table).iter().filter_map(at).collect();
    for column in plan.broken.iter().flat_map(|key| &key.columns).chain(&left_null) {
        let taken = plan.groups.iter().flatten().chain(&plan.selves).any(|key| key.columns.contains(column));
        if !taken && !needed.contains(column) && !plan.deferred.contains(column) {
            plan.deferred.push(*column);
        }
    }
    plan.deferred.sort_unstable();
    plan.later = plan.deferred.iter().copied().filter(|column| later.contains(column)).collect();
    let demanded: BTreeSet<usize> = demanded_by_others(catalog, table).iter().filter_map(at).collect();
    for foreign in plan.groups.iter_mut().flatten().chain(&mut plan.selves).chain(&mut plan.broken) {
        if foreign.columns.iter().any(|column| demanded.contains(column)) {
            foreign.null_share = 0.0;
        }
    }
    let sqlite = is_sqlite(catalog);
    plan.keys = unique_keys(table, &names, &inserted, sqlite);
    let mut found = checks::find(table, &inserted, sqlite, &|column| plan.is_foreign(column));
    expressions::of_indexes(table, &inserted, sqlite, rows, &mut found.limits);
    let is_foreign = |column: usize| plan.is_foreign(column);
    let excluding = expressions::of_exclusions(catalog, table, &inserted, &is_foreign, rows, &mut found.limits)?;
    for (name, column) in excluding {
        let columns = vec![column];
        plan.keys.push(UniqueKey { name, columns, nulls_equal: false, predicate: None, way: Way::Remembered });
    }
    let hint_of = |column: &Column| options.hints.key_of_column(&table.name.schema, &table.name.name, &column.name);
    for (number, column) in inserted.iter().enumerate() {
        let hint = hint_of(column).map(|key| &options.hints.columns[&key]);
        let mut limits = std::mem::take(&mut found.limits[number]);
        limits.octets_max = octets_max(table, column);
        if sqlite && matches!(column.data_type.base().shape, Shape::Real | Shape::Double) {
            // SQLite keeps NULL in its place.
            limits.excluded.push("NaN".to_owned());
        }
        fed_by_sequence(catalog, column, &mut limits);
        referrers::narrow(catalog, table, column, &mut limits);
        let suggested = match limits.allowed.is_none() && hint.is_none_or(|hint| hint.values.is_none()) {
            true => std::mem::take(&mut found.suggested[number]),
            false => Vec::new(),
        };
        let form = found.forms[number];
        let unlisted = hint.is_none_or(|hint| hint.values.is_none() && hint.pattern.is_none());
        if let Some(cause) = limits.patterns.iter().filter(|_| unlisted).find_map(unsolvable) {
            let object = format!("`{}`, column `{}`", table.name, column.name);
            let told = Error::could_not(OPERATION, object, cause);
            return Err(told.hint("say under `[generate.columns]` what values it has"));
        }
        let mut made = ColumnPlan::new(column, limits.clone(), form, hint, suggested.clone());
        if made.is_err() {
            // Limits that cannot be solved together: fewer of them, and the rest for rejection.
            let fewer = fewer_limits(&limits).into_iter();
            let tried = fewer.map(|limits| ColumnPlan::new(column, limits, form, hint, suggested.clone()));
            if let Some(solved) = tried.into_iter().find(Result::is_ok) {
                found.unsolve(number);
                if let Err(error) = &made {
                    plan.unsolved.push(format!("column `{}`: {}", column.name, error.cause()));
                }
                made = solved;
            }
        }
        let made = made.map_err(|error| {
            let object = format!("`{}`, column `{}`", table.name, column.name);
            match hint_of(column) {
                // Without what the project says of it, it can be filled.
                Some(key) if ColumnPlan::new(column, limits.clone(), form, None, Vec::new()).is_ok() => {
                    Error::usage(OPERATION, format!("{}, for {object}", options.hints.place(&key)), error.cause())
                }
                _ => Error::could_not(OPERATION, object, error.cause())
                    .hint("say under `[generate.columns]` what values it has"),
            }
        })?;
        plan.columns.push(made);
        if limits.allowed.is_none() && hint.is_none_or(|hint| hint.values.is_none()) {
            for (pattern, is_cast) in std::mem::take(&mut found.patterns[number]) {
                plan.columns[number].suggest(column, pattern, is_cast);
            }
        }
        let planned = &mut plan.columns[number];
        if found.often_null.contains(&number) && planned.null_share > 0.0 && planned.null_share < 1.0 {
            planned.null_share = 0.5;
        }
        if found.never_null.contains(&number) {
            planned.null_share = 0.0;
            planned.nullable = false;
        }
        if plan.is_foreign(number) || column.sequence.is_some() || demanded.contains(&number) {
            plan.columns[number].null_share = 0.0;
        }
    }
    plan.conditions = found.conditions;
    plan.orderings = found.orderings;
    plan.orderings.retain(|(a, b)| {
        // Values are exchanged only where neither comes from elsewhere, nor has to stay what it is.
        let free = |column: &usize| !plan_is_foreign(&plan.groups, &plan.selves, &plan.broken, *column);
        free(a) && free(b)
    });
    plan.judged = found.judged;
    if !sqlite {
        // What is computed from random numbers may not fit its type; the server computes it before the insert.
        let computed = table.columns.iter().filter(|column| column.generated.is_some());
        plan.judged.extend(computed.map(|column| format!("generated column {}", column.name)));
        let is_expression = |part: &IndexPart| matches!(part.key, IndexKey::Expression(_));
        let computed = table.indexes.iter().filter(|index| index.unique && index.parts.iter().any(is_expression));
        plan.judged.extend(computed.map(|index| index.name.clone()));
        if plan.judged.is_empty() && matches!(table.kind, TableKind::Partitioned { .. }) {
            // What a partition asks for besides its bounds, only the server knows.
            plan.judged.push(format!("partitions of {}", table.name));
        }
    }
    plan.judged_conditions = row_conditions(table)
        .into_iter()
        .map(|condition| JudgedCondition {
            columns: match condition.column.as_ref().and_then(at) {
                Some(column) => vec![column],
                None => checks::columns_of(&condition.expression, &inserted, sqlite),
            },
            words: checks::words_of(&condition.expression),
            name: condition.name,
        })
        .collect();
    for condition in plan.judged_conditions.iter().filter(|condition| plan.judged.contains(&condition.name)) {
        for column in &condition.columns {
            plan.columns[*column].judged = true;
            plan.columns[*column].words.extend(condition.words.iter().cloned());
        }
    }
    no_null_where_keys_count_it(&mut plan);
    Ok(plan)
}

fn plan_is_foreign(groups: &[Vec<Foreign>], selves: &[Foreign], broken: &[Foreign], column: usize) -> bool {
    groups.iter().flatten().chain(selves).chain(broken).any(|key| key.columns.contains(&column))
}

/// The same limits with some of them left out, the fewest first.
fn fewer_limits(limits: &Limits) -> Vec<Limits> {
    let no_pattern = Limits { patterns: Vec::new(), ..limits.clone() };
    let no_range = Limits { minimum: None, maximum: None, ..limits.clone() };
    let no_length = Limits { length_min: None, length_max: None, ..no_pattern.clone() };
    let nothing = Limits { minimum: None, maximum: None, excluded: Vec::new(), ..no_length.clone() };
    let no_list = Limits { allowed: None, ..nothing.clone() };
    let all = vec![no_pattern, no_range, no_length, nothing, no_list];
    all.into_iter().filter(|fewer| fewer != limits).collect()
}

/// The plan of a table without rows.
fn empty_plan<'c>(mut plan: TablePlan<'c>, inserted: &[&Column]) -> Result<TablePlan<'c>> {
    for column in inserted {
        let text = crate::catalog::DataType::new("text", Shape::Text);
        let column = Column { data_type: text, ..(*column).clone() };
        plan.columns.push(ColumnPlan::new(&column, Limits::default(), None, None, Vec::new())?);
    }
    Ok(plan)
}

/// Adds a foreign key to the group that it shares columns with, which may join groups.
fn join(groups: &mut Vec<Vec<Foreign>>, foreign: Foreign) {
    let shares = |group: &Vec<Foreign>| {
        group.iter().any(|other| other.columns.iter().any(|column| foreign.columns.contains(column)))
    };
    let mut joined = vec![foreign.clone()];
    let mut rest = Vec::new();
    for group in groups.drain(..) {
        if shares(&group) { joined.extend(group) } else { rest.push(group) }
    }
    rest.push(joined);
    *groups = rest;
}

/// The columns whose values have to be known before rows of other tables are made.
fn needed_by_others(catalog: &Catalog, table: &Table) -> Vec<String> {
    let keys = catalog.tables.iter().flat_map(|other| other.foreign_keys_of_any_part());
    let referenced = keys.filter(|key| key.references == table.name).flat_map(|key| key.referenced_columns.clone());
    table.primary_key.iter().flat_map(|key| key.columns.clone()).chain(referenced).collect()
}

/// The columns that a table cannot do without, this one or another: with a NULL in them, no row had anything to refer to.
fn demanded_by_others(catalog: &Catalog, table: &Table) -> Vec<String> {
    let mut demanded = Vec::new();
    for other in &catalog.tables {
        let never_null = |name: &String| other.column(name).is_some_and(|column| column.not_null);
        for key in other.foreign_keys_of_any_part().filter(|key| key.references == table.name) {
            if key.columns.iter().all(never_null) {
                demanded.extend(key.referenced_columns.iter().cloned());
            }
        }
    }
    demanded
}

fn unique_keys(table: &Table, names: &[String], inserted: &[&Column], sqlite: bool) -> Vec<UniqueKey> {
    let mut keys = Vec::new();
    let at = |name: &str| names.iter().position(|other| other == name);
    for key in table.primary_key.iter().chain(&table.unique_keys) {
        // A generated column in a key: what it is made of is not looked into, the rest of the key has to do.
        let columns: Vec<usize> = key.columns.iter().filter_map(|name| at(name)).collect();
        keys.push(UniqueKey {
            name: key.name.clone(),
            columns,
            nulls_equal: key.nulls_not_distinct,
            predicate: None,
            way: Way::Remembered,
        });
    }
    for index in table.indexes.iter().filter(|index| index.unique) {
        let mut columns = Vec::new();
        let mut nulls_equal = index.nulls_not_distinct;
        for part in &index.parts {
            match &part.key {
                IndexKey::Column(name) => columns.extend(at(name)),
                IndexKey::Expression(_) => nulls_equal = true,
            }
        }
        if columns.is_empty() {
            // Beside a column, an expression need not tell anything apart.
            let expressions = index.parts.iter().filter_map(|part| match &part.key {
                IndexKey::Expression(expression) => Some(expression),
                IndexKey::Column(_) => None,
            });
            columns.extend(expressions.flat_map(|expression| checks::columns_of(expression, inserted, sqlite)));
        }
        columns.dedup();
        let predicate = index.predicate.as_ref();
        let predicate = predicate.map(|text| checks::predicate(&index.name, text, inserted, sqlite));
        // What cannot be decided here is taken to hold.
        let predicate = predicate.filter(checks::Condition::is_decidable);
        keys.push(UniqueKey { name: index.name.clone(), columns, nulls_equal, predicate, way: Way::Remembered });
    }
    keys.retain(|key| !key.columns.is_empty());
    keys
}

/// What fits into the entries of the table's indexes.
fn octets_max(table: &Table, column: &Column) -> Option<u32> {
    let keys = table.primary_key.iter().chain(&table.unique_keys);
    let in_keys = keys.map(|key| key.columns.iter().chain(&key.include).cloned().collect::<Vec<String>>());
    let in_indexes = table.indexes.iter().map(|index| {
        let parts = index.parts.iter().map(|part| match &part.key {
            IndexKey::Column(name) => name.clone(),
            IndexKey::Expression(expression) => expression.clone(),
        });
        parts.chain(index.include.iter().cloned()).collect::<Vec<String>>()
    });
    let widths = in_keys.chain(in_indexes).filter(|parts| parts.iter().any(|part| part.contains(&column.name)));
    let most = widths.map(|parts| parts.len() as u32).max();
    most.map(|parts| INDEX_OCTETS_MAX / parts)
}

/// Numbers of a sequence leave room for the next ones.
fn fed_by_sequence(catalog: &Catalog, column: &Column, limits: &mut Limits) {
    let Some(name) = &column.sequence else { return };
    let Some(sequence) = catalog.sequences.iter().find(|sequence| sequence.name == *name) else { return };
    let integer = matches!(column.data_type.base().shape, Shape::SmallInt | Shape::Integer | Shape::BigInt);
    if integer {
        let room = (sequence.max_value / 2).max(sequence.min_value);
        limits.minimum = Some(Bound::inclusive(sequence.min_value.to_string()));
        limits.maximum = Some(Bound::inclusive(room.to_string()));
    }
}

/// A NULL that counts in a key would be there once only.
fn no_null_where_keys_count_it(plan: &mut TablePlan<'_>) {
    let counted: BTreeSet<usize> =
        plan.keys.iter().filter(|key| key.nulls_equal).flat_map(|key| key.columns.iter().copied()).collect();
    for column in counted {
        plan.columns[column].null_share = 0.0;
    }
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
        if key.predicate.is_some() || nullable && !key.nulls_equal {
            return u64::MAX;
        }
        match plan.slots(&key.columns) {
            None => u64::MAX,
            Some(slots) => (slots.iter())
                .map(|slot| match slot {
                    super::table_plan::Slot::Column(column) => plan.columns[*column].capacity(),
                    super::table_plan::Slot::Group(group) => plans[stores.list[plan.groups[*group][0].store].0].wanted,
                })
                .fold(1_u64, u64::saturating_mul),
        }
    };
    plan.keys.iter().map(of_key).min().unwrap_or(u64::MAX)
}

/// Decides how each unique key is kept.
fn choose_ways(plan: &mut TablePlan<'_>) {
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
        plan.keys[key].way = if columns.iter().any(distinct) {
            Way::Distinct
        } else if plan.keys[key].predicate.is_some()
            && columns.iter().all(|column| plan.columns[*column].text_tells_apart || plan.is_foreign(*column))
        {
            Way::Remembered
        } else if let Some(column) = columns.iter().copied().rev().find(roomy) {
            plan.columns[column].distinct = true;
            Way::Distinct
        } else if !enumerated && plan.slots(&columns).is_some() {
            enumerated = true;
            Way::Enumerated
        } else {
            Way::Remembered
        };
    }
}
