//! What a run will do, decided before it does anything.
//!
//! Pure: history + files + request → steps in order, or one refusal. Invariants of the steps: each script of the path
//! may be run as its header asks; no step crosses an irreversible, missing or unlabelled down; no step is taken from
//! a history that contradicts the files, is interrupted, or would run out of order without being told to.

use std::sync::Arc;

use super::checksum::checksum;
use super::files::{Migration, Migrations};
use super::history::{Entry, EntryState, StatementSum};
use super::script::{Reversal, Script};
use super::tokens::Dialect;
use crate::{Error, Result};

/// How far a run goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum To {
    /// Up to the newest migration.
    Newest,
    /// Up to and including this version, or down until it is the newest; down to 0 takes everything back.
    Version(i64),
    /// This many migrations.
    Steps(usize),
}

/// What was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Request {
    Up(To),
    Down(To),
    /// The newest applied migration down and up again.
    Redo,
    /// The rest of a migration that was interrupted.
    Resume,
    /// The way back from a migration that was interrupted.
    Undo,
}

/// The way a script leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// To a newer schema.
    Up,
    /// To an older one.
    Down,
}

/// One script to run, and the row that will stand for it.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    pub direction: Direction,
    pub version: i64,
    pub name: String,
    pub script: Script,
    /// What the migration says about its way back.
    pub reversal: Reversal,
    pub up_checksum: String,
    pub down_checksum: Option<String>,
    pub down_script: Option<Arc<str>>,
    /// The statements that an interrupted run has finished already; nothing for a step that begins.
    pub resume_after: Option<usize>,
}

impl Step {
    /// Version and name, for messages.
    pub(crate) fn label(&self) -> String {
        format!("`{}_{}`", self.version, self.name)
    }
}

/// The facts a plan is made from.
pub(crate) struct Facts<'f> {
    pub history: &'f [Entry],
    pub migrations: &'f Migrations,
    pub dialect: Dialect,
    pub allow_out_of_order: bool,
}

/// The steps that a request means, in order.
pub(crate) fn plan(request: Request, facts: &Facts<'_>) -> Result<Vec<Step>> {
    let interrupted = facts.history.iter().find(|entry| entry.state != EntryState::Applied);
    match (request, interrupted) {
        (Request::Resume, Some(entry)) => Ok(vec![facts.resume(entry)?]),
        (Request::Undo, Some(entry)) => Ok(vec![facts.undo(entry)?]),
        (Request::Resume | Request::Undo, None) => {
            Err(Error::usage("continue migration", "", "no migration was interrupted"))
        }
        (_, Some(entry)) => Err(interruption(entry)),
        (Request::Up(to), None) => facts.up(to),
        (Request::Down(to), None) => facts.down(to),
        (Request::Redo, None) => facts.redo(),
    }
}

/// The error for every request but resume and undo on an interrupted history.
fn interruption(entry: &Entry) -> Error {
    let begun = match entry.statements_started.saturating_sub(entry.statements_finished) {
        0 => String::new(),
        _ => format!("; statement {} had begun and may or may not have ended", entry.statements_started),
    };
    Error::could_not(
        "run migrations",
        format!("`{}_{}`", entry.version, entry.name),
        format!(
            "an earlier run was interrupted while {} it without a transaction, after {} finished statements{begun}",
            entry.state.word(),
            entry.statements_finished
        ),
    )
    .hint("look at what is there, then `schema up --resume` runs the rest or `schema down --undo` runs its down script")
}

