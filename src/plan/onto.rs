//! Planning onto a target schema that somebody wrote.
//!
//! The target's definitions stand as they are; the plan finds a place in them for every table and column of the
//! source, or refuses until that table or column is mapped or dropped by name.

use super::build::Builder;
use super::choices::Choices;
use super::fit::{Fit, fit, fitting};
use super::names::natural;
use super::{Caveat, ColumnPlan, Plan, Refusal, TablePlan};
use crate::catalog::{Catalog, Table};
use crate::plan::given::{TargetColumn, TargetSchema, TargetTable};

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
    // What the source's objects would be in SQLite: the given schema may say the same in its own words.
    let derived = super::plan(catalog, choices);
    let mut builder = Builder::new(catalog, choices);
    builder.is_given = true;
    builder.plan_tables();
    builder.find_tables(schema);
    for place in 0..builder.tables.len() {
        let source = builder.source_of(place);
        let mut plan = builder.tables[place].clone();
        match schema.tables.iter().find(|table| same(&table.name, &plan.target)) {
            Some(target) => {
                builder.place_table(&mut plan, target);
                builder.list_column_properties_without_place(source, &plan, target);
            }
            None => builder.refusals.push(Refusal {
                object: format!("table {}", plan.source),
                reason: format!("the target schema has no table `{}` for it", plan.target),
                way_out: format!(
                    "give it another name under `names`, or drop it by name: `drop.\"{}\" = \"why\"`",
                    plan.source.name
                ),
            }),
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
    builder.list_objects_without_place(&derived, schema);
    builder.list_what_has_no_place();
    builder.refuse_unused_choices();
    builder.refuse_nothing();
    Plan {
        tables: builder.tables,
        views: Vec::new(),
        given_schema: true,
        given_needs: schema.needs_sqlite,
        losses: builder.losses,
        caveats: builder.caveats,
        refusals: builder.refusals,
    }
}

impl Builder<'_> {
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
            refusals.push(Refusal {
                object: format!("table {source}"),
                reason: format!("the target schema itself puts {} rows into `{}`", target.rows, target.name),
                way_out: "take these rows out of the target schema, or drop the table by name".into(),
            });
        }
        for column in &mut plan.columns {
            let object = format!("column {source}.{}", column.source);
            let Some(place) = target.columns.iter().find(|place| same(&place.name, &column.target)) else {
                refusals.push(Refusal {
                    object,
                    reason: format!("`{}` of the target schema has no column `{}` for it", target.name, column.target),
                    way_out: format!(
                        "give it another name under `names`, or drop it by name: `drop.\"{}.{}\" = \"why\"`",
                        source.name, column.source
                    ),
                });
                continue;
            };
            column.target.clone_from(&place.name);
            column.not_null = place.not_null;
            column.computed = place.generated;
            match fit(place, target.strict, column.representation, &column.shape) {
                Some(fit) => column.whole_as_integer = fit == Fit::WholeAsInteger,
                None => refusals.push(unfit(object, column, place, target)),
            }
        }
        for place in &target.columns {
            if plan.columns.iter().any(|column| same(&column.target, &place.name)) || place.generated {
                continue;
            }
            if place.optional {
                self.caveats.push(Caveat {
                    object: format!("`{}.{}`", target.name, place.name),
                    text: "has no source and gets its default".into(),
                });
            } else {
                refusals.push(Refusal {
                    object: format!("column `{}.{}` of the target schema", target.name, place.name),
                    reason: format!("it is NOT NULL without a default, and `{source}` has nothing for it"),
                    way_out: "map a column to it under `names`, or give it a default".into(),
                });
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
                self.lose("generated column", &object, "the target schema keeps it as a plain column with its values");
            }
            if from.not_null && !place.not_null && !place.generated {
                self.lose("not null", &object, "the target schema allows NULL there");
            }
            if place.has_default || place.generated {
                continue;
            }
            if let Some(default) = &from.default {
                self.lose("default", &object, &format!("`{default}`: the target schema has none for it"));
            } else if from.identity.is_some() {
                self.lose("identity", &object, "the target schema does not count it up by itself");
            }
        }
    }
}

/// What is told of a column that would change the values of a rule, and which rules it keeps.
fn unfit(object: String, column: &ColumnPlan, place: &TargetColumn, target: &TargetTable) -> Refusal {
    let stored = column.representation.declared_type();
    let what = if place.is_rowid { "the number of its row".to_owned() } else { format!("`{}`", place.declared_type) };
    let fitting = fitting(place, target.strict, &column.shape);
    let names: Vec<_> = fitting.iter().map(|rule| format!("`{}`", rule.name())).collect();
    Refusal {
        object,
        reason: format!(
            "the target's `{}.{}` is {what} and would change or refuse values that the rule `{}` stores as {stored}",
            target.name,
            place.name,
            column.representation.name(),
        ),
        way_out: match names.as_slice() {
            [] => format!("no rule for `{}` fits it: declare the target's column {stored}", column.type_name),
            _ => format!(
                "choose a rule that fits it under `rules.columns` ({}), or declare the target's column {stored}",
                names.join(", ")
            ),
        },
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
