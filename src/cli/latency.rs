//! `whimbrel latency`

use super::exit::Exit;
use super::output::{Output, OutputOptions};
use crate::cancel::Cancel;
use crate::endpoint::sqlite::file::shown;
use crate::error::Result;
use crate::harness::Seed;
use crate::harness::latency::{MeasureOptions, measure, prepare};
use crate::project::Project;
use crate::report::latency;
use crate::report::message::{Latency, Message};
use clap::Args as ClapArgs;
use std::path::PathBuf;

/// Measure a project's queries: P50, P95 and P99 against their targets, at a stated number of rows
///
/// Each file of the project's folder `queries` says where its parameters are drawn from. Without --target, rows are
/// generated into a temporary file as the project would migrate them (a project with a source schema needs PostgreSQL
/// for that, as `demo` does). A target that is missed ends the run with 1, and the query's plan is shown; a large
/// table that is read from end to end is warned about even where the target is held.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  whimbrel latency migrations/app
  whimbrel latency migrations/app --rows 1000000 --seed 7
  whimbrel latency migrations/app --target app.db --json")]
pub struct Args {
    /// A folder with a `project.toml` and `queries/`
    #[arg(value_name = "PROJECT")]
    project: PathBuf,
    /// Measure this file, which is only read, instead of generated rows
    #[arg(long, value_name = "FILE", conflicts_with = "rows")]
    target: Option<PathBuf>,
    /// How many rows are generated, in all tables together [default: the project's, else 100000]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    rows: Option<u64>,
    /// What the rows are generated with, and the parameters drawn with
    #[arg(long, value_name = "S", default_value = "1")]
    seed: Seed,
    /// How often each query is run and timed [default: the project's, else 1000]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    runs: Option<u32>,
    #[command(flatten)]
    pub(super) output: OutputOptions,
}

/// Runs the verb.
///
/// # Errors
/// When the project or a query cannot be read, there is no PostgreSQL where one is needed, or a target is missed.
pub fn run(args: &Args, output: &Output, cancel: &Cancel) -> Result<Exit> {
    let project = Project::load(&args.project)?;
    let mut options = MeasureOptions { seed: args.seed, cancel: cancel.clone(), ..MeasureOptions::of(&project) };
    options.runs = args.runs.unwrap_or(options.runs);
    let (latencies, measured_on) = match &args.target {
        Some(target) => (measure(target, &project, &options)?, format!("those of {}", shown(target))),
        None => {
            let prepared = prepare(&project, args.rows.unwrap_or(project.latency.rows), args.seed, cancel)?;
            (measure(prepared.path(), &project, &options)?, format!("generated with seed {}", args.seed))
        }
    };
    let text = latency::text(&latencies, &measured_on);
    let target = args.target.as_deref().map(shown);
    let message = || Message::Latency(Latency::new(&latencies, target));
    let differences = latency::differences(&latencies);
    match differences.is_empty() {
        true => output.result(&text, message),
        false => output.finding(&text, &differences.alone(), message),
    }
    latencies.ensure_held()?;
    Ok(Exit::Success)
}
