//! `whimbrel schema`

use super::config::set;
use super::exit::Exit;
use super::options::Silence;
use super::output::{Output, OutputOptions};
use crate::cancel::Cancel;
use crate::endpoint::Endpoint;
use crate::endpoint::sqlite::file::quoted;
use crate::error::{Error, Result};
use crate::plan::HISTORY_TABLE;
use crate::printable::Lines;
use crate::project::{self, Project};
use crate::report::count;
use crate::report::schema as report;
use crate::schema::{
    ADOPTION_MISMATCH, Adoption, Event, LOCK_TIMEOUT_DEFAULT, Migrations, RUNNER_TIMEOUT_DEFAULT, Report, Runner,
    RunnerOptions, To, new_migration,
};
use clap::{Args as ClapArgs, Subcommand};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
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
    Redo(Redo),
    Status(Status),
    Validate(Validate),
    Repair(Repair),
    Adopt(Adopt),
    New(New),
}

/// Where the database is, and where its migrations are.
#[derive(Debug, ClapArgs)]
struct Where {
    /// DATABASE (a SQLite file or a `postgres://` URL) and FOLDER (of `NNNN_name.up.sql` files); or PROJECT, a folder
    /// with a `project.toml`, whose target is the database unless another one follows
    #[arg(required = true, num_args = 1..=2, value_name = "DATABASE FOLDER | PROJECT [DATABASE]")]
    places: Vec<OsString>,
    /// The name of the history table
    #[arg(long, value_name = "NAME", default_value = HISTORY_TABLE)]
    history_table: String,
    #[command(flatten)]
    silence: Silence,
}

/// How long to wait for others.
#[derive(Debug, ClapArgs)]
struct Waiting {
    /// Seconds to wait for another runner on the same database
    #[arg(long, value_name = "SECONDS", default_value_t = RUNNER_TIMEOUT_DEFAULT.as_secs())]
    runner_timeout: u64,
    /// Seconds that a statement waits for a lock that the application holds; what waited in vain is rolled back and tried
    /// again, five times
    #[arg(long, value_name = "SECONDS", default_value_t = LOCK_TIMEOUT_DEFAULT.as_secs())]
    lock_timeout: u64,
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
    /// Apply a migration although a newer one has been applied
    #[arg(long)]
    allow_out_of_order: bool,
    /// Do not check the file before the first statement, nor what was touched before COMMIT (SQLite; takes time on a large
    /// file)
    #[arg(long)]
    no_integrity: bool,
    #[command(flatten)]
    waiting: Waiting,
    #[command(flatten)]
    output: OutputOptions,
}

/// Take migrations back, newest first: one, unless told otherwise
///
/// What a down script with the label `lossy` drops is gone: this verb makes no backup.
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
    /// Do not check the file before the first statement, nor what was touched before COMMIT (SQLite; takes time on a large
    /// file)
    #[arg(long)]
    no_integrity: bool,
    #[command(flatten)]
    waiting: Waiting,
    #[command(flatten)]
    output: OutputOptions,
}

/// Take the newest migration back and apply it again, from its file as it is now
///
/// For working on a migration that nobody else has applied yet. A `lossy` down drops its data here, too.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  whimbrel schema redo app.db migrations/app/target")]
struct Redo {
    #[command(flatten)]
    place: Where,
    /// Apply a migration although a newer one has been applied
    #[arg(long)]
    allow_out_of_order: bool,
    /// Do not check the file before the first statement, nor what was touched before COMMIT (SQLite; takes time on a large
    /// file)
    #[arg(long)]
    no_integrity: bool,
    #[command(flatten)]
    waiting: Waiting,
    #[command(flatten)]
    output: OutputOptions,
}

/// Show where each migration stands; changes nothing
///
/// States: applied, pending, changed (a file differs from what ran), missing (it ran, and its file is gone),
/// out-of-order, interrupted. A file that does not exist has everything pending.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  whimbrel schema status app.db migrations/app/target
  whimbrel schema status migrations/app postgres://ann@localhost/app --json")]
struct Status {
    #[command(flatten)]
    place: Where,
    #[command(flatten)]
    output: OutputOptions,
}

