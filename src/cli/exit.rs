//! The exit codes of the program, in one place.
//!
//! | code | name | meaning |
//! |---|---|---|
//! | 0 | success | the job is done, and everything that was checked is as it should be |
//! | 1 | data differs | the job ran, and the data is not what it should be: verification, a check, or the target of a query's latency that it misses |
//! | 2 | bad usage | the request is wrong: an argument, an option, a project file, a decision that the plan needs |
//! | 3 | could not run | the job could not be done; the target is what it was before |
//! | 4 | report lost | the job is done, as for 0, and standard output did not take its report: a full disk, a closed descriptor, a reader that has gone away, or that took nothing until somebody asked for a stop |
//! | 130 | interrupted | somebody asked the job to stop, or one that only reads to stop its report; the target is what it was before |
//!
//! `schema` commits migration by migration, and each is whole or not there: for it, *before* is before the migration that
//! failed. Where a sync fails in the commit itself, nobody can tell which of the two it is; the error says so.
//!
//! A job that ends with 1, 2, 3 or 130 keeps that code where its report is lost, too: it says more, and it is no success
//! either. With `--quiet`, a success has no report, so nothing can be lost. What is lost on standard error changes no code.

use crate::error::Kind;
use std::process::ExitCode;

/// How the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// The job is done, and everything that was checked is as it should be.
    Success,
    /// The job ran, and the data is not what it should be, or not as fast as the project asks.
    DataDiffers,
    /// The request is wrong.
    BadUsage,
    /// The job could not be done; the target is what it was before.
    CouldNotRun,
    /// The job is done, and its report could not be written.
    ReportLost,
    /// Somebody asked the job to stop; the target is what it was before.
    Interrupted,
}

impl Exit {
    /// The number that the shell sees.
    pub fn code(self) -> u8 {
        match self {
            Exit::Success => 0,
            Exit::DataDiffers => 1,
            Exit::BadUsage => 2,
            Exit::CouldNotRun => 3,
            Exit::ReportLost => 4,
            Exit::Interrupted => 130,
        }
    }
}

impl From<Kind> for Exit {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Differs => Exit::DataDiffers,
            Kind::Usage => Exit::BadUsage,
            Kind::CouldNotRun => Exit::CouldNotRun,
            Kind::Interrupted => Exit::Interrupted,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit.code())
    }
}

/// The end of the program's own help text.
pub const HELP: &str = "\
Exit codes:
  0    success
  1    data differs: the job ran, and the data is not what it should be, or slower than its target
  2    bad usage: an argument, an option, a project file, a decision that the plan needs
  3    could not run; the target is what it was before
  4    report lost: the job is done, and standard output did not take its report
  130  interrupted; the target is what it was before";
