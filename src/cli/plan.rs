//! `whimbrel plan`

use super::config::Route;
use super::exit::Exit;
use super::options::{Choosing, Endpoints};
use super::output::{Output, OutputOptions};
use crate::cancel::Cancel;
use crate::error::Result;
use crate::migration::{Migration, Planned};
use crate::report::{message, plan};
use clap::Args as ClapArgs;
use std::path::Path;

/// Show what a migrate would do, and write nothing
///
/// Prints the target's DDL, the order, per column the rule and whether it is exact, and everything that is not carried
/// with its reason. Ends with 2 where something has to be decided first.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  whimbrel plan postgres://ann@localhost/app
  whimbrel plan postgres://ann@localhost/app --table 'public.*' --exclude-table audit_log
  whimbrel plan postgres://ann@localhost/app --rule timestamp=epoch-seconds --json | jq .data.not_carried
  whimbrel plan migrations/app")]
pub struct Args {
    #[command(flatten)]
    endpoints: Endpoints,
    #[command(flatten)]
    choosing: Choosing,
    #[command(flatten)]
    pub(super) output: OutputOptions,
}

/// Runs the verb.
///
/// # Errors
/// When the source cannot be read, or the plan has refusals.
pub fn run(args: &Args, output: &Output, cancel: &Cancel) -> Result<Exit> {
    let route = Route::new(&args.endpoints.endpoints)?;
    let migration = route.migration(&args.choosing, &Default::default())?;
    show(&migration, route.target.as_deref(), output, cancel)
}

/// Plans, and prints the plan.
pub(super) fn show(migration: &Migration, target: Option<&Path>, output: &Output, cancel: &Cancel) -> Result<Exit> {
    let Planned { source, catalog, plan } = migration.plan(cancel)?;
    let path = target.map(|path| path.display().to_string());
    let text = plan::text(&source, &catalog.engine, path.as_deref().unwrap_or("a new file"), &plan);
    output.result(&text, || message::Message::Plan(message::Plan::new(&source, &catalog.engine, path.clone(), &plan)));
    plan.ensure_runnable()?;
    Ok(Exit::Success)
}
