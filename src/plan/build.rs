//! The builder: walks the catalog once and collects the plan.
//!
//! The order matters: names and rules of every table come first, because expressions and foreign keys of one table
//! refer to the columns of others; then definitions, then indexes and views, which take names from the same room.

use super::choices::{Choice, Choices, names_column, names_object, names_table};
use super::ddl::{ColumnDdl, TableDdl};
use super::deep_stack::with_deep_stack;
use super::forms::{self, Forms};
use super::guards;
use super::names::{self, Room};
use super::{Caveat, ColumnPlan, Loss, Plan, Reason, Refusal, TablePlan};
use crate::catalog::{Catalog, Collations, Column, ObjectKind, QualifiedName, Sequence, Shape, Table, TableKind};
use crate::fault::{self, Fault};
use crate::metadata::{self, PLACEHOLDER_COLUMN};
use crate::plan::version::SqliteVersion;
use crate::types::Representation;
use std::collections::{BTreeSet, HashMap, HashSet};

/// Plans a target whose schema is derived from the source's.
pub fn plan(catalog: &Catalog, choices: &Choices) -> Plan {
    with_deep_stack(|| plan_here(catalog, choices))
}

fn plan_here(catalog: &Catalog, choices: &Choices) -> Plan {
    let mut builder = Builder::new(catalog, choices);
    builder.plan_tables();
    builder.define_tables(|_, _| true);
    for place in 0..builder.tables.len() {
        let table = builder.source_of(place);
        let mut plan = builder.tables[place].clone();
        builder.indexes(table, &mut plan);
        builder.tables[place] = plan;
    }
    let views = builder.views();
    builder.tell_text_order();
    builder.list_what_has_no_place();
    builder.refuse_unused_choices(&Choices::default());
    builder.refuse_nothing();
    Plan {
        tables: builder.tables,
        views,
        given_schema: false,
        given_needs: SqliteVersion::default(),
        as_it_stands: false,
        home: None,
        losses: builder.losses,
        caveats: builder.caveats,
        refusals: builder.refusals,
    }
}

/// A plan in the making.
pub(super) struct Builder<'a> {
    pub(super) catalog: &'a Catalog,
    pub(super) choices: &'a Choices,
    pub(super) tables: Vec<TablePlan>,
    pub(super) losses: Vec<Loss>,
    pub(super) caveats: Vec<Caveat>,
    pub(super) refusals: Vec<Refusal>,
    /// Whether the target's schema is given.
    pub(super) is_given: bool,
    /// Names of tables, views and indexes in the target.
    pub(super) room: Room,
    /// The choices that matched something.
    pub(super) used: HashSet<(Choice, String)>,
    places: HashMap<QualifiedName, usize>,
    /// The catalog's tables by their names.
    sources: HashMap<&'a QualifiedName, &'a Table>,
    forms: Forms,
    /// The sequences by their names: databases with thousands of them are not rare.
    sequences: HashMap<&'a QualifiedName, &'a Sequence>,
}

impl<'a> Builder<'a> {
    pub(super) fn new(catalog: &'a Catalog, choices: &'a Choices) -> Self {
        Builder {
            catalog,
            choices,
            tables: Vec::new(),
            losses: Vec::new(),
            caveats: Vec::new(),
            refusals: Vec::new(),
            is_given: false,
            room: Room::default(),
            used: HashSet::new(),
            places: HashMap::new(),
            sources: catalog.tables.iter().map(|table| (&table.name, table)).collect(),
            forms: Forms::new(catalog, choices.sqlite_version),
            sequences: catalog.sequences.iter().map(|sequence| (&sequence.name, sequence)).collect(),
        }
    }

