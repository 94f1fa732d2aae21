//! `whimbrel migrate`

use super::config::Route;
use super::exit::Exit;
use super::options::{BackupPlace, Choosing, Endpoints, Filling, ServerWaiting, Verifying, Waiting, Writing};
use super::output::{Output, OutputOptions};
use super::{ask, plan, quarantine, to_database, to_tree};
use crate::cancel::Cancel;
use crate::error::Result;
use crate::report::message::{self, Message};
use crate::report::{outcome, verification};
use crate::to_sqlite::Attempt;
use clap::Args as ClapArgs;
use std::path::PathBuf;
use std::sync::Arc;

/// Move a PostgreSQL database, a SQLite file or a tree of files into a SQLite file, a tree, or back into PostgreSQL, verified
///
/// The definitions of a SQLite file go as they stand; what cannot go is listed. What the files of a tree are says the
/// `layout.toml` of the project; a file that was made of a tree remembers it. The target appears by one rename, after verification. An existing target is backed up first. Whatever goes wrong,
/// it is then what it was before.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  whimbrel migrate postgres://ann@localhost/app app.db
  PGPASSWORD=… whimbrel migrate postgres://ann@db.example.org/app app.db --verify digest
  whimbrel migrate postgres://ann@localhost/app app.db --exclude-table 'audit_*'
  whimbrel migrate migrations/app --dry-run
  whimbrel migrate yesterday.db copy.db
  whimbrel migrate migrations/sessions ~/.ait42 sessions.db
  whimbrel migrate sessions.db out/
  whimbrel migrate app.db postgres://ann@localhost/app_again
  whimbrel migrate migrations/app postgres://ann@staging/app /tmp/staging.db")]
pub struct Args {
    #[command(flatten)]
    endpoints: Endpoints,
    /// Do everything but publish: copy and verify, tell what was found, and leave the target as it is
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Set files of a tree that are not what its layout says aside in this folder, with a list that says what is wrong, and
    /// carry the rest; then the run ends with 1
    #[arg(long, value_name = "DIR")]
    quarantine: Option<PathBuf>,
    #[command(flatten)]
    filling: Filling,
    #[command(flatten)]
    pub(super) verifying: Verifying,
    #[command(flatten)]
    pub(super) backups: BackupPlace,
    #[command(flatten)]
    waiting: Waiting,
    #[command(flatten)]
    server: ServerWaiting,
    #[command(flatten)]
    choosing: Choosing,
    #[command(flatten)]
    writing: Writing,
    #[command(flatten)]
    pub(super) output: OutputOptions,
}

impl Args {
    /// Whether the verb writes anything but its report.
    pub(super) fn writes(&self) -> bool {
        !self.dry_run
    }

    /// The options that were typed and say nothing of a database as a target, besides those that choose.
    fn unused_by_databases(&self) -> Vec<&'static str> {
        let Writing { no_metadata: _, allow_inexact: _, journal_mode, page_size } = &self.writing;
        let others = [
            ("`--journal-mode`", journal_mode.is_some()),
            ("`--page-size`", page_size.is_some()),
            ("`--quarantine`", self.quarantine.is_some()),
            ("`--backups`", self.backups.backups.is_some()),
        ];
        others.into_iter().filter(|(_, typed)| *typed).map(|(name, _)| name).collect()
    }

    /// The options that were typed and say nothing of a tree as a target, besides those that choose.
    fn unused_by_trees(&self) -> Vec<&'static str> {
        let Writing { no_metadata, allow_inexact, journal_mode, page_size } = &self.writing;
        let others = [
            ("`--no-metadata`", *no_metadata),
            ("`--allow-inexact`", *allow_inexact),
            ("`--journal-mode`", journal_mode.is_some()),
            ("`--page-size`", page_size.is_some()),
            ("`--quarantine`", self.quarantine.is_some()),
        ];
        others.into_iter().filter(|(_, typed)| *typed).map(|(name, _)| name).collect()
    }
}

/// Runs the verb.
///
/// # Errors
/// When the migration cannot be carried out, or the copy differs from its source; the target is what it was before.
pub fn run(args: &Args, output: &Output, cancel: &Cancel) -> Result<Exit> {
    let route = Route::new(&args.endpoints.endpoints)?;
    let choosing = ask::complete(&route, &args.choosing, output, cancel)?;
    if let Some(url) = &route.database {
        let wanted = to_database::Wanted {
            choosing: &choosing,
            wishes: args.filling.wishes(),
            server: args.server,
            unused: args.unused_by_databases(),
            dry_run: args.dry_run,
            metadata: !args.writing.no_metadata,
            allow_inexact: args.writing.allow_inexact,
            level: args.verifying.verify.map(Into::into),
        };
        return to_database::run(&wanted, &route, url, output, cancel);
    }
    args.filling.refuse()?;
    if let Some(tree) = &route.tree {
        let wanted = to_tree::Wanted {
            choosing: &choosing,
            unused: args.unused_by_trees(),
            dry_run: args.dry_run,
            backups: args.backups.backups.as_deref(),
            level: args.verifying.verify.map(Into::into),
        };
        return to_tree::run(&wanted, &route, tree, output, cancel);
    }
    let target = route.require_target()?.to_path_buf();
    let progress = Arc::new(output.progress());
    let mut migration = route
        .migration(&choosing, &args.writing)?
        .wait_ms(args.waiting.wait_ms)
        .patience(args.server.patience(progress.listener()));
    if let Some(level) = args.verifying.verify {
        migration = migration.verify(level.into());
    }
    if let Some(directory) = &args.backups.backups {
        migration = migration.backups(directory);
    }
    if args.dry_run {
        migration = migration.dry_run();
    }
    if args.quarantine.is_some() {
        migration = migration.quarantine();
    }
    let attempted = migration.attempt(cancel, &|event| progress.hear(event));
    progress.finish();
    let mut done = match attempted? {
        Attempt::Done(done) => done,
        Attempt::Refused(planned) => return Err(plan::list_refusals(*planned, &route, &args.choosing, output)),
    };
    route.in_typed_words(&mut done.plan, &args.choosing);
    let context = migration.run_context(&done);
    let text = outcome::text(&done, &context);
    let say = |message: &dyn Fn() -> Message| match done.verification.is_sound() {
        true => output.result(&text, message),
        false => output.finding(&text, &verification::differences(&done.verification), message),
    };
    output.message(|| Message::Verification(message::Verification::from(&done.verification)));
    say(&|| Message::Outcome(Box::new(message::Outcome::new(&done, &context))));
    done.ensure_published()?;
    match &args.quarantine {
        Some(folder) => quarantine::keep(&done.rejected, &route.source, folder, args.dry_run, &target),
        None => Ok(Exit::Success),
    }
}
