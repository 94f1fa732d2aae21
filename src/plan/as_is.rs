//! Planning for a target that has no definitions, only tables and columns: rows go there as they are.

use super::{ColumnPlan, Loss, Plan, Reason, Refusal, TablePlan};
use crate::catalog::{Catalog, DataType, ObjectKind, Table, TableKind};
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
        as_it_stands: false,
        home: None,
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
            None => plan.refusals.push(Refusal::NoSourceTable { target: want.name.clone() }),
        }
    }
    for table in &catalog.tables {
        if !is_of_tree(&table.name.name) && !plan.tables.iter().any(|planned| planned.source == table.name) {
            let (kind, object) = (ObjectKind::Table, table.name.to_string());
            plan.losses.push(Loss { kind, object, reason: Reason::NoPlaceInLayout });
        }
    }
    plan
}

fn place(table: &Table, want: &WantedTable, plan: &mut Plan) {
    let mut columns = Vec::with_capacity(want.columns.len());
    for (name, data_type) in &want.columns {
        let target = || format!("{}.{name}", want.name);
        let Some(column) = table.column(name) else {
            plan.refusals.push(Refusal::NoSourceColumn { source: table.name.clone(), target: target() });
            continue;
        };
        if column.data_type.base().shape != data_type.shape {
            let (wanted, found) = (data_type.to_string(), column.data_type.to_string());
            plan.refusals.push(Refusal::OtherType { target: target(), wanted, found });
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
                kind: ObjectKind::Column,
                object: format!("{}.{}", table.name, column.name),
                reason: Reason::NoPlaceInLayout,
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
