//! `real` and `double precision`: bounds are solved on the grid of the type itself.

use super::digits::{push_integer, push_padded};
use super::kind::{self, Limit, Values, nothing_left};
use super::{Bound, Limits};
use crate::catalog::{DataType, Shape};
use crate::error::Result;
use crate::harness::Random;
use std::borrow::Cow;
use std::sync::Arc;

/// Where the ordinary values are, in hundredths.
const USUAL: (i64, i64) = (0, 999_999);
/// So many of a type's values are enough to number them by whole numbers alone.
const WHOLE_NUMBERS_MIN: i64 = 100_000;
/// Steps of the numbering where whole numbers are too few.
const STEPS: u64 = 1 << 20;

/// Extremes that both types take, and those that only one of them does: neither reads a number that underflows.
const AWKWARD: [&str; 14] = [
    "NaN",
    "Infinity",
    "-Infinity",
    "-0",
    "0",
    "0.1",
    "0.30000000000000004",
    "16777217",
    "9007199254740993",
    "1e22",
    "1e23",
    "-1.5",
    "123456789012345680",
    "0.3333333",
];
const AWKWARD_DOUBLE: [&str; 10] = [
    "5e-324",
    "-5e-324",
    "2.2250738585072014e-308",
    "2.225073858507201e-308",
    "1.7976931348623157e308",
    "-1.7976931348623157e308",
    "1e308",
    "1.0000000000000002",
    "0.9999999999999999",
    "-1e-300",
];
const AWKWARD_REAL: [&str; 7] =
    ["1.4e-45", "-1.4e-45", "1.17549435e-38", "1.1754942e-38", "3.4028235e38", "-3.4028235e38", "1.00000012"];

#[derive(Debug)]
struct Floats {
    /// Whether the type has 32 bits.
    real: bool,
    low: f64,
    high: f64,
    /// NaN is above everything, so it is there where nothing bounds the values from above.
    nan: bool,
    /// Hundredths within the limits, where ordinary values are; `None` where the limits are too narrow.
    hundredths: Option<(i64, i64)>,
    whole: Option<(i64, i64)>,
    awkward: Vec<String>,
}

impl Floats {
    fn read(&self, text: &str) -> Option<f64> {
        // The standard library reads more spellings of the ends than the server; all that are written here are both's.
        let value: f64 = if self.real { text.trim().parse::<f32>().ok()?.into() } else { text.trim().parse().ok()? };
        Some(if value == 0.0 { 0.0 } else { value })
    }

    fn holds(&self, value: f64) -> bool {
        if value.is_nan() { self.nan } else { self.low <= value && value <= self.high }
    }

    fn write(&self, value: f64, text: &mut String) {
        if value.is_infinite() {
            text.push_str(if value > 0.0 { "Infinity" } else { "-Infinity" });
        } else if self.real {
            text.push_str(&format!("{:?}", value as f32));
        } else {
            text.push_str(&format!("{value:?}"));
        }
        if text.ends_with(".0") {
            text.truncate(text.len() - 2);
        }
    }

    /// Places of the type's finite values within the limits, in their order.
    fn places(&self) -> (i64, i64) {
        let most = if self.real { f64::from(f32::MAX) } else { f64::MAX };
        (place(self.low.max(-most), self.real), place(self.high.min(most), self.real))
    }

    fn somewhere(&self, random: &mut Random, text: &mut String) {
        let (low, high) = self.places();
        let drawn = random.within(low.into(), high.into()) as i64;
        self.write(at_place(drawn, self.real), text);
    }
}

/// The place of a number among all numbers of the type; the zeros share one.
fn place(value: f64, real: bool) -> i64 {
    let fold = |bits: i64, least: i64| if bits < 0 { least - bits } else { bits };
    match real {
        true => fold(i64::from((value as f32).to_bits() as i32), i64::from(i32::MIN)),
        false => fold(value.to_bits() as i64, i64::MIN),
    }
}

fn at_place(place: i64, real: bool) -> f64 {
    match (real, place < 0) {
        (true, false) => f32::from_bits(place as u32).into(),
        (true, true) => (-f32::from_bits((-place) as u32)).into(),
        (false, false) => f64::from_bits(place as u64),
        (false, true) => -f64::from_bits(place.unsigned_abs()),
    }
}

impl Values for Floats {
    fn ordinary(&self, random: &mut Random, text: &mut String) {
        let Some((low, high)) = self.hundredths else { return self.somewhere(random, text) };
        let drawn = random.within(low.into(), high.into()) as i64;
        if drawn < 0 {
            text.push('-');
        }
        let drawn = drawn.unsigned_abs();
        push_integer(text, i128::from(drawn / 100));
        text.push('.');
        push_padded(text, drawn % 100, 2);
    }

    fn awkward(&self, random: &mut Random, text: &mut String) {
        match random.pick(&self.awkward) {
            Some(value) if !random.chance(0.2) => text.push_str(value),
            _ => self.somewhere(random, text),
        }
    }

    fn capacity(&self) -> u64 {
        if let Some((low, high)) = self.whole {
            return (high - low) as u64 + 1;
        }
        let (low, high) = self.places();
        let count = high.abs_diff(low).saturating_add(1);
        if count <= STEPS { count } else { count / STEPS * STEPS }
    }

