//! A SQLite file as a source of rows.
//!
//! A file that whimbrel made remembers the schema of its source and the choices: its values are turned back by their
//! rules, the ledger's included, into the very cells of that source. Tables and columns that the manifest does not know,
//! and every other file, are read as they declare themselves: a value that is of its column's type is a cell of it, any
//! other one is told as it is stored.
//!
//! Invariants: the file is only read, in the one state that it had when it was opened.

use super::adrift::{self, Adrift};
use super::catalog::declared_with;
use super::definitions::Definitions;
use super::file::{quoted, shown};
use super::integrity::Watch;
use super::read::{describe, open};
use super::record;
use super::remembered::{plan_of, read_manifest};
use super::scan::Scan;
use crate::cancel::Cancel;
use crate::catalog::{Catalog, Column, Known, ObjectKind, QualifiedName, Table, TableKind};
use crate::endpoint::findings::{Difference, DifferenceKind, Integrity};
use crate::endpoint::{Level, ReadTable, RowSink, Source, Turn};
use crate::error::{Error, Result};
use crate::metadata::tables::KeptTable;
use crate::metadata::tree::is_of_tree;
use crate::metadata::{self, Record, is_own};
use crate::plan::choices::Choices;
use crate::plan::names::natural;
use crate::plan::{ColumnPlan, HISTORY_TABLE, TablePlan};
use crate::types::Representation;
use crate::value::{Cell, RowHasher, TableDigest};
use rusqlite::Connection;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A SQLite file, read in one state.
pub struct SqliteSource {
    connection: Connection,
    /// `None` for a file that was just made, which is proven as a target. It was opened first and is closed last: only whoever
    /// finds no log takes away the one that reading has made.
    watch: Option<Watch>,
    path: PathBuf,
    label: String,
    /// Where the types of its columns are known from: its manifest, or its own declarations.
    known: Known,
    /// `None` where somebody else has planned it and nobody has asked yet.
    catalog: Option<Arc<Catalog>>,
    /// What its source had of tables, and it has not.
    left_out: Vec<(ObjectKind, QualifiedName)>,
    /// The choices by which it was made, where it remembers them.
    choices: Choices,
    /// How each table of the catalog stands in the file.
    tables: Vec<TablePlan>,
}