    /// Names, columns and rules of every table that is carried.
    pub(super) fn plan_tables(&mut self) {
        for table in &self.catalog.tables {
            if fault::active(Fault::TableSkipped) && self.catalog.tables.last() == Some(table) {
                continue;
            }
            let object = table.name.to_string();
            if let Some(reason) = self.dropped_table(&table.name) {
                self.lose(ObjectKind::Table, &object, Reason::Dropped(reason));
                continue;
            }
            if !self.is_selected(&table.name) {
                self.lose(ObjectKind::Table, &object, Reason::Excluded);
                continue;
            }
            if let TableKind::MaterializedView { populated, .. } = &table.kind {
                if !populated {
                    self.lose(ObjectKind::MaterializedView, &object, Reason::NeverFilled);
                    for index in &table.indexes {
                        let origin = format!("{} on {object}", index.name);
                        self.lose(ObjectKind::Index, &origin, Reason::OfViewNotCarried);
                    }
                    continue;
                }
                self.caveats.push(Caveat {
                    object: object.clone(),
                    text: "a materialized view: carried as a table with its rows".into(),
                });
            }
            if table.has_heirs {
                self.caveats.push(Caveat {
                    object: object.clone(),
                    text: "other tables inherit from it: their rows are in their own tables only".into(),
                });
            }
            let chosen = self.chosen_table_name(&table.name);
            let is_chosen = chosen.is_some();
            let wanted = chosen.unwrap_or_else(|| names::natural(&table.name));
            let target = match self.is_of_tree(&table.name) {
                true => table.name.name.clone(),
                false => {
                    let taken = self.room.take_for(&wanted, is_chosen);
                    self.tell_other_name(&format!("table {object}"), &wanted, &taken);
                    taken.name
                }
            };
            let columns = self.columns(table);
            let forms = columns
                .iter()
                .filter_map(|plan| Some((plan, table.column(&plan.source)?)))
                .map(|(plan, column)| (column.name.clone(), forms::form(plan, column, &self.catalog.collations)))
                .collect();
            self.forms.add(&table.name, &target, forms, 0);
            self.places.insert(table.name.clone(), self.tables.len());
            self.tables.push(TablePlan {
                source: table.name.clone(),
                kind: table.kind.clone(),
                target,
                columns,
                key: Vec::new(),
                ddl: None,
                indexes: Vec::new(),
                last_number: None,
                next_number: None,
                row_estimate: table.row_estimate,
                size_bytes: table.size_bytes,
            });
        }
    }

    /// Tells that an object has another name in the target than it wanted; where the user chose that name, for this
    /// object or another one, the user has to decide.
    pub(super) fn tell_other_name(&mut self, object: &str, wanted: &str, taken: &names::Taken) {
        if taken.contested {
            self.refusals.push(Refusal::NameTaken { object: object.to_owned(), wanted: wanted.to_owned() });
        } else if taken.name != wanted {
            self.caveats.push(Caveat {
                object: object.to_owned(),
                text: format!(
                    "named `{}` in the target: `{wanted}` is taken or reserved there, where names are compared without case",
                    taken.name
                ),
            });
        }
    }

    /// Tells once what the database's own collation does and SQLite does not.
    fn tell_text_order(&mut self) {
        let Collations { default, default_name, .. } = &self.catalog.collations;
        let is_ordered = |column: &Column| {
            let shape = &column.data_type.base().shape;
            let is_text = matches!(shape, Shape::Text | Shape::VarChar { .. } | Shape::Char { .. } | Shape::Citext);
            is_text && column.collation.is_none()
        };
        let mut columns = self.catalog.tables.iter().flat_map(|table| {
            table.columns.iter().filter(|column| self.planned_column(&table.name, &column.name).is_some())
        });
        if default.is_by_code_point() || default_name.is_empty() || !columns.any(is_ordered) {
            return;
        }
        self.caveats.push(Caveat {
            object: format!("database {}", self.catalog.database),
            text: format!("texts sort by code point, not under its collation `{default_name}`"),
        });
    }

    /// A plan without a table would put an empty file in the target's place.
    pub(super) fn refuse_nothing(&mut self) {
        if !self.tables.is_empty() || !self.refusals.is_empty() {
            return;
        }
        let database = self.catalog.database.clone();
        self.refusals.push(match self.catalog.tables.is_empty() {
            true => Refusal::NothingSeen { database },
            false => Refusal::NothingChosen { database },
        });
    }

    /// Whether a table is what is remembered of a tree: it has its own name in every target, and its own definition.
    pub(super) fn is_of_tree(&self, table: &QualifiedName) -> bool {
        self.catalog.layout.is_some() && metadata::tree::is_of_tree(&table.name)
    }

    /// The definitions of the planned tables that `is_wanted` says.
    pub(super) fn define_tables(&mut self, is_wanted: impl Fn(&Self, &QualifiedName) -> bool) {
        for place in 0..self.tables.len() {
            let table = self.source_of(place);
            if !is_wanted(self, &table.name) {
                continue;
            }
            let mut plan = self.tables[place].clone();
            let mut columns = Vec::with_capacity(plan.columns.len());
            for column in &mut plan.columns {
                if let Some(source) = table.column(&column.source) {
                    columns.push(self.column_ddl(table, source, column));
                }
            }
            if plan.columns.iter().all(|column| column.computed) {
                columns.push(placeholder());
                self.caveats.push(Caveat {
                    object: table.name.to_string(),
                    text: format!("has no column of its own to fill: `{PLACEHOLDER_COLUMN}` stands in, always NULL"),
                });
            }
            if !matches!(table.kind, TableKind::MaterializedView { .. })
                && let Some(text) = guards::unguarded(&plan.columns)
            {
                self.know(&table.name.to_string(), text);
            }
            let mut ddl = TableDdl { name: plan.target.clone(), columns, constraints: Vec::new() };
            self.keys_and_checks(table, &mut plan, &mut ddl);
            self.foreign_keys(table, &mut ddl);
            plan.ddl = Some(ddl);
            self.tables[place] = plan;
        }
    }

