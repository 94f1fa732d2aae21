//! The database that a dump describes, as far as its statements have made it.

use super::definition::{
    CollationOptions, Commented, Definition, DomainChange, Name, NewColumn, NewField, NewRoutine, NewType,
    PartitionKey, Query, SequenceOptions,
};
use super::name::spelled;
use super::{routines, sequences};
use crate::catalog::{ObjectKind, OtherObject, QualifiedName};
use crate::endpoint::postgres::rows::{ConstraintRow, IndexRow, Oid, SequenceRow};
use std::collections::HashMap;
use std::sync::Arc;

/// The schemas in which a name without one is looked for.
pub(super) type Path = Arc<[String]>;

/// Everything that was defined so far.
#[derive(Debug, Default)]
pub(super) struct Database {
    last: Oid,
    pub(super) relations: HashMap<QualifiedName, Relation>,
    pub(super) constraints: Vec<ConstraintRow>,
    /// Checks that are not handed on to heirs.
    pub(super) not_inherited: Vec<Oid>,
    pub(super) indexes: HashMap<QualifiedName, IndexRow>,
    pub(super) sequences: HashMap<QualifiedName, DumpedSequence>,
    pub(super) types: HashMap<QualifiedName, UserType>,
    pub(super) collations: HashMap<QualifiedName, CollationOptions>,
    /// With their schemas.
    pub(super) extensions: HashMap<String, Option<String>>,
    pub(super) others: Vec<OtherObject>,
    /// Comments on what a catalog only counts comments of.
    pub(super) comments: usize,
    pub(super) encoding: Option<String>,
    pub(super) collation: Option<CollationOptions>,
    /// Functions whose calls make one row of many, or many rows.
    pub(super) folding: Vec<QualifiedName>,
}

/// A table, partition, foreign table, view or materialized view.
#[derive(Debug)]
pub(super) struct Relation {
    pub(super) oid: Oid,
    pub(super) kind: char,
    pub(super) path: Path,
    pub(super) columns: Vec<Column>,
    pub(super) parents: Vec<QualifiedName>,
    /// FOR VALUES, of a partition.
    pub(super) bound: Option<String>,
    pub(super) key: Option<PartitionKey>,
    pub(super) query: Option<Query>,
    pub(super) checks_writes: bool,
    /// It has a rule that replaces INSERT, UPDATE or DELETE.
    pub(super) has_write_rule: bool,
    pub(super) secured: bool,
    pub(super) forced: bool,
    pub(super) comment: Option<String>,
}

/// A column with what was said of it later.
#[derive(Debug, Clone)]
pub(super) struct Column {
    pub(super) new: NewColumn,
    pub(super) path: Path,
    pub(super) comment: Option<String>,
    pub(super) sequence: Option<QualifiedName>,
}

#[derive(Debug)]
pub(super) struct DumpedSequence {
    pub(super) row: SequenceRow,
    /// Value, and whether it was handed out.
    pub(super) position: Option<(i64, bool)>,
}

#[derive(Debug)]
pub(super) struct UserType {
    pub(super) path: Path,
    pub(super) kind: NewType,
}

