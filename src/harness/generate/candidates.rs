//! Rows on their way past a judge: those that it refuses are mended and shown again, a batch at a time.

use super::dataset::Row;
use super::judge::{Judge, Ruling, computed_keys};
use super::keys::KeyStore;
use super::mend::{Mender, Progress, VAIN_MAX};
use super::rows::{Made, RowMaker};
use super::table_plan::TablePlan;
use crate::error::{Error, Result};
use std::collections::HashSet;

/// How many candidates a judge is asked about at once, and for how few of them it is worth asking.
const BATCH_MAX: usize = 1_000;
const BATCH_MIN: usize = 100;
/// The same at first, for a table that refers to itself.
const FIRST_BATCH: usize = 4;
/// How many candidates are refused before no row is taken to meet a condition.
const REFUSALS_MAX: u64 = 20_000;
/// How many candidates in a row may have a computed key that was there, before the table counts as full.
const REPEATED_MAX: u64 = 5_000;

/// The rows of one table that a judge has not taken yet.
#[derive(Debug)]
pub(super) struct Candidates<'p, 'c> {
    plan: &'p TablePlan<'c>,
    rows: Vec<Row>,
    /// How far each of them has come.
    progress: Vec<Progress>,
    mender: Mender,
    /// Why there can be no more.
    full: Option<String>,
    taken: usize,
    /// What was there in each of the keys that the judge computes, and how often in a row a candidate had the same.
    computed: Option<Vec<HashSet<String>>>,
    repeated: u64,
    /// The furthest condition that some row has come to.
    furthest: usize,
    /// Refusals since a row was taken or came further than any before, by condition; the last are of none.
    refused: Vec<u64>,
}

impl<'p, 'c> Candidates<'p, 'c> {
    pub(super) fn new(plan: &'p TablePlan<'c>) -> Self {
        Candidates {
            plan,
            rows: Vec::new(),
            progress: Vec::new(),
            mender: Mender::new(plan, plan.judged_conditions.iter().map(|condition| condition.columns.as_slice())),
            full: None,
            taken: 0,
            computed: None,
            repeated: 0,
            furthest: 0,
            refused: vec![0; plan.judged_conditions.len() + 1],
        }
    }

    /// Why there are no more rows, once there are none.
    pub(super) fn why_full(self) -> Option<String> {
        self.full
    }

    /// The next rows that meet every condition; none when there can be no more. `wanted`: how many are still wanted.
    ///
    /// # Errors
    /// When no row gets past some condition within a limit of tries; what the judge says.
    pub(super) fn next(
        &mut self,
        maker: &mut RowMaker<'_, '_>,
        stores: &mut [KeyStore],
        judge: &mut dyn Judge,
        wanted: u64,
    ) -> Result<Vec<Row>> {
        let batch = usize::try_from(wanted).unwrap_or(BATCH_MAX).clamp(BATCH_MIN, BATCH_MAX);
        let batch = match (self.plan.judged.is_empty(), self.plan.self_references.is_empty()) {
            (true, _) => 1,
            (false, true) => batch,
            // Rows can refer to those of batches before theirs only.
            (false, false) => self.taken.clamp(FIRST_BATCH, batch),
        };
        loop {
            while self.rows.len() < batch && self.full.is_none() {
                match maker.make(stores) {
                    Made::Row(row) => self.rows.push(row),
                    Made::Full(why) => self.full = Some(why),
                }
            }
            if self.plan.judged.is_empty() {
                return Ok(std::mem::take(&mut self.rows));
            }
            if self.rows.is_empty() {
                let in_vain = self.taken == 0 && self.refused.iter().any(|count| *count > 0);
                return if in_vain { Err(self.unsatisfied()) } else { Ok(Vec::new()) };
            }
            if self.computed.is_none() {
                let there = judge.computed(self.plan.table)?;
                self.computed = Some(there.into_iter().map(HashSet::from_iter).collect());
            }
            self.progress.resize(self.rows.len(), Progress::default());
            let rulings = judge.rule(self.plan.table, &self.plan.names, &self.rows)?;
            let taken = self.sort_out(rulings, maker);
            if !taken.is_empty() {
                self.taken += taken.len();
                self.repeated = 0;
                self.refused.fill(0);
                return Ok(taken);
            }
            if self.repeated >= REPEATED_MAX {
                self.rows.clear();
                let names: Vec<String> =
                    computed_keys(self.plan.table).iter().map(|name| format!("`{name}`")).collect();
                let which = if names.len() == 1 { "its key" } else { "one of its keys" };
                self.full = Some(format!("{which} {} allows no more", names.join(", ")));
            }
            if self.refused.iter().sum::<u64>() >= REFUSALS_MAX {
                let error = self.unsatisfied();
                if self.taken == 0 {
                    return Err(error);
                }
                // With the rows that there are, something can be tested.
                self.rows.clear();
                self.progress.clear();
                self.full = Some(error.cause().to_owned());
            }
        }
    }