impl SqliteSource {
    /// Opens the file and holds its state.
    ///
    /// # Errors
    /// When there is no database or it cannot be read, or its metadata is damaged or of a later form.
    pub fn open(path: &Path, cancel: &Cancel) -> Result<Self> {
        let watch = Watch::begin(path, cancel)?;
        let connection = open(path, &cancel.flag())?;
        let failed = |error: rusqlite::Error| describe("read", quoted(path), error);
        ensure_own_record(&connection, path)?;
        connection.execute_batch("BEGIN").map_err(failed)?;
        // The state is taken by the first statement that reads.
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(())).map_err(failed)?;
        let manifest = read_manifest(&connection)?;
        let of_tree = manifest.as_ref().is_some_and(|manifest| manifest.catalog.layout.is_some());
        let own = declared_with(&connection, of_tree);
        let own = own.map_err(|error| describe("read the schema of", quoted(path), error))?;
        let mut left_out = Vec::new();
        let (known, catalog, tables, choices) = match manifest {
            Some(manifest) => {
                let mut tables = plan_of(&manifest, &connection)?.tables;
                let choices = manifest.choices()?;
                let of_source: Vec<_> = manifest.catalog.tables.iter().map(kind_and_name).collect();
                let mut catalog = remembered(manifest.catalog.remembered(), &mut tables, &own);
                left_out = of_source;
                left_out.retain(|(_, name)| catalog.table(name).is_none());
                let numbers = Record::numbers_since(&connection).map_err(failed)?;
                count_on(&mut catalog, &tables, &numbers);
                (Known::Remembered, catalog, tables, choices)
            }
            None => {
                let tables = own.tables.iter().map(as_declared).collect();
                (Known::Declared, own, tables, Choices::default())
            }
        };
        let (label, path, watch, catalog) = (shown(path), path.to_path_buf(), Some(watch), Some(Arc::new(catalog)));
        Ok(SqliteSource { connection, watch, path, label, known, catalog, left_out, choices, tables })
    }

    /// Opens a finished file by the tables of the plan that it was made by: its rows are those of the plan's source, under
    /// their names there.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub fn planned(path: &Path, tables: Vec<TablePlan>, cancel: &Cancel) -> Result<Self> {
        let connection = open(path, &cancel.flag())?;
        let (known, choices) = (Known::Remembered, Choices::default());
        let (label, path) = (quoted(path), path.to_path_buf());
        let left_out = Vec::new();
        Ok(SqliteSource { connection, watch: None, path, label, known, catalog: None, left_out, choices, tables })
    }

    /// The choices under which a file with the same definitions keeps its values as this one does: those by which it was
    /// made, the names and rules that it has, and what somebody chooses besides. Chosen tables are chosen anew.
    pub fn choices(&self, typed: &Choices) -> Choices {
        let mut choices = self.choices.clone();
        let Choices { tables, names, rules, drop, sqlite_version, only, answers, set_aside } = typed.clone();
        if !tables.include.is_empty() {
            choices.tables.include = tables.include;
        }
        choices.tables.exclude.extend(tables.exclude);
        choices.tables.exclude_objects.extend(tables.exclude_objects);
        choices.names.extend(names);
        choices.rules.types.extend(rules.types);
        choices.rules.columns.extend(rules.columns);
        choices.drop.extend(drop);
        choices.only.extend(only);
        choices.answers.extend(answers);
        choices.set_aside.extend(set_aside);
        choices.sqlite_version = choices.sqlite_version.max(sqlite_version);
        let carried: Vec<&TablePlan> = self.tables.iter().filter(|table| choices.carries(&table.source)).collect();
        for table in carried {
            let is_named = choices.names.contains_key(&table.source.name);
            if table.target != natural(&table.source) && !is_of_tree(&table.target) && !is_named {
                choices.names.entry(table.source.to_string()).or_insert_with(|| table.target.clone());
            }
            for column in &table.columns {
                let keys = [table.source.to_string(), table.source.name.clone()];
                let [key, short] = keys.map(|table| format!("{table}.{}", column.source));
                if choices.drop.contains_key(&key) || choices.drop.contains_key(&short) {
                    continue;
                }
                // A choice by the short name of the table stands: two for one column would leave one that matches nothing.
                if column.target != column.source && !choices.names.contains_key(&short) {
                    choices.names.entry(key.clone()).or_insert_with(|| column.target.clone());
                }
                let is_ruled = choices.rules.columns.contains_key(&short);
                if column.representation != Representation::default_for(&column.shape) && !is_ruled {
                    choices.rules.columns.entry(key).or_insert(column.representation);
                }
            }
        }
        choices
    }

    /// What a new file gets of the definitions under these choices.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn definitions(&self, choices: &Choices) -> Result<Definitions> {
        let schema = match self.known {
            Known::Remembered => "public",
            Known::Declared | Known::Inferred => "main",
        };
        Definitions::of(&self.connection, &self.tables, schema, choices, self.choices.clone())
    }

    /// Where the types of its columns are known from: its manifest ([`Known::Remembered`]), or its own declarations.
    pub fn known(&self) -> Known {
        self.known
    }

    /// Of the tree that it was made of, the only files whose rows it has; empty means all of them.
    pub fn only(&self) -> &[String] {
        &self.choices.only
    }

    /// The tables and materialized views that its source had, and that it has not: they were left out when it was made, or have gone
    /// since.
    pub fn left_out(&self) -> &[(ObjectKind, QualifiedName)] {
        &self.left_out
    }

    /// What it says of the rows of each table when it was made, by the source's name; nothing where it does not remember it.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn made(&self) -> Result<BTreeMap<String, KeptTable>> {
        let kept = metadata::tables::read(&self.connection);
        Ok(kept.map_err(|error| describe("read", &self.label, error))?.unwrap_or_default())
    }

    /// As [`SqliteSource::made`], of the columns that a database does not compute, where the others are what they were.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn made_of_own_columns(&self) -> Result<BTreeMap<String, KeptTable>> {
        let mut made = self.made()?;
        for plan in &self.tables {
            let Some(known) = self.catalog.as_ref().and_then(|catalog| catalog.table(&plan.source)) else { continue };
            let Some(kept) = made.get_mut(&plan.source.to_string()) else { continue };
            let own = known.columns.iter().filter(|column| column.generated.is_none());
            let place = |column: &Column| plan.columns.iter().position(|planned| planned.source == column.name);
            let Some(own) = own.map(place).collect::<Option<Vec<_>>>() else { continue };
            if own.len() == plan.columns.len() {
                continue;
            }
            let (mut whole, mut part, mut hasher) =
                (TableDigest::default(), TableDigest::default(), RowHasher::default());
            Scan::new(&self.connection, plan)?.rows(&self.connection, None, &mut |row| {
                row.cells.iter().for_each(|cell| hasher.cell(cell));
                whole.add(hasher.finish());
                own.iter().for_each(|place| hasher.cell(&row.cells[*place]));
                part.add(hasher.finish());
                Ok(())
            })?;
            kept.digest = (kept.digest == Some(whole)).then_some(part);
        }
        Ok(made)
    }

    /// The entries of the ledger of those tables that may be another row's than the one that they name.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn adrift(&self, carries: &dyn Fn(&QualifiedName) -> bool) -> Result<Vec<Adrift>> {
        let made = self.made()?;
        let mut found = Vec::new();
        for table in self.tables.iter().filter(|table| carries(&table.source)) {
            let kept = made.get(&table.source.to_string()).and_then(|kept| kept.digest);
            found.extend(adrift::of_table(&self.connection, table, kept)?);
        }
        Ok(found)
    }

    /// The definitions that have come into it since it was made, or have changed; tables that have come are in its catalog.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn defined_since(&self) -> Result<Vec<Difference>> {
        if self.known != Known::Remembered {
            return Ok(Vec::new());
        }
        // Of a connection of its own: this one holds its state in a transaction.
        let connection = open(&self.path, &Cancel::new().flag())?;
        let definitions = record::Definitions::All;
        let scope = record::Scope { planned: &self.tables, definitions, metadata: true, published: true };
        let mut found = record::compare(&connection, scope)?.differences;
        found.retain(|difference| match difference.kind {
            DifferenceKind::Addition => !difference.text.starts_with("table "),
            DifferenceKind::Definition => true,
            DifferenceKind::Metadata | DifferenceKind::Header | DifferenceKind::Number | DifferenceKind::Rows => false,
        });
        Ok(found)
    }

    /// The choices that it was made by.
    pub fn made_by(&self) -> &Choices {
        &self.choices
    }

    /// How the requested table stands in the file, and the places of the requested columns; none where they are all, in
    /// their order.
    fn requested(&self, request: &ReadTable<'_>) -> Result<(&TablePlan, Option<Vec<usize>>)> {
        let object = || format!("table `{}` of {}", request.table, self.label);
        let table = self.tables.iter().find(|table| table.source == *request.table);
        let table = table.ok_or_else(|| Error::could_not("read", object(), "there is no such table"))?;
        let place_of = |name: &str| table.columns.iter().position(|column| column.source == name);
        let places = request.columns.iter().map(|column| {
            place_of(column.name)
                .ok_or_else(|| Error::could_not("read", object(), format!("there is no column `{}`", column.name)))
        });
        let places = places.collect::<Result<Vec<_>>>()?;
        let as_they_are = places.iter().copied().eq(0..table.columns.len());
        Ok((table, (!as_they_are).then_some(places)))
    }

    fn scan<'t>(&self, place: usize, table: &'t TablePlan, sink: &dyn RowSink) -> Result<Scan<'t>> {
        let scan = Scan::new(&self.connection, table)?.of_source(&self.label);
        Ok(if sink.takes_large(place) { scan.with_large() } else { scan })
    }

    fn read_table(&self, place: usize, request: &ReadTable<'_>, sink: &mut dyn RowSink) -> Result<()> {
        let (table, places) = self.requested(request)?;
        self.scan(place, table, sink)?
            .rows(&self.connection, None, &mut |row| hand_over(place, places.as_deref(), row.cells, sink))
    }
}