impl Facts<'_> {
    fn entry(&self, version: i64) -> Option<&Entry> {
        self.history.binary_search_by_key(&version, |entry| entry.version).ok().map(|at| &self.history[at])
    }

    fn up(&self, to: To) -> Result<Vec<Step>> {
        self.refuse_contradictions(None)?;
        if let To::Version(version) = to
            && self.migrations.get(version).is_none()
        {
            return Err(self.unknown_version("migrate up to", version));
        }
        let newest = self.history.last().map_or(0, |entry| entry.version);
        let pending = self.migrations.iter().filter(|migration| self.entry(migration.version).is_none());
        let chosen: Vec<&Migration> = match to {
            To::Newest => pending.collect(),
            To::Version(version) => pending.filter(|migration| migration.version <= version).collect(),
            To::Steps(count) => pending.take(count).collect(),
        };
        if let Some(late) = chosen.iter().find(|migration| migration.version < newest && !self.allow_out_of_order) {
            return Err(Error::could_not(
                "migrate up",
                format!("`{}`", late.label()),
                format!("it is out of order: version {newest} was applied before it"),
            )
            .hint("give it a newer version, or allow it with `--allow-out-of-order`"));
        }
        chosen.into_iter().map(|migration| self.step_up(migration)).collect()
    }

    fn step_up(&self, migration: &Migration) -> Result<Step> {
        let script = Script::parse(&migration.file, Arc::clone(&migration.up), self.dialect)?;
        let reversal = migration.reversal()?;
        if reversal == Reversal::Unlabelled {
            return Err(Error::usage("migrate up", format!("`{}`", migration.down_file()), "its header has no label")
                .hint(
                    "add a first line `-- whimbrel: lossless`, `-- whimbrel: lossy` or `-- whimbrel: irreversible`",
                ));
        }
        if let Some(down) = &migration.down {
            // A way back that could never be run is not one: say so before there is something to take back.
            Script::parse(&migration.down_file(), Arc::clone(down), self.dialect)?;
        }
        Ok(Step {
            direction: Direction::Up,
            version: migration.version,
            name: migration.name.clone(),
            script,
            reversal,
            up_checksum: migration.up_checksum.clone(),
            down_checksum: migration.down_checksum.clone(),
            down_script: migration.down.clone(),
            resume_after: None,
        })
    }

    fn down(&self, to: To) -> Result<Vec<Step>> {
        let count = match to {
            To::Newest => {
                return Err(Error::usage("migrate down", "", "there is nothing newer below")
                    .hint("name a version with `--to` or a number with `--steps`"));
            }
            To::Steps(count) => count.min(self.history.len()),
            To::Version(version) => {
                if version != 0 && self.entry(version).is_none() {
                    return Err(self.unknown_version("migrate down to", version));
                }
                self.history.iter().filter(|entry| entry.version > version).count()
            }
        };
        self.history.iter().rev().take(count).map(|entry| self.step_down(entry)).collect()
    }

    fn step_down(&self, entry: &Entry) -> Result<Step> {
        let object = format!("`{}_{}`", entry.version, entry.name);
        let refusal = |cause: &str| Err(Error::could_not("migrate down", object.clone(), cause));
        let file = self.migrations.get(entry.version);
        let Some(down) = &entry.down_script else {
            return match file {
                Some(migration) if migration.down.is_some() => Err(unrecorded_down(entry, migration)),
                _ => refusal("it is irreversible: it has no down script"),
            };
        };
        if let Some(migration) = file
            && migration.down.is_some()
            && migration.down_checksum != entry.down_checksum
        {
            return Err(unrecorded_down(entry, migration));
        }
        let algorithm = |sum: &str| sum.split(':').next().map(str::to_owned);
        let recorded = checksum(down);
        if let Some(sum) = &entry.down_checksum
            && algorithm(sum) == algorithm(&recorded)
            && *sum != recorded
        {
            return Err(Error::could_not(
                "migrate down",
                object,
                "the down script in the history does not have the checksum beside it: the row was changed by hand",
            )
            .hint(format!("put the row back as it was, or record the file with `schema repair {}`", entry.version)));
        }
        let name = file.map_or_else(|| format!("{}_{}.down.sql", entry.version, entry.name), Migration::down_file);
        let down: Arc<str> = down.as_str().into();
        let script = Script::parse(&name, Arc::clone(&down), self.dialect)?;
        let reversal = script.header.reversal.unwrap_or(Reversal::Unlabelled);
        match reversal {
            Reversal::Irreversible => return refusal("it is irreversible: its down script says so"),
            Reversal::Unlabelled => {
                let line = "a first line `-- whimbrel: lossless` or `-- whimbrel: lossy`";
                let (cause, first) = match file.map(|migration| migration.down.is_some()) {
                    Some(true) => (format!("the header of `{name}` has no label"), format!("give it {line}")),
                    Some(false) => (
                        "its down script, which only the history has, has no label".to_owned(),
                        format!("put `{name}` back into the folder, with {line}"),
                    ),
                    None => (
                        "its down script, which only the history has, has no label".to_owned(),
                        format!("put its up and down script back into the folder, the second with {line}"),
                    ),
                };
                return Err(Error::could_not("migrate down", object, cause)
                    .hint(format!("{first}, then `schema repair {}`", entry.version)));
            }
            Reversal::Lossless | Reversal::Lossy => {}
        }
        Ok(Step {
            direction: Direction::Down,
            version: entry.version,
            name: entry.name.clone(),
            script,
            reversal,
            up_checksum: entry.up_checksum.clone(),
            down_checksum: entry.down_checksum.clone(),
            down_script: Some(down),
            resume_after: None,
        })
    }

    fn redo(&self) -> Result<Vec<Step>> {
        let Some(entry) = self.history.last() else {
            return Err(Error::usage("redo migration", "", "nothing has been applied"));
        };
        let Some(migration) = self.migrations.get(entry.version) else {
            return Err(Error::could_not(
                "redo migration",
                format!("`{}_{}`", entry.version, entry.name),
                "its file is missing",
            ));
        };
        self.refuse_contradictions(Some(entry.version))?;
        Ok(vec![self.step_down(entry)?, self.step_up(migration)?])
    }

    /// The rest of an interrupted step. The statements that ended must be those of the file; the others may have
    /// been corrected.
    fn resume(&self, entry: &Entry) -> Result<Step> {
        let mut step = match entry.state {
            EntryState::Reverting => self.step_down(entry)?,
            _ => match self.migrations.get(entry.version) {
                Some(migration) => self.step_up(migration)?,
                None => {
                    return Err(Error::could_not(
                        "resume migration",
                        format!("`{}_{}`", entry.version, entry.name),
                        "its file is missing",
                    ));
                }
            },
        };
        let finished = usize::try_from(entry.statements_finished).unwrap_or(usize::MAX);
        let same = step.script.statements.get(..finished).map(|ended| StatementSum::of(ended).checksum());
        if finished > 0 && (same.is_none() || same != entry.finished_checksum) {
            return Err(Error::could_not(
                "resume migration",
                step.label(),
                format!("the first {finished} statements of `{}` are not those that ran", step.script.file),
            )
            .hint("put them back as they were, or take the migration back with `schema down --undo`"));
        }
        step.resume_after = Some(finished);
        Ok(step)
    }

    /// The whole down script of a migration whose up was interrupted.
    fn undo(&self, entry: &Entry) -> Result<Step> {
        if entry.state == EntryState::Reverting {
            return Err(Error::could_not(
                "undo migration",
                format!("`{}_{}`", entry.version, entry.name),
                "its down script was interrupted, and there is no script that undoes one",
            )
            .hint("run the rest with `schema up --resume`"));
        }
        self.step_down(entry)
    }

    /// What makes going up a guess: files that changed after they ran, or that are gone.
    fn refuse_contradictions(&self, except: Option<i64>) -> Result<()> {
        for entry in self.history.iter().filter(|entry| Some(entry.version) != except) {
            let object = format!("`{}_{}`", entry.version, entry.name);
            match self.migrations.get(entry.version) {
                None => {
                    let newest = self.migrations.iter().next_back().map_or(0, |migration| migration.version);
                    let cause = if entry.version > newest {
                        "the database is newer than these migrations: it was applied, and they do not have it"
                    } else {
                        "it was applied, and its file is missing"
                    };
                    return Err(Error::could_not("migrate up", object, cause)
                        .hint("use the program or folder that has it, or take it back with `schema down`"));
                }
                Some(migration) => {
                    if let Some(change) = change(entry, migration) {
                        return Err(Error::could_not("migrate up", object, change).hint(format!(
                            "put the file back as it was, or accept it with `schema repair {}`",
                            entry.version
                        )));
                    }
                }
            }
        }
        Ok(())
    }

    fn unknown_version(&self, operation: &str, version: i64) -> Error {
        let known: Vec<String> = self.migrations.iter().map(|migration| migration.version.to_string()).collect();
        Error::usage(operation, format!("version `{version}`"), "there is no such migration")
            .hint(format!("known are {}", known.join(", ")))
    }
}

