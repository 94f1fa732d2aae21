//! The plan of one table: from its columns, keys and checks to where the values of its rows come from.

use super::GenerateOptions;
use super::checks::{self, Findings};
use super::column::ColumnPlan;
use super::dataset::{identifying, is_sqlite};
use super::expressions;
use super::judge::row_conditions;
use super::order::is_set_later;
use super::referrers;
use super::table_plan::{JudgedCondition, ParentReference, Stores, TablePlan, UniqueKey, Uniqueness};
use super::values::{Bound, Limits, unsolvable};
use crate::catalog::{Catalog, Column, ForeignKey, IndexKey, IndexPart, Shape, Table, TableKind};
use crate::error::{Error, Result};
use crate::project::ColumnHint;
use std::collections::BTreeSet;

const OPERATION: &str = "generate values of";
/// How often a nullable foreign key is NULL.
const FOREIGN_NULL_SHARE: f64 = 0.15;
/// What a B-tree takes of one entry, with room for the rest of it.
const INDEX_OCTETS_MAX: u32 = 2000;

/// What a table's plan is made from.
pub(super) struct Planning<'p, 'c> {
    catalog: &'c Catalog,
    /// All tables, and which of them this is.
    tables: &'p [&'c Table],
    place: usize,
    table: &'c Table,
    /// Foreign keys that close a cycle: table and number of the key.
    broken: &'p BTreeSet<(usize, usize)>,
    rows: u64,
    options: &'p GenerateOptions,
    /// The columns that are inserted, and their names.
    inserted: Vec<&'c Column>,
    names: Vec<String>,
    /// The columns that a table that refers to this one cannot do without.
    demanded: BTreeSet<usize>,
    sqlite: bool,
}

