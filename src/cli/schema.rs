//! `whimbrel schema`

use super::exit::Exit;
use super::output::{Output, OutputOptions};
use crate::cancel::Cancel;
use crate::endpoint::Endpoint;
use crate::error::{Error, Result};
use crate::project::{self, Project};
use crate::report::schema as report;
use crate::schema::{Migrations, Options, Report, Runner, To, new_migration};
use clap::{Args as ClapArgs, Subcommand};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Versioned migrations of a schema: up, down, and up again, on SQLite and PostgreSQL
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
A migration is a pair of files, `0001_name.up.sql` and `0001_name.down.sql`. The first says what changes; the second
takes it back, and its label says what that does to the data: `-- whimbrel: lossless`, `lossy` or `irreversible`.

Examples:
  whimbrel schema new add_orders migrations/app/target
  whimbrel schema up app.db migrations/app/target
  whimbrel schema status app.db migrations/app/target
  whimbrel schema down app.db migrations/app/target --steps 1
  whimbrel schema up migrations/app postgres://ann@localhost/app")]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Up(Up),
    Down(Down),
    Redo(Plain),
    Status(Plain),
    Validate(Validate),
    Repair(Repair),
    Adopt(Plain),
    New(New),
}

/// Where the database is, and where its migrations are.
#[derive(Debug, ClapArgs)]
struct Where {
    /// DATABASE (a SQLite file or a `postgres://` URL) and FOLDER (of `NNNN_name.up.sql` files); or PROJECT, a folder
    /// with a `project.toml`, whose target is the database unless another one follows
    #[arg(required = true, num_args = 1..=2, value_name = "DATABASE FOLDER | PROJECT [DATABASE]")]
    places: Vec<String>,
    #[command(flatten)]
    waiting: Waiting,
    #[command(flatten)]
    output: OutputOptions,
}

/// How long to wait for others.
#[derive(Debug, ClapArgs)]
struct Waiting {
    /// Seconds to wait for another runner on the same database
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    runner_timeout: u64,
    /// Seconds that a statement waits for a lock that the application holds
    #[arg(long, value_name = "SECONDS", default_value_t = 5)]
    lock_timeout: u64,
    /// Apply a migration although a newer one has been applied
    #[arg(long)]
    allow_out_of_order: bool,
    /// The name of the history table
    #[arg(long, value_name = "NAME", default_value = "schema_migrations")]
    history_table: String,
    /// PostgreSQL: an empty database in which `validate` builds the schema to compare with
    #[arg(long, value_name = "URL")]
    scratch: Option<String>,
}

/// Apply pending migrations
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  whimbrel schema up app.db migrations/app/target
  whimbrel schema up app.db migrations/app/target --to 3 --dry-run
  whimbrel schema up app.db migrations/app/target --resume")]
struct Up {
    #[command(flatten)]
    place: Where,
    /// Stop at this version
    #[arg(long, value_name = "VERSION")]
    to: Option<i64>,
    /// Execute, say what happened, and roll back
    #[arg(long)]
    dry_run: bool,
    /// Run the rest of a migration without a transaction that was interrupted
    #[arg(long, conflicts_with_all = ["to", "dry_run"])]
    resume: bool,
}

/// Take migrations back, newest first: one, unless told otherwise
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  whimbrel schema down app.db migrations/app/target
  whimbrel schema down app.db migrations/app/target --steps 2
  whimbrel schema down app.db migrations/app/target --to 0 --dry-run
  whimbrel schema down app.db migrations/app/target --undo")]
struct Down {
    #[command(flatten)]
    place: Where,
    /// Go back until this version is the newest; 0 takes everything back
    #[arg(long, value_name = "VERSION", conflicts_with = "steps")]
    to: Option<i64>,
    /// Take so many back
    #[arg(long, value_name = "N")]
    steps: Option<usize>,
    /// Execute, say what happened, and roll back
    #[arg(long)]
    dry_run: bool,
    /// Take back a migration without a transaction that was interrupted on its way up
    #[arg(long, conflicts_with_all = ["to", "steps", "dry_run"])]
    undo: bool,
}