impl Database {
    /// Does what a statement says; `None`, and nothing, where it speaks of what is not there.
    pub(super) fn apply(&mut self, definition: Definition, path: &Path) -> Option<()> {
        match definition {
            Definition::Nothing => {}
            Definition::Table(table) => self.create_table(*table, path)?,
            Definition::ChangeTable { table, only, changes } => self.change_table(&table, only, changes, path)?,
            Definition::View(view) => self.create_view(*view, path)?,
            Definition::Index(index) => self.create_index(*index, path)?,
            Definition::AttachIndex { whole, part } => self.attach_index(&whole, &part, path)?,
            Definition::Sequence { name, options } => {
                let name = self.place(name, path)?;
                let data_type = options.data_type.clone().unwrap_or_else(|| "bigint".to_owned());
                self.create_sequence(name, &data_type, &options, path)?;
            }
            Definition::ChangeSequence { name, options } => self.change_sequence(&name, &options, path)?,
            Definition::Position { sequence, value, is_called } => {
                let name = self.find(&sequence, path, |name, own| own.sequences.contains_key(name))?;
                self.sequences.get_mut(&name)?.position = Some((value, is_called));
            }
            Definition::Type { name, kind } => self.create_type(name, kind, path)?,
            Definition::AddLabel { name, label, before, after } => self.add_label(&name, label, before, after, path)?,
            Definition::ChangeDomain { name, change } => self.change_domain(&name, change, path)?,
            Definition::Comment { on, text } => self.comment(on, text, path)?,
            Definition::Extension { name, schema } => {
                if name != "plpgsql" {
                    let definition = format!("CREATE EXTENSION {}", spelled(&name));
                    self.others.push(OtherObject::new(ObjectKind::Extension, name.clone(), Some(definition)));
                }
                self.extensions.insert(name, schema);
            }
            Definition::Collation { name, options } => {
                let name = self.place(name, path)?;
                self.list(ObjectKind::Collation, name.to_string(), None);
                self.collations.insert(name, options);
            }
            Definition::Database { encoding, collation } => {
                self.encoding = encoding;
                self.collation = Some(collation);
            }
            Definition::Routine(routine) => self.create_routine(&routine, path)?,
            other => self.list_other(other, path)?,
        }
        Some(())
    }

    /// What is listed and not carried.
    fn list_other(&mut self, definition: Definition, path: &Path) -> Option<()> {
        match definition {
            Definition::Policy(policy) => {
                let table = self.relation_name(&policy.table, path)?;
                let quoted = format!("{}.{}", spelled(&table.schema), spelled(&table.name));
                let mut text = format!("CREATE POLICY {} ON {quoted}", spelled(&policy.name));
                text.push_str(if policy.restrictive { " AS RESTRICTIVE" } else { " AS PERMISSIVE" });
                text.push_str(&format!(" FOR {}", policy.command.as_deref().unwrap_or("ALL")));
                text.push_str(&format!(" TO {}", policy.roles.as_deref().unwrap_or("PUBLIC")));
                text.extend(policy.using.map(|using| format!(" USING ({using})")));
                text.extend(policy.check.map(|check| format!(" WITH CHECK ({check})")));
                self.list(ObjectKind::Policy, format!("{} on {table}", policy.name), Some(text));
            }
            Definition::OnTable { kind, name, table, definition, event } => {
                let table = self.relation_name(&table, path)?;
                if event.is_some_and(|event| event.is_write) {
                    self.relations.get_mut(&table)?.has_write_rule = true;
                }
                self.list(kind, format!("{name} on {table}"), Some(definition));
            }
            Definition::Operator { name, left, right } => {
                let name = self.place(name, path)?;
                let side = |side: Option<String>| side.unwrap_or_else(|| "NONE".to_owned());
                let name = format!("{}.{}({},{})", spelled(&name.schema), name.name, side(left), side(right));
                self.list(ObjectKind::Operator, name, None);
            }
            Definition::Operators { kind, name, method } => {
                let name = self.place(name, path)?;
                self.list(kind, format!("{name} using {method}"), None);
            }
            Definition::Cast { from, to } => self.list(ObjectKind::Cast, format!("{from} as {to}"), None),
            Definition::Transform { of, language } => {
                self.list(ObjectKind::Transform, format!("for {of} language {language}"), None);
            }
            Definition::Named { kind, name, definition } => {
                let name = self.place(name, path)?;
                self.list(kind, name.to_string(), definition);
            }
            Definition::Global { kind, name } => self.list(kind, name, None),
            Definition::Drop { kind, names } => self.drop(kind, &names, path)?,
            _ => return None,
        }
        Some(())
    }

    fn list(&mut self, kind: ObjectKind, name: String, definition: Option<String>) {
        self.others.push(OtherObject::new(kind, name, definition));
    }

    pub(super) fn next(&mut self) -> Oid {
        self.last += 1;
        self.last
    }