    fn nth(&self, index: u64, text: &mut String) {
        if let Some((low, high)) = self.whole {
            let first = 1.clamp(low, high);
            let behind = (high - first) as u64;
            let value = if index <= behind { first + index as i64 } else { low + (index - behind - 1) as i64 };
            return push_integer(text, value.into());
        }
        // Evenly spread first, then the ones beside those.
        let (low, _) = self.places();
        let stride = (self.capacity() / STEPS).max(1);
        let offset = if stride == 1 { index } else { index % STEPS * stride + index / STEPS };
        self.write(at_place(low.wrapping_add(offset as i64), self.real), text);
    }

    fn accepts(&self, value: &str) -> bool {
        self.read(value).is_some_and(|value| self.holds(value))
    }

    fn key<'v>(&self, value: &'v str) -> Cow<'v, str> {
        match self.read(value) {
            Some(value) if value.is_nan() => Cow::Borrowed("NaN"),
            Some(value) => Cow::Owned(value.to_bits().to_string()),
            None => Cow::Borrowed(value),
        }
    }

    fn simplest(&self) -> Vec<String> {
        let nearest = 0.0_f64.clamp(self.low, self.high);
        let mut found: Vec<String> = Vec::new();
        for value in [0.0, 1.0, -1.0, nearest.ceil(), nearest.floor(), nearest] {
            let mut text = String::new();
            self.write(value, &mut text);
            if self.accepts(&text) && !found.contains(&text) {
                found.push(text);
            }
        }
        found
    }

    fn reductions(&self, value: &str) -> Vec<String> {
        let Some(number) = self.read(value).filter(|number| number.is_finite()) else { return Vec::new() };
        let written = |number: f64| {
            let mut text = String::new();
            self.write(number, &mut text);
            text
        };
        vec![written(number.trunc()), written((number / 2.0).trunc()), written((number * 10.0).round() / 10.0)]
    }
}

/// `real` and `double precision`.
pub(super) fn build(data_type: &DataType, limits: &Limits) -> Result<Arc<dyn Values>> {
    kind::only(data_type, limits, &[Limit::Range])?;
    let real = data_type.base().shape == Shape::Real;
    let read = |bound: &Bound| {
        bound.value.trim().parse::<f64>().map_err(|_| {
            nothing_left(data_type, format!("`{}` in a range is no value that could be read", bound.value))
        })
    };
    let low = match &limits.minimum {
        None => f64::NEG_INFINITY,
        Some(bound) => upward(read(bound)?, bound.inclusive, real),
    };
    let high = match &limits.maximum {
        None => f64::INFINITY,
        Some(bound) => -upward(-read(bound)?, bound.inclusive, real),
    };
    if low.is_nan() || high.is_nan() || low > high {
        return Err(nothing_left(data_type, "no value is within the range of its limits"));
    }
    let hundredths = ((low * 100.0).ceil().max(USUAL.0 as f64), (high * 100.0).floor().min(USUAL.1 as f64));
    let mut floats = Floats {
        real,
        low,
        high,
        nan: limits.maximum.is_none(),
        // A hundredth that is rounded to the grid may leave narrow limits, so the ends stay one away.
        hundredths: (hundredths.1 - hundredths.0 >= 10.0)
            .then(|| (hundredths.0 as i64 + i64::from(low > 0.0), hundredths.1 as i64 - 1)),
        whole: None,
        awkward: Vec::new(),
    };
    let exact: i64 = if real { 1 << 24 } else { 1 << 53 };
    let whole = (low.ceil().max(-(exact as f64)) as i64, high.floor().min(exact as f64) as i64);
    floats.whole = (whole.1.saturating_sub(whole.0) >= WHOLE_NUMBERS_MIN).then_some(whole);
    let own: &[&str] = if real { &AWKWARD_REAL } else { &AWKWARD_DOUBLE };
    floats.awkward =
        AWKWARD.iter().chain(own).filter(|text| floats.accepts(text)).map(|text| (*text).to_owned()).collect();
    for end in [low, high].into_iter().filter(|end| end.is_finite()) {
        let mut text = String::new();
        floats.write(end, &mut text);
        floats.awkward.push(text);
    }
    Ok(Arc::new(floats))
}

/// The least number of the type that is at least `bound`, or above it.
fn upward(bound: f64, inclusive: bool, real: bool) -> f64 {
    if !real {
        return if inclusive { bound } else { bound.next_up() };
    }
    let near = bound as f32;
    let enough = if inclusive { f64::from(near) >= bound } else { f64::from(near) > bound };
    f64::from(if enough { near } else { near.next_up() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_in_the_order_of_the_numbers() {
        for real in [false, true] {
            let numbers = [-1e30, -1.0, -1e-30, 0.0, 1e-30, 1.0, 1e30];
            let places: Vec<i64> = numbers.iter().map(|number| place(*number, real)).collect();
            assert!(places.is_sorted(), "{places:?}");
            for at in [-5, -1, 0, 1, 5, 1 << 29] {
                assert_eq!(place(at_place(at, real), real), at);
            }
        }
        assert!(upward(0.1, true, true) >= 0.1 && upward(1.0, false, true) > 1.0);
    }
}