/// Look for everything that is wrong: history against files, integrity, foreign keys, schema drift
///
/// Drift is an object that is not what the applied migrations make from nothing. Ends with 1 where anything is found: a
/// migration that is pending, changed, missing, out of order or interrupted, damage, or drift. Changes nothing.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  whimbrel schema validate app.db migrations/app/target
  whimbrel schema validate migrations/app postgres://ann@localhost/app --scratch postgres://ann@localhost/empty")]
struct Validate {
    #[command(flatten)]
    place: Where,
    /// A migration that is still to be applied is no problem
    #[arg(long)]
    allow_pending: bool,
    /// PostgreSQL: an empty database in which the schema to compare with is built
    #[arg(long, value_name = "URL")]
    scratch: Option<String>,
    #[command(flatten)]
    output: OutputOptions,
}

/// Accept the changed file of an applied migration, and record that; runs none of its SQL
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  whimbrel schema repair 3 app.db migrations/app/target")]
struct Repair {
    /// The migration's version
    version: i64,
    #[command(flatten)]
    place: Where,
    #[command(flatten)]
    waiting: Waiting,
    #[command(flatten)]
    output: OutputOptions,
}

/// Take over a database that another program has made; runs none of the migrations
///
/// With `--version N` the database's objects are compared with what the migrations up to N make in an empty database. Where
/// they are the same, the history says that these migrations were applied, and `up` goes on behind them; where not, each
/// difference is listed, nothing is written, and the exit code is 1. Rows are not compared, those that migrations insert
/// included. Another tool's table of the history's name, such as `schema_migrations (version, name, applied_at)`, stays
/// complete, renamed to `_whimbrel_other_history`; its version numbers are not used.
///
/// Without `--version`, the history that sqlx keeps in `_sqlx_migrations` is taken over: each of its rows has to have a
/// file with the same checksum here. The old table stays as it is.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  whimbrel schema adopt app.db migrations/app/target --version 2
  whimbrel schema adopt postgres://ann@localhost/app migrations --version 7 --scratch postgres://ann@localhost/empty
  whimbrel schema adopt app.db migrations")]
struct Adopt {
    #[command(flatten)]
    place: Where,
    /// The version whose objects the database has
    #[arg(long, value_name = "N")]
    version: Option<i64>,
    /// Take the database over although its objects are not those of that version; they stay as they are
    #[arg(long, requires = "version")]
    accept_differences: bool,
    /// PostgreSQL: an empty database in which the schema to compare with is built
    #[arg(long, value_name = "URL", requires = "version")]
    scratch: Option<String>,
    #[command(flatten)]
    waiting: Waiting,
    #[command(flatten)]
    output: OutputOptions,
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
    /// Whether the verb writes anything but its report.
    pub(super) fn writes(&self) -> bool {
        match &self.action {
            Action::Up(args) => !args.dry_run,
            Action::Down(args) => !args.dry_run,
            Action::Status(_) | Action::Validate(_) => false,
            Action::Redo(_) | Action::Repair(_) | Action::Adopt(_) | Action::New(_) => true,
        }
    }

