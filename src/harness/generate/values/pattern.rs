//! The texts that some patterns match, drawn, numbered and recognised by deterministic automata that read them side by
//! side.
//!
//! Numbering is exact: of each state and each length it is known how many texts lead to a match, so that the n-th is
//! found without listing those before it, and no two numbers have the same text.

use super::Pattern;
use super::expression::translate;
use super::kind::nothing_left;
use crate::catalog::{DataType, Shape};
use crate::error::Result;
use crate::harness::Random;
use regex_automata::dfa::{Automaton as _, StartKind, dense};
use regex_automata::nfa::thompson;
use regex_automata::util::{primitives::StateID, start, syntax};
use regex_automata::{Anchored, MatchKind};
use std::collections::{BTreeSet, HashMap};

/// What the making of an automaton may take up, so that a hostile pattern is an error and not a standstill.
const AUTOMATON_OCTETS_MAX: usize = 4 << 20;
const STATES_MAX: usize = 4_000;
/// How many numbers of texts are kept, of 8 octets each.
const NUMBERS_MAX: usize = 4 << 20;
/// How many letters a pattern adds to the usual ones at most.
const LETTERS_MAX: usize = 256;
/// How much longer than the shortest texts drawn ones are at most.
const MORE_CHARACTERS_MAX: usize = 16;
/// Fewer distinct texts than this are too few to number them by friendly letters only.
const ENOUGH_TEXTS: u64 = 1_000_000;
/// How much of a pattern an error shows.
const SHOWN_CHARACTERS_MAX: usize = 100;

/// What reads a text for one expression.
#[derive(Debug)]
struct Automaton {
    table: dense::DFA<Vec<u32>>,
    start: StateID,
    negated: bool,
}

impl Automaton {
    fn new(expression: &str, ignore_case: bool, negated: bool) -> Result<Self, String> {
        let table = dense::Builder::new()
            .configure(
                dense::Config::new()
                    .match_kind(MatchKind::All)
                    .start_kind(StartKind::Anchored)
                    .dfa_size_limit(Some(AUTOMATON_OCTETS_MAX))
                    .determinize_size_limit(Some(AUTOMATON_OCTETS_MAX)),
            )
            .thompson(thompson::Config::new().nfa_size_limit(Some(AUTOMATON_OCTETS_MAX)))
            .syntax(syntax::Config::new().case_insensitive(ignore_case).dot_matches_new_line(true))
            .build(expression)
            // What the parser says repeats the whole expression before its last line.
            .map_err(|error| crate::error::chain(&error).lines().last().unwrap_or_default().to_owned())?;
        let start = table.start_state(&start::Config::new().anchored(Anchored::Yes));
        Ok(Automaton { start: start.map_err(|error| crate::error::chain(&error))?, table, negated })
    }

    fn accepts(&self, state: StateID) -> bool {
        self.table.is_match_state(self.table.next_eoi_state(state)) != self.negated
    }

    fn step(&self, state: StateID, letter: char) -> StateID {
        letter.encode_utf8(&mut [0; 4]).bytes().fold(state, |state, octet| self.table.next_state(state, octet))
    }

    fn matches(&self, text: &str) -> bool {
        self.accepts(text.bytes().fold(self.start, |state, octet| self.table.next_state(state, octet)))
    }
}

/// The texts of some lengths over an alphabet.
#[derive(Debug)]
struct Texts {
    alphabet: Vec<char>,
    /// Per state and letter the next state; a state is one of each automaton.
    next: Vec<Vec<u32>>,
    /// Per number of letters that are left and per state: how many texts are accepted.
    ways: Vec<Vec<u64>>,
    /// Lengths that have texts, ascending; none where nothing matches.
    lengths: Vec<usize>,
}

