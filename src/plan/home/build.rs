//! The builder: from the catalog to definitions in their order, and everything that has none named.

use super::declared::in_words_of_postgres;
use super::text::{calls, counts_on, is_exclusion, is_index_of, is_one_piece, is_type};
use super::to_schema::in_schema;
use super::{Definition, Definitions, Position, Wishes, statements as sql};
use crate::catalog::{
    Catalog, Column, DataType, Index, IndexKey, ObjectKind, OtherObject, QualifiedName, Sequence, Shape, Table,
    TableKind,
};
use crate::plan::choices::{Choice, Choices, names_table};
use crate::plan::loss::IndexReason;
use crate::plan::version::SqliteVersion;
use crate::plan::{Caveat, ColumnPlan, Loss, Plan, Reason, Refusal, TablePlan};
use crate::quote::quote;
use crate::types::Representation;
use std::collections::{BTreeSet, HashMap, HashSet};

/// Of what comes with PostgreSQL, and anybody may create in a database of their own: types and their operators.
const HARMLESS_EXTENSIONS: [&str; 14] = [
    "btree_gin",
    "btree_gist",
    "citext",
    "cube",
    "fuzzystrmatch",
    "hstore",
    "intarray",
    "isn",
    "ltree",
    "pg_trgm",
    "pgcrypto",
    "seg",
    "unaccent",
    "uuid-ossp",
];

/// How many names a refusal of a choice tells.
const KNOWN_MAX: usize = 10;

/// Plans a PostgreSQL database from the catalog that a file remembers.
pub fn plan(catalog: &Catalog, choices: &Choices, wishes: &Wishes) -> Plan {
    let mut losses = Vec::new();
    let known = in_words_of_postgres(catalog.clone(), &mut losses);
    let home = match &wishes.into {
        Some(schema) => in_schema(known, schema),
        None => known,
    };
    let mut builder = Builder {
        source: catalog,
        choices,
        restores: wishes.restore_definitions,
        refusals: Vec::new(),
        before: Vec::new(),
        after: Vec::new(),
        losses,
        caveats: Vec::new(),
        carried: HashMap::new(),
        types: HashSet::new(),
        sequences: HashSet::new(),
    };
    builder.define(&home);
    builder.refuse();
    let (names, tables) = builder.tables(&home);
    let positions = builder.positions(&home);
    let Builder { before, after, losses, caveats, refusals, .. } = builder;
    let definitions = Definitions { before, after, tables: names, positions, catalog: home };
    Plan {
        tables,
        views: Vec::new(),
        given_schema: false,
        given_needs: SqliteVersion::default(),
        as_it_stands: false,
        home: Some(Box::new(definitions)),
        losses,
        caveats,
        refusals,
    }
}

struct Builder<'b> {
    source: &'b Catalog,
    choices: &'b Choices,
    restores: bool,
    refusals: Vec<Refusal>,
    before: Vec<Definition>,
    after: Vec<Definition>,
    losses: Vec<Loss>,
    caveats: Vec<Caveat>,
    /// The tables that are carried, by their names in the database, and their names in the source.
    carried: HashMap<QualifiedName, QualifiedName>,
    /// The types that are defined already.
    types: HashSet<QualifiedName>,
    /// The sequences that are made.
    sequences: HashSet<QualifiedName>,
}

/// When a definition is made.
#[derive(Clone, Copy, PartialEq, Eq)]
enum When {
    Before,
    After,
}

