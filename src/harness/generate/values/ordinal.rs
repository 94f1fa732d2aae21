//! Types whose values stand in a row, each with a number of its own: integers, decimals of a fixed scale, dates,
//! times. Ranges are solved exactly.

use super::digits::power_of_ten;
use super::form::Form;
use super::kind::{self, Limit, Values, nothing_left};
use super::{Bound, Limits, near};
use crate::catalog::{DataType, Shape};
use crate::error::Result;
use crate::harness::Random;
use std::borrow::Cow;
use std::sync::Arc;

/// An awkward value that has no place in the row, or whose spelling is what is awkward about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Special {
    /// Above every place: `infinity`, `NaN`.
    Above,
    /// Below every place.
    Below,
    /// Where its text says.
    Spelling,
}

/// A row of values between two places.
#[derive(Debug, Clone)]
pub(super) struct Ordinal {
    form: Form,
    low: i128,
    high: i128,
    /// Where ordinary values are, within low and high.
    window: (i128, i128),
    /// Where the numbering of distinct values begins.
    first: i128,
    /// What shrinking goes towards.
    origin: i128,
    edges: Vec<i128>,
    specials: Vec<(String, Special)>,
    /// Whether the type can be in a unique key.
    unique: bool,
}

/// What an [`Ordinal`] is made from, before limits.
pub(super) struct Row<'t> {
    pub(super) form: Form,
    pub(super) low: i128,
    pub(super) high: i128,
    pub(super) window: (i128, i128),
    pub(super) first: i128,
    pub(super) edges: &'t [i128],
    pub(super) specials: &'t [(&'t str, Special)],
    pub(super) unique: bool,
}

impl Ordinal {
    /// The row within the limits' range.
    pub(super) fn new(data_type: &DataType, row: Row<'_>, limits: &Limits) -> Result<Self> {
        let unreadable = |bound: &Bound| {
            nothing_left(data_type, format!("`{}` in a range is no value that could be read", bound.value))
        };
        let (mut low, mut high) = (row.low, row.high);
        let (mut above, mut below) = (true, true);
        match limits.minimum.as_ref().map(|bound| (bound, end_of_the_world(&bound.value))) {
            None | Some((_, Some(Special::Below))) => {}
            Some((bound, Some(_))) => {
                // Only what is above every place is left, if that.
                low = i128::MAX;
                above = bound.inclusive;
            }
            Some((bound, None)) => {
                let (place, exact) = row.form.read(&bound.value).ok_or_else(|| unreadable(bound))?;
                low = low.max(if exact && bound.inclusive { place } else { place.saturating_add(1) });
                below = false;
            }
        }
        match limits.maximum.as_ref().map(|bound| (bound, end_of_the_world(&bound.value))) {
            None => {}
            Some((bound, Some(Special::Above))) => above = bound.inclusive,
            Some((_, Some(_))) => high = i128::MIN,
            Some((bound, None)) => {
                let (place, exact) = row.form.read(&bound.value).ok_or_else(|| unreadable(bound))?;
                high = high.min(if exact && !bound.inclusive { place - 1 } else { place });
                above = false;
            }
        }
        if low > high {
            return Err(nothing_left(data_type, "no value is within the range of its limits"));
        }
        let first = row.first.clamp(low, high);
        let mut window = (row.window.0.max(low), row.window.1.min(high));
        if window.0 > window.1 {
            // The limits are beside the usual values: the nearest ones then.
            let width = row.window.1 - row.window.0;
            window = if low > row.window.1 {
                (low, high.min(low.saturating_add(width)))
            } else {
                (low.max(high.saturating_sub(width)), high)
            };
        }
        let origin = 0_i128.max(low).min(high);
        let mut edges: Vec<i128> = [low, high, low.saturating_add(1), high.saturating_sub(1), 0, 1, -1]
            .into_iter()
            .chain(row.edges.iter().copied())
            .filter(|place| (low..=high).contains(place))
            .collect();
        edges.sort_unstable();
        edges.dedup();
        let specials = row
            .specials
            .iter()
            .filter(|(text, special)| match special {
                Special::Above => above,
                Special::Below => below,
                Special::Spelling => {
                    row.form.read(text).is_some_and(|(place, exact)| exact && (low..=high).contains(&place))
                }
            })
            .map(|(text, special)| ((*text).to_owned(), *special))
            .collect();
        Ok(Ordinal { form: row.form, low, high, window, first, origin, edges, specials, unique: row.unique })
    }

    /// The same row without what has no place in it.
    pub(super) fn without_specials(mut self) -> Self {
        self.specials.clear();
        self
    }

    /// Adds values that have no place because they do not fit into 128 bits.
    pub(super) fn with_specials(mut self, more: impl IntoIterator<Item = String>, special: Special) -> Self {
        self.specials.extend(more.into_iter().map(|text| (text, special)));
        self
    }

    pub(super) fn form(&self) -> Form {
        self.form
    }

    pub(super) fn ordinary_place(&self, random: &mut Random) -> i128 {
        random.within(self.window.0, self.window.1)
    }

    pub(super) fn awkward_place(&self, random: &mut Random) -> i128 {
        match self.edges.is_empty() || random.chance(0.25) {
            true => random.within(self.low, self.high),
            false => self.edges[random.below(self.edges.len() as u64) as usize],
        }
    }

    fn nth_place(&self, index: u64) -> i128 {
        let index = i128::from(index);
        // From `first` to the end, then the ones before it.
        let behind = self.high - self.first;
        if index <= behind { self.first + index } else { self.low + (index - behind - 1) }
    }

