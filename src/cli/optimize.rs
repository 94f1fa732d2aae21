//! `whimbrel optimize`

use super::config::Place;
use super::exit::Exit;
use super::options::{Target, Waiting};
use super::output::{Output, OutputOptions};
use crate::cancel::Cancel;
use crate::endpoint::sqlite::optimize::{OptimizeOptions, optimize};
use crate::error::Result;
use crate::report::backups;
use crate::report::message::{Message, Optimized};
use clap::Args as ClapArgs;
use std::time::Instant;

/// Gather statistics for the query planner (ANALYZE, PRAGMA optimize) and, on request, pack the pages again (VACUUM)
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  whimbrel optimize app.db
  whimbrel optimize app.db --vacuum --wait-ms 10000")]
pub struct Args {
    #[command(flatten)]
    target: Target,
    /// Pack the pages again; full-text indexes that this would break are rebuilt
    #[arg(long)]
    vacuum: bool,
    #[command(flatten)]
    waiting: Waiting,
    #[command(flatten)]
    pub(super) output: OutputOptions,
}

/// Runs the verb.
///
/// # Errors
/// When another program holds the file, the disk is full, or it is no database.
pub fn run(args: &Args, output: &Output, cancel: &Cancel) -> Result<Exit> {
    let place = Place::file(&args.target.target)?;
    let start = Instant::now();
    let options = OptimizeOptions { vacuum: args.vacuum, wait_ms: args.waiting.wait_ms, cancel: cancel.flag() };
    let done = optimize(&place.target, &options)?;
    let took = start.elapsed();
    output.result(&backups::optimized(&done, took), || Message::Optimized(Optimized::new(done.clone(), took)));
    Ok(Exit::Success)
}