fn unrecorded_down(entry: &Entry, migration: &Migration) -> Error {
    Error::could_not(
        "migrate down",
        format!("`{}_{}`", entry.version, entry.name),
        format!("`{}` is not the down script that was recorded when it was applied", migration.down_file()),
    )
    .hint(format!("put the file back as it was, or record the new one with `schema repair {}`", entry.version))
}

/// In what a file differs from what was applied, in words; nothing where it does not.
pub(crate) fn change(entry: &Entry, migration: &Migration) -> Option<String> {
    if entry.up_checksum != migration.up_checksum {
        return Some(format!("`{}` changed after it was applied", migration.file));
    }
    if entry.down_checksum != migration.down_checksum {
        let what = match (&entry.down_checksum, &migration.down_checksum) {
            (None, Some(_)) => "is new: there was none when it was applied",
            (Some(_), None) => "is gone: it was there when it was applied",
            (Some(_), Some(_)) | (None, None) => "changed after it was applied",
        };
        return Some(format!("`{}` {what}", migration.down_file()));
    }
    (entry.name != migration.name).then(|| format!("it was called `{}` when it was applied", entry.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(list: &[(&'static str, &'static str)]) -> Migrations {
        Migrations::from_files("test", list.iter().copied()).unwrap()
    }

    fn entry(migration: &Migration) -> Entry {
        Entry {
            version: migration.version,
            name: migration.name.clone(),
            applied_at: String::new(),
            up_checksum: migration.up_checksum.clone(),
            down_checksum: migration.down_checksum.clone(),
            down_script: migration.down.as_deref().map(str::to_owned),
            reversal: migration.reversal().unwrap().word().to_owned(),
            duration_ms: 0,
            tool_version: String::new(),
            state: EntryState::Applied,
            statements_started: 1,
            statements_finished: 1,
            finished_checksum: None,
            remarks: String::new(),
        }
    }

    fn steps(request: Request, history: &[Entry], migrations: &Migrations) -> Result<Vec<(Direction, i64)>> {
        let facts = Facts { history, migrations, dialect: Dialect::Sqlite, allow_out_of_order: false };
        Ok(plan(request, &facts)?.into_iter().map(|step| (step.direction, step.version)).collect())
    }

    const LOSSY: &str = "-- whimbrel: lossy\nDROP TABLE a;";

    fn three() -> Migrations {
        files(&[
            ("1_a.up.sql", "CREATE TABLE a(b)"),
            ("1_a.down.sql", LOSSY),
            ("2_b.up.sql", "SELECT 1"),
            ("3_c.up.sql", "SELECT 1"),
            ("3_c.down.sql", LOSSY),
        ])
    }

    #[test]
    fn up_goes_as_far_as_it_is_told() {
        let migrations = three();
        let up = |to| steps(Request::Up(to), &[], &migrations).unwrap().len();
        assert_eq!((up(To::Newest), up(To::Version(2)), up(To::Steps(1))), (3, 2, 1));
        assert!(
            steps(Request::Up(To::Version(9)), &[], &migrations).unwrap_err().way_out().unwrap().contains("1, 2, 3")
        );
    }

    #[test]
    fn down_refuses_the_whole_path_when_one_step_has_no_way_back() {
        let migrations = three();
        let history: Vec<Entry> = migrations.iter().map(entry).collect();
        assert_eq!(steps(Request::Down(To::Steps(1)), &history, &migrations).unwrap(), [(Direction::Down, 3)]);
        let error = steps(Request::Down(To::Version(0)), &history, &migrations).unwrap_err();
        assert_eq!(error.to_string(), "migrate down `2_b`: it is irreversible: it has no down script");
    }

    #[test]
    fn an_older_program_takes_back_what_it_never_saw() {
        let history: Vec<Entry> = three().iter().map(entry).collect();
        let old = three().up_to(2);
        assert_eq!(steps(Request::Down(To::Version(2)), &history, &old).unwrap(), [(Direction::Down, 3)]);
        assert!(steps(Request::Up(To::Newest), &history, &old).unwrap_err().cause().contains("newer than"));
    }

    #[test]
    fn a_recorded_down_script_that_was_edited_is_not_run() {
        let migrations = three();
        let mut history: Vec<Entry> = migrations.iter().map(entry).collect();
        history[2].down_script = Some(format!("{LOSSY} DROP TABLE c;"));
        let error = steps(Request::Down(To::Steps(1)), &history, &migrations).unwrap_err();
        assert!(error.cause().contains("does not have the checksum beside it"), "{error}");
    }

    #[test]
    fn changed_and_late_files_are_refused() {
        let migrations = three();
        let mut history: Vec<Entry> = migrations.iter().map(entry).collect();
        history[0].up_checksum = checksum("SELECT 2");
        assert!(steps(Request::Up(To::Newest), &history, &migrations).unwrap_err().cause().contains("changed"));
        let late = [entry(migrations.get(1).unwrap()), entry(migrations.get(3).unwrap())];
        let error = steps(Request::Up(To::Newest), &late, &migrations).unwrap_err();
        assert!(error.cause().contains("out of order"), "{error}");
    }

    #[test]
    fn a_label_is_asked_for_before_anything_runs() {
        let migrations = files(&[("1_a.up.sql", "SELECT 1"), ("1_a.down.sql", "SELECT 1")]);
        assert!(steps(Request::Up(To::Newest), &[], &migrations).unwrap_err().cause().contains("no label"));
    }

    #[test]
    fn a_missing_label_is_asked_for_where_the_script_is() {
        let up = ("1_a.up.sql", "SELECT 1");
        let both = files(&[up, ("1_a.down.sql", "SELECT 1")]);
        let history: Vec<Entry> = both.iter().map(entry).collect();
        for (migrations, words) in [
            (both, "give it a first line"),
            (files(&[up]), "put `1_a.down.sql` back into the folder"),
            (files(&[("2_b.up.sql", "SELECT 1")]), "put its up and down script back into the folder"),
        ] {
            let error = steps(Request::Down(To::Steps(1)), &history, &migrations).unwrap_err();
            assert!(error.cause().contains("no label"), "{error}");
            let hint = error.way_out().unwrap();
            assert!(hint.starts_with(words) && hint.ends_with("then `schema repair 1`"), "{hint}");
        }
    }

    #[test]
    fn an_interrupted_history_allows_only_resume_and_undo() {
        let migrations = three();
        let mut history = vec![entry(migrations.get(1).unwrap())];
        history[0].state = EntryState::Applying;
        history[0].statements_finished = 0;
        for request in [Request::Up(To::Newest), Request::Down(To::Steps(1)), Request::Redo] {
            assert!(steps(request, &history, &migrations).unwrap_err().cause().contains("interrupted"));
        }
        assert_eq!(steps(Request::Resume, &history, &migrations).unwrap(), [(Direction::Up, 1)]);
        assert_eq!(steps(Request::Undo, &history, &migrations).unwrap(), [(Direction::Down, 1)]);
    }

    #[test]
    fn redo_is_down_and_up() {
        let migrations = three();
        let history: Vec<Entry> = migrations.iter().map(entry).collect();
        let found = steps(Request::Redo, &history, &migrations).unwrap();
        assert_eq!(found, [(Direction::Down, 3), (Direction::Up, 3)]);
    }
}
