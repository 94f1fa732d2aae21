//! Tables whose keys and foreign keys overlap: everything of a tenant refers to things of the same tenant only.

use super::build::Maker;
use super::families::{BIGINT, INTEGER};
use super::model::{Column, FilledBy, ForeignKey, Id, Key, Table, Type};

impl Maker<'_> {
    /// A tenant, two tables under it with keys of two columns, and one whose foreign keys to both share the tenant.
    pub(super) fn tenants(&mut self) {
        let tenant_type = Type::plain(if self.random.chance(0.5) { &INTEGER } else { &BIGINT });
        let mut tenant = self.bare_table();
        let tenant_id = self.plain_column(tenant.id, "tenant", tenant_type.clone(), true);
        let tenant_key = tenant_id.id;
        tenant.columns.push(tenant_id);
        let name = self.name_in(&tenant.schema.clone());
        tenant.primary_key = Some(key(name, vec![tenant_key]));
        let mut parents = Vec::new();
        for _ in 0..2 {
            let mut table = self.bare_table();
            let of = self.plain_column(table.id, "tenant", tenant_type.clone(), true);
            let number = self.plain_column(table.id, "number", Type::plain(&INTEGER), true);
            let columns = vec![of.id, number.id];
            let name = self.name_in(&table.schema.clone());
            table.foreign_keys.push(foreign_key(name, vec![of.id], tenant.id, vec![tenant_key]));
            let name = self.name_in(&table.schema.clone());
            table.primary_key = Some(key(name, columns));
            table.columns.extend([of, number]);
            parents.push(table);
        }
        let mut child = self.bare_table();
        let of = self.plain_column(child.id, "tenant", tenant_type, true);
        let mut all = vec![of.id];
        child.columns.push(of);
        for (place, parent) in parents.iter().enumerate() {
            let number = self.plain_column(child.id, "number", Type::plain(&INTEGER), place == 0);
            let columns = vec![all[0], number.id];
            if place == 0 {
                all.push(number.id);
            }
            child.columns.push(number);
            let name = self.name_in(&child.schema.clone());
            let referenced = parent.primary_key.iter().flat_map(|key| key.columns.clone()).collect();
            child.foreign_keys.push(foreign_key(name, columns, parent.id, referenced));
        }
        if self.random.chance(0.5) {
            let name = self.name_in(&child.schema.clone());
            child.primary_key = Some(key(name, all));
        }
        self.schema.tables.push(tenant);
        self.schema.tables.extend(parents);
        self.schema.tables.push(child);
    }

    fn bare_table(&mut self) -> Table {
        let schema = self.namespace();
        let name = self.name_in(&schema);
        Table {
            id: self.id(),
            schema,
            name,
            columns: Vec::new(),
            primary_key: None,
            unique_keys: Vec::new(),
            indexes: Vec::new(),
            foreign_keys: Vec::new(),
            checks: Vec::new(),
            partitioning: None,
            comment: None,
        }
    }

    fn plain_column(&mut self, table: Id, name: &str, data_type: Type, not_null: bool) -> Column {
        Column {
            id: self.id(),
            name: self.column_name_like(table, name),
            data_type,
            not_null,
            default: None,
            filled_by: FilledBy::User,
            collation: None,
            comment: None,
        }
    }
}

fn key(name: String, columns: Vec<Id>) -> Key {
    Key { name, columns, include: Vec::new(), nulls_not_distinct: false, deferrable: false }
}

fn foreign_key(name: String, columns: Vec<Id>, references: Id, referenced_columns: Vec<Id>) -> ForeignKey {
    ForeignKey {
        name,
        columns,
        references,
        referenced_columns,
        on_delete: "NO ACTION",
        on_update: "NO ACTION",
        match_full: false,
        deferrable: None,
    }
}