    /// Lists sequences, comments and the kinds of objects that no SQLite file holds.
    pub(super) fn list_what_has_no_place(&mut self) {
        self.list_sequences();
        let comments = self.catalog.tables.iter().flat_map(|table| {
            table.comment.iter().chain(table.columns.iter().filter_map(|column| column.comment.as_ref()))
        });
        let comments = comments.count() + self.catalog.views.iter().filter(|view| view.comment.is_some()).count();
        if comments > 0 {
            let plural = if comments == 1 { "comment" } else { "comments" };
            self.lose(ObjectKind::Comment, &format!("{comments} {plural}"), Reason::OnlyRemembered);
        }
        for other in &self.catalog.others {
            self.lose(other.kind, &other.name, Reason::NoPlace(other.kind));
        }
    }

    /// The sequence of that name.
    pub(super) fn sequence(&self, name: &QualifiedName) -> Option<&'a Sequence> {
        self.sequences.get(name).copied()
    }

    pub(super) fn lose(&mut self, kind: ObjectKind, object: &str, reason: Reason) {
        self.losses.push(Loss { kind, object: object.into(), reason });
    }

    /// Tells what behaves differently.
    pub(super) fn know(&mut self, object: &str, text: impl Into<String>) {
        self.caveats.push(Caveat { object: object.into(), text: text.into() });
    }

    pub(super) fn forms(&self) -> &Forms {
        &self.forms
    }

    pub(super) fn forms_mut(&mut self) -> &mut Forms {
        &mut self.forms
    }

    pub(super) fn planned_table(&self, name: &QualifiedName) -> Option<&TablePlan> {
        self.places.get(name).map(|place| &self.tables[*place])
    }

    pub(super) fn planned_column(&self, table: &QualifiedName, column: &str) -> Option<&ColumnPlan> {
        self.planned_table(table)?.columns.iter().find(|plan| plan.source == column)
    }

    /// The table of that name in the source.
    pub(super) fn source_table(&self, name: &QualifiedName) -> Option<&'a Table> {
        self.sources.get(name).copied()
    }

    /// The source of a planned table.
    pub(super) fn source_of(&self, place: usize) -> &'a Table {
        self.source_table(&self.tables[place].source)
            .unwrap_or_else(|| unreachable!("a planned table is in the catalog that it was planned from"))
    }

    pub(super) fn is_selected(&mut self, table: &QualifiedName) -> bool {
        let tables = &self.choices.tables;
        let mut included = tables.include.is_empty();
        for pattern in &tables.include {
            if names_table(pattern, table) {
                self.used.insert((Choice::Include, pattern.clone()));
                included = true;
            }
        }
        for pattern in &tables.exclude {
            if names_table(pattern, table) {
                self.used.insert((Choice::Exclude, pattern.clone()));
                included = false;
            }
        }
        included
    }

    pub(super) fn is_excluded_object(&self, table: &QualifiedName, name: &str) -> bool {
        self.choices.excludes_object(table, name)
    }

    /// Whether a pattern names a constraint, an index or a view of the source.
    fn names_an_object(&self, pattern: &str) -> bool {
        let of_table = |table: &Table| {
            let keys = table.primary_key.iter().chain(&table.unique_keys).map(|key| &key.name);
            let checks = table.checks.iter().map(|check| &check.name);
            let references = table.foreign_keys_of_any_part().map(|key| &key.name);
            let domains = table.columns.iter().flat_map(|column| domain_checks(&column.data_type.shape));
            let mut names = keys.chain(checks).chain(references).chain(table.indexes.iter().map(|index| &index.name));
            names.any(|name| names_object(pattern, &table.name, name))
                || domains.into_iter().any(|name| names_object(pattern, &table.name, name))
        };
        self.catalog.tables.iter().any(of_table)
            || self.catalog.views.iter().any(|view| names_object(pattern, &view.name, &view.name.name))
    }

    fn dropped_table(&mut self, table: &QualifiedName) -> Option<String> {
        let (key, reason) = self.choices.drop_reason(table)?;
        self.used.insert((Choice::Drop, key.clone()));
        Some(reason.clone())
    }

    pub(super) fn dropped_column(&mut self, table: &QualifiedName, column: &str) -> Option<String> {
        let (key, reason) = self.choices.drop.iter().find(|(key, _)| names_exactly(key, table, column))?;
        self.used.insert((Choice::Drop, key.clone()));
        Some(reason.clone())
    }

    pub(super) fn chosen_table_name(&mut self, table: &QualifiedName) -> Option<String> {
        let names = &self.choices.names;
        let (key, name) = names.iter().find(|(key, _)| **key == table.to_string() || **key == table.name)?;
        self.used.insert((Choice::Names, key.clone()));
        Some(name.clone())
    }

    pub(super) fn chosen_column_name(&mut self, table: &QualifiedName, column: &str) -> Option<String> {
        let (key, name) = self.choices.names.iter().find(|(key, _)| names_exactly(key, table, column))?;
        self.used.insert((Choice::Names, key.clone()));
        Some(name.clone())
    }

    pub(super) fn chosen_rule_by_column(&mut self, table: &QualifiedName, column: &str) -> Option<Representation> {
        let columns = &self.choices.rules.columns;
        let matching = columns.iter().filter(|(key, _)| names_column(key, table, column));
        // A name without `*` says more than a pattern.
        let (key, rule) = matching.max_by_key(|(key, _)| (!key.contains('*'), key.len()))?;
        self.used.insert((Choice::ColumnRules, key.clone()));
        Some(*rule)
    }

    /// A choice that matched nothing is most likely a typing error, unless it is of an earlier run: what it was about can be
    /// gone since.
    pub(super) fn refuse_unused_choices(&mut self, earlier: &Choices) {
        let choices = self.choices;
        let excluded = choices.tables.exclude_objects.iter();
        let excluded = excluded.filter(|pattern| !earlier.tables.exclude_objects.contains(pattern));
        let of_none: Vec<_> = excluded.filter(|pattern| !self.names_an_object(pattern)).collect();
        for pattern in of_none {
            self.refuse_unused(Choice::ExcludeObjects, pattern);
        }
        for ((choice, keys), (_, earlier)) in sections(choices).into_iter().zip(sections(earlier)) {
            for key in keys.into_iter().filter(|key| !earlier.contains(key)) {
                if !self.used.contains(&(choice, key.clone())) {
                    self.refuse_unused(choice, key);
                }
            }
        }
    }

    fn refuse_unused(&mut self, choice: Choice, key: &str) {
        let mut known = self.nearest_names(key);
        let more = known.len().saturating_sub(KNOWN_TOLD_MAX);
        known.truncate(KNOWN_TOLD_MAX);
        self.refusals.push(Refusal::UnusedChoice { choice, typed: false, key: key.to_owned(), known, more });
    }

    /// What somebody who names something that is not there may have meant.
    fn nearest_names(&self, key: &str) -> Vec<String> {
        let table = key.rsplit_once('.').map_or(key, |(table, _)| table);
        let known = self.catalog.tables.iter().find(|known| names_table(table, &known.name));
        match known {
            _ if self.choices.rules.types.contains_key(key) => {
                let columns = self.catalog.tables.iter().flat_map(|table| &table.columns);
                let types: BTreeSet<&String> = columns.map(|column| &column.data_type.name).collect();
                types.into_iter().cloned().collect()
            }
            Some(known) => known.columns.iter().map(|column| format!("{}.{}", known.name.name, column.name)).collect(),
            None => self.catalog.tables.iter().map(|known| known.name.to_string()).collect(),
        }
    }
}

