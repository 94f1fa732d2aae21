//! Constraints and indexes, by the names of the catalog.

use super::database::{Database, Path};
use super::definition::{Name, NewConstraint, NewIndex};
use crate::catalog::QualifiedName;
use crate::endpoint::postgres::rows::{ConstraintRow, Oid};

impl Database {
    /// Adds a constraint to a table, a check to those as well that inherit from it.
    pub(super) fn add_constraint(&mut self, table: &QualifiedName, new: NewConstraint, path: &Path) -> Option<()> {
        let NewConstraint { mut row, references, no_inherit } = new;
        if row.name.is_empty() {
            row.name = default_name(table, &row);
        }
        row.relation = self.relations.get(table)?.oid;
        if let Some(references) = &references {
            let referenced = self.relation_name(references, path)?;
            row.referenced = self.relations.get(&referenced)?.oid;
            row.referenced_schema = Some(referenced.schema);
            row.referenced_name = Some(referenced.name);
        }
        if row.kind == 'p' {
            for column in row.columns.iter().flatten() {
                self.relations.get_mut(table)?.column_mut(column)?.new.not_null = true;
            }
        }
        row.oid = self.next();
        if no_inherit {
            self.not_inherited.push(row.oid);
        }
        let inherited = (row.kind == 'c' && !no_inherit).then(|| row.clone());
        self.constraints.push(row);
        if let Some(row) = inherited {
            for heir in self.with_heirs(table, false).into_iter().skip(1) {
                let relation = self.relations.get(&heir)?.oid;
                self.inherit_check(row.clone(), relation);
            }
        }
        Some(())
    }

    /// Hands the checks of a table on to one that inherits from it.
    pub(super) fn inherit_checks(&mut self, parent: &QualifiedName, heir: Oid) {
        let Some(parent) = self.relations.get(parent).map(|parent| parent.oid) else { return };
        let is_handed_on =
            |row: &&ConstraintRow| row.relation == parent && row.kind == 'c' && !self.not_inherited.contains(&row.oid);
        let checks: Vec<_> = self.constraints.iter().filter(is_handed_on).cloned().collect();
        for check in checks {
            self.inherit_check(check, heir);
        }
    }

    fn inherit_check(&mut self, mut row: ConstraintRow, heir: Oid) {
        if self.constraints.iter().any(|known| known.relation == heir && known.name == row.name) {
            return;
        }
        row.oid = self.next();
        row.relation = heir;
        self.constraints.push(row);
    }

    pub(super) fn create_index(&mut self, index: NewIndex, path: &Path) -> Option<()> {
        let table = self.relation_name(&index.table, path)?;
        let mut row = index.row;
        let parts = row.parts.iter_mut().zip(index.collations.iter().zip(&index.classes));
        for (part, (collation, class)) in parts {
            part.collation = collation.as_ref().map(|name| self.collation_name(name, path));
            part.operator_class = class.as_ref().map(|class| match class.schema.as_deref() {
                None | Some("pg_catalog") => class.name.clone(),
                Some(schema) => format!("{schema}.{}", class.name),
            });
        }
        let name = QualifiedName::new(&table.schema, &row.name);
        if self.indexes.contains_key(&name) {
            return None;
        }
        row.relation = self.relations.get(&table)?.oid;
        row.oid = self.next();
        self.indexes.insert(name, row);
        Some(())
    }

    /// Says that an index, or the one behind a key, is a part of another one's.
    pub(super) fn attach_index(&mut self, whole: &Name, part: &Name, path: &Path) -> Option<()> {
        let index = |name: &Name| self.find(name, path, |name, own| own.indexes.contains_key(name));
        if let (Some(whole), Some(part)) = (index(whole), index(part)) {
            let whole = self.indexes.get(&whole)?.oid;
            self.indexes.get_mut(&part)?.parent = Some(whole);
            return Some(());
        }
        let key = |name: &Name| self.key_of_index(name, path);
        let (whole, part) = (key(whole)?, key(part)?);
        let whole = self.constraints.get(whole)?.oid;
        self.constraints.get_mut(part)?.parent = whole;
        Some(())
    }

    fn key_of_index(&self, name: &Name, path: &Path) -> Option<usize> {
        let is_in = |relation: Oid, schema: &str| {
            self.relations.iter().any(|(name, known)| known.oid == relation && name.schema == schema)
        };
        let schemas: Vec<&str> = match &name.schema {
            Some(schema) => vec![schema],
            None => path.iter().map(String::as_str).collect(),
        };
        schemas.into_iter().find_map(|schema| {
            self.constraints.iter().position(|row| {
                matches!(row.kind, 'p' | 'u' | 'x') && row.name == name.name && is_in(row.relation, schema)
            })
        })
    }

    /// What a collation is called in a catalog.
    pub(super) fn collation_name(&self, name: &Name, path: &Path) -> String {
        let known = self.find(name, path, |name, own| own.collations.contains_key(name));
        match (known, &name.schema) {
            (Some(known), _) => known.to_string(),
            (None, Some(schema)) => format!("{schema}.{}", name.name),
            (None, None) => format!("pg_catalog.{}", name.name),
        }
    }
}

/// The name that the server chooses.
fn default_name(table: &QualifiedName, row: &ConstraintRow) -> String {
    let columns = row.columns.iter().flatten().map(|column| format!("_{column}")).collect::<String>();
    match row.kind {
        'p' => format!("{}_pkey", table.name),
        'u' => format!("{}{columns}_key", table.name),
        'f' => format!("{}{columns}_fkey", table.name),
        'x' => format!("{}{columns}_excl", table.name),
        _ => format!("{}{columns}_check", table.name),
    }
}
