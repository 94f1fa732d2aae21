//! The texts that a pattern matches, drawn, numbered and recognised by one deterministic automaton.
//!
//! Numbering is exact: of each state and each length it is known how many texts lead to a match, so that the n-th is
//! found without listing those before it, and no two numbers have the same text.

use super::Pattern;
use super::expression::translate;
use super::kind::nothing_left;
use crate::catalog::DataType;
use crate::error::Result;
use crate::harness::Random;
use regex_automata::dfa::{Automaton, StartKind, dense};
use regex_automata::util::{primitives::StateID, start, syntax};
use regex_automata::{Anchored, MatchKind};
use std::collections::HashMap;

/// What an automaton may take up, so that a hostile pattern is an error and not a standstill.
const AUTOMATON_OCTETS_MAX: usize = 8 << 20;
const STATES_MAX: usize = 4_000;
/// How much longer than the shortest texts drawn ones are at most.
const MORE_CHARACTERS_MAX: usize = 16;
/// Fewer distinct texts than this are too few to number them by friendly letters only.
const ENOUGH_TEXTS: u64 = 1_000_000;

/// The texts of some lengths over an alphabet.
#[derive(Debug)]
struct Texts {
    alphabet: Vec<char>,
    /// Per state and letter the next state.
    next: Vec<Vec<u32>>,
    /// Per number of letters that are left and per state: how many texts are accepted.
    ways: Vec<Vec<u64>>,
    /// Lengths that have texts, ascending.
    lengths: Vec<usize>,
}

/// The texts that a pattern matches, or does not.
#[derive(Debug)]
pub(super) struct Language {
    automaton: dense::DFA<Vec<u32>>,
    start: StateID,
    negated: bool,
    ascii_only: bool,
    friendly: Texts,
    all: Option<Texts>,
}

fn accepts(automaton: &dense::DFA<Vec<u32>>, state: StateID, negated: bool) -> bool {
    automaton.is_match_state(automaton.next_eoi_state(state)) != negated
}

fn step(automaton: &dense::DFA<Vec<u32>>, state: StateID, letter: char) -> StateID {
    letter.encode_utf8(&mut [0; 4]).bytes().fold(state, |state, octet| automaton.next_state(state, octet))
}

impl Texts {
    fn new(
        automaton: &dense::DFA<Vec<u32>>,
        start: StateID,
        negated: bool,
        alphabet: Vec<char>,
        (length_min, length_max): (usize, usize),
    ) -> Option<Self> {
        let mut places = HashMap::from([(start, 0_u32)]);
        let mut states = vec![start];
        let mut next: Vec<Vec<u32>> = Vec::new();
        while next.len() < states.len() {
            let from = states[next.len()];
            let row = alphabet.iter().map(|letter| {
                let to = step(automaton, from, *letter);
                *places.entry(to).or_insert_with(|| {
                    states.push(to);
                    states.len() as u32 - 1
                })
            });
            next.push(row.collect());
            if states.len() > STATES_MAX {
                return None;
            }
        }
        let mut ways: Vec<Vec<u64>> =
            vec![states.iter().map(|state| u64::from(accepts(automaton, *state, negated))).collect()];
        let mut lengths = Vec::new();
        // Longer and longer, until texts are found and some more.
        let mut horizon = length_max.min(length_min.max(32) * 4).min(4_096).max(length_min);
        let mut length = 0;
        while length <= horizon {
            if length > 0 {
                let last = &ways[length - 1];
                let row =
                    next.iter().map(|row| row.iter().fold(0_u64, |sum, to| sum.saturating_add(last[*to as usize])));
                ways.push(row.collect());
            }
            if length >= length_min && ways[length][0] > 0 {
                if lengths.is_empty() {
                    horizon = horizon.min(length + MORE_CHARACTERS_MAX);
                }
                lengths.push(length);
            }
            length += 1;
        }
        (!lengths.is_empty()).then_some(Texts { alphabet, next, ways, lengths })
    }

    fn count(&self) -> u64 {
        self.lengths.iter().fold(0_u64, |sum, length| sum.saturating_add(self.ways[*length][0]))
    }

    fn draw(&self, random: &mut Random, text: &mut String) {
        let Some(length) = random.pick(&self.lengths) else { return };
        let mut state = 0_usize;
        for left in (0..*length).rev() {
            // Any letter that a match can still follow; not by how many matches, which would favour the strangest.
            let row = &self.next[state];
            let open = |at: &usize| self.ways[left][row[*at] as usize] > 0;
            let offset = random.below(row.len() as u64) as usize;
            let Some(at) = (0..row.len()).map(|at| (at + offset) % row.len()).find(open) else { return };
            text.push(self.alphabet[at]);
            state = row[at] as usize;
        }
    }

