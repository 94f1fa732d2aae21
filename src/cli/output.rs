//! Where everything that the program says goes: results to standard output, the rest to standard error.

use super::exit::Exit;
use super::progress::Progress;
use super::stream::{self, complain, print, print_json};
use crate::error::Error;
use crate::printable::Lines;
use crate::report::message::{Failure, Message};
use clap::Args;

/// How the program talks.
#[derive(Debug, Clone, Copy, Default, Args)]
#[command(next_help_heading = "Output")]
pub struct OutputOptions {
    /// Print one JSON object per line, {"type": …, "data": …}, instead of text
    #[arg(long)]
    pub json: bool,
    /// Print nothing but differences and errors
    #[arg(long, short)]
    pub quiet: bool,
    /// Show no progress
    #[arg(long)]
    pub no_progress: bool,
}

/// The program's voice.
#[derive(Debug, Clone, Copy)]
pub struct Output {
    options: OutputOptions,
}

impl Output {
    /// A voice with those options.
    pub fn new(options: OutputOptions) -> Self {
        Output { options }
    }

    /// Says a result: as text, or as a message for programs.
    pub fn result(&self, text: &Lines, message: impl FnOnce() -> Message) {
        self.rendered(text, || message().line());
    }

    /// Says a result that is rendered both ways already.
    pub fn rendered(&self, text: &Lines, json: impl FnOnce() -> String) {
        if self.options.json {
            print_json(&json());
        } else if !self.options.quiet {
            print(text);
        }
    }

    /// Says how far the job is, one line each, for whoever wants to follow it.
    pub fn progress_line(&self, text: &Lines, json: impl FnOnce() -> String) {
        if self.options.json {
            print_json(&json());
        } else if !self.options.quiet && !self.options.no_progress {
            complain(text);
        }
    }

    /// Says to programs only how far the job is.
    pub fn progress_json(&self, json: impl FnOnce() -> String) {
        if self.options.json {
            print_json(&json());
        }
    }

    /// Says something that is wrong and is rendered both ways already: not even `--quiet` leaves it out.
    pub fn rendered_finding(&self, text: &Lines, json: impl FnOnce() -> String) {
        if self.options.json {
            print_json(&json());
        } else {
            print(text);
        }
    }

    /// Says something that is wrong: with `--quiet`, `differences` is what stays of the text.
    pub fn finding(&self, text: &Lines, differences: &Lines, message: impl FnOnce() -> Message) {
        self.rendered_finding(if self.options.quiet { differences } else { text }, || message().line());
    }

    /// Says something that only programs want to know.
    pub fn message(&self, message: impl FnOnce() -> Message) {
        self.progress_json(|| message().line());
    }

    /// Says something doubtful that does not stop the job; not even `--quiet` leaves it out.
    pub fn warning(&self, text: &Lines) {
        complain(text);
    }

    /// Says why the program ends without success, and returns how it ends.
    pub fn failure(&self, error: &Error) -> Exit {
        let exit = Exit::from(error.kind());
        if self.options.json {
            print_json(&Message::Error(Failure::new(error, exit.code())).line());
        }
        let mut text = Lines::new();
        text.line(format_args!("whimbrel: {error}"));
        if let Some(hint) = error.way_out() {
            text.line(format_args!("  hint: {hint}"));
        }
        complain(&text);
        exit
    }

    /// Whoever shows the progress of a run.
    pub fn progress(&self) -> Progress {
        self.progress_on(stream::errors_go_to_a_terminal())
    }

    /// Whoever shows what a run waits for, and nothing else of it.
    pub fn notices(&self) -> Progress {
        self.of(Progress::notices)
    }

    /// As [`Output::progress`], for a standard error that is a terminal or is not.
    pub(super) fn progress_on(&self, is_terminal: bool) -> Progress {
        match is_terminal {
            _ if self.options.no_progress => self.of(Progress::notices),
            true => self.of(Progress::bar),
            false => self.of(Progress::lines),
        }
    }

    /// Messages for programs, nothing for who wants quiet, and that style for people.
    fn of(&self, for_people: impl FnOnce() -> Progress) -> Progress {
        match (self.options.json, self.options.quiet) {
            (true, _) => Progress::messages(),
            (false, true) => Progress::silent(),
            (false, false) => for_people(),
        }
    }
}
