//! Where everything that the program says goes: results to standard output, the rest to standard error.

use super::exit::Exit;
use super::progress::Progress;
use crate::error::Error;
use crate::redact::redact;
use crate::report::message::{Failure, Message};
use clap::Args;
use std::io::{IsTerminal, Write};

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
    pub fn result(&self, text: &str, message: impl FnOnce() -> Message) {
        if self.options.json {
            print_message(&message());
        } else if !self.options.quiet {
            print(text);
        }
    }

    /// Says a result that is rendered both ways already.
    pub fn rendered(&self, text: &str, json: impl FnOnce() -> String) {
        if self.options.json {
            print(&format!("{}\n", json().trim_end()));
        } else if !self.options.quiet {
            print(text);
        }
    }

    /// Says how far the job is, one line each, for whoever wants to follow it.
    pub fn progress_line(&self, text: &str, json: impl FnOnce() -> String) {
        if self.options.json {
            print(&format!("{}\n", json().trim_end()));
        } else if !self.options.quiet && !self.options.no_progress {
            complain(&format!("{}\n", text.trim_end()));
        }
    }

    /// Says to programs only how far the job is.
    pub fn progress_json(&self, json: impl FnOnce() -> String) {
        if self.options.json {
            print(&format!("{}\n", json().trim_end()));
        }
    }

    /// Says something that is wrong and is rendered both ways already: not even `--quiet` leaves it out.
    pub fn rendered_finding(&self, text: &str, json: impl FnOnce() -> String) {
        if self.options.json {
            print(&format!("{}\n", json().trim_end()));
        } else {
            print(text);
        }
    }

    /// Says something that is wrong: with `--quiet`, `differences` is what stays of the text.
    pub fn finding(&self, text: &str, differences: &str, message: impl FnOnce() -> Message) {
        if self.options.json {
            print_message(&message());
        } else {
            print(if self.options.quiet { differences } else { text });
        }
    }

    /// Says something that only programs want to know.
    pub fn message(&self, message: impl FnOnce() -> Message) {
        if self.options.json {
            print_message(&message());
        }
    }

    /// Says why the program ends without success, and returns how it ends.
    pub fn failure(&self, error: &Error) -> Exit {
        let exit = Exit::from(error.kind());
        if self.options.json {
            let mut failure = Failure::new(error, exit.code());
            failure.object = redact(&failure.object);
            failure.cause = redact(&failure.cause);
            print_message(&Message::Error(failure));
        }
        let mut text = format!("whimbrel: {}\n", redact(&error.to_string()));
        if let Some(hint) = error.way_out() {
            text.push_str(&format!("  hint: {}\n", redact(hint)));
        }
        complain(&text);
        exit
    }

    /// Whoever shows the progress of a run.
    pub fn progress(&self) -> Progress {
        self.progress_on(std::io::stderr().is_terminal())
    }

    /// As [`Output::progress`], for a standard error that is a terminal or is not.
    pub(super) fn progress_on(&self, is_terminal: bool) -> Progress {
        if self.options.json {
            return Progress::messages();
        }
        if self.options.quiet || self.options.no_progress {
            return Progress::silent();
        }
        if is_terminal { Progress::bar() } else { Progress::lines() }
    }
}

/// Prints to standard output. A reader that has gone away (`| head`) is no failure of the job.
pub fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Prints one message on one line.
pub fn print_message(message: &Message) {
    print(&message.line());
}

/// Prints to standard error. Nobody reading it is no reason to fail once more.
pub fn complain(text: &str) {
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}