impl Builder<'_> {
    /// One definition, where the texts of the file in it are one piece each.
    fn add(&mut self, when: When, kind: ObjectKind, object: String, statement: String, texts: &[&str]) {
        if texts.iter().any(|text| !is_one_piece(text)) {
            return self.refuse_text(kind, object);
        }
        let mut calls: BTreeSet<String> = match self.restores {
            true => BTreeSet::new(),
            false => texts.iter().flat_map(|text| calls(text)).collect(),
        };
        let is_own =
            |text: &&str| counts_on(text).is_some_and(|names| names.iter().all(|name| self.sequences.contains(name)));
        if matches!(kind, ObjectKind::Default | ObjectKind::Domain) && texts.iter().all(is_own) {
            calls.remove("nextval");
        }
        let list = if when == When::Before { &mut self.before } else { &mut self.after };
        list.push(Definition { kind, object, sql: statement, calls });
    }

    /// A table cannot be left out in silence, anything else is told.
    fn refuse_text(&mut self, kind: ObjectKind, object: String) {
        match kind {
            ObjectKind::Table => self.refusals.push(Refusal::NotOnePiece { object }),
            kind => self.lose(kind, object, Reason::NotOnePiece),
        }
    }

    fn lose(&mut self, kind: ObjectKind, object: impl Into<String>, reason: Reason) {
        self.losses.push(Loss { kind, object: object.into(), reason });
    }

    fn define(&mut self, home: &Catalog) {
        let places: Vec<usize> = (0..home.tables.len()).collect();
        for place in places {
            let (source, table) = (&self.source.tables[place].name, &home.tables[place]);
            if let Some((_, reason)) = self.choices.drop_reason(source) {
                self.lose(ObjectKind::Table, source.to_string(), Reason::Dropped(reason.clone()));
            } else if self.choices.carries(source) {
                self.carried.insert(table.name.clone(), source.clone());
            } else {
                self.lose(ObjectKind::Table, source.to_string(), Reason::Excluded);
            }
        }
        let carried: Vec<&Table> = home.tables.iter().filter(|table| self.carried.contains_key(&table.name)).collect();
        self.schemas(home, &carried);
        let is_made = |sequence: &&Sequence| {
            let is_carried = |(table, _): &(QualifiedName, String)| self.carried.contains_key(table);
            !self.is_of_identity(sequence, home) && sequence.owned_by.as_ref().is_none_or(is_carried)
        };
        self.sequences = home.sequences.iter().filter(is_made).map(|sequence| sequence.name.clone()).collect();
        for column in carried.iter().flat_map(|table| &table.columns) {
            self.data_type(&column.data_type);
        }
        self.extensions(home);
        self.sequences(home);
        let tables: Vec<&Table> = in_order_of_heirs(&carried);
        for table in &tables {
            self.table(table, home);
        }
        for table in &tables {
            self.columns(table, home);
            self.checks(table, home);
        }
        for sequence in &home.sequences {
            self.owner(sequence, home);
        }
        for table in &carried {
            self.keys(table);
        }
        let (views, tables): (Vec<&Table>, Vec<&Table>) = carried.iter().partition(|table| is_view(table));
        tables.iter().for_each(|table| self.indexes(table));
        self.views(home, &views);
        tables.iter().for_each(|table| self.foreign_keys(table));
        for table in &carried {
            self.comments(table);
        }
        self.others(home);
    }

    fn schemas(&mut self, home: &Catalog, carried: &[&Table]) {
        let mut schemas: BTreeSet<&str> = carried.iter().map(|table| table.name.schema.as_str()).collect();
        schemas.extend(home.views.iter().map(|view| view.name.schema.as_str()));
        schemas.extend(home.sequences.iter().map(|sequence| sequence.name.schema.as_str()));
        for schema in schemas.into_iter().filter(|schema| *schema != "public") {
            let statement = format!("CREATE SCHEMA IF NOT EXISTS {}", quote(schema));
            self.add(When::Before, ObjectKind::Schema, schema.to_owned(), statement, &[]);
        }
    }

    /// The type of a column and everything that it is made of, the parts before the whole.
    fn data_type(&mut self, data_type: &DataType) {
        let named = |extension: &str| {
            let schema = data_type.name.rsplit_once('.').map_or("public", |(schema, _)| schema).trim_matches('"');
            let statement = format!("CREATE EXTENSION IF NOT EXISTS {extension} WITH SCHEMA {}", quote(schema));
            (QualifiedName::new("", extension), statement)
        };
        match &data_type.shape {
            Shape::Array { element, .. } => self.data_type(element),
            Shape::Enum(one) => {
                if !self.types.insert(one.name.clone()) {
                    return;
                }
                let (object, statement) = (one.name.to_string(), sql::create_enum(one));
                self.schema_of(&one.name);
                self.add(When::Before, ObjectKind::EnumType, object, statement, &[]);
            }
            Shape::Composite(composite) => {
                composite.fields.iter().for_each(|field| self.data_type(&field.data_type));
                if self.types.insert(composite.name.clone()) {
                    let (object, statement) = (composite.name.to_string(), sql::create_composite(composite));
                    let types: Vec<_> = composite.fields.iter().map(|field| field.data_type.name.as_str()).collect();
                    self.schema_of(&composite.name);
                    self.add_typed(ObjectKind::CompositeType, object, statement, &types, &[]);
                }
            }
            Shape::Domain(domain) => {
                self.data_type(&domain.base);
                if !self.types.insert(domain.name.clone()) {
                    return;
                }
                self.schema_of(&domain.name);
                let (object, statement) = (domain.name.to_string(), sql::create_domain(domain));
                let texts: Vec<&str> = domain.default.iter().map(String::as_str).collect();
                self.add_typed(ObjectKind::Domain, object, statement, &[&domain.base.name], &texts);
                for check in &domain.checks {
                    let object = format!("{} on {}", check.name, domain.name);
                    let statement = sql::check_of_domain(domain, check);
                    self.add(When::Before, ObjectKind::Check, object, statement, &[&check.expression]);
                }
            }
            Shape::Citext | Shape::Hstore => {
                let extension = if data_type.shape == Shape::Citext { "citext" } else { "hstore" };
                let (name, statement) = named(extension);
                if self.types.insert(name) {
                    self.add(When::Before, ObjectKind::Extension, extension.to_owned(), statement, &[]);
                }
            }
            _ => {}
        }
    }

    /// Extensions that bring types, operators and functions of values, and nothing that reaches beyond them. Where they were is not
    /// remembered: without a type that says so, in `public`.
    fn extensions(&mut self, home: &Catalog) {
        for other in home.others.iter().filter(|other| other.kind == ObjectKind::Extension) {
            let extension = other.name.split(' ').next().unwrap_or_default();
            if HARMLESS_EXTENSIONS.contains(&extension) && self.types.insert(QualifiedName::new("", extension)) {
                let statement = format!("CREATE EXTENSION IF NOT EXISTS {} WITH SCHEMA public", quote(extension));
                // Before everything that may use them.
                let (kind, object, calls) = (ObjectKind::Extension, extension.to_owned(), BTreeSet::new());
                self.before.insert(0, Definition { kind, object, sql: statement, calls });
            }
        }
    }

    /// As [`Builder::add`], with names of types among the texts.
    fn add_typed(&mut self, kind: ObjectKind, object: String, statement: String, types: &[&str], texts: &[&str]) {
        match types.iter().all(|name| is_type(name)) {
            true => self.add(When::Before, kind, object, statement, texts),
            false => self.refuse_text(kind, object),
        }
    }

    /// The schema of a type, where no table has it.
    fn schema_of(&mut self, name: &QualifiedName) {
        let schema = &name.schema;
        let is_known = |definition: &Definition| definition.kind == ObjectKind::Schema && definition.object == *schema;
        if schema != "public" && !self.before.iter().any(is_known) {
            let statement = format!("CREATE SCHEMA IF NOT EXISTS {}", quote(schema));
            self.add(When::Before, ObjectKind::Schema, schema.clone(), statement, &[]);
        }
    }

    /// Those that no identity brings with it.
    fn sequences(&mut self, home: &Catalog) {
        for sequence in &home.sequences {
            if self.is_of_identity(sequence, home) {
                continue;
            }
            if let Some((table, _)) = &sequence.owned_by
                && !self.carried.contains_key(table)
            {
                let reason = Reason::TableNotCarried;
                self.lose(ObjectKind::Sequence, sequence.name.to_string(), reason);
                continue;
            }
            let (object, statement) = (sequence.name.to_string(), sql::create_sequence(sequence));
            self.add_typed(ObjectKind::Sequence, object, statement, &[&sequence.data_type], &[]);
        }
    }

    fn is_of_identity(&self, sequence: &Sequence, home: &Catalog) -> bool {
        let Some((table, column)) = &sequence.owned_by else { return false };
        let column = home.table(table).and_then(|table| table.column(column));
        column.is_some_and(|column| column.identity.is_some() && column.sequence.as_ref() == Some(&sequence.name))
    }

    fn table(&mut self, table: &Table, home: &Catalog) {
        if is_view(table) {
            return;
        }
        let object = table.name.to_string();
        let parents: Vec<&Table> = table.inherits.iter().filter_map(|name| home.table(name)).collect();
        let mut own = table.clone();
        own.inherits.retain(|name| self.carried.contains_key(name));
        if own.inherits.len() < table.inherits.len() {
            let text = "a table that it inherits from is not carried".to_owned();
            self.caveats.push(Caveat { object: object.clone(), text });
        }
        let inherited = |column: &&Column| {
            let same = |other: &Column| other.data_type.name == column.data_type.name;
            own.inherits.len() == table.inherits.len()
                && parents.iter().any(|parent| parent.column(&column.name).is_some_and(same))
        };
        let columns: Vec<(&Column, bool)> = (table.columns.iter().filter(|column| !inherited(column)))
            .map(|column| (column, column.not_null && !forbids_null(&column.data_type)))
            .collect();
        let types: Vec<&str> = columns.iter().map(|(column, _)| column.data_type.name.as_str()).collect();
        let texts = columns.iter().filter_map(|(column, _)| column.generated.as_ref());
        let texts: Vec<&str> = texts.map(|generated| generated.expression.as_str()).collect();
        let statement = sql::create_table(&own, &columns);
        self.add_typed(ObjectKind::Table, object, statement, &types, &texts);
    }

    /// Defaults and identities.
    fn columns(&mut self, table: &Table, home: &Catalog) {
        if is_view(table) {
            return;
        }
        for column in &table.columns {
            let object = format!("{}.{}", table.name, column.name);
            if let Some(identity) = column.identity {
                let sequence = column.sequence.as_ref();
                let sequence = sequence.and_then(|name| home.sequences.iter().find(|one| one.name == *name));
                let statement = sql::add_identity(&table.name, &column.name, identity, sequence);
                self.add(When::Before, ObjectKind::Identity, object, statement, &[]);
            } else if let Some(default) = &column.default
                && default_of_domain(&column.data_type) != Some(default)
            {
                let statement = sql::set_default(&table.name, &column.name, default);
                self.add(When::Before, ObjectKind::Default, object, statement, &[default]);
            }
        }
    }

    fn checks(&mut self, table: &Table, home: &Catalog) {
        for check in &table.checks {
            let object = format!("{} on {}", check.name, table.name);
            let mut parents = table.inherits.iter().filter(|name| self.carried.contains_key(name));
            let is_same = |name: &QualifiedName| {
                let parent = home.table(name);
                parent.is_some_and(|parent| parent.checks.iter().any(|other| other.name == check.name))
            };
            if parents.any(is_same) {
                continue;
            }
            if self.is_excluded(&table.name, &check.name) {
                self.lose(ObjectKind::Check, object, Reason::Excluded);
                continue;
            }
            let statement = sql::add_check(&table.name, check);
            let when = if check.validated { When::Before } else { When::After };
            self.add(when, ObjectKind::Check, object, statement, &[&check.expression]);
        }
    }

    fn owner(&mut self, sequence: &Sequence, home: &Catalog) {
        let Some((table, column)) = &sequence.owned_by else { return };
        let is_there = home.table(table).is_some_and(|table| table.column(column).is_some());
        if self.carried.contains_key(table) && is_there && !self.is_of_identity(sequence, home) {
            let statement = sql::owned_by(sequence, table, column);
            self.add(When::Before, ObjectKind::SequenceOwner, sequence.name.to_string(), statement, &[]);
        }
    }

    fn is_excluded(&self, table: &QualifiedName, name: &str) -> bool {
        let source = self.carried.get(table).unwrap_or(table);
        self.choices.excludes_object(source, name)
    }

    fn keys(&mut self, table: &Table) {
        let primary = table.primary_key.iter().map(|key| (key, ObjectKind::PrimaryKey));
        let unique = table.unique_keys.iter().map(|key| (key, ObjectKind::UniqueKey));
        for (key, kind) in primary.chain(unique) {
            let object = format!("{} on {}", key.name, table.name);
            if self.is_excluded(&table.name, &key.name) {
                self.lose(kind, object, Reason::Excluded);
            } else if key.columns.iter().chain(&key.include).any(|column| table.column(column).is_none()) {
                self.lose(kind, object, Reason::ColumnNotCarried);
            } else {
                let statement = sql::add_key(&table.name, key, kind == ObjectKind::PrimaryKey);
                self.add(When::After, kind, object, statement, &[]);
            }
        }
    }

    fn indexes(&mut self, table: &Table) {
        for index in &table.indexes {
            let object = format!("{} on {}", index.name, table.name);
            if self.is_excluded(&table.name, &index.name) {
                self.lose(ObjectKind::Index, object, Reason::Excluded);
            } else if !index.valid {
                self.lose(ObjectKind::Index, object, Reason::Index(IndexReason::Invalid));
            } else {
                self.index(table, index, object);
            }
        }
    }

    fn index(&mut self, table: &Table, index: &Index, object: String) {
        // Those that partitions have in common are told as one of them has it.
        let is_whole = !matches!(table.kind, TableKind::Partitioned { .. });
        if is_whole && is_index_of(&index.definition, &index.name, &table.name) {
            return self.add(When::After, ObjectKind::Index, object, index.definition.clone(), &[&index.definition]);
        }
        let expressions = index.parts.iter().filter_map(|part| match &part.key {
            IndexKey::Expression(expression) => Some(expression.as_str()),
            IndexKey::Column(_) => None,
        });
        let texts: Vec<&str> = expressions.chain(index.predicate.as_deref()).collect();
        self.add(When::After, ObjectKind::Index, object, sql::create_index(&table.name, index), &texts);
    }

    /// Views and materialized views, which can read each other; the server tells in which order.
    fn views(&mut self, home: &Catalog, materialized: &[&Table]) {
        let queries: Vec<&str> = home.views.iter().map(|view| view.definition.as_str()).collect();
        for (view, source) in home.views.iter().zip(&self.source.views) {
            let object = view.name.to_string();
            if !self.choices.carries(&source.name) || self.choices.excludes_object(&source.name, &source.name.name) {
                self.lose(ObjectKind::View, object, Reason::Excluded);
                continue;
            }
            if view.checks_writes {
                let text = "WITH CHECK OPTION is not remembered with the view".to_owned();
                self.caveats.push(Caveat { object: object.clone(), text });
            }
            let statement = sql::create_view(&view.name, &view.definition);
            self.add(When::After, ObjectKind::View, object.clone(), statement, &[&view.definition]);
            if let Some(comment) = &view.comment {
                let statement = sql::comment("VIEW", &sql::name(&view.name), comment);
                self.add(When::After, ObjectKind::Comment, object, statement, &[]);
            }
        }
        for table in materialized {
            let TableKind::MaterializedView { definition, .. } = &table.kind else { continue };
            let object = table.name.to_string();
            self.caveats.push(Caveat {
                object: object.clone(),
                text: "a materialized view: filled by its query, not with the rows that the file has".to_owned(),
            });
            let statement = sql::create_materialized_view(&table.name, definition);
            // Filling it runs what the views that it may read are made of.
            let texts: Vec<&str> = std::iter::once(definition.as_str()).chain(queries.iter().copied()).collect();
            match queries.iter().all(|query| is_one_piece(query)) {
                true => self.add(When::After, ObjectKind::MaterializedView, object, statement, &texts),
                false => self.add(When::After, ObjectKind::MaterializedView, object, statement, &texts[..1]),
            }
            self.indexes(table);
        }
    }

    fn foreign_keys(&mut self, table: &Table) {
        for key in &table.foreign_keys {
            let object = format!("{} on {}", key.name, table.name);
            if self.is_excluded(&table.name, &key.name) {
                self.lose(ObjectKind::ForeignKey, object, Reason::Excluded);
            } else if key.columns.iter().any(|column| table.column(column).is_none()) {
                self.lose(ObjectKind::ForeignKey, object, Reason::ColumnNotCarried);
            } else if !self.carried.contains_key(&key.references) {
                let parent = crate::plan::ForeignKeyReason::ParentNotCarried(key.references.clone());
                self.lose(ObjectKind::ForeignKey, object, Reason::ForeignKey(parent));
            } else {
                let statement = sql::add_foreign_key(&table.name, key);
                self.add(When::After, ObjectKind::ForeignKey, object, statement, &[]);
            }
        }
    }

    fn comments(&mut self, table: &Table) {
        let kind = if is_view(table) { "MATERIALIZED VIEW" } else { "TABLE" };
        if let Some(comment) = &table.comment {
            let statement = sql::comment(kind, &sql::name(&table.name), comment);
            self.add(When::After, ObjectKind::Comment, table.name.to_string(), statement, &[]);
        }
        for column in &table.columns {
            if let Some(comment) = &column.comment {
                let statement = sql::comment_on_column(&table.name, &column.name, comment);
                let object = format!("{}.{}", table.name, column.name);
                self.add(When::After, ObjectKind::Comment, object, statement, &[]);
            }
        }
    }

    /// What the source had of other kinds.
    fn others(&mut self, home: &Catalog) {
        for other in &home.others {
            let is_made = |definition: &Definition| {
                let name = other.name.split(' ').next().unwrap_or_default();
                other.kind == ObjectKind::Extension && definition.kind == other.kind && definition.object == name
            };
            if self.before.iter().any(is_made) {
                continue;
            }
            match (other.kind, &other.definition) {
                (ObjectKind::Partitioning, _) => self.lose(other.kind, &other.name, Reason::OneTable),
                (ObjectKind::ExclusionConstraint, Some(definition)) => self.exclusion(other, definition, home),
                (_, Some(definition)) if self.restores => self.restore(other, definition),
                (_, Some(_)) => self.lose(other.kind, &other.name, Reason::OnlyItsText),
                (_, None) => self.lose(other.kind, &other.name, Reason::OnlyItsName),
            }
        }
    }

    /// `EXCLUDE …` of one of the tables.
    fn exclusion(&mut self, other: &OtherObject, definition: &str, home: &Catalog) {
        let named = home.tables.iter().find_map(|table| {
            let name = other.name.strip_suffix(&format!(" on {}", table.name))?;
            self.carried.contains_key(&table.name).then_some((name, table))
        });
        match named {
            Some((name, table)) => {
                let object = format!("{name} on {}", table.name);
                match is_exclusion(definition) {
                    true => {
                        let statement = sql::add_exclusion(&table.name, name, definition);
                        self.add(When::After, other.kind, object, statement, &[definition]);
                    }
                    false => self.lose(other.kind, object, Reason::NotOnePiece),
                }
            }
            None => self.lose(other.kind, &other.name, Reason::TableNotCarried),
        }
    }

    /// A statement of the file that somebody asked to be run. What others are made of comes before the rows, what acts on rows
    /// behind them.
    fn restore(&mut self, other: &OtherObject, definition: &str) {
        let is_made_of = matches!(
            other.kind,
            ObjectKind::Extension
                | ObjectKind::EnumType
                | ObjectKind::Domain
                | ObjectKind::CompositeType
                | ObjectKind::Function
                | ObjectKind::Procedure
        );
        let list = if is_made_of { &mut self.before } else { &mut self.after };
        let (sql, calls) = (definition.trim_end().trim_end_matches(';').to_owned(), BTreeSet::new());
        list.push(Definition { kind: other.kind, object: other.name.clone(), sql, calls });
    }

    /// The tables whose rows are carried; a materialized view is filled by its query.
    fn tables(&mut self, home: &Catalog) -> (Vec<QualifiedName>, Vec<TablePlan>) {
        let pairs = self.source.tables.iter().zip(&home.tables);
        let carried = pairs.filter(|(_, table)| self.carried.contains_key(&table.name) && !is_view(table));
        carried.map(|(source, table)| (table.name.clone(), table_plan(source, table))).unzip()
    }

    fn positions(&self, home: &Catalog) -> Vec<Position> {
        let mut positions = Vec::new();
        for sequence in &home.sequences {
            let feeds = sequence.owned_by.as_ref().and_then(|(table, column)| {
                let source = self.carried.get(table)?;
                Some((source.clone(), table.clone(), column.clone()))
            });
            let is_made = self.sequences.contains(&sequence.name) || self.is_of_identity(sequence, home);
            if !is_made || feeds.is_none() && sequence.owned_by.is_some() {
                continue;
            }
            // What is no number says nothing of where it stands.
            let feeds = feeds.filter(|(_, table, column)| {
                let column = home.table(table).and_then(|table| table.column(column));
                column.is_some_and(|column| is_whole_number(column.data_type.shape.base()))
            });
            let value = match (sequence.last_value, sequence.first_value) {
                (Some(last), _) => Some((last, true)),
                (None, Some(first)) if first != sequence.start => Some((first, false)),
                (None, _) => None,
            };
            let upwards = sequence.increment > 0;
            positions.push(Position { sequence: sequence.name.clone(), value, upwards, feeds });
        }
        positions
    }

    /// What somebody has to decide first.
    fn refuse(&mut self) {
        let mut refusals = Vec::new();
        let tables = &self.choices.tables;
        let names: Vec<&QualifiedName> = (self.source.tables.iter().map(|table| &table.name))
            .chain(self.source.views.iter().map(|view| &view.name))
            .collect();
        for (choice, patterns) in [(Choice::Include, &tables.include), (Choice::Exclude, &tables.exclude)] {
            for key in patterns.iter().filter(|key| !names.iter().any(|name| names_table(key, name))) {
                refusals.push(Refusal::UnusedChoice {
                    choice,
                    typed: false,
                    key: key.clone(),
                    known: names.iter().take(KNOWN_MAX).map(ToString::to_string).collect(),
                    more: names.len().saturating_sub(KNOWN_MAX),
                });
            }
        }
        if self.carried.is_empty() {
            let database = self.source.database.clone();
            refusals.push(match self.source.tables.is_empty() {
                true => Refusal::NothingSeen { database },
                false => Refusal::NothingChosen { database },
            });
        }
        self.refusals.extend(refusals);
    }
}

