//! Planning onto a target schema that somebody wrote.
//!
//! The target's definitions stand as they are; the plan finds a place in them for every table and column of the
//! source, or refuses until that table or column is mapped or dropped by name.

use super::bare_json;
use super::build::Builder;
use super::choices::Choices;
use super::fit::{Fit, fit, fitting};
use super::names::natural;
use super::version::SqliteVersion;
use super::{Caveat, ColumnPlan, GivenReason, Plan, Reason, Refusal, TablePlan};
use crate::catalog::{Catalog, Dialect, ObjectKind, Table};
use crate::plan::given::{Renumbered, SchemaOfSource, TargetColumn, TargetSchema, TargetTable};
use crate::types::Representation;

/// The history of the target schema itself, which needs no source.
pub(crate) const HISTORY_TABLE: &str = "schema_migrations";

pub(super) fn same(left: &str, right: &str) -> bool {
    left.eq_ignore_ascii_case(right)
}

pub(super) fn same_set(left: &[String], right: &[String]) -> bool {
    left.len() == right.len() && left.iter().all(|name| right.iter().any(|other| same(name, other)))
}

/// Plans a target whose schema is given.
pub fn onto(catalog: &Catalog, choices: &Choices, schema: &TargetSchema) -> Plan {
    let mut builder = Builder::new(catalog, choices);
    builder.is_given = true;
    builder.plan_tables();
    builder.find_tables(schema);
    builder.define_tables(Builder::is_of_tree);
    for place in 0..builder.tables.len() {
        let source = builder.source_of(place);
        if builder.is_of_tree(&source.name) {
            continue;
        }
        let mut plan = builder.tables[place].clone();
        match schema.tables.iter().find(|table| same(&table.name, &plan.target)) {
            Some(target) => {
                builder.place_table(&mut plan, target);
                if schema.of_source.is_none() {
                    builder.list_column_properties_without_place(source, &plan, target);
                }
            }
            None => builder.refusals.push(no_table(&plan, schema)),
        }
        builder.tables[place] = plan;
    }
    for target in &schema.tables {
        let history = same(&target.name, HISTORY_TABLE);
        if !history && !builder.tables.iter().any(|plan| same(&plan.target, &target.name)) {
            builder.caveats.push(Caveat {
                object: format!("`{}`", target.name),
                text: "has no source and keeps what the target schema puts there".into(),
            });
        }
    }
    let bare_json = builder.note_bare_json(schema);
    match &schema.of_source {
        Some(SchemaOfSource { choices: earlier, left_out, renumbered }) => {
            builder.refuse_orphans(schema);
            builder.tell_renumbered(renumbered);
            builder.select_views();
            builder.losses.extend(left_out.iter().cloned());
            builder.refuse_unused_choices(earlier);
        }
        None => {
            // What the source's objects would be in SQLite: the given schema may say the same in its own words.
            let derived = super::plan(catalog, choices);
            builder.list_objects_without_place(&derived, schema);
            builder.list_what_has_no_place();
            builder.refuse_unused_choices(&Choices::default());
        }
    }
    builder.refuse_nothing();
    let as_it_stands = schema.of_source.is_some() && catalog.dialect == Dialect::Sqlite;
    Plan {
        tables: builder.tables,
        views: Vec::new(),
        given_schema: true,
        as_it_stands,
        home: None,
        given_needs: if bare_json {
            schema.needs_sqlite.max(SqliteVersion::NULL_IS_NO_JSON)
        } else {
            schema.needs_sqlite
        },
        losses: builder.losses,
        caveats: builder.caveats,
        refusals: builder.refusals,
    }
}

