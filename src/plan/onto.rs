//! Planning onto a target schema that somebody wrote.
//!
//! The target's definitions stand as they are; the plan finds a place in them for every table and column of the
//! source, or refuses until that table or column is mapped or dropped by name.

use super::build::Builder;
use super::choices::Choices;
use super::{Caveat, Plan, Refusal, TablePlan};
use crate::catalog::{Catalog, ForeignKey, IndexKey, Table};
use crate::endpoint::sqlite::schema::{TargetForeignKey, TargetSchema, TargetTable};

/// The history of the target schema itself, which needs no source.
pub(crate) const HISTORY_TABLE: &str = "schema_migrations";

/// What a column does to the values that are put into it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Affinity {
    Integer,
    Numeric,
    Real,
    Text,
    Blob,
}

/// The affinity of a declared type, by the five rules of SQLite's documentation ("Datatypes In SQLite", 3.1).
fn affinity(declared_type: &str) -> Affinity {
    let upper = declared_type.to_ascii_uppercase();
    let has = |word: &str| upper.contains(word);
    if has("INT") {
        Affinity::Integer
    } else if has("CHAR") || has("CLOB") || has("TEXT") {
        Affinity::Text
    } else if has("BLOB") || upper.is_empty() || upper == "ANY" {
        Affinity::Blob
    } else if has("REAL") || has("FLOA") || has("DOUB") {
        Affinity::Real
    } else {
        Affinity::Numeric
    }
}

/// Whether a column of that affinity keeps the values of a rule's storage class as they are.
fn keeps(affinity: Affinity, stored_as: &str) -> bool {
    match stored_as {
        "INTEGER" => matches!(affinity, Affinity::Integer | Affinity::Numeric | Affinity::Blob),
        "REAL" => matches!(affinity, Affinity::Real | Affinity::Blob),
        "TEXT" => matches!(affinity, Affinity::Text | Affinity::Blob),
        _ => true,
    }
}

fn same(left: &str, right: &str) -> bool {
    left.eq_ignore_ascii_case(right)
}

fn same_set(left: &[String], right: &[String]) -> bool {
    left.len() == right.len() && left.iter().all(|name| right.iter().any(|other| same(name, other)))
}

/// Plans a target whose schema is given.
pub fn onto(catalog: &Catalog, choices: &Choices, schema: &TargetSchema) -> Plan {
    let mut builder = Builder::new(catalog, choices);
    builder.plan_tables();
    let mut tables = Vec::with_capacity(builder.tables.len());
    for place in 0..builder.tables.len() {
        let source = builder.source_of(place);
        let mut plan = builder.tables[place].clone();
        match schema.tables.iter().find(|table| same(&table.name, &plan.target)) {
            Some(target) => builder.place_table(&mut plan, target),
            None => builder.refusals.push(Refusal {
                object: format!("table {}", plan.source),
                reason: format!("the target schema has no table `{}` for it", plan.target),
                way_out: format!(
                    "give it another name under `names`, or drop it by name: `drop.\"{}\" = \"why\"`",
                    plan.source.name
                ),
            }),
        }
        builder.list_constraints_without_place(source, &plan, schema);
        tables.push(plan);
    }
    for target in &schema.tables {
        let history = same(&target.name, HISTORY_TABLE);
        if !history && !tables.iter().any(|plan| same(&plan.target, &target.name)) {
            builder.caveats.push(Caveat {
                object: format!("`{}`", target.name),
                text: "has no source and keeps what the target schema puts there".into(),
            });
        }
    }
    for view in &catalog.views {
        if !schema.views.iter().any(|name| same(name, &view.name.name)) {
            builder.lose("view", &view.name.to_string(), "the target schema does not have it");
        }
        builder.is_selected(&view.name);
    }
    builder.list_what_has_no_place();
    builder.refuse_unused_choices();
    builder.refuse_nothing();
    Plan {
        tables,
        views: Vec::new(),
        given_schema: true,
        given_needs: schema.needs_sqlite,
        losses: builder.losses,
        caveats: builder.caveats,
        refusals: builder.refusals,
    }
}

