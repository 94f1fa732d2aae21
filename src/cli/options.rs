//! What was typed, as types of its own; nothing here opens anything.

use crate::endpoint::postgres::{Patience, STALL_TIMEOUT_DEFAULT, WaitListener};
use crate::endpoint::sqlite::target::JournalMode;
use crate::error::Error;
use crate::plan::choices::Choice;
use crate::plan::home::Wishes;
use crate::plan::version::SqliteVersion;
use crate::project;
use crate::redact::may_hold_password;
use crate::to_sqlite::{MigrationOptions, WAIT_MS_DEFAULT};
use crate::types::Representation;
use crate::verify::Level;
use clap::{Args, ValueEnum};
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// Where from, where to.
#[derive(Debug, Clone, Args)]
pub struct Endpoints {
    /// SOURCE (`postgres://user@host:port/database`, a SQLite file, a dump of pg_dump, `-` for one on standard input, or a tree of files) and TARGET (a SQLite file, or a tree:
    /// a path that ends in `/`); before them PROJECT, a folder with a `project.toml`, which can name either. Where none of them names a source, the environment's
    /// DATABASE_URL does
    #[arg(num_args = 0..=3, value_name = "SOURCE TARGET | PROJECT [SOURCE] [TARGET]")]
    pub endpoints: Vec<OsString>,
}

/// A finished file or tree.
#[derive(Debug, Clone, Args)]
pub struct FileOrTree {
    /// The path of a SQLite file or a tree of files, or a PROJECT: a folder with a `project.toml` that names the file
    #[arg(value_name = "TARGET")]
    pub target: OsString,
}

/// A finished file.
#[derive(Debug, Clone, Args)]
pub struct Target {
    /// The path of a SQLite file, or a PROJECT: a folder with a `project.toml` that names it
    #[arg(value_name = "TARGET")]
    pub target: OsString,
}

/// What is carried, and how.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "What is carried")]
pub struct Choosing {
    /// Carry only tables and views that match: `table`, `schema.table`, `*` for any characters; can be given more than once
    #[arg(long, value_name = "PATTERN")]
    pub table: Vec<String>,
    /// Leave out tables and views that match; can be given more than once
    #[arg(long, value_name = "PATTERN")]
    pub exclude_table: Vec<String>,
    /// Represent a type or a column by a rule: `numeric=decimal-text`, `orders.paid_at=iso8601`; can be given more
    /// than once
    #[arg(long, value_name = "TYPE_OR_COLUMN=RULE", value_parser = parse_rule)]
    pub rule: Vec<(String, Representation)>,
    /// The version of SQLite that the file may need at most, as in `3.46`; what needs a later one is not carried
    /// [default: 3.37]
    #[arg(long, value_name = "VERSION")]
    pub sqlite_version: Option<SqliteVersion>,
    /// Of a tree, carry only files whose path or kind matches, `*` for any characters; can be given more than once
    #[arg(long, value_name = "PATTERN")]
    pub only: Vec<String>,
    #[command(flatten)]
    pub answering: Answering,
}

/// What somebody tells of a tree.
#[derive(Debug, Clone, Default, Args)]
pub struct Answering {
    /// Of a tree, say what its layout asks for and no file tells: the path of a workspace by its hash; can be given more than
    /// once. Without it a terminal is asked
    #[arg(long, value_name = "HASH=PATH", value_parser = parse_answer)]
    pub workspace: Vec<(String, String)>,
}

impl Choosing {
    /// Whether an option was typed that makes this choice.
    pub fn has(&self, choice: Choice, key: &str) -> bool {
        match choice {
            Choice::Include => self.table.iter().any(|pattern| pattern == key),
            Choice::Exclude => self.exclude_table.iter().any(|pattern| pattern == key),
            Choice::TypeRules | Choice::ColumnRules => self.rule.iter().any(|(name, _)| name == key),
            Choice::ExcludeObjects | Choice::Names | Choice::Drop => false,
        }
    }

    /// The options that were typed.
    pub fn typed(&self) -> Vec<&'static str> {
        let all = [
            ("`--table`", self.table.is_empty()),
            ("`--exclude-table`", self.exclude_table.is_empty()),
            ("`--rule`", self.rule.is_empty()),
            ("`--sqlite-version`", self.sqlite_version.is_none()),
            ("`--only`", self.only.is_empty()),
            ("`--workspace`", self.answering.workspace.is_empty()),
        ];
        all.into_iter().filter(|(_, unused)| !unused).map(|(name, _)| name).collect()
    }
}

