//! Foreign keys, checks, generated columns, indexes, partitions and views of tables that are there.

use super::build::Maker;
use super::families::{BIGINT, BOOLEAN, Class, INTEGER, TEXT};
use super::model::{
    Check, Column, Condition, Expression, FilledBy, ForeignKey, Id, Index, IndexKey, IndexPart, Partitioning,
    Predicate, Query, Table, Type, View,
};

impl Maker<'_> {
    /// Foreign keys to tables that are there already.
    pub(super) fn edges(&mut self, table: &mut Table) {
        for _ in 0..[0, 0, 1, 1, 2, 3][self.below(6)] {
            if self.schema.tables.is_empty() {
                return;
            }
            let place = self.below(self.schema.tables.len());
            let parent = self.schema.tables[place].clone();
            let not_null = self.random.chance(0.45);
            self.edge(table, &parent, not_null, false);
        }
    }

    /// Foreign keys that close a cycle: to the table itself or to a later one. Such an edge is nullable or is checked
    /// at the end of the transaction; otherwise there would be no first row.
    pub(super) fn edges_back(&mut self, place: usize) {
        let last = self.schema.tables.len() - 1;
        let target = match self.random.below(10) {
            0 | 1 => place,
            2 if place < last => place + 1 + self.below(last - place),
            _ => return,
        };
        let parent = self.schema.tables[target].clone();
        let mut table = self.schema.tables[place].clone();
        let deferred = self.random.chance(0.3);
        let not_null = deferred && self.random.chance(0.5);
        self.edge(&mut table, &parent, not_null, deferred);
        self.schema.tables[place] = table;
    }

    /// Adds a foreign key over new columns.
    fn edge(&mut self, table: &mut Table, parent: &Table, not_null: bool, deferred: bool) {
        let mut keys: Vec<_> = parent.referable_keys().cloned().collect();
        keys.retain(|key| {
            let mut columns = key.columns.iter().filter_map(|id| parent.column(*id));
            columns.all(|column| self.schema.can_be_referred_to(&column.data_type))
        });
        if keys.is_empty() {
            return;
        }
        let key = keys[self.below(keys.len())].clone();
        let mut columns = Vec::new();
        for referenced in key.columns.iter().filter_map(|id| parent.column(*id)) {
            let name = self.column_name(table.id);
            let column = Column {
                id: self.id(),
                name,
                data_type: referenced.data_type.clone(),
                not_null,
                default: None,
                filled_by: FilledBy::User,
                collation: None,
                comment: None,
            };
            columns.push(column.id);
            table.columns.push(column);
        }
        let actions: &[&str] = if not_null {
            &["NO ACTION", "RESTRICT", "CASCADE"]
        } else {
            &["NO ACTION", "RESTRICT", "CASCADE", "SET NULL", "SET DEFAULT"]
        };
        let deferrable = if deferred { Some(true) } else { self.random.chance(0.15).then(|| self.random.chance(0.5)) };
        let name = self.name_in(&table.schema.clone());
        let on_delete = actions[self.below(actions.len())];
        let on_update = actions[self.below(actions.len())];
        let match_full = self.random.chance(0.08);
        table.foreign_keys.push(ForeignKey {
            name,
            columns,
            references: parent.id,
            referenced_columns: key.columns,
            on_delete,
            on_update,
            match_full,
            deferrable,
        });
    }

    pub(super) fn generated_columns(&mut self, place: usize) {
        if !self.random.chance(0.25) {
            return;
        }
        let table = self.schema.tables[place].clone();
        let Some((expression, data_type)) = self.expression(&table) else { return };
        let id = self.id();
        let name = self.column_name(table.id);
        let column = Column {
            id,
            name,
            data_type,
            not_null: matches!(expression, Expression::IsNull(_)) && self.random.chance(0.5),
            default: None,
            filled_by: FilledBy::Generated(expression),
            collation: None,
            comment: None,
        };
        let at = self.below(table.columns.len() + 1);
        self.schema.tables[place].columns.insert(at, column);
    }

    /// An expression over the table's columns, and its type.
    fn expression(&mut self, table: &Table) -> Option<(Expression, Type)> {
        let of = |class: &[Class]| -> Vec<Id> {
            let fit = table.columns.iter().filter(|column| !column.is_generated());
            let fit = fit.filter(|column| column.class().is_some_and(|own| class.contains(&own)));
            fit.map(|column| column.id).collect()
        };
        let texts = of(&[Class::Text]);
        let numbers = of(&[Class::SmallWhole]);
        let any: Vec<Id> =
            table.columns.iter().filter(|column| !column.is_generated()).map(|column| column.id).collect();
        let mut pick = |from: &[Id]| (!from.is_empty()).then(|| from[self.below(from.len())]);
        let (a, b) = (pick(&texts), pick(&texts));
        let (m, n) = (pick(&numbers), pick(&numbers));
        let any = pick(&any);
        match (self.random.below(7), a.zip(b), m.zip(n)) {
            (0, Some((a, _)), _) => Some((Expression::Lower(a), Type::plain(&TEXT))),
            (1, Some((a, _)), _) => Some((Expression::Upper(a), Type::plain(&TEXT))),
            (2, Some((a, _)), _) => Some((Expression::Length(a), Type::plain(&INTEGER))),
            (3, Some((a, b)), _) => Some((Expression::Concat(a, b), Type::plain(&TEXT))),
            (0..=4, _, Some((m, n))) => Some((Expression::Sum(m, n), Type::plain(&BIGINT))),
            (5, _, Some((m, _))) => Some((Expression::Coalesce(m), Type::plain(&INTEGER))),
            _ => any.map(|id| (Expression::IsNull(id), Type::plain(&BOOLEAN))),
        }
    }

    /// Checks over columns that no foreign key and no other check uses, so that all can be satisfied together.
    pub(super) fn checks(&mut self, place: usize) {
        let table = self.schema.tables[place].clone();
        let mut free: Vec<&Column> = table
            .columns
            .iter()
            .filter(|column| !column.is_generated() && column.filled_by == FilledBy::User)
            .filter(|column| table.foreign_keys.iter().all(|key| !key.columns.contains(&column.id)))
            .collect();
        let in_key = |id: Id| table.primary_key.iter().chain(&table.unique_keys).any(|key| key.columns.contains(&id));
        for _ in 0..[0, 0, 1, 2][self.below(4)] {
            if free.is_empty() {
                return;
            }
            let column = free.swap_remove(self.below(free.len()));
            let pair = free.iter().position(|other| {
                other.data_type == column.data_type && !in_key(other.id) && other.collation == column.collation
            });
            let nullable = |column: &Column| self.schema.is_nullable(&table, column);
            let nullables = nullable(column).then(|| free.iter().position(|other| nullable(other))).flatten();
            let condition = match (self.random.below(5), pair, nullables) {
                (0 | 1, Some(other), _) if orderable(column) && !in_key(column.id) => {
                    let other = free.swap_remove(other);
                    if self.random.chance(0.7) {
                        Some(Condition::InOrder(column.id, other.id))
                    } else {
                        Some(Condition::Different(column.id, other.id))
                    }
                }
                (2, _, Some(other)) => {
                    let other = free.swap_remove(other);
                    let (a, b) = (column.id, other.id);
                    Some(match self.random.below(3) {
                        0 => Condition::Either(a, b),
                        1 => Condition::ExactlyOne(a, b),
                        _ => Condition::Implies(a, b),
                    })
                }
                _ => self.condition(column, in_key(column.id)),
            };
            if let Some(condition) = condition {
                let name = self.name_in(&table.schema);
                let check = Check { name, condition, data_type: column.data_type.clone() };
                self.schema.tables[place].checks.push(check);
            }
        }
    }

    /// A condition over one column; of a key only one that leaves as many values as anybody wants.
    fn condition(&mut self, column: &Column, in_key: bool) -> Option<Condition> {
        let Type::BuiltIn(family, _) = &column.data_type else { return None };
        let id = column.id;
        let choice = self.random.below(4);
        let texts = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect();
        Some(match (family.class, choice) {
            (Class::SmallWhole | Class::Whole, 0) if !in_key => Condition::Between(id, "1".into(), "30000".into()),
            (Class::SmallWhole | Class::Whole, 1) if !in_key => Condition::OneOf(id, texts(&["1", "2", "30"])),
            (Class::SmallWhole | Class::Whole | Class::Number, _) => Condition::AtLeast(id, "0".into()),
            (Class::Text, 0) if !in_key => Condition::OneOf(id, texts(&["'a'", "'b'", "'ß'", "''''"])),
            (Class::Text, 1) if !in_key => Condition::Matches(id, "^[a-z]{1,8}$"),
            (Class::Text, 2) if !in_key => Condition::Like(id, "a%"),
            (Class::Text, 3) => Condition::NotEmpty(id),
            (Class::Text, _) if !in_key => Condition::LengthAtMost(id, 12),
            (Class::Time, _) if family.name.starts_with("timestamp") || family.name == "date" => {
                Condition::AtLeast(id, "'2000-01-01'".into())
            }
            _ => return None,
        })
    }

    pub(super) fn indexes(&mut self, place: usize) {
        for _ in 0..[0, 0, 1, 1, 2, 3][self.below(6)] {
            let table = self.schema.tables[place].clone();
            let Some(mut index) = self.index(&table) else { continue };
            index.name = self.name_in(&table.schema);
            self.schema.tables[place].indexes.push(index);
        }
    }

    fn index(&mut self, table: &Table) -> Option<Index> {
        let mut index = Index {
            name: String::new(),
            unique: false,
            method: "btree",
            parts: Vec::new(),
            include: Vec::new(),
            predicate: None,
            nulls_not_distinct: false,
        };
        let plain = |id| IndexPart { key: IndexKey::Column(id), descending: false, nulls_turned: false };
        if self.random.chance(0.25) {
            let other = |column: &&Column| match &column.data_type {
                Type::BuiltIn(family, _) => family.method.is_some(),
                Type::Array(element) => matches!(&**element, Type::BuiltIn(own, _) if own.class == Class::SmallWhole),
                Type::User(_) => false,
            };
            if let Some(column) = table.columns.iter().find(other) {
                index.method = match &column.data_type {
                    Type::BuiltIn(family, _) => family.method?,
                    _ => "gin",
                };
                index.parts.push(plain(column.id));
                return Some(index);
            }
        }
        let columns = self.key_columns(table);
        if self.random.chance(0.1) && columns.len() == 1 {
            index.method = if self.random.chance(0.5) { "hash" } else { "brin" };
            let hashable = |column: &Column| matches!(column.class(), Some(Class::SmallWhole | Class::Whole));
            if columns.iter().all(|id| table.column(*id).is_some_and(hashable)) {
                index.parts.push(plain(columns[0]));
                return Some(index);
            }
            index.method = "btree";
        }
        for id in &columns {
            let descending = self.random.chance(0.3);
            let nulls_turned = self.random.chance(0.15);
            index.parts.push(IndexPart { key: IndexKey::Column(*id), descending, nulls_turned });
        }
        if self.random.chance(0.25)
            && let Some((expression, _)) = self.expression(table)
        {
            let descending = self.random.chance(0.2);
            let part = IndexPart { key: IndexKey::Expression(expression), descending, nulls_turned: false };
            if self.random.chance(0.5) {
                index.parts.clear();
            }
            index.parts.push(part);
        }
        if index.parts.is_empty() {
            return None;
        }
        // An expression that is unique alone has to have many values.
        let few = |part: &IndexPart| match &part.key {
            IndexKey::Expression(Expression::IsNull(_) | Expression::Length(_) | Expression::Coalesce(_)) => true,
            IndexKey::Expression(_) => false,
            IndexKey::Column(id) => table.column(*id).is_none_or(|column| column.class() == Some(Class::Boolean)),
        };
        index.unique = self.random.chance(0.3) && !index.parts.iter().all(few);
        index.include = self.include(table, &columns);
        if self.random.chance(0.25) {
            index.predicate = self.predicate(table);
        }
        index.nulls_not_distinct = index.unique && self.size.server_version >= 15 && self.random.chance(0.3);
        Some(index)
    }

    fn predicate(&mut self, table: &Table) -> Option<Predicate> {
        let column = &table.columns[self.below(table.columns.len())];
        Some(match column.class() {
            Some(Class::SmallWhole | Class::Whole | Class::Number) => Predicate::Positive(column.id),
            Some(Class::Boolean) => Predicate::IsTrue(column.id),
            Some(Class::Text) => Predicate::NotEmpty(column.id),
            _ => Predicate::IsNotNull(column.id),
        })
    }

    pub(super) fn partitioning(&mut self, place: usize) {
        let table = self.schema.tables[place].clone();
        let unique = !table.unique_keys.is_empty() || table.indexes.iter().any(|index| index.unique);
        if unique || !self.random.chance(0.2) {
            return;
        }
        let fit = |column: &&Column| {
            let in_key = table.primary_key.is_none() || table.is_in_primary_key(column.id);
            let class = column.class();
            in_key
                && column.filled_by == FilledBy::User
                && (matches!(class, Some(Class::SmallWhole | Class::Whole | Class::Text | Class::Boolean)))
        };
        let Some(column) = table.columns.iter().find(fit) else { return };
        let method = match column.class() {
            Some(Class::Boolean) => "LIST",
            _ => ["HASH", "RANGE", "LIST"][self.below(3)],
        };
        let partitions = (0..2).map(|_| self.name_in(&table.schema)).collect();
        self.schema.tables[place].partitioning = Some(Partitioning { method, column: column.id, partitions });
    }

    pub(super) fn views(&mut self) {
        for _ in 0..[0, 0, 1, 2][self.below(4)] {
            let place = self.below(self.schema.tables.len());
            let table = self.schema.tables[place].clone();
            let query = match self.random.below(3) {
                0 if !table.foreign_keys.is_empty() => Query::Join { table: table.id },
                1 => {
                    let fit: Vec<Id> = table.columns.iter().filter(|c| c.class().is_some()).map(|c| c.id).collect();
                    let fit: Vec<Id> = fit.into_iter().filter(|id| self.can_group(&table, *id)).collect();
                    if fit.is_empty() {
                        continue;
                    }
                    Query::Count { table: table.id, column: fit[self.below(fit.len())] }
                }
                _ => {
                    let columns = table.columns.iter().filter(|_| self.random.chance(0.7)).map(|c| c.id).collect();
                    Query::Columns { table: table.id, columns, predicate: self.predicate(&table) }
                }
            };
            let schema = self.namespace();
            let name = self.name_in(&schema);
            let comment = self.comment(0.2);
            self.schema.views.push(View { schema, name, query, comment });
        }
    }

    fn can_group(&self, table: &Table, id: Id) -> bool {
        table.column(id).is_some_and(|column| self.schema.can_be_key(&column.data_type))
    }
}

fn orderable(column: &Column) -> bool {
    matches!(column.class(), Some(Class::SmallWhole | Class::Whole | Class::Number | Class::Time))
}
