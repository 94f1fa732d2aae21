//! The proptest strategy: generated rows that shrink.

use super::Case;
use crate::catalog::Catalog;
use crate::error::{Result, chain};
use crate::harness::Seed;
use crate::harness::generate::{Dataset, GenerateOptions, Generator, Judge};
use crate::harness::reduce::Reducer;
use proptest::strategy::{NewTree, Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

/// How many smaller datasets are tried before shrinking ends.
const STEPS_MAX: usize = 1_000;

/// Rows for the catalog's tables, other ones in each case: the seed of `options` comes from proptest. The judge
/// decides checks that the generator does not solve.
///
/// # Errors
/// As [`Generator::new`].
pub fn dataset_strategy(
    catalog: Arc<Catalog>,
    options: GenerateOptions,
    judge: Rc<RefCell<dyn Judge>>,
) -> Result<DatasetStrategy> {
    Generator::new(&catalog, options.clone())?;
    Ok(DatasetStrategy { catalog, options, judge })
}

/// The strategy that [`dataset_strategy`] gives.
#[derive(Clone)]
pub struct DatasetStrategy {
    catalog: Arc<Catalog>,
    options: GenerateOptions,
    judge: Rc<RefCell<dyn Judge>>,
}

impl fmt::Debug for DatasetStrategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut told = f.debug_struct("DatasetStrategy");
        told.field("database", &self.catalog.database).field("options", &self.options).finish_non_exhaustive()
    }
}

/// A dataset and the smaller ones that can be made of it.
#[derive(Debug, Clone)]
pub struct DatasetTree {
    reducer: Reducer<Case>,
}

impl DatasetTree {
    /// Shrinks this dataset in at most so many steps.
    pub fn new(dataset: Dataset, catalog: &Arc<Catalog>, steps_max: usize) -> Self {
        DatasetTree { reducer: Reducer::new(Case::new(dataset, catalog), steps_max) }
    }
}

impl Strategy for DatasetStrategy {
    type Tree = DatasetTree;
    type Value = Dataset;

    fn new_tree(&self, runner: &mut TestRunner) -> NewTree<Self> {
        use proptest::prelude::Rng;
        let seed = Seed(runner.rng().next_u64());
        let options = GenerateOptions { seed, ..self.options.clone() };
        let generator = Generator::new(&self.catalog, options);
        let dataset = generator.and_then(|generator| generator.dataset(&mut *self.judge.borrow_mut()));
        let dataset = dataset.map_err(|error| format!("seed {seed}: {}", chain(&error)))?;
        Ok(DatasetTree::new(dataset, &self.catalog, STEPS_MAX))
    }
}

impl ValueTree for DatasetTree {
    type Value = Dataset;

    fn current(&self) -> Dataset {
        self.reducer.current().dataset.clone()
    }

    fn simplify(&mut self) -> bool {
        self.reducer.simplify()
    }

    fn complicate(&mut self) -> bool {
        self.reducer.complicate()
    }
}