/// Work on the history of a database
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  whimbrel schema status app.db migrations/app/target
  whimbrel schema redo app.db migrations/app/target
  whimbrel schema adopt app.db migrations")]
struct Plain {
    #[command(flatten)]
    place: Where,
}

/// Look for everything that is wrong: history, integrity, foreign keys, drift of the schema
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Fails on a migration that is pending, changed, missing, out of order or interrupted.

Examples:
  whimbrel schema validate app.db migrations/app/target
  whimbrel schema validate migrations/app postgres://ann@localhost/app --allow-pending")]
struct Validate {
    #[command(flatten)]
    place: Where,
    /// A migration that is still to be applied is no problem
    #[arg(long)]
    allow_pending: bool,
}

/// Accept the changed file of an applied migration, and record that
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  whimbrel schema repair 3 app.db migrations/app/target")]
struct Repair {
    /// The migration's version
    version: i64,
    #[command(flatten)]
    place: Where,
}

/// Write both files of a new migration
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  whimbrel schema new add_orders migrations/app/target
  whimbrel schema new add_orders migrations/app")]
struct New {
    /// What the migration does, in letters, digits, `_` and `-`
    name: String,
    /// The folder of migrations, or a project with a target schema
    folder: PathBuf,
    #[command(flatten)]
    output: OutputOptions,
}

impl Args {
    /// How the program talks.
    pub(super) fn output(&self) -> OutputOptions {
        match &self.action {
            Action::Up(args) => args.place.output,
            Action::Down(args) => args.place.output,
            Action::Redo(args) | Action::Status(args) | Action::Adopt(args) => args.place.output,
            Action::Validate(args) => args.place.output,
            Action::Repair(args) => args.place.output,
            Action::New(args) => args.output,
        }
    }
}

/// Runs the verb.
///
/// # Errors
/// When a file or the history is not as it has to be, the database cannot be reached, or a statement fails. What was
/// committed before the failure is reported first.
pub fn run(args: &Args, output: &Output, cancel: &Cancel) -> Result<Exit> {
    // Every moment is a safe one to die at: the database rolls an open transaction back, and the history says what
    // was committed and how far a migration without a transaction came.
    let _registration = cancel.on_cancel(|| {
        super::output::complain(
            "whimbrel: schema: interrupted; an open transaction is rolled back, and `schema status` tells where a \
             migration without a transaction stands\n",
        );
        std::process::exit(i32::from(Exit::Interrupted.code()));
    });
    match &args.action {
        Action::Up(args) => {
            let to = args.to.map_or(To::Newest, To::Version);
            let mut runner = runner(&args.place, args.dry_run, output)?;
            let done = if args.resume { runner.resume() } else { runner.up(to) };
            ran(&runner, done, output)
        }
        Action::Down(args) => {
            let to = args.to.map_or(To::Steps(args.steps.unwrap_or(1)), To::Version);
            let mut runner = runner(&args.place, args.dry_run, output)?;
            let done = if args.undo { runner.undo() } else { runner.down(to) };
            ran(&runner, done, output)
        }
        Action::Redo(args) => {
            let mut runner = runner(&args.place, false, output)?;
            let done = runner.redo();
            ran(&runner, done, output)
        }
        Action::Status(args) => {
            let status = runner(&args.place, false, output)?.status()?;
            output.rendered(&report::status_table(&status), || report::status_json(&status));
            Ok(Exit::Success)
        }
        Action::Validate(args) => {
            let options = Options { allow_pending: args.allow_pending, ..options(&args.place) };
            let found = runner_with(&args.place, options, output)?.validate()?;
            output.rendered(&report::findings(&found), || report::findings_json(&found));
            found.into_result().map(|_| Exit::Success)
        }
        Action::Repair(args) => {
            runner(&args.place, false, output)?.repair(args.version)?;
            let told = format!("the file of version {} is accepted as it is now\n", args.version);
            output.rendered(&told, || report::note_json("schema-repaired", &[args.version]));
            Ok(Exit::Success)
        }
        Action::Adopt(args) => {
            let versions = runner(&args.place, false, output)?.adopt_sqlx()?;
            let told = format!("{} migrations of `_sqlx_migrations` are adopted; nothing was run\n", versions.len());
            output.rendered(&told, || report::note_json("schema-adopted", &versions));
            Ok(Exit::Success)
        }
        Action::New(args) => {
            let folder = migrations_folder(&args.folder)?;
            let files = new_migration(&folder, &args.name)?;
            let told = format!("{}\n{}\n", files.up.display(), files.down.display());
            output.rendered(&told, || report::files_json(&files));
            Ok(Exit::Success)
        }
    }
}