impl Builder<'_> {
    /// Refuses to leave out a table that another one refers to: in a schema that goes as it stands, the reference stays.
    fn refuse_orphans(&mut self, schema: &TargetSchema) {
        let has = |name: &str| schema.tables.iter().any(|table| same(&table.name, name));
        for place in 0..self.tables.len() {
            let source = self.source_of(place);
            for key in &source.foreign_keys {
                let is_known = self.source_table(&key.references).is_some();
                if !is_known || self.planned_table(&key.references).is_some() || has(&key.references.name) {
                    continue;
                }
                let (source, parent) = (source.name.clone(), key.references.clone());
                self.refusals.push(Refusal::ReferenceStays { source, parent });
            }
        }
    }

    /// Tells whose rowids are not kept.
    fn tell_renumbered(&mut self, renumbered: &[Renumbered]) {
        for Renumbered { table, readers } in renumbered {
            let planned = self.tables.iter().find(|planned| same(&planned.target, table));
            let Some(source) = planned.map(|planned| planned.source.to_string()) else { continue };
            let readers = match readers.as_slice() {
                [] => String::new(),
                [one] => format!("; {one} reads rowids"),
                more => format!("; {} read rowids", more.join(", ")),
            };
            let text = format!(
                "its rows get new rowids, from 1 on, because no INTEGER PRIMARY KEY keeps them: a rowid that is noted elsewhere \
                 means another row then{readers}"
            );
            self.caveats.push(Caveat { object: source, text });
        }
    }

    /// Tells which checks refuse NULL in older versions of SQLite, and whether there is any.
    fn note_bare_json(&mut self, schema: &TargetSchema) -> bool {
        let before = self.caveats.len();
        for table in &schema.tables {
            for column in bare_json::columns(table) {
                let version = SqliteVersion::NULL_IS_NO_JSON;
                self.caveats.push(Caveat {
                    object: format!("`{}.{column}`", table.name),
                    text: format!(
                        "before SQLite {version} its check refuses NULL; `{column} IS NULL OR json_valid({column})` takes it in each"
                    ),
                });
            }
        }
        self.caveats.len() > before
    }

    /// Notes which choices of tables name a view.
    fn select_views(&mut self) {
        for view in &self.catalog.views {
            self.is_selected(&view.name);
        }
    }

    /// Gives each table the name of the one that the given schema has for it: of another schema than `public`, also the
    /// bare name, where no other table has that.
    fn find_tables(&mut self, schema: &TargetSchema) {
        let has = |name: &str| schema.tables.iter().any(|table| same(&table.name, name));
        for place in 0..self.tables.len() {
            let (source, target) = (&self.tables[place].source, &self.tables[place].target);
            if has(target) || *target != natural(source) || !has(&source.name) {
                continue;
            }
            let bare = source.name.clone();
            let others = self.tables.iter().enumerate().filter(|(other, _)| *other != place);
            let mut others = others.map(|(_, table)| table);
            if !others.any(|other| same(&other.target, &bare) || same(&other.source.name, &bare)) {
                self.tables[place].target = bare;
            }
        }
    }

    fn place_table(&mut self, plan: &mut TablePlan, target: &TargetTable) {
        plan.target.clone_from(&target.name);
        let source = plan.source.clone();
        let mut refusals = Vec::new();
        if target.rows > 0 {
            refusals.push(Refusal::RowsInSchema {
                source: source.clone(),
                target: target.name.clone(),
                rows: target.rows,
            });
        }
        for column in &mut plan.columns {
            let Some(place) = target.columns.iter().find(|place| same(&place.name, &column.target)) else {
                refusals.push(Refusal::NoColumn {
                    source: source.clone(),
                    column: column.source.clone(),
                    target: target.name.clone(),
                    wanted: column.target.clone(),
                });
                continue;
            };
            column.target.clone_from(&place.name);
            column.not_null = place.not_null;
            column.computed = place.generated;
            // A layout says what a value is; how the target keeps it, the target's own schema says.
            let is_by_default = column.representation == Representation::default_for(&column.shape);
            if self.catalog.layout.is_some()
                && is_by_default
                && fit(place, target.strict, column.representation, &column.shape).is_none()
                && let Some(fitting) = fitting(place, target.strict, &column.shape).first()
            {
                column.representation = *fitting;
                column.remainder = fitting.remainder(&column.shape);
            }
            match fit(place, target.strict, column.representation, &column.shape) {
                Some(fit) => column.whole_as_integer = fit == Fit::WholeAsInteger,
                None => refusals.push(unfit(format!("{source}.{}", column.source), column, place, target)),
            }
        }
        for place in &target.columns {
            if plan.columns.iter().any(|column| same(&column.target, &place.name)) || place.generated {
                continue;
            }
            if place.optional {
                let text = match place.computed_later {
                    true => "has no source and is computed by `derived.sql`",
                    false => "has no source and gets its default",
                };
                let object = format!("`{}.{}`", target.name, place.name);
                self.caveats.push(Caveat { object, text: text.into() });
            } else {
                let target = format!("{}.{}", target.name, place.name);
                refusals.push(Refusal::NoSource { source: source.clone(), target });
            }
        }
        plan.key = key_of(plan, target);
        self.refusals.extend(refusals);
    }

    /// Lists what the source says about a column and the target schema does not.
    fn list_column_properties_without_place(&mut self, source: &Table, plan: &TablePlan, target: &TargetTable) {
        for column in &plan.columns {
            let place = target.columns.iter().find(|place| same(&place.name, &column.target));
            let (Some(from), Some(place)) = (source.column(&column.source), place) else { continue };
            let object = format!("{}.{}", source.name, from.name);
            if from.generated.is_some() && !place.generated {
                self.lose(ObjectKind::GeneratedColumn, &object, Reason::Given(GivenReason::PlainColumn));
            }
            if from.not_null && !place.not_null && !place.generated {
                self.lose(ObjectKind::NotNull, &object, Reason::Given(GivenReason::AllowsNull));
            }
            if place.has_default || place.generated {
                continue;
            }
            if let Some(default) = &from.default {
                self.lose(ObjectKind::Default, &object, Reason::Given(GivenReason::NoDefault(default.clone())));
            } else if from.identity.is_some() {
                self.lose(ObjectKind::Identity, &object, Reason::Given(GivenReason::NoIdentity));
            }
        }
    }
}

