//! `whimbrel plan`

use super::config::Route;
use super::exit::Exit;
use super::options::{Choosing, Endpoints, Filling, ServerWaiting};
use super::output::{Output, OutputOptions};
use super::{ask, to_database, to_tree};
use crate::cancel::Cancel;
use crate::endpoint::sqlite::file::{TargetFile, shown};
use crate::error::{Error, Result};
use crate::migration::Planned;
use crate::report::{message, plan};
use clap::Args as ClapArgs;
use std::sync::Arc;

/// Show what a migrate would do, and write nothing
///
/// Prints the target's DDL where it is derived (a schema that is given, or goes as a SQLite source has it, is told by its tables
/// and columns), the order, per column the rule and whether it is exact, and everything that is not carried with its reason. Ends with 2 where something has to be decided first.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  whimbrel plan postgres://ann@localhost/app
  whimbrel plan postgres://ann@localhost/app --table 'public.*' --exclude-table audit_log
  whimbrel plan postgres://ann@localhost/app --rule timestamp=epoch-seconds --json | jq .data.not_carried
  whimbrel plan migrations/app
  whimbrel plan app.db copy.db
  whimbrel plan app.db postgres://ann@localhost/app_again")]
pub struct Args {
    #[command(flatten)]
    endpoints: Endpoints,
    #[command(flatten)]
    filling: Filling,
    #[command(flatten)]
    choosing: Choosing,
    #[command(flatten)]
    server: ServerWaiting,
    #[command(flatten)]
    pub(super) output: OutputOptions,
}

/// Runs the verb.
///
/// # Errors
/// When the source cannot be read, or the plan has refusals.
pub fn run(args: &Args, output: &Output, cancel: &Cancel) -> Result<Exit> {
    let route = Route::new(&args.endpoints.endpoints)?;
    let choosing = ask::complete(&route, &args.choosing, output, cancel)?;
    if let Some(url) = &route.database {
        let wanted = to_database::Wanted {
            choosing: &choosing,
            wishes: args.filling.wishes(),
            server: args.server,
            unused: Vec::new(),
            dry_run: true,
            metadata: true,
            // They are told with everything else that is to know.
            allow_inexact: true,
            level: None,
        };
        return to_database::show(&wanted, &route, url, output, cancel);
    }
    args.filling.refuse()?;
    if let Some(tree) = &route.tree {
        return to_tree::show(&choosing, &route, tree, output, cancel);
    }
    let patience = args.server.patience(Arc::new(output.notices()).listener());
    let migration = route.migration(&choosing, &Default::default())?.patience(patience);
    let file = route.target.as_deref().map(TargetFile::inspect).transpose()?;
    if let Some(file) = &file {
        file.refuse_unusable()?;
    }
    let Planned { source, catalog, mut plan } = migration.plan(cancel)?;
    route.in_typed_words(&mut plan, &args.choosing);
    let path = route.target.as_deref().map(shown);
    let mut text = plan::text(&source, &catalog.engine, path.as_deref().unwrap_or("a new file"), &plan);
    if let Some(file) = &file {
        text.blank();
        text.append(&plan::target(file));
    }
    if !route.origins.is_empty() {
        text.blank();
        text.append(&plan::origins(&route.origins));
    }
    let message = || {
        let told = message::Plan::new(&source, &catalog.engine, path.clone(), &plan);
        message::Message::Plan(told.settings_from(&route.origins))
    };
    match plan.refusals.is_empty() {
        true => output.result(&text, message),
        false => output.finding(&text, &plan::refusals(&plan.refusals), message),
    }
    plan.ensure_runnable().map_err(|error| plan::undecided(error, &plan.refusals))?;
    Ok(Exit::Success)
}

/// Lists what stopped a run, one line each, and gives the error to end with.
pub(super) fn list_refusals(planned: Planned, route: &Route, choosing: &Choosing, output: &Output) -> Error {
    let Planned { source, catalog, mut plan } = planned;
    route.in_typed_words(&mut plan, choosing);
    let path = route.target.as_deref().map(shown);
    let message = || message::Message::Plan(message::Plan::new(&source, &catalog.engine, path.clone(), &plan));
    let text = plan::refusals(&plan.refusals).alone();
    output.finding(&text, &text, message);
    plan::undecided(plan.refused(), &plan.refusals)
}
