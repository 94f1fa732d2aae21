//! How a schema becomes smaller: passes over its tables, parts, types and names.

use super::families::INTEGER;
use super::model::{FilledBy, Id, RandomSchema, Table, Type, UserTypeKind};
use super::names::is_odd;
use super::valid;
use crate::harness::reduce::Reduce;
use std::collections::HashSet;
use std::ops::Range;

/// A part that can be left out or made simpler, as it stands in its pass.
#[derive(Debug, Clone, PartialEq)]
enum Part {
    Table(Id),
    View(usize),
    Partitioning(Id),
    ForeignKey(Id, usize),
    Check(Id, usize),
    Index(Id, usize),
    Unique(Id, usize),
    PrimaryKey(Id),
    Column(Id),
    Filling(Id),
    Default(Id),
    NotNull(Id),
    Collation(Id),
    Comment(Id),
    Finery(Id, usize),
    Type(Id),
    TableName(Id),
    ColumnName(Id),
    Domain(Id),
}

impl Reduce for RandomSchema {
    fn passes(&self) -> usize {
        6
    }

    fn atoms(&self, pass: usize) -> usize {
        self.parts(pass).len()
    }

    fn fingerprint(&self) -> u128 {
        xxhash_rust::xxh3::xxh3_128(self.to_sql().as_bytes())
    }

    fn without(&self, pass: usize, range: Range<usize>) -> Option<Self> {
        let parts = self.parts(pass);
        let chosen = parts.get(range)?;
        let mut smaller = self.clone();
        // From the last to the first, so that places stay what they are.
        for part in chosen.iter().rev() {
            smaller.take_out(part);
        }
        valid::settle(&mut smaller);
        (!smaller.tables.is_empty() && smaller != *self).then_some(smaller)
    }
}

impl RandomSchema {
    fn parts(&self, pass: usize) -> Vec<Part> {
        let mut parts = Vec::new();
        match pass {
            0 => parts.extend(self.tables.iter().map(|table| Part::Table(table.id))),
            1 => {
                parts.extend((0..self.views.len()).map(Part::View));
                for table in &self.tables {
                    let id = table.id;
                    parts.extend((0..table.foreign_keys.len()).map(|place| Part::ForeignKey(id, place)));
                    parts.extend((0..table.indexes.len()).map(|place| Part::Index(id, place)));
                    parts.extend((0..table.checks.len()).map(|place| Part::Check(id, place)));
                    parts.extend((0..table.unique_keys.len()).map(|place| Part::Unique(id, place)));
                    parts.extend(table.partitioning.iter().map(|_| Part::Partitioning(id)));
                    parts.extend(table.primary_key.iter().map(|_| Part::PrimaryKey(id)));
                }
            }
            2 => parts.extend(self.tables.iter().flat_map(|table| &table.columns).map(|own| Part::Column(own.id))),
            3 => {
                for table in &self.tables {
                    parts.extend(table.comment.iter().map(|_| Part::Comment(table.id)));
                    let indexes = table.indexes.iter().enumerate();
                    let fine = indexes.filter(|(_, own)| {
                        own.unique || own.predicate.is_some() || !own.include.is_empty() || own.parts.len() > 1
                    });
                    parts.extend(fine.map(|(place, _)| Part::Finery(table.id, place)));
                    for column in &table.columns {
                        let id = column.id;
                        parts.extend((column.filled_by != FilledBy::User).then_some(Part::Filling(id)));
                        parts.extend(column.default.is_some().then_some(Part::Default(id)));
                        let removable = column.not_null && column.filled_by == FilledBy::User;
                        parts.extend(removable.then_some(Part::NotNull(id)));
                        parts.extend(column.collation.is_some().then_some(Part::Collation(id)));
                        parts.extend(column.comment.is_some().then_some(Part::Comment(id)));
                    }
                }
            }
            4 => {
                let simple = Type::plain(&INTEGER);
                let columns = self.tables.iter().flat_map(|table| &table.columns);
                parts.extend(columns.filter(|own| own.data_type != simple).map(|own| Part::Type(own.id)));
                parts.extend(self.types.iter().map(|own| Part::Domain(own.id)));
            }
            _ => {
                for table in &self.tables {
                    let odd = is_odd(&table.name) || table.schema != "public";
                    parts.extend(odd.then_some(Part::TableName(table.id)));
                    let columns = table.columns.iter().filter(|own| is_odd(&own.name));
                    parts.extend(columns.map(|own| Part::ColumnName(own.id)));
                }
            }
        }
        parts
    }

    fn take_out(&mut self, part: &Part) {
        match part {
            Part::Table(id) => self.tables.retain(|table| table.id != *id),
            Part::View(place) => drop(self.views.remove(*place)),
            Part::Type(id) => self.simplify_type(*id),
            Part::Domain(id) => self.simplify_user_type(*id),
            Part::TableName(id) => self.simplify_table_name(*id),
            part => {
                for table in &mut self.tables {
                    take_out_of_table(table, part);
                }
            }
        }
    }

