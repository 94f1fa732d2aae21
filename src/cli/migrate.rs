//! `whimbrel migrate`

use super::config::Route;
use super::exit::Exit;
use super::options::{BackupPlace, Choosing, Endpoints, ServerWaiting, Verifying, Waiting, Writing};
use super::output::{Output, OutputOptions};
use super::plan;
use crate::cancel::Cancel;
use crate::error::Result;
use crate::report::message::{self, Message};
use crate::report::{outcome, verification};
use crate::to_sqlite::Attempt;
use clap::Args as ClapArgs;
use std::sync::Arc;

/// Move a PostgreSQL database or a SQLite file into a SQLite file, verify it, and put it in the target's place
///
/// The definitions of a SQLite file go as they stand; what cannot go is listed. The target appears by one rename, after verification. An existing target is backed up first. Whatever goes wrong,
/// it is then what it was before.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  whimbrel migrate postgres://ann@localhost/app app.db
  PGPASSWORD=… whimbrel migrate postgres://ann@db.example.org/app app.db --verify digest
  whimbrel migrate postgres://ann@localhost/app app.db --exclude-table 'audit_*'
  whimbrel migrate migrations/app --dry-run
  whimbrel migrate yesterday.db copy.db
  whimbrel migrate migrations/app postgres://ann@staging/app /tmp/staging.db")]
pub struct Args {
    #[command(flatten)]
    endpoints: Endpoints,
    /// Do everything but publish: copy and verify, tell what was found, and leave the target as it is
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    verifying: Verifying,
    #[command(flatten)]
    backups: BackupPlace,
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
}

/// Runs the verb.
///
/// # Errors
/// When the migration cannot be carried out, or the copy differs from its source; the target is what it was before.
pub fn run(args: &Args, output: &Output, cancel: &Cancel) -> Result<Exit> {
    let route = Route::new(&args.endpoints.endpoints)?;
    route.require_target()?;
    let progress = Arc::new(output.progress());
    let mut migration = route
        .migration(&args.choosing, &args.writing)?
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
    let attempted = migration.attempt(cancel, &|event| progress.hear(event));
    progress.finish();
    let mut done = match attempted? {
        Attempt::Done(done) => done,
        Attempt::Refused(planned) => return Err(plan::list_refusals(*planned, &route, &args.choosing, output)),
    };
    route.in_typed_words(&mut done.plan, &args.choosing);
    let how = migration.how(&done);
    let text = outcome::text(&done, &how);
    let say = |message: &dyn Fn() -> Message| match done.verification.is_sound() {
        true => output.result(&text, message),
        false => output.finding(&text, &verification::differences(&done.verification), message),
    };
    output.message(|| Message::Verification(message::Verification::from(&done.verification)));
    say(&|| Message::Outcome(Box::new(message::Outcome::new(&done, &how))));
    done.ensure_published()?;
    Ok(Exit::Success)
}
