//! From a catalog to rows that its database takes: types, keys, foreign keys, checks.
//!
//! ```text
//! catalog + hints ─► order (cycles broken) ─► a plan per table (columns, keys, limits) ─► rows ─► sink
//!                                                                              │
//!                                              what is not solved here ─► judge (a server, a file, nobody)
//! ```
//!
//! Invariants: the same catalog, options and seed give the same rows on every machine. Rows come parents first. A
//! table whose keys allow fewer rows than asked for gets those, and [`Generated`] says so. The history of a tool for
//! migrations gets none.

mod build;
mod candidates;
mod checks;
mod column;
mod dataset;
mod expressions;
mod fill;
mod history;
mod judge;
mod keys;
mod load_postgres;
mod load_sqlite;
mod mend;
mod order;
mod plan;
mod referrers;
mod rows;
mod share;
mod sqlite_catalog;
mod table_plan;
pub mod values;
mod watched;

pub use crate::project::{ColumnHint, Form, Hints, TableHint};
pub use dataset::{Cell, Dataset, Row, Sink, TableRows};
pub use fill::{Filled, Filling, fill};
pub use judge::{Judge, Nobody, PostgresJudge, RowCondition, Ruling, SqliteJudge, computed_keys, row_conditions};
pub use load_postgres::{PostgresSink, load_postgres};
pub use load_sqlite::{SqliteSink, load_sqlite};
pub use sqlite_catalog::sqlite_catalog;

use crate::catalog::QualifiedName;
use crate::endpoint::postgres::Purpose;
use crate::error::Result;
use crate::harness::Seed;
use candidates::Candidates;
use keys::KeyStore;
use rows::RowMaker;
use std::collections::BTreeMap;
use table_plan::TablePlan;

/// What connections that write here are for.
const FILLING: Purpose = Purpose { application: "whimbrel generate", copying: "fill" };

/// What is less likely than this does not happen by chance.
const BY_CHANCE_MAX: f64 = 1e-6;

/// How many rows, which, and from what.
#[derive(Debug, Clone)]
pub struct GenerateOptions {
    /// How many rows in all tables together.
    pub rows: u64,
    /// Tables with a number of their own.
    pub per_table: BTreeMap<QualifiedName, u64>,
    /// What all random choices come from.
    pub seed: Seed,
    /// The share of awkward values, from 0 to 1.
    pub awkward: f64,
    /// What a project wants besides.
    pub hints: Hints,
}

impl Default for GenerateOptions {
    /// A thousand ordinary rows.
    fn default() -> Self {
        let (rows, seed) = (1000, Seed(0));
        GenerateOptions { rows, per_table: BTreeMap::new(), seed, awkward: 0.0, hints: Hints::default() }
    }
}

/// What was generated.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Generated {
    /// The tables, in the order in which they were filled.
    pub tables: Vec<GeneratedTable>,
    /// Keys of hints that name no table or column that is there: perhaps misspelled, perhaps meant for another schema.
    pub idle_hints: Vec<String>,
}

/// What was generated for one table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GeneratedTable {
    /// The table.
    pub table: QualifiedName,
    /// How many rows it got.
    pub rows: u64,
    /// How many it was to get.
    pub wanted: u64,
    /// Why it got fewer, a clause such as "its key `t_pkey` (a) allows no more".
    pub why_fewer: Option<String>,
    /// Columns that could hold values, and that no row has one of: none was found that the table's checks take.
    pub always_null: Vec<String>,
}

impl Generated {
    /// How many rows there are in all tables together.
    pub fn row_count(&self) -> u64 {
        self.tables.iter().map(|table| table.rows).sum()
    }
}

/// Makes rows for the tables of a catalog. Materialized views are no tables here.
#[derive(Debug)]
pub struct Generator<'c> {
    plans: Vec<TablePlan<'c>>,
    /// Places of plans in the order of insertion; those of one cycle together.
    units: Vec<Vec<usize>>,
    /// How many columns the keys in each store have.
    stores: Vec<usize>,
    options: GenerateOptions,
    existing: BTreeMap<QualifiedName, Vec<Row>>,
    idle_hints: Vec<String>,
}

impl<'c> Generator<'c> {
    /// The columns that rows of a table have cells for, in their order.
    pub fn columns(&self, table: &QualifiedName) -> Option<&[String]> {
        self.plans.iter().find(|plan| plan.table.name == *table).map(|plan| plan.names.as_slice())
    }

    /// Rows that are there already, with a cell for each of [`Generator::columns`]: new rows refer to them, too, and
    /// do not repeat their keys.
    pub fn existing(&mut self, table: &QualifiedName, rows: Vec<Row>) {
        if let Some(plan) = self.plans.iter_mut().find(|plan| plan.table.name == *table)
            && !rows.is_empty()
        {
            // Only the server can say which of its values are equal to new ones.
            plan.judged.extend(computed_keys(plan.table));
        }
        self.existing.insert(table.clone(), rows);
    }

    /// The places of the columns whose values decide over new rows: of keys, and of what others refer to.
    pub fn key_places(&self, table: &QualifiedName) -> Vec<usize> {
        let Some(plan) = self.plans.iter().find(|plan| plan.table.name == *table) else { return Vec::new() };
        let fed = plan.feeds.iter().flat_map(|(_, places)| places.iter().copied());
        let keys = plan.keys.iter().flat_map(|key| key.columns.iter().copied());
        let places: std::collections::BTreeSet<usize> = fed.chain(keys).collect();
        places.into_iter().collect()
    }

    /// How many rows a table is to get.
    pub fn wanted_rows(&self, table: &QualifiedName) -> u64 {
        self.plans.iter().find(|plan| plan.table.name == *table).map_or(0, |plan| plan.wanted)
    }

