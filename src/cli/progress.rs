//! Progress of a run: a bar on a terminal, plain lines every few seconds elsewhere, messages for programs.

use super::output::print_message;
use crate::event::{Event, Phase};
use crate::report::message::{self, Message};
use crate::report::{bytes, count, duration, number};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::Write;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Time between two plain lines.
const LINE_INTERVAL: Duration = Duration::from_secs(5);
/// Time between two messages.
const MESSAGE_INTERVAL: Duration = Duration::from_secs(1);

/// Listens to a run and shows how far it is.
pub struct Progress {
    style: Style,
    state: Mutex<State>,
}

enum Style {
    Silent,
    Bar(ProgressBar),
    Lines,
    Messages,
}

struct State {
    phase: Option<Phase>,
    subject: String,
    rows: u64,
    bytes: u64,
    rows_expected: u64,
    phase_started: Instant,
    told: Instant,
}

impl Progress {
    /// Shows nothing.
    pub fn silent() -> Self {
        Self::new(Style::Silent)
    }

    /// A bar on standard error.
    pub fn bar() -> Self {
        let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template("{spinner} [{bar:20}] {wide_msg}") {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.enable_steady_tick(Duration::from_millis(120));
        Self::new(Style::Bar(bar))
    }

    /// Plain lines on standard error.
    pub fn lines() -> Self {
        Self::new(Style::Lines)
    }

    /// Messages on standard output.
    pub fn messages() -> Self {
        Self::new(Style::Messages)
    }

    fn new(style: Style) -> Self {
        let now = Instant::now();
        let state = State {
            phase: None,
            subject: String::new(),
            rows: 0,
            bytes: 0,
            rows_expected: 0,
            phase_started: now,
            told: now,
        };
        Progress { style, state: Mutex::new(state) }
    }

    /// Takes one event.
    pub fn hear(&self, event: Event) {
        if matches!(self.style, Style::Silent) {
            return;
        }
        // A state that a panicking thread left behind is still fit for showing.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let told = state.take(&event);
        match &self.style {
            Style::Silent => {}
            Style::Bar(bar) => {
                bar.set_length(state.rows_expected.max(state.rows).max(1));
                bar.set_position(state.rows);
                bar.set_message(state.line());
            }
            Style::Lines => {
                if state.told.elapsed() >= LINE_INTERVAL {
                    state.told = Instant::now();
                    let _ = writeln!(std::io::stderr().lock(), "{}", state.line());
                }
            }
            Style::Messages => {
                if let Some(message) = Message::of_event(&event) {
                    print_message(&message);
                } else if !told && state.told.elapsed() >= MESSAGE_INTERVAL {
                    state.told = Instant::now();
                    print_message(&Message::Progress(message::Progress {
                        phase: state.phase.map_or("start", message::phase_name).to_owned(),
                        rows: state.rows,
                        bytes: state.bytes,
                        rows_expected: (state.rows_expected > 0).then_some(state.rows_expected),
                    }));
                }
            }
        }
    }

    /// Takes the bar off the terminal.
    pub fn finish(&self) {
        if let Style::Bar(bar) = &self.style {
            bar.finish_and_clear();
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.finish();
    }
}

impl State {
    /// Keeps what the event says; whether it was the start of something.
    fn take(&mut self, event: &Event) -> bool {
        match event {
            Event::PhaseStarted { phase } => {
                // What was copied is what there is to verify.
                if *phase == Phase::Verify && self.rows > 0 {
                    self.rows_expected = self.rows;
                }
                self.phase = Some(*phase);
                self.subject.clear();
                self.rows = 0;
                self.bytes = 0;
                self.phase_started = Instant::now();
                return true;
            }
            Event::PlanReady { row_estimate, .. } => self.rows_expected = *row_estimate,
            Event::TableStarted { table, .. } => {
                self.subject = table.to_string();
                return true;
            }
            Event::RowsCopied { rows, bytes } => {
                self.rows += rows;
                self.bytes += bytes;
            }
            Event::RowsVerified { rows } => self.rows += rows,
            Event::TableFinished { .. } => {}
            Event::IndexStarted { index } => {
                self.subject = format!("index {index}");
                return true;
            }
        }
        false
    }

    fn line(&self) -> String {
        let phase = match self.phase {
            None => "starting",
            Some(Phase::Introspect) => "reading the source's schema",
            Some(Phase::Copy) => "copying",
            Some(Phase::Finish) => "building",
            Some(Phase::Verify) => "verifying",
            Some(Phase::Compare) => "looking for the rows that differ",
            Some(Phase::Publish) => "publishing",
        };
        let mut line = phase.to_owned();
        if !self.subject.is_empty() {
            line.push_str(&format!(" {}", self.subject));
        }
        if self.rows > 0 {
            let seconds = self.phase_started.elapsed().as_secs_f64().max(0.001);
            let rate = self.rows as f64 / seconds;
            let of = if self.rows_expected > 0 {
                format!(" of about {}", number(self.rows_expected))
            } else {
                String::new()
            };
            line.push_str(&format!(
                ": {}{of}",
                if of.is_empty() { count(self.rows, "row", "rows") } else { number(self.rows) }
            ));
            if self.bytes > 0 {
                line.push_str(&format!(", {}", bytes(self.bytes)));
            }
            line.push_str(&format!(", {} rows/s", number(rate as u64)));
            if self.rows_expected > self.rows && rate > 0.0 {
                let left = Duration::from_secs_f64((self.rows_expected - self.rows) as f64 / rate);
                line.push_str(&format!(", {} left", duration(left)));
            }
        }
        line
    }
}
