//! `whimbrel demo`: the main job from end to end, on data that the program carries, with nothing left behind.
//!
//! Each step is a real command, parsed and run as if it had been typed. What the demo claims, it checks: a step that
//! does not do what it should ends the demo with an error.

mod source;

use super::exit::Exit;
use super::stream::print;
use crate::cancel::Cancel;
use crate::error::{Context, Error, Result};
use crate::provision::{Database, Server};
use crate::redact;
use crate::report::{bytes, count, duration};
use clap::Args as ClapArgs;
use rusqlite::Connection;
use std::path::Path;
use std::time::Instant;

/// Show the main job on data that the program carries: migrate, verify, catch a corruption, roll back
///
/// Uses the PostgreSQL server in WHIMBREL_POSTGRES; else a Docker engine; else server binaries of this machine, for a
/// private server that is gone afterwards; else a dump that the program carries. Everything happens in a temporary directory,
/// which is removed.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  whimbrel demo
  whimbrel demo --no-server
  WHIMBREL_POSTGRES=postgres://ann@localhost/postgres whimbrel demo
  WHIMBREL_PROVISION=local whimbrel demo")]
pub struct Args {
    /// Use the dump that the program carries, and no server
    #[arg(long)]
    no_server: bool,
}

/// What runs a command line, its words without the program's name.
type Run<'r> = dyn Fn(&[&str], &Cancel) -> Result<Exit> + 'r;

const OLDER_TARGET: &str = include_str!("../../../fixtures/demo/older_target.sql");

/// Runs the verb; `run_verb` runs those that it shows.
///
/// # Errors
/// When a server is wanted that is not to be had, or a step does not do what it should.
pub fn run(args: &Args, cancel: &Cancel, run_verb: &Run<'_>) -> Result<Exit> {
    let start = Instant::now();
    title("1. A PostgreSQL server, and a database of a small web application in it");
    let server = if args.no_server { None } else { Server::find()? };
    cancel.check("demo")?;
    let database = server.as_ref().map(|server| filled(server, cancel)).transpose()?;
    let folder =
        tempfile::Builder::new().prefix("whimbrel-demo-").tempdir().could_not("create", "a temporary directory")?;
    let url = match &database {
        Some(database) => database.url(),
        None => {
            let why = if args.no_server { "as you wish" } else { "there is none here" };
            say(&format!("no server, {why}: the source is a dump of that database, which this program carries"));
            let dump = folder.path().join("dump.sql.gz");
            std::fs::write(&dump, source::DUMP).could_not("write", format!("`{}`", dump.display()))?;
            dump.to_string_lossy().into_owned()
        }
    };
    let target = folder.path().join("app.db");
    let old = older_target(&target)?;
    say(&format!(
        "an older {} is there already, {}: it will be replaced, and come back",
        target.display(),
        bytes(old.len() as u64)
    ));
    let path = target.to_string_lossy().into_owned();

    title("2. Migrate: copy, build, verify, back up the old file, and only then take its place");
    command(run_verb, &["migrate", &url, &path], Exit::Success, cancel)?;

    title("3. Verify again, at any later time, from the file and its source alone");
    command(run_verb, &["verify", &url, &path], Exit::Success, cancel)?;

    title("4. Would it notice? One bit of one file, and one microsecond of one message, changed in a copy");
    let copy = folder.path().join("copy.db");
    std::fs::copy(&target, &copy).could_not("copy", format!("`{}`", target.display()))?;
    corrupt(&copy)?;
    command(run_verb, &["verify", &url, &copy.to_string_lossy()], Exit::DataDiffers, cancel)?;
    say("it did: both rows are named above");

    title("5. Roll back: the old file is there again, byte for byte");
    command(run_verb, &["backups", &path], Exit::Success, cancel)?;
    command(run_verb, &["rollback", &path], Exit::Success, cancel)?;
    if std::fs::read(&target).could_not("read", format!("`{}`", target.display()))? != old {
        return Err(Error::differs("roll back", format!("`{}`", target.display()), "it is not the old file"));
    }
    say(&format!("compared: all {} bytes are the same", old.len()));

    let place = folder.path().display().to_string();
    folder.close().could_not("remove", format!("`{place}`"))?;
    let removed =
        if database.is_some() { format!("the server's database and {place} are") } else { format!("{place} is") };
    drop(database);
    drop(server);
    title("Done");
    say(&format!("{removed} removed; it took {}", duration(start.elapsed())));
    Ok(Exit::Success)
}

/// The demo's database on a server.
fn filled(server: &Server, cancel: &Cancel) -> Result<Database> {
    say(&format!("using {}", server.describe()));
    let database = server.create_database("demo")?;
    let rows = source::fill(&database.url(), cancel)?;
    say(&format!("filled `{}` with {}", database.name(), count(rows, "row", "rows")));
    Ok(database)
}

fn title(text: &str) {
    print(&format!("\n== {text}\n"));
}

fn say(text: &str) {
    print(&format!("-- {text}\n"));
}

/// Prints a command, runs it as if it had been typed, and insists on how it ends.
fn command(run: &Run<'_>, words: &[&str], expected: Exit, cancel: &Cancel) -> Result<()> {
    cancel.check("demo")?;
    let shown: Vec<_> = words.iter().map(|word| redact::argument(word)).collect();
    print(&format!("\n$ whimbrel {}\n", shown.join(" ")));
    let exit = match run(words, cancel) {
        Ok(exit) => exit,
        Err(error) if Exit::from(error.kind()) == expected => {
            print(&format!("whimbrel: {error}\n"));
            expected
        }
        Err(error) => return Err(error),
    };
    print(&format!("(exit code {})\n", exit.code()));
    match exit == expected {
        true => Ok(()),
        false => Err(Error::differs("demo", "", format!("exit code {} was expected", expected.code()))),
    }
}

/// The file that the migration will replace.
fn older_target(path: &Path) -> Result<Vec<u8>> {
    let object = format!("`{}`", path.display());
    let connection = Connection::open(path).could_not("create", &object)?;
    connection.execute_batch(OLDER_TARGET).could_not("create", &object)?;
    connection.close().map_err(|(_, error)| error).could_not("create", &object)?;
    std::fs::read(path).could_not("read", &object)
}

/// One bit of a blob, one microsecond of a time.
fn corrupt(path: &Path) -> Result<()> {
    let object = format!("`{}`", path.display());
    let connection = Connection::open(path).could_not("open", &object)?;
    let (row, mut content): (i64, Vec<u8>) = connection
        .query_row("SELECT rowid, content FROM files ORDER BY path LIMIT 1", [], |row| Ok((row.get(0)?, row.get(1)?)))
        .could_not("read", &object)?;
    if let Some(byte) = content.first_mut() {
        *byte ^= 1;
    }
    connection
        .execute("UPDATE files SET content = ?1 WHERE rowid = ?2", rusqlite::params![content, row])
        .could_not("corrupt", &object)?;
    connection
        .execute("UPDATE messages SET sent_at = sent_at + 1 WHERE id = 1234", [])
        .could_not("corrupt", &object)?;
    connection.close().map_err(|(_, error)| error).could_not("close", &object)
}