    /// The rows that were taken; the others are mended, or given up.
    fn sort_out(&mut self, rulings: Vec<Ruling>, maker: &mut RowMaker<'_, '_>) -> Vec<Row> {
        let mut taken = Vec::new();
        let rows = std::mem::take(&mut self.rows);
        let progress = std::mem::take(&mut self.progress);
        for ((row, mut progress), ruling) in rows.into_iter().zip(progress).zip(rulings) {
            let missed = match ruling {
                Ruling::Holds(keys) if self.is_there(&keys) => {
                    self.repeated += 1;
                    maker.release(&row);
                    continue;
                }
                Ruling::Holds(_) => self.plan.judged_conditions.len(),
                Ruling::Misses(place) => place,
                Ruling::Unfit => {
                    let conditions = self.plan.judged_conditions.len();
                    self.refused[conditions] += 1;
                    // An error tells no condition: one after the other is taken for it.
                    let place = self.refused[conditions] as usize % conditions.max(1);
                    let vain = progress.missed(0);
                    if conditions == 0 || vain >= VAIN_MAX {
                        maker.release(&row);
                    } else if let Some(row) = maker.mend(row, &mut self.mender, place, vain) {
                        self.rows.push(row);
                        self.progress.push(progress);
                    }
                    continue;
                }
            };
            (0..missed).for_each(|place| self.mender.learn(place, &row));
            if missed == self.plan.judged_conditions.len() {
                taken.push(row);
                continue;
            }
            if missed > self.furthest {
                self.furthest = missed;
                self.refused.fill(0);
            }
            self.refused[missed] += 1;
            let vain = progress.missed(missed);
            if vain >= VAIN_MAX {
                maker.release(&row);
            } else if let Some(row) = maker.mend(row, &mut self.mender, missed, vain) {
                self.rows.push(row);
                self.progress.push(progress);
            }
        }
        taken
    }

    /// Whether another row has one of these keys; else they are this one's.
    fn is_there(&mut self, keys: &[Option<String>]) -> bool {
        let Some(there) = &mut self.computed else { return false };
        let held = || keys.iter().enumerate().filter_map(|(place, key)| Some((place, key.as_ref()?)));
        if held().any(|(place, key)| there.get(place).is_some_and(|there| there.contains(key))) {
            return true;
        }
        held().for_each(|(place, key)| {
            if let Some(there) = there.get_mut(place) {
                there.insert(key.clone());
            }
        });
        false
    }

    fn unsatisfied(&self) -> Error {
        let tries: u64 = self.refused.iter().sum();
        let worst = (0..self.plan.judged_conditions.len()).find(|place| self.refused[*place] * 10 >= tries * 9);
        let which = match (worst, self.plan.judged.as_slice()) {
            (Some(place), _) => format!("the check `{}`", self.plan.judged_conditions[place].name),
            (None, [one]) => format!("the check `{one}`"),
            (None, several) => {
                let checks: Vec<String> = several.iter().map(|name| format!("`{name}`")).collect();
                format!("all of the checks {}", checks.join(", "))
            }
        };
        self.plan.unsatisfied(&which, tries)
    }
}