    /// How many tables are to get rows, and how many rows that is.
    pub fn totals(&self) -> (u64, u64) {
        let wanted = self.plans.iter().map(|plan| plan.wanted).filter(|wanted| *wanted > 0);
        wanted.fold((0, 0), |(tables, rows), wanted| (tables + 1, rows + wanted))
    }

    /// All rows in memory.
    ///
    /// # Errors
    /// As [`Generator::stream`].
    pub fn dataset(&self, judge: &mut dyn Judge) -> Result<Dataset> {
        let mut dataset = Dataset::default();
        self.stream(judge, &mut dataset)?;
        Ok(dataset)
    }

    /// Hands the rows to a sink, table by table. In memory it holds the keys that other rows refer to, and hashes of
    /// keys where nothing cheaper keeps them unique. Tables of a cycle are gone through twice: the rows of the first
    /// need the keys of the last.
    ///
    /// # Errors
    /// When no row satisfies a check within a limit of tries (table, check and tries are told); what the judge and
    /// the sink say.
    pub fn stream(&self, judge: &mut dyn Judge, sink: &mut dyn Sink) -> Result<Generated> {
        let mut stores: Vec<KeyStore> = self.stores.iter().map(|width| KeyStore::new(*width)).collect();
        for plan in &self.plans {
            for row in self.existing.get(&plan.table.name).into_iter().flatten() {
                feed(plan, row, &mut stores, &mut |_| {});
            }
        }
        let mut generated = Generated { tables: Vec::new(), idle_hints: self.idle_hints.clone() };
        for unit in &self.units {
            let cyclic = unit.iter().any(|place| !self.plans[*place].broken.is_empty());
            if cyclic {
                for place in unit {
                    self.fill(&self.plans[*place], judge, &mut stores, Pass::Keys)?;
                }
            }
            for place in unit {
                let pass = if cyclic { Pass::RowsOfKnownKeys(sink) } else { Pass::Rows(sink) };
                generated.tables.push(self.fill(&self.plans[*place], judge, &mut stores, pass)?);
            }
        }
        Ok(generated)
    }

    fn fill(
        &self,
        plan: &TablePlan<'c>,
        judge: &mut dyn Judge,
        stores: &mut [KeyStore],
        mut pass: Pass<'_>,
    ) -> Result<GeneratedTable> {
        let mut maker = RowMaker::new(plan, stores, self.options.seed, self.options.awkward);
        for row in self.existing.get(&plan.table.name).into_iter().flatten() {
            maker.remember(row);
            feed(plan, row, &mut [], &mut |store| maker.stored(store));
        }
        if let Pass::Rows(sink) | Pass::RowsOfKnownKeys(sink) = &mut pass {
            sink.table(plan.table, &plan.names, &plan.later)?;
        }
        let (table, always_null) = (plan.table.name.clone(), Vec::new());
        let mut done = GeneratedTable { table, rows: 0, wanted: plan.wanted, why_fewer: None, always_null };
        let mut without_value = plan.may_have_values();
        let mut candidates = Candidates::new(plan);
        let asks_again = plan.judges_deferred();
        while done.rows < plan.wanted {
            let rows = candidates.next(&mut maker, stores, judge, plan.wanted - done.rows)?;
            if rows.is_empty() {
                done.why_fewer = candidates.why_full();
                break;
            }
            for mut row in rows {
                if done.rows == plan.wanted {
                    maker.release(&row);
                    continue;
                }
                done.rows += 1;
                without_value.retain(|column| row[*column].is_none());
                match &mut pass {
                    Pass::RowsOfKnownKeys(sink) => {
                        feed(plan, &row, &mut [], &mut |store| maker.stored(store));
                        maker.complete(&mut row, stores, &mut |row| {
                            Ok(!asks_again || matches!(ask(plan, judge, row)?, Some(Ruling::Holds(_))))
                        })?;
                        sink.row(&row)?;
                    }
                    Pass::Rows(sink) => {
                        feed(plan, &row, stores, &mut |store| maker.stored(store));
                        sink.row(&row)?;
                    }
                    Pass::Keys => feed(plan, &row, stores, &mut |store| maker.stored(store)),
                }
            }
        }
        if let Pass::Rows(sink) | Pass::RowsOfKnownKeys(sink) = &mut pass {
            sink.end()?;
        }
        let rows = i32::try_from(done.rows).unwrap_or(i32::MAX);
        without_value.retain(|column| plan.columns[*column].null_share().powi(rows) < BY_CHANCE_MAX);
        done.always_null = without_value.iter().map(|column| plan.names[*column].clone()).collect();
        Ok(done)
    }
}

/// What a judge says of one row.
fn ask(plan: &TablePlan<'_>, judge: &mut dyn Judge, row: &Row) -> Result<Option<Ruling>> {
    Ok(judge.rule(plan.table, &plan.names, std::slice::from_ref(row))?.pop())
}

/// What a run through a table's rows is for.
enum Pass<'s> {
    /// The keys, and nothing else.
    Keys,
    /// The rows, whose keys were stored before.
    RowsOfKnownKeys(&'s mut dyn Sink),
    /// Both.
    Rows(&'s mut dyn Sink),
}

/// Puts a row's keys into their stores, without stores only counting them; keys with a NULL in them are none.
fn feed(plan: &TablePlan<'_>, row: &Row, stores: &mut [KeyStore], stored: &mut dyn FnMut(usize)) {
    for (store, places) in &plan.feeds {
        let values: Option<Vec<&str>> = places.iter().map(|place| row[*place].as_deref()).collect();
        if let Some(values) = values {
            if let Some(store) = stores.get_mut(*store) {
                store.push(&values);
            }
            stored(*store);
        }
    }
}
