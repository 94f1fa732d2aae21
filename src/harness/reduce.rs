//! Shrinking by halves, for whatever can be cut into parts (Zeller, Hildebrandt: "Simplifying and Isolating
//! Failure-Inducing Input", 2002).
//!
//! Invariants: the best value is one that failed; a smaller one is tried at a time; the number of tries is bounded;
//! when nothing more can be tried, the best value is the current one.

use std::collections::HashSet;
use std::ops::Range;

/// What can be made smaller, in passes over parts of one kind each.
pub(super) trait Reduce: Clone {
    /// How many passes there are.
    fn passes(&self) -> usize;

    /// How many parts of a pass's kind the value has now.
    fn atoms(&self, pass: usize) -> usize;

    /// The value without these parts, or with simpler ones; `None` where that is no value or the same one.
    fn without(&self, pass: usize, range: Range<usize>) -> Option<Self>;

    /// What tells this value from another one, so that none is tried twice.
    fn fingerprint(&self) -> u128;

    /// The value with these parts and what they need only; `None` where the pass does not work like that.
    fn only(&self, _pass: usize, _range: Range<usize>) -> Option<Self> {
        None
    }
}

/// What is tried next in a pass: first each piece alone, then everything but that piece, then smaller pieces.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Attempt {
    pass: usize,
    /// Into how many pieces the parts are cut.
    pieces: usize,
    piece: usize,
    /// Whether pieces are tried alone, not left out.
    alone: bool,
}

impl Attempt {
    fn start(pass: usize) -> Attempt {
        Attempt { pass, pieces: 1, piece: 0, alone: true }
    }
}

/// The search for the smallest value that still fails.
#[derive(Debug, Clone)]
pub(super) struct Reducer<T> {
    best: T,
    candidate: Option<T>,
    /// What made the candidate.
    tried: Attempt,
    next: Attempt,
    progress: bool,
    steps_left: usize,
    seen: HashSet<u128>,
}

impl<T: Reduce> Reducer<T> {
    /// Begins with a value that fails; so many smaller ones are tried at most.
    pub(super) fn new(value: T, steps_max: usize) -> Self {
        let start = Attempt::start(0);
        let seen = HashSet::from([value.fingerprint()]);
        Reducer {
            best: value,
            candidate: None,
            tried: start,
            next: start,
            progress: false,
            steps_left: steps_max,
            seen,
        }
    }

    /// The value that is to be tried, or the best one.
    pub(super) fn current(&self) -> &T {
        self.candidate.as_ref().unwrap_or(&self.best)
    }

    /// The current value fails: it is the best one now, and a smaller one is tried. False where there is none left.
    pub(super) fn simplify(&mut self) -> bool {
        if let Some(candidate) = self.candidate.take() {
            self.best = candidate;
            self.progress = true;
            self.after_success();
        }
        self.propose()
    }

    /// The current value does not fail: back to the best one, and another one is tried. False where there is none
    /// left; the current value is then the best one.
    pub(super) fn complicate(&mut self) -> bool {
        self.candidate.take().is_some() && self.propose()
    }

    /// The best value that is known.
    pub(super) fn into_best(self) -> T {
        self.best
    }

    fn after_success(&mut self) {
        let Attempt { pass, pieces, piece, alone } = self.tried;
        let atoms = self.best.atoms(pass);
        self.next = if alone {
            Attempt { pass, pieces: 2, piece: 0, alone: true }
        } else {
            // The pieces keep their size, and the next one has moved to the place of the one that is gone.
            Attempt { pass, pieces: pieces.saturating_sub(1).clamp(1, atoms.max(1)), piece, alone: false }
        };
    }

    fn propose(&mut self) -> bool {
        while self.steps_left > 0 {
            let place = self.next;
            if place.pass >= self.best.passes() {
                if !self.progress {
                    return false;
                }
                // What one pass has taken out may let another one go on.
                self.progress = false;
                self.next = Attempt::start(0);
                continue;
            }
            let atoms = self.best.atoms(place.pass);
            let Some(following) = following(place, atoms) else {
                self.next = Attempt::start(place.pass + 1);
                continue;
            };
            self.next = following;
            let pieces = place.pieces.min(atoms);
            if place.piece >= pieces {
                continue;
            }
            let range = place.piece * atoms / pieces..(place.piece + 1) * atoms / pieces;
            let candidate = if place.alone {
                if pieces == 1 { None } else { self.best.only(place.pass, range) }
            } else {
                self.best.without(place.pass, range)
            };
            if let Some(candidate) = candidate
                && self.seen.insert(candidate.fingerprint())
            {
                self.steps_left -= 1;
                self.tried = place;
                self.candidate = Some(candidate);
                return true;
            }
        }
        false
    }
}

/// The place after this one in a pass over so many parts; `None` at its end.
fn following(place: Attempt, atoms: usize) -> Option<Attempt> {
    if atoms == 0 || place.pieces > atoms {
        return None;
    }
    let Attempt { pass, pieces, piece, alone } = place;
    Some(if piece + 1 < pieces {
        Attempt { pass, pieces, piece: piece + 1, alone }
    } else if alone {
        Attempt { pass, pieces, piece: 0, alone: false }
    } else if pieces == atoms {
        Attempt { pass, pieces: atoms + 1, piece: 0, alone: true }
    } else {
        Attempt { pass, pieces: (pieces * 2).min(atoms), piece: 0, alone: true }
    })
}
