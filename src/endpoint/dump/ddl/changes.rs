//! Tables: how they are made, and what is said of them later.

use super::database::{Column, Database, Path, Relation};
use super::definition::{Name, NewTable, NewType, SequenceOptions, TableChange};
use crate::catalog::QualifiedName;

impl Database {
    pub(super) fn create_table(&mut self, table: NewTable, path: &Path) -> Option<()> {
        if table.temporary {
            return Some(());
        }
        let name = self.place(table.name, path)?;
        if self.relations.contains_key(&name) || self.types.contains_key(&name) {
            return None;
        }
        let parents: Vec<QualifiedName> =
            table.inherits.iter().map(|parent| self.relation_name(parent, path)).collect::<Option<_>>()?;
        let partition_of = match &table.partition_of {
            Some((parent, bound)) => Some((self.relation_name(parent, path)?, bound.clone())),
            None => None,
        };
        let mut relation = Relation::new(self.next(), table.kind, path);
        if let Some(of) = &table.of_type {
            relation.columns = self.columns_of_type(of, path)?;
        }
        for parent in parents.iter().chain(partition_of.iter().map(|(parent, _)| parent)) {
            for inherited in &self.relations.get(parent)?.columns {
                match relation.column_mut(&inherited.new.name) {
                    Some(known) => merge(known, inherited),
                    None => relation.columns.push(heir(inherited)),
                }
            }
        }
        let mut constraints = table.constraints;
        for mut column in table.columns {
            constraints.append(&mut column.constraints);
            match relation.column_mut(&column.name) {
                Some(known) => {
                    let inherited = known.clone();
                    if !column.spelling.is_empty() {
                        known.path = path.clone();
                    } else {
                        column.spelling.clone_from(&inherited.new.spelling);
                    }
                    known.new = column;
                    known.new.collation = known.new.collation.take().or_else(|| inherited.new.collation.clone());
                    merge(known, &inherited);
                }
                None => relation.columns.push(Column::new(column, path)),
            }
        }
        relation.key = table.key;
        relation.parents.clone_from(&parents);
        if let Some((parent, bound)) = partition_of {
            relation.parents.push(parent);
            relation.bound = Some(bound);
        }
        let oid = relation.oid;
        self.relations.insert(name.clone(), relation);
        let inherited = self.relations.get(&name)?.parents.clone();
        for parent in inherited {
            self.inherit_checks(&parent, oid);
        }
        for constraint in constraints {
            self.add_constraint(&name, constraint, path)?;
        }
        self.identities(&name, path)
    }

    /// Columns that take the fields of a composite type.
    fn columns_of_type(&self, name: &Name, path: &Path) -> Option<Vec<Column>> {
        let name = self.find(name, path, |name, own| own.types.contains_key(name))?;
        let of = self.types.get(&name)?;
        let NewType::Composite(fields) = &of.kind else { return None };
        Some(fields.iter().map(|field| Column::of_field(field.clone(), &of.path)).collect())
    }

    /// Makes the sequences of identities that CREATE TABLE itself declares.
    fn identities(&mut self, name: &QualifiedName, path: &Path) -> Option<()> {
        let declared: Vec<_> = (self.relations.get(name)?.columns.iter())
            .filter(|column| column.sequence.is_none())
            .filter_map(|column| Some((column.new.name.clone(), column.new.identity.clone()?)))
            .collect();
        for (column, (kind, options)) in declared {
            self.identity(name, &column, kind, &options, path)?;
        }
        Some(())
    }

    fn identity(
        &mut self,
        table: &QualifiedName,
        column: &str,
        kind: char,
        options: &SequenceOptions,
        path: &Path,
    ) -> Option<()> {
        let sequence = match &options.name {
            Some(name) => self.place(name.clone(), path)?,
            None => QualifiedName::new(&table.schema, format!("{}_{column}_seq", table.name)),
        };
        let data_type = self.relations.get(table)?.column(column)?.new.spelling.clone();
        let mut options = options.clone();
        let schema = Some(table.schema.clone());
        options.owned_by = Some(Some((Name { schema, name: table.name.clone() }, column.to_owned())));
        self.create_sequence(sequence.clone(), &data_type, &options, path)?;
        let column = self.relations.get_mut(table)?.column_mut(column)?;
        column.new.identity = Some((kind, options));
        column.new.not_null = true;
        column.sequence = Some(sequence);
        Some(())
    }