/// How the file is written.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "The target file")]
pub struct Writing {
    /// Leave out the metadata tables; this gives up the ledger (a value that its column cannot hold exactly then stops
    /// the run), the way home to PostgreSQL, and `verify` without being told the choices again
    #[arg(long)]
    pub no_metadata: bool,
    /// Without metadata, publish the file also where columns hold less than the source's values (NaN becomes NULL); the
    /// report names the columns
    #[arg(long)]
    pub allow_inexact: bool,
    /// The journal mode of the finished file [default: wal]
    #[arg(long, value_name = "MODE")]
    pub journal_mode: Option<JournalModeWord>,
    /// The page size of the finished file, a power of two from 512 to 65536 [default: 4096]
    #[arg(long, value_name = "BYTES")]
    pub page_size: Option<u32>,
}

impl Writing {
    /// Puts what was typed into the options.
    ///
    /// # Errors
    /// When the page size is none.
    pub fn apply(&self, options: &mut MigrationOptions) -> crate::Result<()> {
        options.run.metadata &= !self.no_metadata;
        options.run.allow_inexact |= self.allow_inexact;
        if let Some(mode) = self.journal_mode {
            options.journal_mode = mode.into();
        }
        if let Some(size_bytes) = self.page_size {
            project::check_page_size(size_bytes)
                .map_err(|cause| Error::usage("read the option", "`--page-size`", cause))?;
            options.page_size_bytes = size_bytes;
        }
        Ok(())
    }
}

/// How much is verified.
#[derive(Debug, Clone, Default, Args)]
pub struct Verifying {
    /// How much is verified [default: full]
    #[arg(long, value_name = "LEVEL")]
    pub verify: Option<LevelWord>,
}

/// How a PostgreSQL database is filled.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "A PostgreSQL database as target")]
pub struct Filling {
    /// Put everything into this schema, which is made where it is not there
    #[arg(long, value_name = "SCHEMA")]
    into: Option<String>,
    /// Run the statements that the file remembers of functions, triggers, policies and the like; `plan` shows them, and anybody
    /// can have written them into a file
    #[arg(long)]
    restore_definitions: bool,
}

impl Filling {
    /// What was typed.
    pub fn wishes(&self) -> Wishes {
        Wishes { into: self.into.clone(), restore_definitions: self.restore_definitions }
    }

    /// The options that were typed.
    pub fn typed(&self) -> Vec<&'static str> {
        let all = [("`--into`", self.into.is_some()), ("`--restore-definitions`", self.restore_definitions)];
        all.into_iter().filter(|(_, typed)| *typed).map(|(name, _)| name).collect()
    }

    /// Refuses what was typed, where the target is no database.
    ///
    /// # Errors
    /// When anything was.
    pub fn refuse(&self) -> crate::Result<()> {
        match self.typed().first() {
            Some(option) => Err(Error::usage("use the option", option, "the target is no PostgreSQL database")),
            None => Ok(()),
        }
    }
}

/// Where backups are.
#[derive(Debug, Clone, Default, Args)]
pub struct BackupPlace {
    /// Where backups are, if not in `TARGET.whimbrel-backups` beside the target
    #[arg(long, value_name = "DIR")]
    pub backups: Option<PathBuf>,
}

/// Patience.
#[derive(Debug, Clone, Copy, Args)]
pub struct Waiting {
    /// How long to wait for other programs to let go of the target, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = WAIT_MS_DEFAULT)]
    pub wait_ms: u32,
}

/// How long a server may be silent.
#[derive(Debug, Clone, Copy, Args)]
pub struct Silence {
    /// End the run when nothing has come from the server for so many seconds while it owes an answer, 0 for never;
    /// waiting for locks counts on top
    #[arg(long, value_name = "SECONDS", default_value_t = STALL_TIMEOUT_DEFAULT.as_secs())]
    stall_timeout: u64,
}

impl Silence {
    /// The limit; `None` for ever.
    pub fn limit(self) -> Option<Duration> {
        (self.stall_timeout > 0).then(|| seconds(self.stall_timeout))
    }
}