impl Texts {
    fn new(
        automata: &[Automaton],
        alphabet: Vec<char>,
        (length_min, length_max): (usize, usize),
    ) -> Result<Self, String> {
        let start: Vec<StateID> = automata.iter().map(|automaton| automaton.start).collect();
        let mut places = HashMap::from([(start.clone(), 0_u32)]);
        let mut states = vec![start];
        let mut next: Vec<Vec<u32>> = Vec::new();
        while next.len() < states.len() {
            let from = states[next.len()].clone();
            let row = alphabet.iter().map(|letter| {
                let to: Vec<StateID> =
                    automata.iter().zip(&from).map(|(automaton, state)| automaton.step(*state, *letter)).collect();
                *places.entry(to).or_insert_with_key(|to| {
                    states.push(to.clone());
                    states.len() as u32 - 1
                })
            });
            next.push(row.collect());
            if states.len() > STATES_MAX {
                return Err(format!("it takes more than {STATES_MAX} states"));
            }
        }
        let accepts =
            |state: &Vec<StateID>| automata.iter().zip(state).all(|(automaton, state)| automaton.accepts(*state));
        let mut ways: Vec<Vec<u64>> = vec![states.iter().map(|state| u64::from(accepts(state))).collect()];
        let mut lengths = Vec::new();
        let most = NUMBERS_MAX / states.len();
        if length_min > most {
            return Err(format!("its texts have {length_min} characters or more, and {most} are the most"));
        }
        // Longer and longer, until texts are found and some more.
        let mut horizon = length_max.min(length_min.max(32) * 4).min(4_096).max(length_min).min(most);
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
        Ok(Texts { alphabet, next, ways, lengths })
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

/// The texts that some patterns match, or do not.
#[derive(Debug)]
pub(super) struct Language {
    automata: Vec<Automaton>,
    ascii_only: bool,
    friendly: Texts,
    all: Option<Texts>,
}

impl Language {
    /// The texts of all of some patterns, of so many characters. Where a pattern looks around, more than its texts.
    ///
    /// # Errors
    ///
    /// When a pattern has a part that no automaton can have, they are too large, or leave no text of these lengths.
    pub(super) fn new(data_type: &DataType, patterns: &[Pattern], length_min: u32, length_max: u32) -> Result<Self> {
        let names: Vec<String> = patterns.iter().map(|pattern| format!("`{}`", shortened(pattern.text().0))).collect();
        let failed = |cause: String| {
            nothing_left(data_type, format!("its pattern {} cannot be solved: {cause}", names.join(" with ")))
        };
        let mut automata = Vec::new();
        let mut literals = BTreeSet::new();
        for pattern in patterns {
            let expression = translate(pattern).map_err(&failed)?;
            let ahead = expression.ahead.iter().map(|(text, negated)| (text, *negated));
            for (text, negated) in std::iter::once((&expression.text, pattern.text().1)).chain(ahead) {
                automata.push(Automaton::new(text, pattern.ignores_case(), negated).map_err(&failed)?);
            }
            literals.extend(expression.literals);
        }
        // What the server takes for the other case of a letter beyond ASCII depends on its locale.
        let ascii_only = patterns.iter().any(Pattern::ignores_case) || automata.iter().any(|one| one.negated);
        // A blank at the end may be cut by the type, so it is used only where the pattern names it.
        let friendly: Vec<char> = ('a'..='z').chain('0'..='9').collect();
        let named = literals.iter().filter(|letter| **letter != '\0' && (letter.is_ascii() || !ascii_only));
        let mut friendly_letters = friendly.clone();
        friendly_letters.extend(named.filter(|letter| !friendly.contains(letter)).take(LETTERS_MAX));
        let mut all_letters = friendly_letters.clone();
        all_letters.extend(('!'..='~').chain(['\t', '\n']).filter(|letter| !friendly_letters.contains(letter)));
        if data_type.shape == Shape::Citext {
            // Texts that differ in case only are one; of patterns that are about it, `all` still has the upper case.
            friendly_letters.retain(|letter| !letter.is_ascii_uppercase());
            if patterns.iter().all(Pattern::ignores_case) {
                all_letters.retain(|letter| !letter.is_ascii_uppercase());
            }
        }
        let lengths = (length_min as usize, length_max as usize);
        let all = Texts::new(&automata, all_letters, lengths).map_err(&failed)?;
        let friendly = Texts::new(&automata, friendly_letters, lengths).map_err(&failed)?;
        let (friendly, all) = match (friendly.lengths.is_empty(), all.lengths.is_empty()) {
            (false, _) => (friendly, Some(all)),
            (true, false) => (all, None),
            (true, true) => return Err(failed("no text of its length matches".to_owned())),
        };
        Ok(Language { automata, ascii_only, friendly, all })
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
        (text.is_ascii() || !self.ascii_only) && self.automata.iter().all(|automaton| automaton.matches(text))
    }

    /// The first of the shortest texts.
    pub(super) fn shortest(&self) -> Option<String> {
        let mut text = String::new();
        self.friendly.nth(0, &mut text);
        Some(text)
    }
}

/// Why no text can be drawn for a pattern, where no automaton of its expression can be had: nobody could draw one by
/// chance either, and the server would take as long over each of them.
pub(in crate::harness::generate) fn unsolvable(pattern: &Pattern) -> Option<String> {
    let (text, negated) = pattern.text();
    let expression = translate(pattern).ok().filter(|_| !negated)?;
    let cause = Automaton::new(&expression.text, pattern.ignores_case(), negated).err()?;
    Some(format!("its pattern `{}` cannot be solved: {cause}", shortened(text)))
}

/// Why nothing can be drawn for a pattern that somebody has written for that.
pub(in crate::harness::generate) fn mistake_in(pattern: &str) -> Option<String> {
    let whole = Pattern::Regex { text: format!("^(?:{pattern})$"), ignore_case: false, negated: false };
    let automaton = translate(&whole).and_then(|expression| Automaton::new(&expression.text, false, false));
    automaton.err().map(|cause| format!("no text can be drawn for `{}`: {cause}", shortened(pattern)))
}

/// A pattern for an error: a long one is cut.
fn shortened(text: &str) -> String {
    match text.char_indices().nth(SHOWN_CHARACTERS_MAX) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}