    /// The next simpler type: an element for its array, a base for its domain, no modifier, then `integer`. Columns
    /// that are tied by a foreign key change together.
    fn simplify_type(&mut self, id: Id) {
        let columns = self.tables.iter().flat_map(|table| &table.columns);
        let Some(before) = columns.clone().find(|own| own.id == id).map(|own| own.data_type.clone()) else { return };
        let simpler = match &before {
            Type::Array(element) => (**element).clone(),
            Type::User(user) => match self.user_type(*user).map(|own| &own.kind) {
                Some(UserTypeKind::Domain { base, .. }) => base.clone(),
                _ => Type::plain(&INTEGER),
            },
            Type::BuiltIn(family, modifier) if !modifier.is_empty() => Type::plain(family),
            Type::BuiltIn(..) => Type::plain(&INTEGER),
        };
        let tied = self.tied_to(id);
        for column in self.tables.iter_mut().flat_map(|table| &mut table.columns).filter(|own| tied.contains(&own.id)) {
            column.data_type = simpler.clone();
            if column.is_generated() {
                column.filled_by = FilledBy::User;
            }
        }
    }

    /// The columns that foreign keys tie to this one, itself included.
    fn tied_to(&self, id: Id) -> HashSet<Id> {
        let mut tied = HashSet::from([id]);
        loop {
            let before = tied.len();
            for key in self.tables.iter().flat_map(|table| &table.foreign_keys) {
                for (from, to) in key.columns.iter().zip(&key.referenced_columns) {
                    if tied.contains(from) || tied.contains(to) {
                        tied.extend([*from, *to]);
                    }
                }
            }
            if tied.len() == before {
                return tied;
            }
        }
    }

    /// One label, no check, one field; a plain name.
    fn simplify_user_type(&mut self, id: Id) {
        let free = |name: &str, all: &RandomSchema| all.is_free("public", name);
        let name = format!("type{id}");
        let rename = free(&name, self);
        for user_type in self.types.iter_mut().filter(|own| own.id == id) {
            match &mut user_type.kind {
                UserTypeKind::Enum(labels) => labels.truncate(1),
                UserTypeKind::Domain { not_null, check, .. } => {
                    *not_null = false;
                    *check = None;
                }
                UserTypeKind::Composite(fields) => fields.truncate(1),
            }
            if rename && (is_odd(&user_type.name) || user_type.schema != "public") {
                user_type.schema = "public".to_owned();
                user_type.name.clone_from(&name);
            }
        }
        // A default may name a label that is gone.
        for column in self.tables.iter_mut().flat_map(|table| &mut table.columns) {
            if column.data_type == Type::User(id) {
                column.default = None;
            }
        }
    }

    fn simplify_table_name(&mut self, id: Id) {
        let name = format!("table{id}");
        let names_of = |table: &Table| -> Vec<String> {
            let keys = table.primary_key.iter().chain(&table.unique_keys).map(|key| key.name.clone());
            let indexes = table.indexes.iter().map(|index| index.name.clone());
            let partitions = table.partitioning.iter().flat_map(|own| own.partitions.clone());
            keys.chain(indexes).chain(partitions).collect()
        };
        let Some(table) = self.table(id) else { return };
        // What moves to `public` with the table must not meet its name there.
        let moves = table.schema == "public" || names_of(table).iter().all(|own| self.is_free("public", own));
        if !moves || !self.is_free("public", &name) {
            return;
        }
        for table in self.tables.iter_mut().filter(|table| table.id == id) {
            table.schema = "public".to_owned();
            table.name.clone_from(&name);
        }
    }

    fn is_free(&self, schema: &str, name: &str) -> bool {
        let in_table = |table: &Table| {
            table.schema == schema
                && (table.name == name
                    || table.primary_key.iter().chain(&table.unique_keys).any(|key| key.name == name)
                    || table.indexes.iter().any(|index| index.name == name)
                    || table.partitioning.iter().any(|own| own.partitions.iter().any(|known| known == name)))
        };
        !self.tables.iter().any(in_table)
            && !self.types.iter().any(|own| own.schema == schema && own.name == name)
            && !self.views.iter().any(|own| own.schema == schema && own.name == name)
    }
}

fn take_out_of_table(table: &mut Table, part: &Part) {
    match part {
        Part::Partitioning(id) if table.id == *id => table.partitioning = None,
        Part::ForeignKey(id, place) if table.id == *id => drop(table.foreign_keys.remove(*place)),
        Part::Check(id, place) if table.id == *id => drop(table.checks.remove(*place)),
        Part::Index(id, place) if table.id == *id => drop(table.indexes.remove(*place)),
        Part::Unique(id, place) if table.id == *id => drop(table.unique_keys.remove(*place)),
        Part::PrimaryKey(id) if table.id == *id => table.primary_key = None,
        Part::Comment(id) if table.id == *id => table.comment = None,
        Part::Finery(id, place) if table.id == *id => {
            let index = &mut table.indexes[*place];
            index.unique = false;
            index.nulls_not_distinct = false;
            index.predicate = None;
            index.include.clear();
            index.parts.truncate(1);
        }
        Part::Column(id) if table.columns.len() > 1 => table.columns.retain(|column| column.id != *id),
        Part::ColumnName(id) => {
            let name = format!("column{id}");
            if table.columns.iter().all(|column| column.name != name) {
                table.columns.iter_mut().filter(|own| own.id == *id).for_each(|own| own.name.clone_from(&name));
            }
        }
        part => {
            for column in &mut table.columns {
                match part {
                    Part::Filling(id) if column.id == *id => column.filled_by = FilledBy::User,
                    Part::Default(id) if column.id == *id => column.default = None,
                    Part::NotNull(id) if column.id == *id => column.not_null = false,
                    Part::Collation(id) if column.id == *id => column.collation = None,
                    Part::Comment(id) if column.id == *id => column.comment = None,
                    _ => {}
                }
            }
        }
    }
}
