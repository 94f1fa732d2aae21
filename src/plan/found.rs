//! Which keys, checks, indexes and views of the source a given schema has.
//!
//! Keys are found by their columns, and everything else by its columns, by its name, or by its words: the derived plan says
//! how the object would be written in SQLite, and case, quotes and blanks do not count. What is not found is listed.

use super::build::Builder;
use super::names::natural;
use super::onto::{same, same_set};
use super::{Caveat, GivenReason, Plan, Reason, TablePlan};
use crate::catalog::{ForeignKey, Index, IndexKey, ObjectKind, QualifiedName, Shape, Table};
use crate::plan::given::{TargetForeignKey, TargetIndex, TargetSchema, TargetTable};
use crate::plan::written::{self, WrittenCheck};
use std::collections::HashMap;

const NOT_THERE: Reason = Reason::Given(GivenReason::Missing);

impl Builder<'_> {
    /// Lists the constraints, indexes and views that the given schema does not have.
    pub(super) fn list_objects_without_place(&mut self, derived: &Plan, schema: &TargetSchema) {
        let written = Written::of(derived);
        for place in 0..self.tables.len() {
            let (source, plan) = (self.source_of(place), self.tables[place].clone());
            let Some(target) = schema.tables.iter().find(|table| same(&table.name, &plan.target)) else { continue };
            self.list_keys(source, &plan, target);
            self.list_foreign_keys(source, &plan, target);
            self.list_checks(source, target, &written);
            for index in &source.indexes {
                let origin = format!("{} on {}", index.name, source.name);
                let found = find_index(index, &origin, &plan, target, &written);
                self.list(ObjectKind::Index, &source.name.clone(), &index.name, &origin, found);
            }
        }
        self.list_views(schema);
    }

    /// Lists an object that is not found, with the reason; one that is excluded is not asked for, and told if it is there.
    fn list(&mut self, kind: ObjectKind, table: &QualifiedName, name: &str, origin: &str, found: Result<(), Reason>) {
        match (self.is_excluded_object(table, name), found) {
            (false, Ok(())) => {}
            (false, Err(reason)) => self.lose(kind, origin, reason),
            (true, Err(_)) => self.lose(kind, origin, Reason::Excluded),
            (true, Ok(())) => self.caveats.push(Caveat {
                object: origin.to_owned(),
                text: "excluded by name, and the target schema has it all the same".into(),
            }),
        }
    }

    fn list_keys(&mut self, source: &Table, plan: &TablePlan, target: &TargetTable) {
        let primary = source.primary_key.iter().map(|key| (ObjectKind::PrimaryKey, key));
        for (kind, key) in primary.chain(source.unique_keys.iter().map(|key| (ObjectKind::UniqueKey, key))) {
            let columns = targets_of(plan, &key.columns);
            let is_there = columns.is_some_and(|columns| target.unique.iter().any(|unique| same_set(unique, &columns)));
            let origin = format!("{}.{}", source.name, key.name);
            let found = is_there.then_some(()).ok_or(NOT_THERE);
            self.list(kind, &source.name, &key.name, &origin, found);
        }
    }

    fn list_foreign_keys(&mut self, source: &Table, plan: &TablePlan, target: &TargetTable) {
        for key in &source.foreign_keys {
            let origin = format!("{}.{}", source.name, key.name);
            let there = self.foreign_key_of(key, targets_of(plan, &key.columns), target).cloned();
            let found = there.as_ref().map(|_| ()).ok_or(NOT_THERE);
            self.list(ObjectKind::ForeignKey, &source.name, &key.name, &origin, found);
            let Some(there) = there else { continue };
            for (event, wanted, found) in
                [("DELETE", key.on_delete, &there.on_delete), ("UPDATE", key.on_update, &there.on_update)]
            {
                if !same(wanted.sql(), found) {
                    let reason = GivenReason::OtherAction { event, wanted, found: found.clone() };
                    self.lose(ObjectKind::ForeignKeyAction, &origin, Reason::Given(reason));
                }
            }
        }
    }

    /// The target's foreign key that stands for one of the source.
    fn foreign_key_of<'t>(
        &self,
        key: &ForeignKey,
        columns: Option<Vec<String>>,
        target: &'t TargetTable,
    ) -> Option<&'t TargetForeignKey> {
        let (columns, parent) = (columns?, self.planned_table(&key.references)?);
        target
            .foreign_keys
            .iter()
            .find(|there| same_set(&there.columns, &columns) && same(&there.references, &parent.target))
    }

    /// Lists the checks of a table, those of its columns' domains among them.
    fn list_checks(&mut self, source: &Table, target: &TargetTable, written: &Written) {
        let there = written::checks(&target.sql);
        let mut wanted: Vec<(String, String)> =
            source.checks.iter().map(|check| (check.name.clone(), format!("{}.{}", source.name, check.name))).collect();
        for column in &source.columns {
            let mut shape = &column.data_type.shape;
            while let Shape::Domain(domain) = shape {
                let on = format!("{}.{}", source.name, column.name);
                let checks = domain.checks.iter();
                wanted.extend(checks.map(|c| (c.name.clone(), format!("{}.{} on {on}", domain.name, c.name))));
                shape = &domain.base.shape;
            }
        }
        for (name, origin) in wanted {
            let condition = written.checks.get(&origin);
            let is_it = |check: &WrittenCheck| {
                check.name.as_deref().is_some_and(|known| same(known, &name))
                    || condition.is_some_and(|condition| *condition == check.condition)
            };
            let found = there.iter().any(is_it).then_some(()).ok_or(NOT_THERE);
            self.list(ObjectKind::Check, &source.name, &name, &origin, found);
        }
    }

    fn list_views(&mut self, schema: &TargetSchema) {
        let has = |name: &str| schema.views.iter().any(|view| same(view, name));
        for view in &self.catalog.views {
            let is_selected = self.is_selected(&view.name);
            let chosen = self.chosen_table_name(&view.name);
            let is_alone =
                self.catalog.views.iter().filter(|other| same(&other.name.name, &view.name.name)).count() == 1;
            let is_there = match &chosen {
                Some(name) => has(name),
                None => has(&natural(&view.name)) || is_alone && has(&view.name.name),
            };
            let found = is_there.then_some(()).ok_or(NOT_THERE);
            match (is_selected, &found) {
                (false, Err(_)) => self.lose(ObjectKind::View, &view.name.to_string(), Reason::Excluded),
                _ => self.list(ObjectKind::View, &view.name, &view.name.name, &view.name.to_string(), found),
            }
        }
    }
}