    /// How the program talks.
    pub(super) fn output(&self) -> OutputOptions {
        match &self.action {
            Action::Up(args) => args.output,
            Action::Down(args) => args.output,
            Action::Redo(args) => args.output,
            Action::Status(args) => args.output,
            Action::Validate(args) => args.output,
            Action::Repair(args) => args.output,
            Action::Adopt(args) => args.output,
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
    // Every statement boundary is a safe place to die at: an open transaction is rolled back, and the history says
    // what was committed.
    let _registration = cancel.on_cancel(|| {
        super::stream::complain(
            "whimbrel: schema: interrupted; what was not committed is rolled back, `schema status` says where it stands\n",
        );
        std::process::exit(i32::from(Exit::Interrupted.code()));
    });
    match &args.action {
        Action::Up(args) => up(args, output),
        Action::Down(args) => down(args, output),
        Action::Redo(args) => redo(args, output),
        Action::Status(args) => status(args, output),
        Action::Validate(args) => validate(args, output),
        Action::Repair(args) => repair(args, output),
        Action::Adopt(args) => adopt(args, output),
        Action::New(args) => {
            let folder = migrations_folder(&args.folder)?;
            let files = new_migration(&folder, &args.name)?;
            output.rendered(&report::files(&files), || report::files_json(&files));
            Ok(Exit::Success)
        }
    }
}

fn up(args: &Up, output: &Output) -> Result<Exit> {
    let to = args.to.map_or(To::Newest, To::Version);
    let options = RunnerOptions {
        dry_run: args.dry_run,
        allow_out_of_order: args.allow_out_of_order,
        check_integrity: !args.no_integrity,
        ..args.waiting.options(&args.place)
    };
    let mut runner = Found::new(&args.place)?.runner(options, output)?;
    let done = if args.resume { runner.resume() } else { runner.up(to) };
    ran(&runner, done, output)
}

fn down(args: &Down, output: &Output) -> Result<Exit> {
    let to = args.to.map_or(To::Steps(args.steps.unwrap_or(1)), To::Version);
    let options = RunnerOptions {
        dry_run: args.dry_run,
        check_integrity: !args.no_integrity,
        ..args.waiting.options(&args.place)
    };
    let mut runner = Found::existing(&args.place, "take back migrations of")?.runner(options, output)?;
    let done = if args.undo { runner.undo() } else { runner.down(to) };
    ran(&runner, done, output)
}

fn redo(args: &Redo, output: &Output) -> Result<Exit> {
    let options = RunnerOptions {
        allow_out_of_order: args.allow_out_of_order,
        check_integrity: !args.no_integrity,
        ..args.waiting.options(&args.place)
    };
    let mut runner = Found::existing(&args.place, "redo a migration of")?.runner(options, output)?;
    let done = runner.redo();
    ran(&runner, done, output)
}

fn status(args: &Status, output: &Output) -> Result<Exit> {
    let found = Found::new(&args.place)?;
    let is_missing = found.is_missing();
    let status = found.runner(args.place.options(), output)?.status()?;
    let mut text = report::status_table(&status);
    if is_missing {
        text.line("the file does not exist yet");
    }
    output.rendered(&text, || report::status_json(&status));
    Ok(Exit::Success)
}

fn validate(args: &Validate, output: &Output) -> Result<Exit> {
    let options =
        RunnerOptions { scratch_url: args.scratch.clone(), allow_pending: args.allow_pending, ..args.place.options() };
    let found = Found::existing(&args.place, "validate")?.runner(options, output)?.validate()?;
    let text = report::findings(&found);
    match found.is_clean() {
        true => output.rendered(&text, || report::findings_json(&found)),
        false => output.rendered_finding(&text, || report::findings_json(&found)),
    }
    let problems = found.problems().len() as u64;
    match found.into_result() {
        // The sentences are above already, one per line.
        Err(error) if problems > 1 => {
            let cause = format!("{} found, listed above", count(problems, "problem", "problems"));
            Err(Error::differs(error.operation(), error.object(), cause))
        }
        result => result.map(|_| Exit::Success),
    }
}

fn repair(args: &Repair, output: &Output) -> Result<Exit> {
    let options = args.waiting.options(&args.place);
    Found::existing(&args.place, "repair migration of")?.runner(options, output)?.repair(args.version)?;
    let told = Lines::of(format_args!("the file of version {} is accepted as it is now", args.version));
    output.rendered(&told, || report::note_json("schema_repaired", &[args.version]));
    Ok(Exit::Success)
}

fn adopt(args: &Adopt, output: &Output) -> Result<Exit> {
    let options = RunnerOptions { scratch_url: args.scratch.clone(), ..args.waiting.options(&args.place) };
    let mut runner = Found::existing(&args.place, "adopt")?.runner(options, output)?;
    match args.version {
        Some(version) => adopted(runner.adopt(version, args.accept_differences)?, output),
        None => {
            let versions = runner.adopt_sqlx()?;
            let migrations = count(versions.len() as u64, "migration", "migrations");
            let told = Lines::of(format_args!("adopted {migrations} from `_sqlx_migrations`; nothing was run"));
            output.rendered(&told, || report::note_json("schema_adopted", &versions));
            Ok(Exit::Success)
        }
    }
}

/// Tells what became of taking over a database.
fn adopted(adoption: Adoption, output: &Output) -> Result<Exit> {
    let text = report::adoption(&adoption);
    if adoption.is_done() {
        output.rendered(&text, || report::adoption_json(&adoption));
        return Ok(Exit::Success);
    }
    output.rendered_finding(&text, || report::adoption_json(&adoption));
    let differences = count(adoption.differences.len() as u64, "difference", "differences");
    // They are above already, one per line.
    let cause = format!("it is not what version {} makes: {differences}, listed above", adoption.version);
    Err(Error::differs("adopt", format!("`{}`", adoption.endpoint), cause).hint(ADOPTION_MISMATCH))
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

impl Where {
    fn options(&self) -> RunnerOptions {
        RunnerOptions {
            history_table: self.history_table.clone(),
            stall_timeout: self.silence.limit(),
            ..RunnerOptions::default()
        }
    }
}

impl Waiting {
    fn options(&self, place: &Where) -> RunnerOptions {
        RunnerOptions {
            runner_timeout: Duration::from_secs(self.runner_timeout),
            lock_timeout: Duration::from_secs(self.lock_timeout),
            ..place.options()
        }
    }
}

/// What was typed, found.
struct Found {
    database: Endpoint,
    folder: PathBuf,
}

impl Found {
    fn new(place: &Where) -> Result<Found> {
        let (database, folder) = find(&place.places)?;
        Ok(Found { database, folder })
    }

    /// For actions that make no sense on a file that does not exist.
    fn existing(place: &Where, operation: &str) -> Result<Found> {
        let found = Found::new(place)?;
        match found.is_missing() {
            true => Err(Error::could_not(operation, format!("`{}`", found.database), "there is no such file")
                .hint("`whimbrel schema up` creates it")),
            false => Ok(found),
        }
    }

    fn is_missing(&self) -> bool {
        self.database.as_sqlite().is_some_and(|path| !path.exists())
    }

    fn runner(self, options: RunnerOptions, output: &Output) -> Result<Runner> {
        let migrations = Migrations::from_dir(&self.folder)?;
        let output = *output;
        let options = RunnerOptions { wait_listener: Some(Arc::new(output.notices()).listener()), ..options };
        let runner = match &self.database {
            Endpoint::Postgres(url) => Runner::open_with(url.secret(), migrations, options)?,
            Endpoint::Sqlite(path) => Runner::open_file(path, migrations, options)?,
            Endpoint::Files(_) | Endpoint::Dump(_) => {
                let cause = "only a database has a schema that is migrated";
                return Err(Error::usage("open", format!("`{}`", self.database), cause));
            }
        };
        Ok(runner.on_event(move |event| {
            // What a migration did is in the report at the end, too; people are told once.
            match report::event(event) {
                Some(text) => output.progress_line(&text, || report::event_json(event)),
                None if matches!(event, Event::Finished(_)) => output.progress_json(|| report::event_json(event)),
                None => {}
            }
        }))
    }
}

/// The database, and the folder of migrations.
fn find(places: &[OsString]) -> Result<(Endpoint, PathBuf)> {
    let (folders, databases): (Vec<&OsString>, Vec<&OsString>) =
        places.iter().partition(|place| Path::new(place).is_dir());
    // What is neither a server nor there was meant as the folder, the last first.
    let missing = places.iter().rev().find_map(|place| match Endpoint::parse_word(place) {
        Ok(Endpoint::Sqlite(path)) if folders.is_empty() && places.len() > 1 && !path.exists() => Some(path),
        _ => None,
    });
    if let Some(path) = missing {
        return Err(Error::usage("read the arguments", "", format!("there is no folder {}", quoted(&path)))
            .hint("for example `whimbrel schema status app.db migrations/app/target`"));
    }
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
        Some(database) => Endpoint::parse_word(database)?,
        None => of_project(folder)?,
    };
    Ok((database, schema))
}

/// The folder itself, or the target schema of the project that it is.
fn migrations_folder(folder: &Path) -> Result<PathBuf> {
    if !folder.join(project::FILE_NAME).is_file() {
        return Ok(folder.to_owned());
    }
    let project = Project::load(folder)?;
    project.target_schema.ok_or_else(|| {
        Error::usage("use project", quoted(folder), "it has no target schema of its own")
            .hint("set `target.schema` in its `project.toml` to the folder of migrations")
    })
}

fn of_project(folder: &Path) -> Result<Endpoint> {
    let missing = |project: Option<&Project>| {
        Error::usage("read the arguments", "", "no database is given").hint(set(
            project,
            "target.path",
            "name it after the project",
        ))
    };
    if !folder.join(project::FILE_NAME).is_file() {
        return Err(missing(None));
    }
    let project = Project::load(folder)?;
    project.target.clone().map(Endpoint::Sqlite).ok_or_else(|| missing(Some(&project)))
}
