//! A scenario: many cases of one migration, each with rows of its own, and everything that has to hold for each.
//!
//! ```no_run
//! use whimbrel::harness::Scenario;
//!
//! #[test]
//! fn nothing_is_lost() {
//!     Scenario::project("migrations/app").unwrap().cases(64).run().unwrap();
//! }
//! ```
//!
//! # One case
//!
//! ```text
//! seed ─► rows ─► a clone of the template ─► migrate, with everything verified ─► each property, see `properties`
//!                                                   │
//!                      over nothing, an empty file, somebody's database, or an earlier target
//! ```
//!
//! A case has a seed of its own, and depends on it alone: the first case has the scenario's seed itself, so that
//! `--seed S --cases 1` runs any case again by its own seed. What a run finds first it shrinks (fewer tables, fewer rows,
//! simpler values, as long as the same property fails, and without a new value in a column that a project's hint speaks
//! about), prints as SQL, and keeps as a file; kept cases run before all others from then on.
//!
//! # How fast queries are
//!
//! Each case times each query of the project a few times; the times of all cases of a run make the figures that are held
//! against the project's targets when the last case has passed. A target missed is a failed run. P50 is held from 2 runs
//! on, P95 from 20 and P99 from 100: below that they say more about the machine than about the query.
//!
//! # What is not carried back
//!
//! No endpoint of this program writes to PostgreSQL, so no case carries its rows home. The way back exists one step
//! earlier: the second opinion hands the values that the file holds to the server, which reads them by its own input
//! functions and compares them with its own.
//!
//! # Why this is not proptest's runner
//!
//! Its runner draws from its own generator and names a failure by a byte string of its own. Here a case has to be told
//! by one number that means the same on every machine and in every version ([`Seed`](crate::harness::Seed)), and each case needs a server.
//! So cases are driven here; making one smaller is proptest's work (`ValueTree`), see `harness::shrink`.

mod attempt;
mod case;
mod client;
mod content;
mod definition;
mod dumped;
mod environment;
mod existing_target;
mod filled;
mod fixture;
mod latencies;
mod outcome;
mod properties;
mod property;
mod regression;
mod rows;
mod run;
mod steps;
mod trees;

pub use definition::{CASES_DEFAULT, ROWS_DEFAULT, ROWS_MAX, Scenario};
pub use filled::FilledSource;
pub use latencies::QueryLatency;
pub use outcome::{Failed, MutationCount, Passed, PropertyCount, Shrunk, Spread, StepTime};
pub use properties::ALL as PROPERTIES;
pub use property::Property;

impl Scenario {
    /// Runs the kept cases, then the others, until one fails.
    ///
    /// It works on a thread of its own, so it may be called from asynchronous code, which it blocks.
    ///
    /// # Errors
    /// The first case that fails, as small as it could be made; a query that misses a target in all cases together;
    /// also where no server is to be had.
    pub fn run(&self) -> Result<Passed, Box<Failed>> {
        self.run_until(&crate::cancel::Cancel::new())
    }

    /// As [`Scenario::run`], until somebody asks for a stop; it is heeded between cases.
    ///
    /// # Errors
    /// As [`Scenario::run`]; also where it was stopped.
    pub fn run_until(&self, cancel: &crate::cancel::Cancel) -> Result<Passed, Box<Failed>> {
        std::thread::scope(|scope| {
            let thread = scope.spawn(|| match self.of_files() {
                Some((project, layout)) => trees::run(self, project, &layout, cancel),
                None => run::run(self, cancel),
            });
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }
}
