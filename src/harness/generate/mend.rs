//! A row that misses a condition is mended: what the condition is about is drawn again, and nothing else of the row.
//!
//! So conditions that are each hardly ever met can be met together: their chances add up instead of being multiplied.
//! Values under which a missed condition held once are kept and given to every other row that misses it.
//!
//! Invariant: what a key or a foreign key decides is not touched.

use super::dataset::{Cell, Row};
use super::table_plan::{TablePlan, Uniqueness};
use crate::harness::Random;

/// How many examples of a condition are kept.
const EXAMPLES_MAX: usize = 64;
/// How often a row is mended without getting further, before another one is better.
pub(super) const VAIN_MAX: u32 = 16;

/// How often a row is mended in vain before awkward values may help where only ordinary ones were asked for.
const VAIN_BEFORE_AWKWARD: u32 = 4;

/// How a value is drawn again.
#[derive(Debug, Clone, Copy)]
pub(super) enum DrawMode<'w> {
    /// As it was drawn.
    Usual,
    /// Out of the words of the conditions on it, and of these: the values beside it.
    Near(&'w [&'w str]),
    Ordinary,
    Awkward,
}

/// What is known of the conditions of a table, by place.
#[derive(Debug)]
pub(super) struct Mender {
    conditions: Vec<Mendable>,
}

#[derive(Debug)]
struct Mendable {
    /// The columns that it is about and that may be drawn again.
    free: Vec<usize>,
    /// The columns that it is about.
    columns: Vec<usize>,
    /// Whether some row has missed it.
    missed: bool,
    /// Values of these columns under which it held, none of them NULL.
    examples: Vec<Vec<Cell>>,
}

impl Mender {
    /// Of conditions over these columns.
    pub(super) fn new<'a>(plan: &TablePlan<'_>, conditions: impl Iterator<Item = &'a [usize]>) -> Mender {
        let enumerated = |column: usize| {
            plan.keys.iter().any(|key| key.uniqueness == Uniqueness::Enumerated && key.columns.contains(&column))
        };
        let is_free = |column: &usize| {
            !plan.columns[*column].distinct
                && !plan.deferred.contains(column)
                && !plan.is_foreign(*column)
                && !enumerated(*column)
        };
        let mendable = |columns: &[usize]| Mendable {
            free: columns.iter().copied().filter(is_free).collect(),
            columns: columns.to_vec(),
            missed: false,
            examples: Vec::new(),
        };
        Mender { conditions: conditions.map(mendable).collect() }
    }

    /// Changes what a condition is about, by an example or by drawing; false where nothing of it may change.
    pub(super) fn mend(
        &mut self,
        place: usize,
        row: &mut Row,
        random: &mut Random,
        vain: u32,
        draw: impl Fn(usize, &mut Random, &DrawMode<'_>) -> Cell,
    ) -> bool {
        let Some(condition) = self.conditions.get_mut(place).filter(|condition| !condition.free.is_empty()) else {
            return false;
        };
        condition.missed = true;
        // Every other time by drawing: else all rows of a table would be alike.
        let example =
            if condition.examples.is_empty() || random.chance(0.5) { None } else { random.pick(&condition.examples) };
        match example {
            Some(cells) => condition.free.iter().zip(cells).for_each(|(column, cell)| row[*column].clone_from(cell)),
            None => {
                let mode = random.below(if vain < VAIN_BEFORE_AWKWARD { 3 } else { 4 });
                // One column or all of them: what the others have may be right.
                let one = random.below(2 * condition.free.len() as u64) as usize;
                for (place, column) in condition.free.iter().enumerate() {
                    if one < condition.free.len() && one != place {
                        continue;
                    }
                    let others = condition.columns.iter().filter(|other| *other != column);
                    let words: Vec<String> = others.filter_map(|other| row[*other].clone()).collect();
                    let words: Vec<&str> = words.iter().map(String::as_str).collect();
                    row[*column] = draw(
                        *column,
                        random,
                        &match mode {
                            0 => DrawMode::Usual,
                            1 => DrawMode::Near(&words),
                            2 => DrawMode::Ordinary,
                            _ => DrawMode::Awkward,
                        },
                    );
                }
            }
        }
        true
    }

    /// Keeps the values of a row that meets a condition which others have missed.
    pub(super) fn learn(&mut self, place: usize, row: &Row) {
        let Some(condition) = self.conditions.get_mut(place) else { return };
        if !condition.missed || condition.examples.len() >= EXAMPLES_MAX {
            return;
        }
        let cells: Vec<Cell> = condition.free.iter().map(|column| row[*column].clone()).collect();
        // A NULL meets most conditions and is drawn often enough.
        if cells.iter().all(Option::is_some) {
            condition.examples.push(cells);
        }
    }
}

/// How far one row has come.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Progress {
    /// The last of the conditions that was the first to be missed.
    furthest: usize,
    /// How often it was mended since without getting further.
    vain: u32,
}

impl Progress {
    /// Notes the first condition that the row misses; how often in vain until now.
    pub(super) fn missed(&mut self, place: usize) -> u32 {
        if place > self.furthest {
            *self = Progress { furthest: place, vain: 0 };
        } else {
            self.vain += 1;
        }
        self.vain
    }
}
