//! How fast a project's typical queries are on a file with a stated number of rows.
//!
//! ```text
//! queries/NAME.sql ─► query: title, parameters, target ─► draw: values from the file's own rows, with the seed
//!                                                            │
//!     targets, query plan, full scans ◄── measure: warm-up, N runs, histogram ◄─┘
//! ```
//!
//! Invariants:
//! - The measured statement is prepared once, with the connection options of the project; a run is timed from the first
//!   bound parameter to the last row, every value read, by a monotonic clock.
//! - The file is only read.
//! - The same file, seed and number of runs give the same parameters in the same order.
//! - A case of a scenario runs each query a few times only ([`time_each`]); the times of all cases make one histogram
//!   ([`Samples`]), by the same clock around the same statement.
//! - A query without a row to draw its parameters from is told as not measured, one that never returns a row as
//!   measuring nothing; neither passes in silence.
//!
//! A query file is documented at [`Query`], `[latency]` in `project.toml` at
//! [`LatencyOptions`](crate::project::LatencyOptions).

mod draw;
mod measure;
mod options;
mod outcome;
mod prepare;
mod query;
mod runner;
mod samples;
mod scans;
mod times;

pub use measure::{PreparedQuery, measure, measure_on};
pub use options::MeasureOptions;
pub use outcome::{Latencies, Measured, Miss, QueryLatency, Warning};
pub use prepare::{Prepared, prepare};
pub use query::{Kind, Parameter, Query, Source, Targets, queries};
pub use runner::TimedRun;
pub use samples::{Figures, Samples};
pub use times::{Times, time_each};