impl Builder<'_> {
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
            if !keeps(affinity(&place.declared_type), column.rule.declared_type()) {
                refusals.push(Refusal {
                    object,
                    reason: format!(
                        "the target's `{}.{}` is declared `{}` and would change the values that the rule `{}` stores as {}",
                        target.name, place.name, place.declared_type, column.rule.name(), column.rule.declared_type()
                    ),
                    way_out: "choose a rule under `rules.columns`, or declare the target's column otherwise".into(),
                });
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

    /// Lists the constraints and indexes of the source that the target schema does not have.
    fn list_constraints_without_place(&mut self, source: &Table, plan: &TablePlan, schema: &TargetSchema) {
        const REASON: &str = "the target schema does not have it";
        let Some(target) = schema.tables.iter().find(|table| same(&table.name, &plan.target)) else { return };
        let mapped = |columns: &[String]| -> Option<Vec<String>> {
            columns
                .iter()
                .map(|name| {
                    plan.columns.iter().find(|column| column.source == *name).map(|column| column.target.clone())
                })
                .collect()
        };
        for (kind, key) in source
            .primary_key
            .iter()
            .map(|key| ("primary key", key))
            .chain(source.unique_keys.iter().map(|key| ("unique key", key)))
        {
            let there = mapped(&key.columns)
                .is_some_and(|columns| target.unique.iter().any(|unique| same_set(unique, &columns)));
            if !there {
                self.lose(kind, &format!("{}.{}", source.name, key.name), REASON);
            }
        }
        self.list_column_properties_without_place(source, plan, target);
        for key in &source.foreign_keys {
            let object = format!("{}.{}", source.name, key.name);
            let Some(there) = self.foreign_key_of(key, mapped(&key.columns), target) else {
                self.lose("foreign key", &object, REASON);
                continue;
            };
            for (event, wanted, found) in
                [("DELETE", key.on_delete, &there.on_delete), ("UPDATE", key.on_update, &there.on_update)]
            {
                if !same(wanted.sql(), found) {
                    let reason =
                        format!("the source says ON {event} {}, the target schema ON {event} {found}", wanted.sql());
                    self.lose("foreign key action", &object, &reason);
                }
            }
        }
        for check in &source.checks {
            self.lose(
                "check",
                &format!("{}.{}", source.name, check.name),
                "the target schema decides which checks there are",
            );
        }
        for index in &source.indexes {
            let columns: Option<Vec<String>> = index
                .parts
                .iter()
                .map(|part| match &part.key {
                    IndexKey::Column(name) => mapped(std::slice::from_ref(name)).map(|mut columns| columns.remove(0)),
                    IndexKey::Expression(_) => None,
                })
                .collect();
            let there = columns.is_some_and(|columns| {
                let starts_with =
                    |index: &Vec<String>| index.len() >= columns.len() && same_set(&index[..columns.len()], &columns);
                if index.unique {
                    target.unique.iter().any(|unique| same_set(unique, &columns))
                } else {
                    target.indexes.iter().any(starts_with)
                }
            });
            if !there {
                self.lose("index", &format!("{} on {}", index.name, source.name), REASON);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn affinities_by_the_five_rules() {
        let cases = [
            ("INTEGER", Affinity::Integer),
            ("CHARINT", Affinity::Integer),
            ("VARCHAR(10)", Affinity::Text),
            ("UUID", Affinity::Numeric),
            ("JSON", Affinity::Numeric),
            ("BOOLEAN", Affinity::Numeric),
            ("TIMESTAMP", Affinity::Numeric),
            ("DOUBLE PRECISION", Affinity::Real),
            ("", Affinity::Blob),
            ("FLOATING POINT", Affinity::Integer),
        ];
        for (declared_type, expected) in cases {
            assert_eq!(affinity(declared_type), expected, "{declared_type}");
        }
        assert!(!keeps(affinity("UUID"), "TEXT"), "'007' would become 7");
    }
}
