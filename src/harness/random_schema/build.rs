//! The maker: types and tables from a seed. Tables are made in order, each with foreign keys to those before it; the
//! edges that close cycles come last.

use super::families::{BIGINT, Class, INTEGER, TEXT};
use super::model::{Column, FilledBy, Id, Key, RandomSchema, Table, Type, UserType, UserTypeKind};
use super::names::{LABELS, Room};
use super::{SchemaSize, valid};
use crate::harness::{Random, Seed};
use std::collections::HashMap;

/// A schema in the making.
pub(super) struct Maker<'s> {
    pub(super) random: Random,
    pub(super) size: &'s SchemaSize,
    pub(super) schema: RandomSchema,
    pub(super) namespaces: Vec<String>,
    /// The names of relations, types and constraints, by PostgreSQL schema.
    rooms: HashMap<String, Room>,
    column_rooms: HashMap<Id, Room>,
    /// The share of names that need care.
    pub(super) odd: f64,
    next_id: Id,
}

impl RandomSchema {
    /// The schema of that seed.
    pub fn from_seed(seed: Seed, size: &SchemaSize) -> RandomSchema {
        let mut random = seed.of("schema").random();
        let odd = [0.0, 0.15, 0.15, 0.6][random.below(4) as usize];
        let mut maker = Maker {
            random,
            size,
            schema: RandomSchema { types: Vec::new(), tables: Vec::new(), views: Vec::new() },
            namespaces: vec!["public".to_owned()],
            rooms: HashMap::new(),
            column_rooms: HashMap::new(),
            odd,
            next_id: 1,
        };
        maker.make();
        valid::settle(&mut maker.schema);
        maker.schema
    }
}

