//! Planning for a target that has no definitions, only tables and columns: rows go there as they are.

use super::{ColumnPlan, Loss, Plan, Refusal, TablePlan};
use crate::catalog::{Catalog, DataType, Table, TableKind};
use crate::metadata::tree::is_of_tree;
use crate::plan::choices::Choices;
use crate::plan::version::SqliteVersion;
use crate::types::Representation;

/// A table that such a target has.
#[derive(Debug, Clone, PartialEq)]
pub struct WantedTable {
    /// Its name.
    pub name: String,
    /// Its columns and their types.
    pub columns: Vec<(String, DataType)>,
    /// The names of those of its key.
    pub key: Vec<String>,
}

/// Plans a target with those tables.
pub fn as_is(catalog: &Catalog, choices: &Choices, wanted: &[WantedTable]) -> Plan {
    let mut plan = Plan {
        tables: Vec::new(),
        views: Vec::new(),
        given_schema: true,
        given_needs: SqliteVersion::default(),
        losses: Vec::new(),
        caveats: Vec::new(),
        refusals: Vec::new(),
    };
    for want in wanted {
        let named = |table: &&Table| {
            let name = choices.names.get(&table.name.to_string()).unwrap_or(&table.name.name);
            *name == want.name || table.name.name == want.name
        };
        match catalog.tables.iter().find(named) {
            Some(table) => place(table, want, &mut plan),
            None => plan.refusals.push(Refusal {
                object: format!("table `{}` of the target", want.name),
                reason: "the source has no table for it".into(),
                way_out: "use a source that was made of such a tree, or take the table out of the layout".into(),
            }),
        }
    }
    let lost = |kind: &str, object: String, reason: &str| Loss { kind: kind.into(), object, reason: reason.into() };
    for table in &catalog.tables {
        if !is_of_tree(&table.name.name) && !plan.tables.iter().any(|planned| planned.source == table.name) {
            plan.losses.push(lost("table", table.name.to_string(), "the layout has no place for it"));
        }
    }
    plan
}

fn place(table: &Table, want: &WantedTable, plan: &mut Plan) {
    let mut columns = Vec::with_capacity(want.columns.len());
    for (name, data_type) in &want.columns {
        let object = || format!("column `{}.{name}` of the target", want.name);
        let Some(column) = table.column(name) else {
            plan.refusals.push(Refusal {
                object: object(),
                reason: format!("`{}` has no column for it", table.name),
                way_out: "use a source that was made of such a tree, or take the column out of the layout".into(),
            });
            continue;
        };
        if column.data_type.base().shape != data_type.shape {
            plan.refusals.push(Refusal {
                object: object(),
                reason: format!("its values are {data_type}, and those of the source {}", column.data_type),
                way_out: "use a source that was made of such a tree, or change the column's type in the layout".into(),
            });
            continue;
        }
        columns.push(ColumnPlan {
            source: column.name.clone(),
            target: name.clone(),
            type_name: column.data_type.name.clone(),
            shape: column.data_type.shape.clone(),
            representation: Representation::default_for(&column.data_type.shape),
            remainder: None,
            not_null: column.not_null,
            computed: false,
            whole_as_integer: false,
        });
    }
    for column in &table.columns {
        if !columns.iter().any(|planned| planned.source == column.name) {
            plan.losses.push(Loss {
                kind: "column".into(),
                object: format!("{}.{}", table.name, column.name),
                reason: "the layout has no place for it".into(),
            });
        }
    }
    let key = want.key.iter().filter_map(|name| columns.iter().position(|column| column.target == *name)).collect();
    plan.tables.push(TablePlan {
        source: table.name.clone(),
        kind: TableKind::Ordinary,
        target: want.name.clone(),
        columns,
        key,
        ddl: None,
        indexes: Vec::new(),
        last_number: None,
        next_number: None,
        row_estimate: table.row_estimate,
        size_bytes: table.size_bytes,
    });
}
