//! How fast the project's queries are in all cases of a run together, held against the project's targets.
//!
//! Invariants:
//! - It is a property of the run and not of a case: one case has a few runs of each query, which say too little, so a
//!   missed target is neither shrunk nor kept.
//! - Only cases that count have a part in it. Kept cases do not: a handful of shrunk rows would make every query fast.
//! - A figure is held only where there are enough runs for it, see `harness::latency::Samples`; the others are named.
//!   So few rows find a query that does the wrong thing, not one that only grows slow: `whimbrel latency` measures at a
//!   stated number of rows.

use super::fixture::Settings;
use crate::error::Result;
use crate::harness::latency::{Figures, Query, Samples, Targets, Times};
use serde::Serialize;
use std::fmt::Write;
use std::time::Duration;

/// What a failure calls it, beside the names of the properties.
pub(super) const NAME: &str = "latencies";
/// What it says.
pub(super) const SAYS: &str = "every query of the project is faster than its targets";

/// How fast one query was in all cases of a run together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct QueryLatency {
    /// The query's name.
    pub query: String,
    /// How many runs were timed in all cases; none where no case had a row for its parameters.
    pub samples: u64,
    /// The most rows that a run returned.
    pub rows_max: u64,
    /// What the runs come to; `None` where there are none.
    pub figures: Option<Figures>,
    /// The query's own targets and the project's.
    pub targets: Targets,
    /// The figures that have a target, and enough runs to be held against it: each is below it.
    pub held: Vec<&'static str>,
    /// The figures that have a target, and too few runs.
    pub too_few_samples: Vec<&'static str>,
}

/// The times of a run's cases so far.
pub(super) struct Latencies {
    queries: Vec<Collected>,
}

struct Collected {
    query: Query,
    targets: Targets,
    samples: Samples,
    rows_max: u64,
    /// The longest run that was not below every target, and the plan of its query.
    slow: Option<(Duration, Vec<String>)>,
}

impl Latencies {
    /// No case yet; there is something to collect only where settings have queries.
    ///
    /// # Errors
    /// When there is no memory for the histograms.
    pub fn new(settings: Option<&Settings>) -> Result<Latencies> {
        let mut queries = Vec::new();
        if let Some(settings) = settings {
            for query in &settings.queries {
                let targets = query.targets.or(settings.targets);
                let (query, samples) = (query.clone(), Samples::new()?);
                queries.push(Collected { query, targets, samples, rows_max: 0, slow: None });
            }
        }
        Ok(Latencies { queries })
    }

    /// Takes the times of one case.
    pub fn add(&mut self, times: Vec<Times>) {
        for times in times {
            let of_name = self.queries.iter_mut().find(|collected| collected.query.name == times.name);
            let Some(collected) = of_name else { continue };
            for run in &times.runs {
                collected.samples.add(run.elapsed);
                collected.rows_max = collected.rows_max.max(run.rows);
            }
            let longest = times.longest();
            if let Some(plan) = times.slow_plan
                && collected.slow.as_ref().is_none_or(|(so_far, _)| longest > *so_far)
            {
                collected.slow = Some((longest, plan));
            }
        }
    }

    /// Every query's figures, in the order of their names.
    ///
    /// # Errors
    /// What was missed, in words. `rows` is what each case asked for.
    pub fn held(self, rows: u64) -> Result<Vec<QueryLatency>, String> {
        let mut missed = String::new();
        for collected in &self.queries {
            collected.tell_misses(rows, &mut missed);
        }
        if !missed.is_empty() {
            return Err(missed);
        }
        Ok(self.queries.into_iter().map(Collected::held).collect())
    }
}

impl Collected {
    fn enough(&self) -> Targets {
        self.targets.with_enough(self.samples.count())
    }

    fn tell_misses(&self, rows: u64, text: &mut String) {
        let misses = self.samples.figures().missed(&self.enough());
        for miss in &misses {
            let _ = writeln!(
                text,
                "`{}`: {} is {:.1?} and has to be below {:?}, in {} runs at {rows} rows per case",
                self.query.name,
                miss.figure,
                miss.measured,
                miss.target,
                self.samples.count()
            );
        }
        if misses.is_empty() {
            return;
        }
        let _ = writeln!(text, "  {}, whose plan in the slowest case is", self.query.file.display());
        for step in self.slow.iter().flat_map(|(_, plan)| plan) {
            let _ = writeln!(text, "    {step}");
        }
    }

    fn held(self) -> QueryLatency {
        let samples = self.samples.count();
        let held = self.enough().limited();
        let mut too_few_samples = self.targets.limited();
        too_few_samples.retain(|figure| !held.contains(figure));
        QueryLatency {
            query: self.query.name,
            samples,
            rows_max: self.rows_max,
            figures: (samples > 0).then(|| self.samples.figures()),
            targets: self.targets,
            held,
            too_few_samples,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::harness::latency::TimedRun;
    use std::path::Path;

    fn collected(target: &str, runs: u64) -> Result<Vec<QueryLatency>, String> {
        let text = format!("-- title\n-- target: {target}\nSELECT 1");
        let queries = vec![Query::parse(Path::new("queries/one.sql"), &text).unwrap()];
        let settings = Settings { queries, ..Settings::default() };
        let mut latencies = Latencies::new(Some(&settings)).unwrap();
        for milliseconds in 1..=runs {
            let run = TimedRun { elapsed: Duration::from_millis(milliseconds), rows: milliseconds, scan_steps: 0 };
            let slow_plan = Some(vec![format!("SCAN {milliseconds}")]);
            latencies.add(vec![Times { name: "one".into(), runs: vec![run], slow_plan }]);
        }
        latencies.held(200)
    }

    #[test]
    fn a_figure_is_held_where_there_are_enough_runs() {
        let held = collected("P50 < 5 ms, P95 < 100 ms, P99 < 5 ms", 8).unwrap();
        assert_eq!((held[0].samples, held[0].rows_max), (8, 8));
        assert_eq!((&held[0].held[..], &held[0].too_few_samples[..]), (&["P50"][..], &["P95", "P99"][..]));
        let none = collected("P50 < 5 ms, max < 1 s", 0).unwrap();
        assert_eq!((none[0].figures, none[0].held.len(), none[0].too_few_samples.len()), (None, 0, 2));
    }

    #[test]
    fn what_is_missed_is_told_with_the_plan_of_the_slowest_case() {
        let missed = collected("P50 < 2 ms, P95 < 100 ms, P99 < 5 ms", 8).unwrap_err();
        assert_eq!(
            missed,
            "`one`: P50 is 4.0ms and has to be below 2ms, in 8 runs at 200 rows per case\n  \
             queries/one.sql, whose plan in the slowest case is\n    SCAN 8\n"
        );
    }

    #[test]
    fn without_queries_there_is_nothing_to_hold() {
        let mut latencies = Latencies::new(None).unwrap();
        latencies.add(vec![Times { name: "one".into(), runs: Vec::new(), slow_plan: None }]);
        assert_eq!(latencies.held(200), Ok(Vec::new()));
    }
}