    fn text(&self, place: i128) -> String {
        let mut text = String::new();
        self.form.write(place, &mut text);
        text
    }
}

/// Texts beyond every place.
fn end_of_the_world(text: &str) -> Option<Special> {
    let text = text.trim();
    let is = |word: &str| text.eq_ignore_ascii_case(word);
    if is("infinity") || is("inf") || is("+infinity") || is("nan") {
        Some(Special::Above)
    } else if is("-infinity") || is("-inf") {
        Some(Special::Below)
    } else {
        None
    }
}

impl Values for Ordinal {
    fn ordinary(&self, random: &mut Random, text: &mut String) {
        self.form.write(self.ordinary_place(random), text);
    }

    fn awkward(&self, random: &mut Random, text: &mut String) {
        let count = (self.edges.len() + self.specials.len() + 2) as u64;
        match self.specials.get(random.below(count) as usize) {
            Some((special, _)) => text.push_str(special),
            None => self.form.write(self.awkward_place(random), text),
        }
    }

    fn near(&self, words: &[&str], random: &mut Random, text: &mut String) {
        let usual = self.ordinary_place(random);
        let place = near::place(self.form, words, usual, random);
        self.form.write(if (self.low..=self.high).contains(&place) { place } else { usual }, text);
    }

    fn capacity(&self) -> u64 {
        if !self.unique {
            return 0;
        }
        u64::try_from(self.high.saturating_sub(self.low)).map_or(u64::MAX, |span| span.saturating_add(1))
    }

    fn nth(&self, index: u64, text: &mut String) {
        self.form.write(self.nth_place(index), text);
    }

    fn accepts(&self, value: &str) -> bool {
        if self.specials.iter().any(|(special, _)| special == value) {
            return true;
        }
        match end_of_the_world(value) {
            Some(end) => {
                self.specials.iter().any(|(text, special)| *special == end && end_of_the_world(text).is_some())
            }
            None => {
                self.form.read(value).is_some_and(|(place, exact)| exact && (self.low..=self.high).contains(&place))
            }
        }
    }

    fn key<'v>(&self, value: &'v str) -> Cow<'v, str> {
        match self.form.read(value) {
            Some((place, true)) => Cow::Owned(place.to_string()),
            _ => Cow::Borrowed(value),
        }
    }

    fn simplest(&self) -> Vec<String> {
        let places = [self.origin, self.origin + 1, self.origin - 1, self.first];
        let mut texts: Vec<String> = Vec::new();
        for place in places.into_iter().filter(|place| (self.low..=self.high).contains(place)) {
            let text = self.text(place);
            if !texts.contains(&text) {
                texts.push(text);
            }
        }
        texts
    }

    fn reductions(&self, value: &str) -> Vec<String> {
        let Some((place, _)) = self.form.read(value) else { return Vec::new() };
        let distance = place.saturating_sub(self.origin);
        [2, 10, 1_000, 1_000_000]
            .into_iter()
            .flat_map(|divisor| [self.origin + distance / divisor, place - distance / divisor])
            .chain([self.origin + distance.saturating_abs() / 2])
            .filter(|place| (self.low..=self.high).contains(place))
            .map(|place| self.text(place))
            .collect()
    }
}

/// `smallint`, `integer`, `bigint`, `oid`.
pub(super) fn integers(data_type: &DataType, limits: &Limits) -> Result<Arc<dyn Values>> {
    kind::only(data_type, limits, &[Limit::Range])?;
    let (low, high) = match data_type.shape {
        Shape::SmallInt => (i128::from(i16::MIN), i128::from(i16::MAX)),
        Shape::Integer => (i128::from(i32::MIN), i128::from(i32::MAX)),
        Shape::Oid => (0, i128::from(u32::MAX)),
        _ => (i128::from(i64::MIN), i128::from(i64::MAX)),
    };
    Ok(Arc::new(whole_numbers(data_type, low, high, true, limits)?))
}

/// Whole numbers of a type.
pub(super) fn whole_numbers(
    data_type: &DataType,
    low: i128,
    high: i128,
    unique: bool,
    limits: &Limits,
) -> Result<Ordinal> {
    let window = (0, if high > i128::from(i16::MAX) { 99_999 } else { 999 });
    // Where other representations end: 16, 24, 31, 32 and 53 bits, and what SQLite's integers can hold.
    let edges: Vec<i128> = [15, 16, 24, 31, 32, 53, 62, 63]
        .into_iter()
        .map(|bits| 1_i128 << bits)
        .flat_map(|power| [power - 1, power, power + 1, -power, 1 - power, -power - 1])
        .collect();
    let row = Row { form: Form::Integer, low, high, window, first: 1, edges: &edges, specials: &[], unique };
    Ordinal::new(data_type, row, limits)
}

/// `money`: hundredths, as the C locale writes them.
pub(super) fn money(data_type: &DataType, limits: &Limits) -> Result<Arc<dyn Values>> {
    kind::only(data_type, limits, &[Limit::Range])?;
    let (low, high) = (i128::from(i64::MIN), i128::from(i64::MAX));
    let edges = [1, -1, 99, 100, -99, power_of_ten(15), 1 << 53, (1 << 53) + 1];
    let form = Form::Decimal { scale: 2 };
    let row = Row { form, low, high, window: (0, 99_999), first: 100, edges: &edges, specials: &[], unique: true };
    Ok(Arc::new(Ordinal::new(data_type, row, limits)?))
}