impl<'p, 'c> Planning<'p, 'c> {
    pub(super) fn new(
        catalog: &'c Catalog,
        tables: &'p [&'c Table],
        place: usize,
        broken: &'p BTreeSet<(usize, usize)>,
        rows: u64,
        options: &'p GenerateOptions,
    ) -> Self {
        let table = tables[place];
        let inserted: Vec<&Column> = table.columns.iter().filter(|column| column.generated.is_none()).collect();
        let names: Vec<String> = inserted.iter().map(|column| column.name.clone()).collect();
        let at = |name: &String| names.iter().position(|other| other == name);
        let demanded = demanded_by_others(catalog, table).iter().filter_map(at).collect();
        let sqlite = is_sqlite(catalog);
        Planning { catalog, tables, place, table, broken, rows, options, inserted, names, demanded, sqlite }
    }

    fn at(&self, name: &String) -> Option<usize> {
        self.names.iter().position(|other| other == name)
    }

    /// Plans the rows.
    pub(super) fn plan(&self, stores: &mut Stores<'c>) -> Result<TablePlan<'c>> {
        let mut plan = TablePlan::new(self.table, self.names.clone(), self.rows);
        if self.rows == 0 {
            // Nothing is asked of a table that stays empty; others may refer to rows that are there.
            self.leave_empty(&mut plan)?;
            return Ok(plan);
        }
        let left_null = self.foreign_keys(&mut plan, stores)?;
        self.defer(&mut plan, &left_null);
        plan.keys = unique_keys(self.table, &self.names, &self.inserted, self.sqlite);
        let is_foreign = |column: usize| plan.is_foreign(column);
        let mut found = checks::find(self.table, &self.inserted, self.sqlite, &is_foreign);
        expressions::of_indexes(self.table, &self.inserted, self.sqlite, self.rows, &mut found.limits);
        let excluding = expressions::of_exclusions(
            self.catalog,
            self.table,
            &self.inserted,
            &is_foreign,
            self.rows,
            &mut found.limits,
        )?;
        for (name, column) in excluding {
            let columns = vec![column];
            plan.keys.push(UniqueKey {
                name,
                columns,
                nulls_equal: false,
                is_computed: false,
                uniqueness: Uniqueness::Remembered,
            });
        }
        for number in 0..self.inserted.len() {
            let column = self.column(&mut plan, &mut found, number)?;
            plan.columns.push(column);
        }
        plan.orderings = std::mem::take(&mut found.orderings);
        // Values are exchanged only where neither comes from elsewhere, nor has to stay what it is.
        let orderings = std::mem::take(&mut plan.orderings).into_iter();
        plan.orderings = orderings.filter(|(a, b)| !plan.is_foreign(*a) && !plan.is_foreign(*b)).collect();
        plan.judged = std::mem::take(&mut found.judged);
        self.ask_judge(&mut plan);
        no_null_where_keys_count_it(&mut plan);
        Ok(plan)
    }

    /// Adds the foreign keys; the columns of those that stay NULL for want of a key to find the row again by.
    fn foreign_keys(&self, plan: &mut TablePlan<'c>, stores: &mut Stores<'c>) -> Result<Vec<usize>> {
        let mut later = BTreeSet::new();
        let mut left_null = Vec::new();
        for (number, key) in self.table.foreign_keys_of_any_part().enumerate() {
            let Some(parent) = self.tables.iter().position(|other| other.name == key.references) else { continue };
            let foreign = self.foreign_key(key, stores.of(parent, &key.referenced_columns))?;
            if parent == self.place {
                plan.self_references.push(foreign);
            } else if self.broken.contains(&(self.place, number)) {
                let nullable = foreign.columns.iter().copied().filter(|column| !self.inserted[*column].not_null);
                if is_set_later(self.table, key) {
                    if identifying(Some(self.table), &self.names).is_empty() {
                        // Nothing by which a row could be found again.
                        left_null.extend(nullable);
                        continue;
                    }
                    later.extend(nullable);
                }
                plan.broken.push(foreign);
            } else {
                join(&mut plan.groups, foreign);
            }
        }
        plan.later = later.into_iter().collect();
        // The key with the most columns decides over the others.
        for group in &mut plan.groups {
            group.sort_by_key(|key| std::cmp::Reverse(key.columns.len()));
        }
        for foreign in plan.groups.iter_mut().flatten().chain(&mut plan.self_references).chain(&mut plan.broken) {
            if foreign.columns.iter().any(|column| self.demanded.contains(column)) {
                foreign.null_share = 0.0;
            }
        }
        Ok(left_null)
    }

    fn foreign_key(&self, key: &ForeignKey, store: usize) -> Result<ParentReference> {
        let Some(columns) = key.columns.iter().map(|name| self.at(name)).collect::<Option<Vec<_>>>() else {
            return Err(Error::could_not(
                "generate rows of",
                format!("`{}`", self.table.name),
                format!("its foreign key `{}` starts at a generated column", key.name),
            ));
        };
        let hinted = |column: &usize| {
            let name = &self.table.name;
            let hint = self.options.hints.column(&name.schema, &name.name, &self.names[*column]);
            hint.and_then(|hint| hint.null_share)
        };
        let null_share = columns.iter().find_map(hinted).unwrap_or(FOREIGN_NULL_SHARE);
        Ok(ParentReference { null_share, columns, store, own_key: Vec::new(), match_full: key.match_full })
    }

    /// Leaves the columns of broken foreign keys for later, where nothing before needs them.
    fn defer(&self, plan: &mut TablePlan<'c>, left_null: &[usize]) {
        let needed = needed_by_others(self.catalog, self.table);
        let needed: BTreeSet<usize> = needed.iter().filter_map(|name| self.at(name)).collect();
        let broken = plan.broken.iter().flat_map(|key| &key.columns).chain(left_null);
        let taken = |column: &usize| {
            plan.groups.iter().flatten().chain(&plan.self_references).any(|key| key.columns.contains(column))
        };
        let deferred: BTreeSet<usize> =
            broken.copied().filter(|column| !taken(column) && !needed.contains(column)).collect();
        plan.later.retain(|column| deferred.contains(column));
        plan.deferred = deferred.into_iter().collect();
    }

    fn hint(&self, column: &Column) -> Option<(String, &'p ColumnHint)> {
        let hints = &self.options.hints;
        let key = hints.key_of_column(&self.table.name.schema, &self.table.name.name, &column.name)?;
        let hint = &hints.columns[&key];
        Some((key, hint))
    }

    /// The limits of a column: its checks', and those of its keys, its sequence and the columns that refer to it.
    fn limits(&self, found: &mut Findings<'_>, number: usize) -> Limits {
        let column = self.inserted[number];
        let mut limits = std::mem::take(&mut found.limits[number]);
        limits.octets_max = octets_max(self.table, column);
        if self.sqlite && matches!(column.data_type.base().shape, Shape::Real | Shape::Double) {
            // SQLite keeps NULL in its place.
            limits.excluded.push("NaN".to_owned());
        }
        fed_by_sequence(self.catalog, column, &mut limits);
        referrers::narrow(self.catalog, self.table, column, &mut limits);
        limits
    }

    fn column(&self, plan: &mut TablePlan<'c>, found: &mut Findings<'_>, number: usize) -> Result<ColumnPlan> {
        let column = self.inserted[number];
        let hint = self.hint(column).map(|(_, hint)| hint);
        let limits = self.limits(found, number);
        let is_listed = limits.allowed.is_some() || hint.is_some_and(|hint| hint.values.is_some());
        let mut planned = self.values(plan, found, number, &limits)?;
        if !is_listed {
            for (pattern, as_text) in std::mem::take(&mut found.patterns[number]) {
                planned.suggest(column, pattern, as_text);
            }
        }
        if found.often_null.contains(&number) && planned.null_share > 0.0 && planned.null_share < 1.0 {
            planned.null_share = 0.5;
        }
        if found.never_null.contains(&number) {
            planned.null_share = 0.0;
            planned.nullable = false;
        }
        if plan.is_foreign(number) || column.sequence.is_some() || self.demanded.contains(&number) {
            planned.null_share = 0.0;
        }
        Ok(planned)
    }

    /// The values of a column within its limits, or within fewer of them where all of them cannot be solved together.
    fn values(
        &self,
        plan: &mut TablePlan<'c>,
        found: &mut Findings<'_>,
        number: usize,
        limits: &Limits,
    ) -> Result<ColumnPlan> {
        let column = self.inserted[number];
        let object = format!("`{}`, column `{}`", self.table.name, column.name);
        let hint = self.hint(column);
        let key = hint.as_ref().map(|(key, _)| key);
        let hint = hint.as_ref().map(|(_, hint)| *hint);
        let is_listed = limits.allowed.is_some() || hint.is_some_and(|hint| hint.values.is_some());
        let suggested = if is_listed { Vec::new() } else { std::mem::take(&mut found.suggested[number]) };
        let form = found.forms[number];
        let unlisted = hint.is_none_or(|hint| hint.values.is_none() && hint.pattern.is_none());
        let way_out = "say under `[generate.columns]` what values it has";
        if let Some(cause) = limits.patterns.iter().filter(|_| unlisted).find_map(unsolvable) {
            return Err(Error::could_not(OPERATION, object, cause).hint(way_out));
        }
        let error = match ColumnPlan::new(column, limits.clone(), form, hint, suggested.clone()) {
            Ok(made) => return Ok(made),
            Err(error) => error,
        };
        // Fewer of the limits, and the rest for the judge.
        let fewer = fewer_limits(limits).into_iter();
        let mut tried = fewer.map(|limits| ColumnPlan::new(column, limits, form, hint, suggested.clone()));
        if let Some(made) = tried.find_map(Result::ok) {
            found.unsolve(number);
            plan.unsolved.push(format!("column `{}`: {}", column.name, error.cause()));
            return Ok(made);
        }
        Err(match key {
            // Without what the project says of it, it can be filled.
            Some(key) if ColumnPlan::new(column, limits.clone(), form, None, Vec::new()).is_ok() => {
                let place = self.options.hints.place(key);
                Error::usage(OPERATION, format!("{place}, for {object}"), error.cause())
            }
            _ => Error::could_not(OPERATION, object, error.cause()).hint(way_out),
        })
    }

    /// Says what a judge is asked, and why it is.
    fn ask_judge(&self, plan: &mut TablePlan<'c>) {
        if !self.sqlite {
            // What is computed from random numbers may not fit its type; the server computes it before the insert.
            let computed = self.table.columns.iter().filter(|column| column.generated.is_some());
            plan.judged.extend(computed.map(|column| format!("generated column {}", column.name)));
        }
        // What an expression or a condition makes of a row, only the engine knows.
        let computed = self.table.indexes.iter().filter(|index| {
            let is_expression = index.parts.iter().any(|part| matches!(part.key, IndexKey::Expression(_)));
            index.unique && (index.predicate.is_some() || is_expression)
        });
        plan.judged.extend(computed.map(|index| index.name.clone()));
        if plan.judged.is_empty() && matches!(self.table.kind, TableKind::Partitioned { .. }) {
            // What a partition asks for besides its bounds, only the server knows.
            plan.judged.push(format!("partitions of {}", self.table.name));
        }
        plan.judged_conditions = row_conditions(self.table)
            .into_iter()
            .map(|condition| JudgedCondition {
                columns: match condition.column.as_ref().and_then(|name| self.at(name)) {
                    Some(column) => vec![column],
                    None => checks::columns_of(&condition.expression, &self.inserted, self.sqlite),
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
    }

    /// The plan of a table without rows.
    fn leave_empty(&self, plan: &mut TablePlan<'c>) -> Result<()> {
        for column in &self.inserted {
            let text = crate::catalog::DataType::new("text", Shape::Text);
            let column = Column { data_type: text, ..(*column).clone() };
            plan.columns.push(ColumnPlan::new(&column, Limits::default(), None, None, Vec::new())?);
        }
        Ok(())
    }
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

/// Adds a foreign key to the group that it shares columns with, which may join groups.
fn join(groups: &mut Vec<Vec<ParentReference>>, foreign: ParentReference) {
    let shares = |group: &Vec<ParentReference>| {
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
            is_computed: false,
            uniqueness: Uniqueness::Remembered,
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
            let expressions = index.parts.iter().filter_map(|part| match &part.key {
                IndexKey::Expression(expression) => Some(expression),
                IndexKey::Column(_) => None,
            });
            columns.extend(expressions.flat_map(|expression| checks::columns_of(expression, inserted, sqlite)));
        }
        columns.dedup();
        let is_expression = |part: &IndexPart| matches!(part.key, IndexKey::Expression(_));
        let is_computed = index.predicate.is_some() || index.parts.iter().any(is_expression);
        keys.push(UniqueKey {
            name: index.name.clone(),
            columns,
            nulls_equal,
            is_computed,
            uniqueness: Uniqueness::Remembered,
        });
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