    fn nth(&self, index: u64, text: &mut String) {
        let mut rest = index;
        for length in &self.lengths {
            let of_length = self.ways[*length][0];
            if rest >= of_length && of_length != u64::MAX {
                rest -= of_length;
                continue;
            }
            let mut state = 0_usize;
            for left in (0..*length).rev() {
                for (letter, to) in self.alphabet.iter().zip(&self.next[state]) {
                    let ways = self.ways[left][*to as usize];
                    if rest < ways || ways == u64::MAX {
                        text.push(*letter);
                        state = *to as usize;
                        break;
                    }
                    rest -= ways;
                }
            }
            return;
        }
    }
}

impl Language {
    /// The texts of a pattern, of so many characters.
    ///
    /// # Errors
    ///
    /// When the pattern has a part that no automaton can have, is too large, or leaves no text of these lengths.
    pub(super) fn new(data_type: &DataType, pattern: &Pattern, length_min: u32, length_max: u32) -> Result<Self> {
        let (text, ignore_case, negated) = match pattern {
            Pattern::Regex { text, ignore_case, negated } | Pattern::Like { text, ignore_case, negated, .. } => {
                (text, *ignore_case, *negated)
            }
            Pattern::Glob { text, negated } => (text, false, *negated),
        };
        let failed = |cause: String| nothing_left(data_type, format!("its pattern `{text}` cannot be solved: {cause}"));
        let expression = translate(pattern).map_err(&failed)?;
        let automaton = dense::Builder::new()
            .configure(
                dense::Config::new()
                    .match_kind(MatchKind::All)
                    .start_kind(StartKind::Anchored)
                    .dfa_size_limit(Some(AUTOMATON_OCTETS_MAX))
                    .determinize_size_limit(Some(2 * AUTOMATON_OCTETS_MAX)),
            )
            .syntax(syntax::Config::new().case_insensitive(ignore_case).dot_matches_new_line(true))
            .build(&expression.text)
            .map_err(|error| failed(crate::error::chain(&error)))?;
        let begin = start::Config::new().anchored(Anchored::Yes);
        let begin = automaton.start_state(&begin).map_err(|error| failed(crate::error::chain(&error)))?;
        // What the server takes for the other case of a letter beyond ASCII depends on its locale.
        let ascii_only = ignore_case || negated;
        // A blank at the end may be cut by the type, so it is used only where the pattern names it.
        let friendly: Vec<char> = ('a'..='z').chain('0'..='9').collect();
        let named = expression.literals.iter().filter(|letter| **letter != '\0' && (letter.is_ascii() || !ascii_only));
        let mut friendly_letters = friendly.clone();
        friendly_letters.extend(named.filter(|letter| !friendly.contains(letter)));
        let mut all_letters = friendly_letters.clone();
        all_letters.extend(('!'..='~').chain(['\t', '\n']).filter(|letter| !friendly_letters.contains(letter)));
        let lengths = (length_min as usize, length_max as usize);
        let all = Texts::new(&automaton, begin, negated, all_letters, lengths);
        let friendly = Texts::new(&automaton, begin, negated, friendly_letters, lengths);
        let (friendly, all) = match (friendly, all) {
            (Some(friendly), all) => (friendly, all),
            (None, Some(all)) => (all, None),
            (None, None) => return Err(failed("no text of its length matches".to_owned())),
        };
        Ok(Language { automaton, start: begin, negated, ascii_only, friendly, all })
    }

    fn numbered(&self) -> &Texts {
        match &self.all {
            Some(all) if self.friendly.count() < ENOUGH_TEXTS => all,
            _ => &self.friendly,
        }
    }

    pub(super) fn draw(&self, random: &mut Random, awkward: bool, text: &mut String) {
        match &self.all {
            Some(all) if awkward => all.draw(random, text),
            _ => self.friendly.draw(random, text),
        }
    }

    pub(super) fn capacity(&self) -> u64 {
        self.numbered().count()
    }

    pub(super) fn nth(&self, index: u64, text: &mut String) {
        self.numbered().nth(index, text);
    }

    pub(super) fn contains(&self, text: &str) -> bool {
        let end = text.bytes().fold(self.start, |state, octet| self.automaton.next_state(state, octet));
        (text.is_ascii() || !self.ascii_only) && accepts(&self.automaton, end, self.negated)
    }

    /// The first of the shortest texts.
    pub(super) fn shortest(&self) -> Option<String> {
        let mut text = String::new();
        self.friendly.nth(0, &mut text);
        Some(text)
    }
}
