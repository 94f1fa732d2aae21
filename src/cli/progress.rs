//! Progress of a run: a bar on a terminal, plain lines every few seconds elsewhere, messages for programs.

use super::stream::{complain, print_json};
use crate::endpoint::postgres::WaitListener;
use crate::event::{Event, Phase};
use crate::printable::one_line;
use crate::report::message::{self, Message};
use crate::report::outcome::waiting_for;
use crate::report::{bytes, count, duration, number};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::sync::{Arc, Mutex, PoisonError};
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
    Notices,
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
    /// How much of the source's file was read, and how much there is.
    source: Option<(u64, Option<u64>)>,
    phase_started: Instant,
    told: Instant,
}

impl Progress {
    /// Shows nothing.
    pub fn silent() -> Self {
        Self::new(Style::Silent)
    }

    /// What is waited for, as lines on standard error, and nothing else.
    pub fn notices() -> Self {
        Self::new(Style::Notices)
    }

    /// A bar on standard error.
    pub fn bar() -> Self {
        // A bar of no length is drawn full.
        let bar = ProgressBar::with_draw_target(Some(1), ProgressDrawTarget::stderr());
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
            source: None,
            phase_started: now,
            told: now,
        };
        Progress { style, state: Mutex::new(state) }
    }

    /// Hears for somebody who keeps the listener.
    pub fn listener(self: &Arc<Self>) -> WaitListener {
        let progress = Arc::clone(self);
        Arc::new(move |event| progress.hear(event))
    }

    /// Takes one event.
    pub fn hear(&self, event: Event) {
        if matches!(self.style, Style::Silent) {
            return;
        }
        // A state that a panicking thread left behind is still fit for showing.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Event::Waiting(waiting) = &event {
            let text = waiting_for(waiting);
            match &self.style {
                Style::Silent => {}
                Style::Notices | Style::Lines => complain(&text),
                Style::Bar(bar) => bar.suspend(|| complain(&text)),
                Style::Messages => Message::of_event(&event).iter().for_each(|message| print_json(&message.line())),
            }
            return;
        }
        let told = state.take(&event);
        match &self.style {
            Style::Silent | Style::Notices => {}
            Style::Bar(bar) => {
                let (done, of) = match state.source {
                    Some((read, Some(of))) => (read, of),
                    _ => (state.rows, state.rows_expected.max(state.rows)),
                };
                bar.set_length(of.max(1));
                bar.set_position(done);
                bar.set_message(state.line(state.phase_started.elapsed()));
            }
            Style::Lines => {
                if state.told.elapsed() >= LINE_INTERVAL {
                    state.told = Instant::now();
                    complain(&format!("{}\n", state.line(state.phase_started.elapsed())));
                }
            }
            Style::Messages => {
                if let Some(message) = Message::of_event(&event) {
                    print_json(&message.line());
                } else if !told && state.told.elapsed() >= MESSAGE_INTERVAL {
                    state.told = Instant::now();
                    let message = Message::Progress(message::Progress {
                        phase: state.phase.map_or("start", message::phase_name).to_owned(),
                        rows: state.rows,
                        bytes: state.bytes,
                        rows_expected: (state.rows_expected > 0).then_some(state.rows_expected),
                        source_bytes: state.source.map(|(read, _)| read),
                        source_bytes_expected: state.source.and_then(|(_, of)| of),
                    });
                    print_json(&message.line());
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
                self.source = None;
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
            Event::SourceRead { bytes, of } => self.source = Some((*bytes, *of)),
            Event::TableFinished { .. } | Event::Waiting(_) => {}
            Event::IndexStarted { index } => {
                self.subject = format!("index {index}");
                return true;
            }
        }
        false
    }

    /// How far the run is, when the phase has lasted so long.
    fn line(&self, elapsed: Duration) -> String {
        let phase = match self.phase {
            None => "starting",
            Some(Phase::Introspect) => "reading the source's schema",
            Some(Phase::Copy) => "copying",
            Some(Phase::Generate) => "filling",
            Some(Phase::Finish) => "building",
            Some(Phase::Verify) => "verifying",
            Some(Phase::Compare) => "looking for the rows that differ",
            Some(Phase::Publish) => "publishing",
        };
        let mut line = phase.to_owned();
        if !self.subject.is_empty() {
            line.push_str(&format!(" {}", one_line(&self.subject)));
        }
        let seconds = elapsed.as_secs_f64().max(0.001);
        if self.rows > 0 {
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
            if self.source.is_none() && self.rows_expected > self.rows && rate > 0.0 {
                let left = Duration::from_secs_f64((self.rows_expected - self.rows) as f64 / rate);
                line.push_str(&format!(", {} left", duration(left)));
            }
        }
        if let Some((read, of)) = self.source {
            let mark = if self.rows > 0 { ", " } else { ": " };
            match of {
                None => line.push_str(&format!("{mark}{} read", bytes(read))),
                Some(of) => line.push_str(&format!("{mark}{} of {} read", bytes(read), bytes(of))),
            }
            let rate = read as f64 / seconds;
            if let Some(of) = of.filter(|of| *of > read && rate > 0.0) {
                line.push_str(&format!(", {} left", duration(Duration::from_secs_f64((of - read) as f64 / rate))));
            }
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::super::output::{Output, OutputOptions};
    use super::*;
    use crate::catalog::QualifiedName;

    fn progress(options: OutputOptions, is_terminal: bool) -> Progress {
        Output::new(options).progress_on(is_terminal)
    }

    #[test]
    fn the_bar_is_for_terminals_only() {
        let plain = OutputOptions::default();
        assert!(matches!(progress(plain, true).style, Style::Bar(_)));
        assert!(matches!(progress(plain, false).style, Style::Lines));
        for is_terminal in [true, false] {
            let quiet = OutputOptions { quiet: true, ..plain };
            let no_progress = OutputOptions { no_progress: true, ..plain };
            let json = OutputOptions { json: true, quiet: true, ..plain };
            assert!(matches!(progress(quiet, is_terminal).style, Style::Silent));
            assert!(matches!(progress(no_progress, is_terminal).style, Style::Notices));
            assert!(matches!(progress(json, is_terminal).style, Style::Messages));
        }
    }

    #[test]
    fn a_line_tells_rows_bytes_rate_and_time_left() {
        let progress = Progress::lines();
        let line = |elapsed_s| progress.state.lock().unwrap().line(Duration::from_secs(elapsed_s));
        assert_eq!(line(0), "starting");
        let table = QualifiedName::new("public", "orders");
        progress.hear(Event::PlanReady { tables: 1, row_estimate: 20_000 });
        progress.hear(Event::PhaseStarted { phase: Phase::Copy });
        progress.hear(Event::TableStarted { table: table.clone(), row_estimate: 20_000 });
        assert_eq!(line(0), "copying public.orders");
        progress.hear(Event::RowsCopied { rows: 3_000, bytes: 1024 * 1024 });
        progress.hear(Event::RowsCopied { rows: 2_000, bytes: 2 * 1024 * 1024 });
        assert_eq!(line(10), "copying public.orders: 5,000 of about 20,000, 3.0 MiB, 500 rows/s, 30.0 s left");
        // More rows than the source has estimated: no time left is made up.
        progress.hear(Event::RowsCopied { rows: 25_000, bytes: 0 });
        assert_eq!(line(10), "copying public.orders: 30,000 of about 20,000, 3.0 MiB, 3,000 rows/s");
        // Of a file it is known how much of it was read.
        let whole = 40 * 1024 * 1024;
        progress.hear(Event::SourceRead { bytes: whole / 4, of: Some(whole) });
        let read = "10.0 MiB of 40.0 MiB read, 30.0 s left";
        assert_eq!(line(10), format!("copying public.orders: 30,000 of about 20,000, 3.0 MiB, 3,000 rows/s, {read}"));
        progress.hear(Event::PhaseStarted { phase: Phase::Introspect });
        progress.hear(Event::SourceRead { bytes: whole / 4, of: Some(whole) });
        assert_eq!(line(10), format!("reading the source's schema: {read}"));
        progress.hear(Event::SourceRead { bytes: whole, of: None });
        assert_eq!(line(10), "reading the source's schema: 40.0 MiB read");
        progress.hear(Event::PhaseStarted { phase: Phase::Copy });
        progress.hear(Event::RowsCopied { rows: 30_000, bytes: 0 });
        // What was copied is what there is to verify; a phase begins at nothing.
        progress.hear(Event::PhaseStarted { phase: Phase::Verify });
        assert_eq!(line(0), "verifying");
        progress.hear(Event::RowsVerified { rows: 10_000 });
        assert_eq!(line(1), "verifying: 10,000 of about 30,000, 10,000 rows/s, 2.00 s left");
    }
}