/// How a server is waited for that is read.
#[derive(Debug, Clone, Copy, Args)]
pub struct ServerWaiting {
    #[command(flatten)]
    silence: Silence,
    /// Wait so many seconds for tables that other sessions have locked even against readers, all together, 0 for ever; who
    /// holds them is told after two seconds [default: what the URL says as `lock_timeout`, or 30]
    #[arg(long, value_name = "SECONDS")]
    lock_wait: Option<u64>,
}

impl ServerWaiting {
    /// The same for the library; `listener` hears what is waited for.
    pub fn patience(self, listener: WaitListener) -> Patience {
        Patience {
            stall_timeout: self.silence.limit(),
            lock_wait: self.lock_wait.map(seconds),
            listener: Some(listener),
        }
    }
}

fn seconds(typed: u64) -> Duration {
    Duration::from_secs(typed.min(SECONDS_MAX))
}

/// More than a clock may be asked for is for ever, or near it: thirty years.
const SECONDS_MAX: u64 = 30 * 366 * 24 * 3600;

/// A level as it is typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LevelWord {
    /// The number of rows of each table
    Counts,
    /// Also every value
    Digest,
    /// Also foreign keys, structural integrity and the project's checks
    Full,
    /// Also the digest that the server computes of each table by itself, and its schema read a second time: finds what
    /// an unprotected connection damaged
    Paranoid,
}

impl From<LevelWord> for Level {
    fn from(word: LevelWord) -> Self {
        match word {
            LevelWord::Counts => Level::Counts,
            LevelWord::Digest => Level::Digest,
            LevelWord::Full => Level::Full,
            LevelWord::Paranoid => Level::Paranoid,
        }
    }
}

/// A journal mode as it is typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum JournalModeWord {
    /// A write-ahead log: readers and one writer at the same time
    Wal,
    /// A rollback journal: one file, also on network file systems and read-only media
    Delete,
}

impl From<JournalModeWord> for JournalMode {
    fn from(word: JournalModeWord) -> Self {
        match word {
            JournalModeWord::Wal => JournalMode::Wal,
            JournalModeWord::Delete => JournalMode::Delete,
        }
    }
}

fn parse_answer(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() && !value.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("write it as HASH=PATH".to_owned()),
    }
}

fn parse_rule(text: &str) -> Result<(String, Representation), String> {
    // A URL that slipped in here may hold a password, so no part of it is repeated.
    let parts = text.rsplit_once('=').filter(|_| !may_hold_password(text));
    let (key, name) = parts.ok_or("write it as TYPE=RULE or TABLE.COLUMN=RULE")?;
    let rule = Representation::named(name.trim()).ok_or_else(|| {
        let known: Vec<_> = Representation::all().map(|rule| rule.name()).collect();
        format!("there is no rule `{}`; known are {}", name.trim(), known.join(", "))
    })?;
    match key.trim() {
        "" => Err("a type or a column is missing before `=`".to_owned()),
        key => Ok((key.to_owned(), rule)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_names_the_defaults_of_a_migration() {
        #[derive(clap::Parser)]
        struct Everything {
            #[command(flatten)]
            choosing: Choosing,
            #[command(flatten)]
            writing: Writing,
            #[command(flatten)]
            verifying: Verifying,
        }
        let help = <Everything as clap::CommandFactory>::command().term_width(0).render_help().to_string();
        let MigrationOptions { run, journal_mode, page_size_bytes, .. } = MigrationOptions::default();
        let word = |value: serde_json::Value| value.as_str().unwrap().to_owned();
        for (option, default) in [
            ("--verify <", word(serde_json::to_value(run.level).unwrap())),
            ("--journal-mode <", word(serde_json::to_value(journal_mode).unwrap())),
            ("--page-size <", page_size_bytes.to_string()),
            ("--sqlite-version <", run.choices.sqlite_version.to_string()),
        ] {
            let told = help.split(option).nth(1).unwrap().split("\n  -").next().unwrap();
            assert!(told.contains(&format!("[default: {default}]")), "{option}: {told}");
        }
    }

    #[test]
    fn a_rule_names_a_type_or_a_column() {
        assert_eq!(parse_rule("numeric(10,2)=decimal-text").unwrap().0, "numeric(10,2)");
        assert_eq!(
            parse_rule("a.b=iso8601").unwrap(),
            ("a.b".to_owned(), Representation::Text(crate::types::TextForm::Iso8601))
        );
        assert!(parse_rule("a.b").is_err());
        assert!(parse_rule("=text").is_err());
        assert!(parse_rule("uuid=uid").unwrap_err().contains("uuid-text"));
    }
}