/// Tells what a run did, also where it failed in the middle.
fn ran(runner: &Runner, done: Result<Report>, output: &Output) -> Result<Exit> {
    match done {
        Ok(report) => {
            output.rendered(&report::run(&report), || report::run_json(&report));
            Ok(Exit::Success)
        }
        Err(error) => {
            if !runner.report().steps.is_empty() {
                output.rendered(&report::run(runner.report()), || report::run_json(runner.report()));
            }
            Err(error)
        }
    }
}

fn runner(place: &Where, dry_run: bool, output: &Output) -> Result<Runner> {
    runner_with(place, Options { dry_run, ..options(place) }, output)
}

fn options(place: &Where) -> Options {
    Options {
        runner_timeout: Duration::from_secs(place.waiting.runner_timeout),
        lock_timeout: Duration::from_secs(place.waiting.lock_timeout),
        allow_out_of_order: place.waiting.allow_out_of_order,
        history_table: place.waiting.history_table.clone(),
        scratch_url: place.waiting.scratch.clone(),
        ..Options::default()
    }
}

fn runner_with(place: &Where, options: Options, output: &Output) -> Result<Runner> {
    let (database, folder) = find(&place.places)?;
    let migrations = Migrations::from_dir(&folder)?;
    let output = *output;
    let runner = Runner::open_with(&database, migrations, options)?;
    Ok(runner.on_event(move |event| {
        if let Some(text) = report::event(event) {
            output.progress_line(&text, || report::event_json(event));
        }
    }))
}

/// The database with its password, and the folder of migrations.
fn find(places: &[String]) -> Result<(String, PathBuf)> {
    let (folders, databases): (Vec<&String>, Vec<&String>) = places.iter().partition(|place| Path::new(place).is_dir());
    let [folder] = folders[..] else {
        return Err(Error::usage(
            "read the arguments",
            "",
            "one of them has to be the folder of migrations or a project",
        )
        .hint("for example `whimbrel schema status app.db migrations/app/target`"));
    };
    let folder = Path::new(folder);
    let schema = migrations_folder(folder)?;
    let database = match databases.first() {
        Some(database) => Endpoint::parse(database)?,
        None => of_project(folder)?,
    };
    Ok((secret(&database), schema))
}

/// The folder itself, or the target schema of the project that it is.
fn migrations_folder(folder: &Path) -> Result<PathBuf> {
    if !folder.join(project::FILE_NAME).is_file() {
        return Ok(folder.to_owned());
    }
    let project = Project::load(folder)?;
    project.target_schema.ok_or_else(|| {
        Error::usage("use project", format!("`{}`", folder.display()), "it has no target schema of its own")
            .hint("set `target.schema` in its `project.toml` to the folder of migrations")
    })
}

fn of_project(folder: &Path) -> Result<Endpoint> {
    let missing = || {
        Error::usage("read the arguments", "", "no database is given")
            .hint("name it after the project, or set `target.path` in its `project.toml`")
    };
    if !folder.join(project::FILE_NAME).is_file() {
        return Err(missing());
    }
    Project::load(folder)?.target.map(Endpoint::Sqlite).ok_or_else(missing)
}

fn secret(endpoint: &Endpoint) -> String {
    match endpoint {
        Endpoint::Postgres(url) => url.secret().to_owned(),
        Endpoint::Sqlite(path) => path.to_string_lossy().into_owned(),
    }
}
