//! The proptest strategy: schemas that shrink.

use super::{RandomSchema, SchemaSize};
use crate::harness::Seed;
use crate::harness::reduce::Reducer;
use proptest::strategy::{NewTree, Strategy, ValueTree};
use proptest::test_runner::TestRunner;

/// How many smaller schemas are tried before shrinking ends.
const STEPS_MAX: usize = 2_000;

/// Schemas of at most that size.
pub fn random_schemas(size: SchemaSize) -> RandomSchemas {
    RandomSchemas { size }
}

/// The strategy that [`random_schemas`] gives.
#[derive(Debug, Clone)]
pub struct RandomSchemas {
    size: SchemaSize,
}

/// A schema and the smaller ones that can be made of it.
#[derive(Debug, Clone)]
pub struct SchemaTree {
    reducer: Reducer<RandomSchema>,
}

impl SchemaTree {
    /// Shrinks this schema in at most so many steps.
    pub fn new(schema: RandomSchema, steps_max: usize) -> Self {
        SchemaTree { reducer: Reducer::new(schema, steps_max) }
    }
}

impl Strategy for RandomSchemas {
    type Tree = SchemaTree;
    type Value = RandomSchema;

    fn new_tree(&self, runner: &mut TestRunner) -> NewTree<Self> {
        use proptest::prelude::Rng;
        let seed = Seed(runner.rng().next_u64());
        Ok(SchemaTree::new(RandomSchema::from_seed(seed, &self.size), STEPS_MAX))
    }
}

impl ValueTree for SchemaTree {
    type Value = RandomSchema;

    fn current(&self) -> RandomSchema {
        self.reducer.current().clone()
    }

    fn simplify(&mut self) -> bool {
        self.reducer.simplify()
    }

    fn complicate(&mut self) -> bool {
        self.reducer.complicate()
    }
}
