//! `whimbrel test`

use super::exit::Exit;
use super::output::{Output, OutputOptions};
use crate::cancel::Cancel;
use crate::error::{Error, Result};
use crate::harness::scenario::{CASES_DEFAULT, Failed, ROWS_DEFAULT, Scenario};
use crate::harness::{Random, Seed};
use crate::report::message::Message;
use crate::report::scenario as report;
use clap::Args as ClapArgs;
use std::path::PathBuf;

/// Test a migration on random rows: migrate, verify, ask every property, roll back, many times
///
/// A project with a `layout.toml` is tested on random trees of files, and needs no server. Any other one
/// uses the PostgreSQL server in WHIMBREL_POSTGRES; else a Docker engine; else server binaries of this machine. Each
/// case has a database and a folder of its own, which are removed. A case that fails is made as small as it can be,
/// printed as SQL, and kept; kept cases run before all others. Ends with 1 where a property does not hold, or a query of
/// the project misses its latency target in all cases together.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  whimbrel test migrations/app
  whimbrel test migrations/app --cases 1000 --rows 2000
  whimbrel test migrations/sessions --rows 500
  whimbrel test migrations/app --seed 42 --cases 1
  whimbrel test schema.sql
  whimbrel test --random-schemas --json")]
pub struct Args {
    /// A project's folder; or a PostgreSQL schema, as a file of SQL or a folder of them
    #[arg(value_name = "PROJECT", required_unless_present = "random_schemas")]
    subject: Option<PathBuf>,
    /// Instead of a project: random tables, keys and types, other ones for each case
    #[arg(long, conflicts_with = "subject")]
    random_schemas: bool,
    /// How many cases run, besides the kept ones
    #[arg(long, value_name = "N", default_value_t = CASES_DEFAULT, value_parser = clap::value_parser!(u32).range(1..))]
    cases: u32,
    /// The seed of the first case; the same seed gives the same rows on every machine [default: another one each time]
    #[arg(long, value_name = "S")]
    seed: Option<u64>,
    /// How many rows each case has, in all tables together; at most 1,000,000
    #[arg(long, value_name = "N", default_value_t = ROWS_DEFAULT)]
    rows: u64,
    /// Where failing cases are kept and looked for [default: fixtures/regressions/NAME-DIGEST]
    #[arg(long, value_name = "DIR")]
    regressions: Option<PathBuf>,
    #[command(flatten)]
    pub(super) output: OutputOptions,
}

/// Runs the verb.
///
/// # Errors
/// When there is no PostgreSQL to be had, the project is not as it has to be, or a property does not hold.
pub fn run(args: &Args, output: &Output, cancel: &Cancel) -> Result<Exit> {
    let scenario = match &args.subject {
        Some(path) => Scenario::of_path(path)?,
        None => Scenario::random_schemas(),
    };
    let seed = args.seed.map_or_else(another_seed, Seed);
    let mut scenario = scenario.cases(args.cases).rows(args.rows).seed(seed);
    if let Some(folder) = &args.regressions {
        scenario = scenario.regressions(folder);
    }
    match scenario.run_until(cancel) {
        Ok(passed) => {
            output.result(&report::text(&passed), || Message::TestPassed((&passed).into()));
            Ok(Exit::Success)
        }
        Err(failed) => {
            // What was found before somebody asked to stop is told all the same.
            if failed.property.is_none() {
                cancel.check("test")?;
            }
            if !failed.is_of_a_case() {
                return Err(as_error(&failed));
            }
            let text = report::failure(&failed);
            output.finding(&text, &text, || Message::TestFailed(Box::new((&*failed).into())));
            Err(as_error(&failed))
        }
    }
}

/// What the program says last.
fn as_error(failed: &Failed) -> Error {
    let object = format!("`{}`", failed.scenario);
    let error = match failed.property {
        Some(property) => Error::differs("test", object, format!("the property `{property}` does not hold")),
        None if failed.kind == crate::error::Kind::Usage => Error::usage("test", object, &failed.found),
        None => Error::could_not("test", object, &failed.found),
    };
    match &failed.hint {
        Some(hint) => error.hint(hint),
        None if failed.is_of_a_case() => error.hint(format!("run it again: {}", failed.replay)),
        None => error,
    }
}

/// A seed that nobody chose: of the moment and this process, mixed.
fn another_seed() -> Seed {
    let moment = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let mut random: Random = Seed(moment.as_nanos() as u64 ^ u64::from(std::process::id())).random();
    // Short enough to be typed.
    Seed(random.below(1 << 32))
}