/// How many names a refusal tells that could have been meant.
const KNOWN_TOLD_MAX: usize = 12;

/// The keys of every section whose keys have to match something.
fn sections(choices: &Choices) -> [(Choice, Vec<&String>); 6] {
    [
        (Choice::Include, choices.tables.include.iter().collect()),
        (Choice::Exclude, choices.tables.exclude.iter().collect()),
        (Choice::Names, choices.names.keys().collect()),
        (Choice::Drop, choices.drop.keys().collect()),
        (Choice::TypeRules, choices.rules.types.keys().collect()),
        (Choice::ColumnRules, choices.rules.columns.keys().collect()),
    ]
}

/// The names of the checks of a domain, and of those below it.
fn domain_checks(shape: &Shape) -> Vec<&String> {
    let mut names = Vec::new();
    let mut shape = shape;
    while let Shape::Domain(domain) = shape {
        names.extend(domain.checks.iter().map(|check| &check.name));
        shape = &domain.base.shape;
    }
    names
}

fn names_exactly(key: &str, table: &QualifiedName, column: &str) -> bool {
    key == format!("{}.{column}", table.name) || key == format!("{table}.{column}")
}

fn placeholder() -> ColumnDdl {
    ColumnDdl {
        name: PLACEHOLDER_COLUMN.into(),
        declared_type: "INTEGER".into(),
        rowid_key: None,
        not_null: false,
        collation: None,
        default: None,
        generated: None,
        checks: Vec::new(),
    }
}