/// What is told of a table that the schema does not have.
fn no_table(plan: &TablePlan, schema: &TargetSchema) -> Refusal {
    let (source, target) = (plan.source.clone(), plan.target.clone());
    let left_out = schema.of_source.iter().flat_map(|own| &own.left_out);
    let mut why = left_out.filter(|loss| loss.kind == ObjectKind::Table && same(&loss.object, &target));
    match why.next() {
        Some(loss) => Refusal::NotAsItStands { source, why: loss.reason.to_string() },
        None => Refusal::NoTable { source, target },
    }
}

/// What is told of a column that would change the values of a rule, and which rules it keeps.
fn unfit(source: String, column: &ColumnPlan, place: &TargetColumn, target: &TargetTable) -> Refusal {
    Refusal::Unfit {
        column: source,
        type_name: column.type_name.clone(),
        target: format!("{}.{}", target.name, place.name),
        declared: (!place.is_rowid).then(|| place.declared_type.clone()),
        rule: column.representation,
        fitting: fitting(place, target.strict, &column.shape),
    }
}

/// The columns that tell rows apart: those of the primary key, or where the source has nothing for it (a row id of the
/// target's own), of a unique key without NULLs. A row then has a name that the source knows, too.
fn key_of(plan: &TablePlan, target: &TargetTable) -> Vec<usize> {
    let place = |name: &String| plan.columns.iter().position(|column| same(&column.target, name));
    let places = |key: &[String]| key.iter().map(place).collect::<Option<Vec<_>>>();
    places(&target.key)
        .filter(|places| !places.is_empty())
        .or_else(|| {
            let mut others = target.unique.iter().filter_map(|key| places(key));
            others.find(|places| places.iter().all(|place| plan.columns[*place].not_null))
        })
        .unwrap_or_default()
}