    /// Where something of that name is made.
    pub(super) fn place(&self, name: Name, path: &Path) -> Option<QualifiedName> {
        let schema = match name.schema {
            Some(schema) => schema,
            None => path.iter().find(|schema| !matches!(schema.as_str(), "$user" | "pg_catalog" | "pg_temp"))?.clone(),
        };
        Some(QualifiedName::new(schema, name.name))
    }

    /// What a name stands for, among what is known.
    pub(super) fn find(
        &self,
        name: &Name,
        path: &Path,
        is_known: impl Fn(&QualifiedName, &Database) -> bool,
    ) -> Option<QualifiedName> {
        match &name.schema {
            Some(schema) => {
                let name = QualifiedName::new(schema, &name.name);
                is_known(&name, self).then_some(name)
            }
            None => {
                let mut names = path.iter().map(|schema| QualifiedName::new(schema, &name.name));
                names.find(|name| is_known(name, self))
            }
        }
    }

    pub(super) fn relation_name(&self, name: &Name, path: &Path) -> Option<QualifiedName> {
        self.find(name, path, |name, own| own.relations.contains_key(name))
    }

    pub(super) fn create_sequence(
        &mut self,
        name: QualifiedName,
        data_type: &str,
        options: &SequenceOptions,
        path: &Path,
    ) -> Option<()> {
        let mut row = sequences::created(&name, data_type, options);
        self.own(&mut row, options, path)?;
        if self.sequences.contains_key(&name) {
            return None;
        }
        self.sequences.insert(name, DumpedSequence { row, position: None });
        Some(())
    }

    fn change_sequence(&mut self, name: &Name, options: &SequenceOptions, path: &Path) -> Option<()> {
        let name = self.find(name, path, |name, own| own.sequences.contains_key(name))?;
        let mut row = self.sequences.get(&name)?.row.clone();
        self.own(&mut row, options, path)?;
        sequences::change(&mut row, options);
        self.sequences.get_mut(&name)?.row = row;
        Some(())
    }

    fn own(&self, row: &mut SequenceRow, options: &SequenceOptions, path: &Path) -> Option<()> {
        let owner = match &options.owned_by {
            None => return Some(()),
            Some(None) => None,
            Some(Some((table, column))) => {
                let table = self.relation_name(table, path)?;
                self.relations.get(&table)?.column(column)?;
                Some((table, column.clone()))
            }
        };
        (row.owner_schema, row.owner_name, row.owner_column) = match owner {
            Some((table, column)) => (Some(table.schema), Some(table.name), Some(column)),
            None => (None, None, None),
        };
        Some(())
    }

    fn create_type(&mut self, name: Name, kind: NewType, path: &Path) -> Option<()> {
        let name = self.place(name, path)?;
        let is_taken = self.types.get(&name).is_some_and(|known| !matches!(known.kind, NewType::Shell));
        if is_taken || self.relations.contains_key(&name) {
            return None;
        }
        self.types.insert(name, UserType { path: path.clone(), kind });
        Some(())
    }

    fn type_mut(&mut self, name: &Name, path: &Path) -> Option<&mut UserType> {
        let name = self.find(name, path, |name, own| own.types.contains_key(name))?;
        self.types.get_mut(&name)
    }

    fn add_label(
        &mut self,
        name: &Name,
        label: String,
        before: Option<String>,
        after: Option<String>,
        path: &Path,
    ) -> Option<()> {
        let NewType::Enum(labels) = &mut self.type_mut(name, path)?.kind else { return None };
        let place = |of: &str| labels.iter().position(|label| label == of);
        let at = match (before.as_deref(), after.as_deref()) {
            (Some(before), _) => place(before)?,
            (None, Some(after)) => place(after)? + 1,
            (None, None) => labels.len(),
        };
        labels.insert(at, label);
        Some(())
    }

