//! How long the steps of cases take.

use super::outcome::{Spread, StepTime};
use std::time::{Duration, Instant};

/// The times of one case: each step's, in the order in which they were taken.
#[derive(Debug, Default)]
pub(super) struct Steps(Vec<(&'static str, Duration)>);

impl Steps {
    /// Does a step and notes how long it took; the time of several steps of one name is added up.
    pub fn time<T>(&mut self, name: &'static str, work: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let done = work();
        self.add(name, start.elapsed());
        done
    }

    /// Notes how long a step took.
    pub fn add(&mut self, name: &'static str, time: Duration) {
        match self.0.iter_mut().find(|(other, _)| *other == name) {
            Some((_, so_far)) => *so_far += time,
            None => self.0.push((name, time)),
        }
    }
}

/// The spread of each step over the cases; a case that left a step out does not count for it.
pub(super) fn spread(cases: &[Steps]) -> Vec<StepTime> {
    let mut names: Vec<&'static str> = Vec::new();
    for (name, _) in cases.iter().flat_map(|case| &case.0) {
        if !names.contains(name) {
            names.push(name);
        }
    }
    let spread = |name: &&'static str| {
        let of_name = cases.iter().flat_map(|case| &case.0).filter(|(other, _)| other == name);
        StepTime { step: (*name).to_owned(), time: Spread::of(of_name.map(|(_, time)| *time).collect()) }
    };
    names.iter().map(spread).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_times_of_a_step_are_added_within_a_case_and_spread_over_cases() {
        let mut first = Steps::default();
        first.add("load", Duration::from_millis(1));
        first.add("migrate", Duration::from_millis(5));
        first.add("load", Duration::from_millis(2));
        let mut second = Steps::default();
        assert_eq!(second.time("load", || 7), 7);
        second.add("load", Duration::from_secs(1));
        let spread = spread(&[first, second]);
        assert_eq!(spread.len(), 2);
        assert_eq!((spread[0].step.as_str(), spread[0].time.median), ("load", Duration::from_millis(3)));
        assert!(spread[0].time.longest >= Duration::from_secs(1));
        assert_eq!(spread[1].time.longest, Duration::from_millis(5));
    }
}