fn hand_over(place: usize, places: Option<&[usize]>, cells: &[Cell<'_>], sink: &mut dyn RowSink) -> Result<()> {
    let Some(places) = places else { return sink.row(place, cells) };
    let cells: Vec<Cell<'_>> = places.iter().map(|place| cells[*place].clone()).collect();
    sink.row(place, &cells)
}

/// Refuses a file whose metadata is not what it was: values would be turned back by rules that nobody chose, without their ledger.
/// What its users have done to its rows and definitions since is no damage.
fn ensure_own_record(connection: &Connection, path: &Path) -> Result<()> {
    let Some(manifest) = read_manifest(connection)? else { return Ok(()) };
    let tables = plan_of(&manifest, connection)?.tables;
    let definitions = record::Definitions::OfMetadata;
    let scope = record::Scope { planned: &tables, definitions, metadata: true, published: true };
    let damage = record::compare(connection, scope)?.differences.into_iter().find(|difference| difference.damage);
    damage.map_or(Ok(()), |damage| {
        Err(Error::differs("read", quoted(path), format!("its own record does not fit it: {}", damage.text)).hint(
            "`whimbrel check FILE` tells everything that is wrong; `whimbrel backups FILE` lists copies to go back to",
        ))
    })
}

impl Source for SqliteSource {
    fn label(&self) -> &str {
        &self.label
    }

    fn catalog(&mut self) -> Result<Arc<Catalog>> {
        if let Some(catalog) = &self.catalog {
            return Ok(Arc::clone(catalog));
        }
        let manifest = read_manifest(&self.connection)?.ok_or_else(|| {
            Error::could_not("read the schema of", &self.label, "it does not remember that of its source")
        })?;
        Ok(Arc::clone(self.catalog.insert(Arc::new(manifest.catalog.remembered()))))
    }

    fn ensure_readable(&mut self, tables: &[&QualifiedName]) -> Result<()> {
        tables.iter().try_for_each(|name| {
            let table = self.tables.iter().find(|table| table.source == **name);
            let table = table.ok_or_else(|| {
                Error::could_not("read", format!("table `{name}` of {}", self.label), "there is no such table")
            })?;
            Scan::new(&self.connection, table).map(drop)
        })
    }

    fn integrity(&mut self, level: Level) -> Result<Option<Integrity>> {
        self.watch.as_ref().map(|watch| watch.integrity(&self.connection, level)).transpose()
    }

    fn read(&mut self, tables: &[ReadTable<'_>], sink: &mut dyn RowSink) -> Result<()> {
        tables.iter().enumerate().try_for_each(|(place, request)| {
            sink.begin(place)?;
            self.read_table(place, request, sink)?;
            sink.end(place)
        })
    }

    /// A statement per table, all of them in the one state.
    fn read_in_turns(&mut self, tables: &[ReadTable<'_>], turns: &[Turn], sink: &mut dyn RowSink) -> Result<()> {
        let requested = tables.iter().map(|request| self.requested(request)).collect::<Result<Vec<_>>>()?;
        let scans = requested.iter().enumerate().map(|(place, (table, _))| self.scan(place, table, sink));
        let scans = scans.collect::<Result<Vec<_>>>()?;
        let statements = scans.iter().map(|scan| scan.statement(&self.connection, false));
        let mut statements = statements.collect::<Result<Vec<_>>>()?;
        let failed = |error: rusqlite::Error| describe("read", &self.label, error);
        let mut cursors = Vec::with_capacity(tables.len());
        for (scan, statement) in scans.iter().zip(&mut statements) {
            cursors.push(scan.cursor(&self.connection, statement.query([]).map_err(failed)?)?);
        }
        (0..tables.len()).try_for_each(|place| sink.begin(place))?;
        let mut next = |place: usize| {
            let places = requested[place].1.as_deref();
            cursors[place].next(&mut |row| hand_over(place, places, row.cells, sink))
        };
        for turn in turns {
            for _ in 0..turn.rows {
                if !next(turn.table)? {
                    break;
                }
            }
        }
        (0..tables.len()).try_for_each(|place| {
            while next(place)? {}
            Ok::<_, Error>(())
        })?;
        (0..tables.len()).try_for_each(|place| sink.end(place))
    }
}

/// What the file has of the schema of its source, and beside it what has come into it since: such tables and columns are
/// as they are declared. What has gone from it is in neither.
fn remembered(mut catalog: Catalog, tables: &mut Vec<TablePlan>, own: &Catalog) -> Catalog {
    let in_file = |plan: &TablePlan| own.tables.iter().find(|there| same(&there.name.name, &plan.target));
    tables.retain(|plan| in_file(plan).is_some());
    catalog.tables.retain_mut(|table| {
        let plan = tables.iter_mut().find(|plan| plan.source == table.name);
        let Some((plan, there)) = plan.and_then(|plan| in_file(plan).map(|there| (plan, there))) else { return false };
        plan.retain_columns(|target| there.columns.iter().any(|own| same(&own.name, target)));
        table.columns.retain(|column| plan.columns.iter().any(|known| known.source == column.name));
        let is_new = |column: &&Column| {
            !is_own(&column.name) && !plan.columns.iter().any(|known| same(&known.target, &column.name))
        };
        let new: Vec<Column> = there.columns.iter().filter(is_new).cloned().collect();
        plan.columns.extend(new.iter().map(column_as_declared));
        table.columns.extend(new);
        true
    });
    // Its virtual tables are those that are in the file.
    catalog.others.retain(|other| other.kind != ObjectKind::VirtualTable);
    catalog.others.extend(own.others.iter().filter(|other| other.kind == ObjectKind::VirtualTable).cloned());
    for there in own.tables.iter().filter(|there| !same(&there.name.name, HISTORY_TABLE)) {
        if tables.iter().any(|plan| same(&plan.target, &there.name.name)) {
            continue;
        }
        let mut table = there.clone();
        // As a table of its source without a schema of its own would be called.
        let plain = QualifiedName::new("public", &there.name.name);
        if catalog.table(&plain).is_none() {
            table.name = plain;
        }
        tables.push(TablePlan { source: table.name.clone(), ..as_declared(there) });
        catalog.tables.push(table);
    }
    catalog
}

fn kind_and_name(table: &Table) -> (ObjectKind, QualifiedName) {
    let kind = match table.kind {
        TableKind::MaterializedView { .. } => ObjectKind::MaterializedView,
        TableKind::Ordinary | TableKind::Partitioned { .. } => ObjectKind::Table,
    };
    (kind, table.name.clone())
}

/// Lets the sequences of tables whose keys have counted on in the file stand where those do.
fn count_on(catalog: &mut Catalog, tables: &[TablePlan], numbers: &BTreeMap<String, i64>) {
    for sequence in catalog.sequences.iter_mut().filter(|sequence| sequence.increment > 0) {
        let Some((table, _)) = &sequence.owned_by else { continue };
        let plan = tables.iter().find(|plan| plan.source == *table && plan.last_number.is_some());
        let number = plan.and_then(|plan| numbers.iter().find(|(name, _)| same(name, &plan.target)));
        if let Some((_, number)) = number
            && (sequence.min_value..=sequence.max_value).contains(number)
        {
            sequence.last_value = Some(sequence.last_value.map_or(*number, |last| last.max(*number)));
        }
    }
}

/// As SQLite compares names.
fn same(left: &str, right: &str) -> bool {
    left.eq_ignore_ascii_case(right)
}

/// A table that stands in the file as it is declared.
fn as_declared(table: &Table) -> TablePlan {
    let place = |name: &String| table.columns.iter().position(|column| column.name == *name);
    let key = table.primary_key.as_ref().map(|key| key.columns.iter().filter_map(place).collect());
    TablePlan {
        source: table.name.clone(),
        kind: TableKind::Ordinary,
        target: table.name.name.clone(),
        columns: table.columns.iter().map(column_as_declared).collect(),
        key: key.unwrap_or_default(),
        ddl: None,
        indexes: Vec::new(),
        last_number: None,
        next_number: None,
        row_estimate: table.row_estimate,
        size_bytes: table.size_bytes,
    }
}

fn column_as_declared(column: &Column) -> ColumnPlan {
    ColumnPlan {
        source: column.name.clone(),
        target: column.name.clone(),
        type_name: column.data_type.name.clone(),
        shape: column.data_type.shape.clone(),
        representation: Representation::default_for(&column.data_type.shape),
        remainder: None,
        not_null: column.not_null,
        computed: column.generated.is_some(),
        whole_as_integer: false,
    }
}