impl Maker<'_> {
    fn make(&mut self) {
        let mut room = Room::default();
        room.take_exactly("public");
        for _ in 0..[0, 0, 1, 2][self.random.below(4) as usize] {
            let name = room.take(&mut self.random, self.odd);
            self.namespaces.push(name);
        }
        for _ in 0..self.random.below(5) {
            let user_type = self.user_type();
            self.schema.types.push(user_type);
        }
        let count = 1 + self.random.below(u64::from(self.size.tables_max.max(1)));
        if count >= 4 && self.random.chance(0.25) {
            self.tenants();
        }
        while (self.schema.tables.len() as u64) < count {
            let table = self.table();
            self.schema.tables.push(table);
        }
        for place in 0..self.schema.tables.len() {
            self.edges_back(place);
        }
        for place in 0..self.schema.tables.len() {
            self.generated_columns(place);
            self.checks(place);
            self.indexes(place);
            self.partitioning(place);
        }
        self.views();
    }

    pub(super) fn id(&mut self) -> Id {
        self.next_id += 1;
        self.next_id
    }

    /// A number below `end`, as a place in a list.
    pub(super) fn below(&mut self, end: usize) -> usize {
        self.random.below(end as u64) as usize
    }

    pub(super) fn namespace(&mut self) -> String {
        let place = self.below(self.namespaces.len());
        self.namespaces[place].clone()
    }

    /// A name for a relation, a type or a constraint.
    pub(super) fn name_in(&mut self, namespace: &str) -> String {
        self.rooms.entry(namespace.to_owned()).or_default().take(&mut self.random, self.odd)
    }

    pub(super) fn column_name(&mut self, table: Id) -> String {
        self.column_rooms.entry(table).or_default().take(&mut self.random, self.odd)
    }

    /// The name where it is free, else another one.
    pub(super) fn column_name_like(&mut self, table: Id, wanted: &str) -> String {
        if self.column_rooms.entry(table).or_default().take_exactly(wanted) {
            return wanted.to_owned();
        }
        self.column_name(table)
    }

    pub(super) fn comment(&mut self, share: f64) -> Option<String> {
        let comments = ["what it is for", "it's \"quoted\"", "Größe\nin zwei Zeilen", "100% -- not a comment /*"];
        self.random.chance(share).then(|| comments[self.below(comments.len())].to_owned())
    }

    fn user_type(&mut self) -> UserType {
        let schema = self.namespace();
        let name = self.name_in(&schema);
        let kind = match self.random.below(10) {
            0..4 => {
                let mut labels: Vec<String> = Vec::new();
                for _ in 0..1 + self.random.below(5) {
                    let label = LABELS[self.below(LABELS.len())];
                    if !labels.iter().any(|known| known == label) {
                        labels.push(label.to_owned());
                    }
                }
                UserTypeKind::Enum(labels)
            }
            4..8 => self.domain(),
            _ => {
                let mut room = Room::default();
                let count = 1 + self.random.below(4);
                let fields = (0..count).map(|_| (room.take(&mut self.random, self.odd), self.data_type())).collect();
                UserTypeKind::Composite(fields)
            }
        };
        UserType { id: self.id(), schema, name, kind }
    }

    fn domain(&mut self) -> UserTypeKind {
        let mut base = match self.random.below(4) {
            0 => Type::plain(&INTEGER),
            1 => Type::plain(&TEXT),
            _ => self.data_type(),
        };
        // A domain over a composite takes checks over its fields only, and none is made here.
        if let Type::User(id) = base
            && matches!(self.schema.user_type(id).map(|known| &known.kind), Some(UserTypeKind::Composite(_)))
        {
            base = Type::plain(&INTEGER);
        }
        let check = match &base {
            Type::BuiltIn(family, modifier) => match family.class {
                Class::SmallWhole | Class::Whole | Class::Number if modifier.is_empty() => {
                    Some(["VALUE >= 0", "VALUE > 0", "VALUE BETWEEN 1 AND 30000"][self.below(3)])
                }
                Class::Text => {
                    Some(["VALUE <> ''", "VALUE ~ '^[a-z]+$'", "length(VALUE) <= 20", "VALUE LIKE 'a%'"][self.below(4)])
                }
                _ => None,
            },
            // One check is enough: two might leave no value.
            _ => None,
        };
        let check = check.filter(|_| self.random.chance(0.7)).map(str::to_owned);
        UserTypeKind::Domain { base, not_null: self.random.chance(0.15), check }
    }

    /// A type for a column.
    pub(super) fn data_type(&mut self) -> Type {
        if !self.schema.types.is_empty() && self.random.chance(0.2) {
            let place = self.below(self.schema.types.len());
            return Type::User(self.schema.types[place].id);
        }
        if self.random.chance(0.12) {
            let element = self.data_type();
            return if matches!(element, Type::Array(_)) { element } else { Type::Array(Box::new(element)) };
        }
        Type::random(&mut self.random, self.size.server_version)
    }

    /// A type that can be in a key. Every third one has few values or unusual equality.
    fn key_type(&mut self) -> Type {
        for _ in 0..20 {
            let data_type = self.data_type();
            if self.schema.can_be_key(&data_type) && !self.schema.type_forbids_null(&data_type) {
                return data_type;
            }
        }
        Type::plain(&BIGINT)
    }

    pub(super) fn column(&mut self, table: Id, data_type: Type) -> Column {
        let name = self.column_name(table);
        let not_null = self.random.chance(0.35);
        let default = self.random.chance(0.25).then(|| self.default(&data_type)).flatten();
        let is_text = matches!(&data_type, Type::BuiltIn(family, _) if family.class == Class::Text);
        let collation = (is_text && self.random.chance(0.1)).then(|| "\"C\"".to_owned());
        Column {
            id: self.id(),
            name,
            default: default.map(|sql| (sql, data_type.clone())),
            data_type,
            not_null,
            filled_by: FilledBy::User,
            collation,
            comment: self.comment(0.05),
        }
    }

    fn default(&mut self, data_type: &Type) -> Option<String> {
        match data_type {
            Type::BuiltIn(family, _) => Some(family.defaults[self.below(family.defaults.len())].to_owned()),
            Type::Array(_) => Some("'{}'".to_owned()),
            Type::User(id) => match self.schema.user_type(*id).map(|user_type| user_type.kind.clone()) {
                Some(UserTypeKind::Enum(labels)) => {
                    let label = &labels[self.below(labels.len())];
                    Some(super::sql::literal(label))
                }
                _ => None,
            },
        }
    }

    /// A name for a table; now and then that of another one in capitals or in small letters, which PostgreSQL keeps
    /// apart and SQLite does not.
    fn table_name(&mut self, schema: &str) -> String {
        let known = self.schema.tables.iter().find(|table| table.schema == schema);
        if let Some(known) = known.map(|table| table.name.clone())
            && self.odd > 0.0
            && self.random.chance(0.1)
        {
            let other = known.to_ascii_uppercase();
            let other = if other == known { known.to_ascii_lowercase() } else { other };
            if self.rooms.entry(schema.to_owned()).or_default().take_exactly(&other) {
                return other;
            }
        }
        self.name_in(schema)
    }

    fn table(&mut self) -> Table {
        let schema = self.namespace();
        let name = self.table_name(&schema);
        let mut table = Table {
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
            comment: self.comment(0.1),
        };
        for _ in 0..1 + self.random.below(u64::from(self.size.columns_max.max(1))) {
            // Neighbours of one type now and then, which a check can compare.
            let data_type = match table.columns.last() {
                Some(last) if self.random.chance(0.15) => last.data_type.clone(),
                _ => self.data_type(),
            };
            let column = self.column(table.id, data_type);
            table.columns.push(column);
        }
        self.edges(&mut table);
        self.primary_key(&mut table);
        self.unique_keys(&mut table);
        table
    }

    /// A column that counts by itself, or that looks as if it did.
    pub(super) fn number_column(&mut self, table: Id) -> Column {
        let name = self.column_name_like(table, "id");
        let family = if self.random.chance(0.5) { &INTEGER } else { &BIGINT };
        let filled_by = match self.random.below(5) {
            0 => FilledBy::IdentityAlways,
            1 => FilledBy::IdentityByDefault,
            2 => FilledBy::Serial,
            _ => FilledBy::User,
        };
        Column {
            id: self.id(),
            name,
            data_type: Type::plain(family),
            not_null: filled_by != FilledBy::User,
            default: None,
            filled_by,
            collation: None,
            comment: None,
        }
    }

    fn primary_key(&mut self, table: &mut Table) {
        let mut columns = Vec::new();
        match self.random.below(100) {
            0..12 => {
                // Without a key, but now and then with a column that counts.
                if self.random.chance(0.3) {
                    let column = self.number_column(table.id);
                    table.columns.push(column);
                }
                return;
            }
            12..47 => {
                let column = self.number_column(table.id);
                columns.push(column.id);
                table.columns.insert(0, column);
            }
            47..72 => {
                let data_type = self.key_type();
                let mut column = self.column(table.id, data_type);
                column.collation = None;
                columns.push(column.id);
                let place = self.below(table.columns.len() + 1);
                table.columns.insert(place, column);
            }
            _ => {
                // Of several columns, those of a foreign key first where there is one: the keys overlap.
                if let Some(key) = table.foreign_keys.first().filter(|_| self.random.chance(0.6)) {
                    columns.extend(&key.columns);
                }
                while columns.len() < 2 || self.random.chance(0.2) && columns.len() < 4 {
                    let data_type = self.key_type();
                    let mut column = self.column(table.id, data_type);
                    column.collation = None;
                    columns.push(column.id);
                    table.columns.push(column);
                }
            }
        }
        let include = self.include(table, &columns);
        let name = self.name_in(&table.schema.clone());
        let deferrable = self.random.chance(0.04);
        table.primary_key = Some(Key { name, columns, include, nulls_not_distinct: false, deferrable });
        // An action that sets NULL would never be possible.
        for key in &mut table.foreign_keys {
            if key.columns.iter().any(|id| table.primary_key.iter().any(|primary| primary.columns.contains(id))) {
                key.on_delete = "CASCADE";
                key.on_update = "NO ACTION";
            }
        }
    }

    fn unique_keys(&mut self, table: &mut Table) {
        let count = [0, 0, 0, 1, 1, 2][self.below(6)];
        for _ in 0..count {
            let columns = self.key_columns(table);
            if columns.is_empty() {
                return;
            }
            let include = self.include(table, &columns);
            let nulls_not_distinct = self.size.server_version >= 15 && self.random.chance(0.3);
            let deferrable = self.random.chance(0.15);
            let name = self.name_in(&table.schema.clone());
            table.unique_keys.push(Key { name, columns, include, nulls_not_distinct, deferrable });
        }
    }

    /// One or two columns of a table that can be told apart.
    pub(super) fn key_columns(&mut self, table: &Table) -> Vec<Id> {
        let fit: Vec<Id> = table
            .columns
            .iter()
            .filter(|column| self.schema.can_be_key(&column.data_type) && !column.is_generated())
            .map(|column| column.id)
            .collect();
        if fit.is_empty() {
            return Vec::new();
        }
        let first = fit[self.below(fit.len())];
        let second = fit[self.below(fit.len())];
        if first != second && self.random.chance(0.5) { vec![first, second] } else { vec![first] }
    }

    /// A column for INCLUDE now and then. Its values have to be short: an index row is one page's third at most.
    pub(super) fn include(&mut self, table: &Table, columns: &[Id]) -> Vec<Id> {
        if !self.random.chance(0.1) {
            return Vec::new();
        }
        let short = |column: &&Column| match &column.data_type {
            Type::BuiltIn(family, _) => matches!(family.class, Class::SmallWhole | Class::Boolean | Class::Time),
            _ => false,
        };
        let fit: Vec<Id> = table
            .columns
            .iter()
            .filter(short)
            .filter(|column| !columns.contains(&column.id) && !column.is_generated())
            .map(|column| column.id)
            .collect();
        if fit.is_empty() { Vec::new() } else { vec![fit[self.below(fit.len())]] }
    }
}
