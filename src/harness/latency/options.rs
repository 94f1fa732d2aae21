//! How queries are measured.

use super::query::Targets;
use crate::cancel::Cancel;
use crate::harness::Seed;
use crate::project::Project;

pub(super) const OPERATION: &str = "measure the query";
/// Parameters are drawn from at most so many rows; more runs use them again.
const SETS_MAX: usize = 1_000;

/// How queries are measured.
#[derive(Debug, Clone)]
pub struct MeasureOptions {
    /// How often each query is run and timed; at least once.
    pub runs: u32,
    /// How often it is run before that.
    pub warm_up: u32,
    /// What the parameters are drawn with.
    pub seed: Seed,
    /// What a query has to stay below that names no target itself.
    pub targets: Targets,
    /// From how many rows on a table is large.
    pub large_table_rows: u64,
    /// Who may ask to stop.
    pub cancel: Cancel,
}

impl MeasureOptions {
    /// As the project says, with seed 1.
    pub fn of(project: &Project) -> MeasureOptions {
        MeasureOptions {
            runs: project.latency.runs,
            warm_up: project.latency.warm_up,
            seed: Seed(1),
            targets: Targets::of(&project.latency),
            large_table_rows: project.latency.large_table_rows,
            cancel: Cancel::new(),
        }
    }

    /// From how many rows, at most, the parameters of one query are drawn.
    pub(super) fn sets_max(&self) -> usize {
        SETS_MAX.min(self.runs.max(1) as usize)
    }
}