    fn change_domain(&mut self, name: &Name, change: DomainChange, path: &Path) -> Option<()> {
        let NewType::Domain(domain) = &mut self.type_mut(name, path)?.kind else { return None };
        match change {
            DomainChange::Nothing => {}
            DomainChange::Check(check) => domain.checks.push(*check),
            DomainChange::Default(default) => domain.default = default,
            DomainChange::NotNull(not_null) => domain.not_null = not_null,
        }
        Some(())
    }

    fn comment(&mut self, on: Commented, text: Option<String>, path: &Path) -> Option<()> {
        match on {
            Commented::Relation(name) => {
                let name = self.relation_name(&name, path)?;
                self.relations.get_mut(&name)?.comment = text;
            }
            Commented::Column { relation, column } => match self.relation_name(&relation, path) {
                Some(name) => {
                    let columns = &mut self.relations.get_mut(&name)?.columns;
                    columns.iter_mut().find(|known| known.new.name == column)?.comment = text;
                }
                // A field of a composite type.
                None => {
                    self.find(&relation, path, |name, own| own.types.contains_key(name))?;
                    self.comments += usize::from(text.is_some());
                }
            },
            Commented::Other => self.comments += usize::from(text.is_some()),
            Commented::Uncounted => {}
        }
        Some(())
    }

    fn create_routine(&mut self, routine: &NewRoutine, path: &Path) -> Option<()> {
        let name = self.place(routine.name.clone(), path)?;
        if routine.kind == ObjectKind::Aggregate || routine.returns_set {
            self.folding.push(name.clone());
        }
        let definition = routines::definition(routine, &name);
        self.list(routine.kind, format!("{name}({})", routine.identity), definition);
        Some(())
    }

    /// Drops what is there. What is not was dropped before it is defined.
    fn drop(&mut self, kind: ObjectKind, names: &[Name], path: &Path) -> Option<()> {
        if kind == ObjectKind::Unknown {
            return self.relations.is_empty().then_some(());
        }
        for name in names {
            let Some(name) = self.find(name, path, |name, own| own.is_taken(kind, name)) else { continue };
            match kind {
                ObjectKind::Index => {
                    self.indexes.remove(&name);
                }
                ObjectKind::BaseType => {
                    self.types.remove(&name);
                }
                _ => {
                    // With it go those that inherit from it, which is not followed.
                    if self.relations.values().any(|relation| relation.parents.contains(&name)) {
                        return None;
                    }
                    let relation = self.relations.remove(&name)?;
                    self.constraints.retain(|row| row.relation != relation.oid);
                    self.indexes.retain(|_, row| row.relation != relation.oid);
                }
            }
        }
        Some(())
    }

    fn is_taken(&self, kind: ObjectKind, name: &QualifiedName) -> bool {
        match kind {
            ObjectKind::Index => self.indexes.contains_key(name),
            ObjectKind::BaseType => self.types.contains_key(name),
            _ => self.relations.contains_key(name),
        }
    }
}

impl Relation {
    pub(super) fn new(oid: Oid, kind: char, path: &Path) -> Relation {
        Relation {
            oid,
            kind,
            path: path.clone(),
            columns: Vec::new(),
            parents: Vec::new(),
            bound: None,
            key: None,
            query: None,
            checks_writes: false,
            has_write_rule: false,
            secured: false,
            forced: false,
            comment: None,
        }
    }

    pub(super) fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.new.name == name)
    }

    pub(super) fn column_mut(&mut self, name: &str) -> Option<&mut Column> {
        self.columns.iter_mut().find(|column| column.new.name == name)
    }
}

impl Column {
    pub(super) fn new(new: NewColumn, path: &Path) -> Column {
        Column { new, path: path.clone(), comment: None, sequence: None }
    }

    /// A column of a view, of whose type a dump says nothing, or of a composite type.
    pub(super) fn of_field(field: NewField, path: &Path) -> Column {
        let new = NewColumn {
            name: field.name,
            spelling: field.spelling,
            collation: field.collation,
            not_null: false,
            default: None,
            generated: None,
            identity: None,
            constraints: Vec::new(),
        };
        Column::new(new, path)
    }
}
