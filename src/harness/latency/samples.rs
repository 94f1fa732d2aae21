//! The times of many runs of one query, and the figures that they give.
//!
//! Invariant: a figure is held against its target only where there are enough runs for it. With fewer than 100, P99 is
//! the slowest run of all, which tells more about the machine than about the query; P95 is that below 20.

use super::options::OPERATION;
use super::outcome::Miss;
use super::query::Targets;
use crate::error::{Context, Result};
use hdrhistogram::Histogram;
use serde::Serialize;
use std::time::Duration;

/// Three digits of every figure are exact.
const DIGITS: u8 = 3;
/// The slowest run that the histogram can hold in nanoseconds, an hour; a slower one counts as that, but for `max`.
const SLOWEST_NS: u64 = 3_600_000_000_000;

/// From how many runs on P50, P95 and P99 are three different things.
const ENOUGH: [u64; 3] = [2, 20, 100];

/// The times of runs of one query, in one histogram.
#[derive(Debug, Clone)]
pub struct Samples {
    histogram: Histogram<u64>,
    max: Duration,
}

/// What they come to. Quantiles are exact to three digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Figures {
    /// Half of the runs were at most this slow.
    pub p50: Duration,
    /// 95 of 100 runs were at most this slow.
    pub p95: Duration,
    /// 99 of 100 runs were at most this slow.
    pub p99: Duration,
    /// The slowest run.
    pub max: Duration,
}

impl Samples {
    /// No run yet.
    ///
    /// # Errors
    /// When there is no memory for the histogram.
    pub fn new() -> Result<Samples> {
        let histogram = Histogram::new_with_bounds(1, SLOWEST_NS, DIGITS).could_not(OPERATION, "")?;
        Ok(Samples { histogram, max: Duration::ZERO })
    }

    /// Notes one run.
    pub fn add(&mut self, elapsed: Duration) {
        self.histogram.saturating_record(u64::try_from(elapsed.as_nanos()).unwrap_or(SLOWEST_NS));
        self.max = self.max.max(elapsed);
    }

    /// How many runs were noted.
    pub fn count(&self) -> u64 {
        self.histogram.len()
    }

    /// The figures; zero where no run was noted.
    pub fn figures(&self) -> Figures {
        // The lower end of the bucket: what was below a target is not held against it.
        let quantile = |share: f64| {
            let bucket = self.histogram.lowest_equivalent(self.histogram.value_at_quantile(share));
            Duration::from_nanos(bucket).min(self.max)
        };
        Figures { p50: quantile(0.50), p95: quantile(0.95), p99: quantile(0.99), max: self.max }
    }
}

impl Figures {
    /// Which targets are missed. A target is missed where the figure is not below it.
    pub fn missed(&self, targets: &Targets) -> Vec<Miss> {
        let figures = [self.p50, self.p95, self.p99, self.max];
        let missed = targets.named().into_iter().zip(figures).filter_map(|((figure, target), measured)| {
            target.filter(|target| measured >= *target).map(|target| Miss { figure, measured, target })
        });
        missed.collect()
    }
}

impl Targets {
    /// Those that so many runs can be held against.
    #[must_use]
    pub fn with_enough(self, runs: u64) -> Targets {
        let [p50, p95, p99] = ENOUGH.map(|enough| runs >= enough);
        Targets {
            p50: self.p50.filter(|_| p50),
            p95: self.p95.filter(|_| p95),
            p99: self.p99.filter(|_| p99),
            max: self.max.filter(|_| runs > 0),
        }
    }

    /// The figures that are limited: `P50`, `P95`, `P99`, `max`.
    pub fn limited(&self) -> Vec<&'static str> {
        self.named().into_iter().filter_map(|(figure, target)| target.map(|_| figure)).collect()
    }

    /// The lowest limit: a query whose runs are all below it misses nothing.
    pub(super) fn lowest(&self) -> Option<Duration> {
        self.named().into_iter().filter_map(|(_, target)| target).min()
    }

    fn named(&self) -> [(&'static str, Option<Duration>); 4] {
        [("P50", self.p50), ("P95", self.p95), ("P99", self.p99), ("max", self.max)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_needs_enough_runs_to_be_held() {
        let some = Some(Duration::from_millis(1));
        let targets = Targets { p50: some, p95: some, p99: some, max: some };
        for (runs, limited) in [
            (0, &[][..]),
            (1, &["max"]),
            (2, &["P50", "max"]),
            (19, &["P50", "max"]),
            (20, &["P50", "P95", "max"]),
            (99, &["P50", "P95", "max"]),
            (100, &["P50", "P95", "P99", "max"]),
        ] {
            assert_eq!(targets.with_enough(runs).limited(), limited, "{runs}");
        }
        assert_eq!(Targets::default().with_enough(1_000).limited(), [""; 0]);
    }

    #[test]
    fn figures_are_those_of_all_runs_together() {
        let mut samples = Samples::new().unwrap();
        assert_eq!((samples.count(), samples.figures().max), (0, Duration::ZERO));
        for milliseconds in (1..=100).rev() {
            samples.add(Duration::from_millis(milliseconds));
        }
        let figures = samples.figures();
        assert_eq!((samples.count(), figures.max), (100, Duration::from_millis(100)));
        for (figure, milliseconds) in [(figures.p50, 50.0), (figures.p95, 95.0), (figures.p99, 99.0)] {
            let share = figure.as_secs_f64() * 1e3 / milliseconds;
            assert!((0.999..=1.0).contains(&share), "{figure:?} of {milliseconds} ms");
        }
        let limit = |milliseconds| Some(Duration::from_millis(milliseconds));
        let targets = Targets { p50: limit(60), p95: limit(90), p99: None, max: limit(100) };
        let missed = figures.missed(&targets);
        assert_eq!(missed.iter().map(|miss| miss.figure).collect::<Vec<_>>(), ["P95", "max"]);
        assert_eq!(targets.lowest(), limit(60));
    }
}