/// How the derived plan writes checks and indexes, by their origin.
struct Written {
    checks: HashMap<String, Vec<String>>,
    indexes: HashMap<String, Vec<String>>,
}

impl Written {
    fn of(derived: &Plan) -> Self {
        let pieces = derived.tables.iter().filter_map(|table| table.ddl.as_ref()).flat_map(|ddl| ddl.pieces());
        let checks =
            pieces.filter(|piece| piece.kind == ObjectKind::Check && !piece.origin.is_empty()).filter_map(|piece| {
                let check = written::checks(&piece.sql).pop()?;
                Some((piece.origin.clone(), check.condition))
            });
        let indexes = derived.tables.iter().flat_map(|table| &table.indexes);
        Written {
            checks: checks.collect(),
            indexes: indexes.map(|index| (index.origin.clone(), written::index_keys(&index.sql))).collect(),
        }
    }
}

/// The target names of columns; `None` where one of them has no place.
fn targets_of(plan: &TablePlan, columns: &[String]) -> Option<Vec<String>> {
    let target = |name: &String| plan.columns.iter().find(|column| column.source == *name);
    columns.iter().map(|name| target(name).map(|column| column.target.clone())).collect()
}

/// Whether the target has the index; if not, why what it has is another one.
fn find_index(
    index: &Index,
    origin: &str,
    plan: &TablePlan,
    target: &TargetTable,
    written: &Written,
) -> Result<(), Reason> {
    let by_words = written.indexes.get(origin);
    let says_the_same = |there: &TargetIndex| {
        there.unique == index.unique && by_words.is_some_and(|words| *words == written::index_keys(&there.sql))
    };
    let is_named = |there: &&TargetIndex| same(&there.name, &index.name);
    if target.indexes.iter().any(says_the_same) {
        return Ok(());
    }
    if let Some(there) = target.indexes.iter().find(is_named) {
        return match there.unique == index.unique {
            true => Ok(()),
            false if index.unique => Err(Reason::Given(GivenReason::NotUnique)),
            false => Err(Reason::Given(GivenReason::Unique)),
        };
    }
    let keys: Option<Vec<String>> = index.parts.iter().map(|part| column_of(&part.key)).collect();
    let Some(columns) = keys.and_then(|keys| targets_of(plan, &keys)) else { return Err(NOT_THERE) };
    let over = |there: &TargetIndex| there.columns.iter().cloned().collect::<Option<Vec<String>>>().unwrap_or_default();
    let starts_with = |there: &TargetIndex| {
        let over = over(there);
        over.len() >= columns.len() && same_set(&over[..columns.len()], &columns)
    };
    let of_all_rows = match index.unique {
        true => target.unique.iter().any(|unique| same_set(unique, &columns)),
        false => target.indexes.iter().any(|there| !there.partial && starts_with(there)),
    };
    let of_some_rows =
        target.indexes.iter().any(|there| there.partial && there.unique == index.unique && starts_with(there));
    match (index.predicate.is_some(), of_all_rows, of_some_rows) {
        (false, true, _) => Ok(()),
        // An index over every row serves the same queries, and one that is not UNIQUE refuses none.
        (true, true, _) if !index.unique => Ok(()),
        (true, true, _) => Err(Reason::Given(GivenReason::NoCondition)),
        (true, false, true) => Err(Reason::Given(GivenReason::OtherCondition)),
        (false, false, true) => Err(Reason::Given(GivenReason::SomeRows)),
        (_, false, false) => Err(NOT_THERE),
    }
}

fn column_of(key: &IndexKey) -> Option<String> {
    match key {
        IndexKey::Column(name) => Some(name.clone()),
        IndexKey::Expression(_) => None,
    }
}
