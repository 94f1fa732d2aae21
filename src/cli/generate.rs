//! `whimbrel generate`

use super::exit::Exit;
use super::options::ServerWaiting;
use super::output::{Output, OutputOptions};
use crate::cancel::Cancel;
use crate::endpoint::Endpoint;
use crate::endpoint::sqlite::file::quoted;
use crate::error::{Error, Result};
use crate::harness::Seed;
use crate::harness::generate::{Filling, GenerateOptions, Hints, fill};
use crate::project::Project;
use crate::report::generated;
use crate::report::message::Message;
use clap::Args as ClapArgs;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

/// Fill a database with random rows that satisfy its types, keys, foreign keys and checks
///
/// Everything happens in one transaction: a failure leaves the database as it was. The same seed gives the same rows.
/// Triggers fire as for any other row.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  whimbrel generate postgres://ann@localhost/app_test --rows 100000
  whimbrel generate postgres://ann@localhost/app_test --rows 500 --seed 42 --awkward 0.2
  whimbrel generate app.db --rows 1000 --tables 'order*' --append
  whimbrel generate app.db --project migrations/app")]
pub struct Args {
    /// A PostgreSQL database (`postgres://user@host:port/database`), or the path of a SQLite file
    #[arg(value_name = "DATABASE")]
    database: OsString,
    /// How many rows, in all tables together [default: what the project says, or 1000]
    #[arg(long, value_name = "N")]
    rows: Option<u64>,
    /// What all random choices come from
    #[arg(long, value_name = "S", default_value = "0")]
    seed: Seed,
    /// The share of awkward values, from 0 to 1: extremes, NaN, combining characters, long texts and their like
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = parse_share)]
    awkward: f64,
    /// Fill only tables that match: `table`, `schema.table`, `*` for any characters; can be given more than once
    #[arg(long, value_name = "PATTERN", value_delimiter = ',')]
    tables: Vec<String>,
    /// Add to tables that have rows already
    #[arg(long)]
    append: bool,
    /// A folder with a `project.toml` whose section `[generate]` says what values columns have
    #[arg(long, value_name = "PROJECT")]
    project: Option<PathBuf>,
    #[command(flatten)]
    server: ServerWaiting,
    #[command(flatten)]
    pub(super) output: OutputOptions,
}

fn parse_share(text: &str) -> std::result::Result<f64, String> {
    match text.parse::<f64>() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err("it is no number from 0 to 1".to_owned()),
    }
}

/// Runs the verb.
///
/// # Errors
/// When a table has rows already, no row can satisfy a constraint, or the database refuses; it is then as it was.
pub fn run(args: &Args, output: &Output, cancel: &Cancel) -> Result<Exit> {
    let endpoint = Endpoint::parse_word(&args.database)?;
    if let Endpoint::Sqlite(path) = &endpoint
        && !path.is_file()
    {
        return Err(Error::usage("fill", quoted(path), "there is no such file").hint("create its schema first"));
    }
    let project = args.project.as_deref().map(Project::load).transpose()?;
    let hints = project.as_ref().map_or_else(Hints::default, |project| project.generate.clone());
    let mut elsewhere = Vec::new();
    if let Some(project) = &project {
        for key in hints.tables.keys().chain(hints.columns.keys()) {
            elsewhere.extend(project.has_names(key)?.then(|| key.clone()));
        }
    }
    let options = GenerateOptions {
        rows: args.rows.or(hints.rows).unwrap_or(1000),
        seed: args.seed,
        awkward: args.awkward,
        hints,
        ..GenerateOptions::default()
    };
    let progress = Arc::new(output.progress());
    let patience = args.server.patience(progress.listener());
    let filling = Filling { options, tables: args.tables.clone(), append: args.append, patience, elsewhere };
    let start = Instant::now();
    let filled = fill(&endpoint, &filling, cancel, &|event| progress.hear(event));
    progress.finish();
    let done = generated::message(&filled?, &endpoint.to_string(), args.seed, start.elapsed());
    output.result(&generated::text(&done), || Message::Generated(done.clone()));
    Ok(Exit::Success)
}