fn is_view(table: &Table) -> bool {
    matches!(table.kind, TableKind::MaterializedView { .. })
}

fn is_whole_number(shape: &Shape) -> bool {
    match shape {
        Shape::SmallInt | Shape::Integer | Shape::BigInt => true,
        Shape::Domain(domain) => is_whole_number(domain.base.shape.base()),
        _ => false,
    }
}

/// Whether a domain forbids it, which is not said again of the column.
fn forbids_null(data_type: &DataType) -> bool {
    match &data_type.shape {
        Shape::Domain(domain) => domain.not_null || forbids_null(&domain.base),
        _ => false,
    }
}

/// A column without a default of its own is told with that of its domain.
fn default_of_domain(data_type: &DataType) -> Option<&String> {
    match &data_type.shape {
        Shape::Domain(domain) => domain.default.as_ref().or_else(|| default_of_domain(&domain.base)),
        _ => None,
    }
}

/// The tables, each behind those that it inherits from.
fn in_order_of_heirs<'t>(tables: &[&'t Table]) -> Vec<&'t Table> {
    let mut ordered: Vec<&Table> = Vec::with_capacity(tables.len());
    let mut done: HashSet<&QualifiedName> = HashSet::new();
    let mut left: Vec<&Table> = tables.to_vec();
    while !left.is_empty() {
        let waits: HashSet<&QualifiedName> = left.iter().map(|table| &table.name).collect();
        let (ready, rest): (Vec<_>, Vec<_>) =
            left.iter().copied().partition(|table| !table.inherits.iter().any(|name| waits.contains(name)));
        // A damaged catalog may have a circle.
        let ready = if ready.is_empty() { rest.clone() } else { ready };
        done.extend(ready.iter().map(|table| &table.name));
        ordered.extend(ready);
        left.retain(|table| !done.contains(&table.name));
    }
    ordered
}

fn table_plan(source: &Table, table: &Table) -> TablePlan {
    // The server computes the others.
    let columns: Vec<ColumnPlan> = (table.columns.iter().filter(|column| column.generated.is_none()))
        .map(|column| ColumnPlan {
            source: column.name.clone(),
            target: column.name.clone(),
            type_name: column.data_type.name.clone(),
            shape: column.data_type.shape.clone(),
            representation: Representation::default_for(&column.data_type.shape),
            remainder: None,
            not_null: column.not_null,
            computed: false,
            whole_as_integer: false,
        })
        .collect();
    let place = |name: &String| columns.iter().position(|column| column.source == *name);
    let key = table.primary_key.iter().find_map(|key| key.columns.iter().map(place).collect::<Option<Vec<_>>>());
    TablePlan {
        source: source.name.clone(),
        kind: TableKind::Ordinary,
        target: table.name.to_string(),
        columns,
        key: key.unwrap_or_default(),
        ddl: None,
        indexes: Vec::new(),
        last_number: None,
        next_number: None,
        row_estimate: -1,
        size_bytes: 0,
    }
}