    pub(super) fn change_table(
        &mut self,
        table: &Name,
        only: bool,
        changes: Vec<TableChange>,
        path: &Path,
    ) -> Option<()> {
        let Some(name) = self.relation_name(table, path) else {
            // Sequences and indexes belong to somebody, too; `--clean` takes away before there is anything.
            let harmless = |change: &TableChange| {
                matches!(
                    change,
                    TableChange::DropConstraint { .. }
                        | TableChange::Default { expression: None, .. }
                        | TableChange::Inherit { is: false, .. }
                )
            };
            let is_sequence = self.find(table, path, |name, own| own.sequences.contains_key(name)).is_some();
            let owned = |change: &TableChange| matches!(change, TableChange::Nothing) && is_sequence;
            return changes.iter().all(|change| harmless(change) || owned(change)).then_some(());
        };
        for change in changes {
            self.change(&name, only, change, path)?;
        }
        Some(())
    }

    fn change(&mut self, name: &QualifiedName, only: bool, change: TableChange, path: &Path) -> Option<()> {
        match change {
            TableChange::Nothing => {}
            TableChange::Constraint(constraint) => {
                let row = &constraint.row;
                if let ('n', Some([column]), true) = (row.kind, row.columns.as_deref(), row.validated) {
                    self.relations.get_mut(name)?.column_mut(column)?.new.not_null = true;
                    return Some(());
                }
                self.add_constraint(name, *constraint, path)?;
            }
            TableChange::Default { column, expression } => {
                for name in self.with_heirs(name, only) {
                    self.relations.get_mut(&name)?.column_mut(&column)?.new.default.clone_from(&expression);
                }
            }
            TableChange::NotNull { column, not_null } => {
                for name in self.with_heirs(name, only) {
                    self.relations.get_mut(&name)?.column_mut(&column)?.new.not_null = not_null;
                }
            }
            TableChange::Identity { column, kind, options } => self.identity(name, &column, kind, &options, path)?,
            TableChange::Attach { part, bound } => {
                let part = self.relation_name(&part, path)?;
                let relation = self.relations.get_mut(&part)?;
                relation.parents = vec![name.clone()];
                relation.bound = Some(bound);
            }
            TableChange::Inherit { parent, is } => {
                let parent = self.relation_name(&parent, path)?;
                let parents = &mut self.relations.get_mut(name)?.parents;
                parents.retain(|known| *known != parent);
                if is {
                    parents.push(parent);
                }
            }
            TableChange::RowSecurity { enabled, forced } => {
                let relation = self.relations.get_mut(name)?;
                relation.secured = enabled.unwrap_or(relation.secured);
                relation.forced = forced.unwrap_or(relation.forced);
            }
            TableChange::DropConstraint { name: constraint } => {
                let oid = self.relations.get(name)?.oid;
                self.constraints.retain(|row| row.relation != oid || row.name != constraint);
            }
        }
        Some(())
    }

    /// A table, and what inherits from it unless only the table itself is meant.
    pub(super) fn with_heirs(&self, name: &QualifiedName, only: bool) -> Vec<QualifiedName> {
        let mut names = vec![name.clone()];
        if only {
            return names;
        }
        let mut at = 0;
        while let Some(parent) = names.get(at).cloned() {
            at += 1;
            let heirs = self.relations.iter().filter(|(_, relation)| relation.parents.contains(&parent));
            let new: Vec<_> = heirs.map(|(name, _)| name.clone()).filter(|name| !names.contains(name)).collect();
            names.extend(new);
        }
        names
    }
}

/// A column that a table has from its parent.
fn heir(inherited: &Column) -> Column {
    let mut column = inherited.clone();
    column.comment = None;
    column.sequence = None;
    column.new.identity = None;
    column
}

/// What a column has of its parent's, besides its own.
fn merge(column: &mut Column, inherited: &Column) {
    column.new.not_null |= inherited.new.not_null;
    if column.new.default.is_none() && column.new.generated.is_none() {
        column.new.default.clone_from(&inherited.new.default);
        column.new.generated.clone_from(&inherited.new.generated);
    }
}
