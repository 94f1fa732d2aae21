//! `numeric`: decimals of any precision and scale, and what lies beyond 128 bits.

use super::Limits;
use super::decimal::Plain;
use super::digits::power_of_ten;
use super::form::Form;
use super::kind::{self, Limit, Values};
use super::ordinal::{Ordinal, Row, Special};
use crate::catalog::DataType;
use crate::error::Result;
use crate::harness::Random;
use std::borrow::Cow;
use std::sync::Arc;

/// More digits than this do not fit into 128 bits.
const DIGITS_MAX: i32 = 37;
/// How many digits the server takes before the point, and behind it.
const WHOLE_DIGITS_MAX: usize = 131_072;
const SCALE_MAX: usize = 16_383;

/// Decimals whose key is the number and not its spelling.
#[derive(Debug)]
struct Numeric {
    row: Ordinal,
}

impl Values for Numeric {
    fn ordinary(&self, random: &mut Random, text: &mut String) {
        self.row.ordinary(random, text);
    }

    fn awkward(&self, random: &mut Random, text: &mut String) {
        self.row.awkward(random, text);
    }

    fn near(&self, words: &[&str], random: &mut Random, text: &mut String) {
        self.row.near(words, random, text);
    }

    fn capacity(&self) -> u64 {
        self.row.capacity()
    }

    fn nth(&self, index: u64, text: &mut String) {
        self.row.nth(index, text);
    }

    fn accepts(&self, value: &str) -> bool {
        self.row.accepts(value)
    }

    fn key<'v>(&self, value: &'v str) -> Cow<'v, str> {
        match Plain::read(value) {
            Some(number) => Cow::Owned(number.key()),
            None => Cow::Owned(value.to_ascii_lowercase()),
        }
    }

    fn simplest(&self) -> Vec<String> {
        self.row.simplest()
    }

    fn reductions(&self, value: &str) -> Vec<String> {
        let mut found = self.row.reductions(value);
        // What does not fit into the row loses digits.
        let significant = value.trim_end_matches('0').len();
        if value.contains('.') && significant < value.len() {
            found.push(value[..significant].trim_end_matches('.').to_owned());
        }
        for part in [2, 4] {
            if value.is_ascii() && value.len() > 8 && !value.contains(['e', 'I', 'N']) {
                found.push(value[..value.len() / part].trim_end_matches(['.', '-']).to_owned());
            }
        }
        found
    }
}

/// `numeric`, with or without precision and scale.
pub(super) fn build(data_type: &DataType, modifier: Option<(i32, i32)>, limits: &Limits) -> Result<Arc<dyn Values>> {
    kind::only(data_type, limits, &[Limit::Range])?;
    let row = match modifier {
        Some((precision, scale)) => with_precision(data_type, precision, scale, limits)?,
        None => without_precision(data_type, limits)?,
    };
    Ok(Arc::new(Numeric { row }))
}

fn with_precision(data_type: &DataType, precision: i32, scale: i32, limits: &Limits) -> Result<Ordinal> {
    let high = power_of_ten(precision.min(DIGITS_MAX) as u32) - 1;
    // A scale that 128 bits cannot reach is written with the digits that they can.
    let digits = scale.min(DIGITS_MAX);
    let usual = if digits >= 0 { power_of_ten(digits as u32).saturating_mul(1_000) } else { 1_000 };
    let edges = [10, 100, power_of_ten(15), power_of_ten(15) - 1, power_of_ten(18), (1 << 53) + 1, 1 << 63];
    let specials = [("NaN", Special::Above), ("-0", Special::Spelling), ("0e0", Special::Spelling)];
    let high = if scale > digits {
        power_of_ten((precision - (scale - digits)).clamp(0, DIGITS_MAX) as u32) - 1
    } else {
        high
    };
    let row = Row {
        form: Form::Decimal { scale: digits },
        low: -high,
        high,
        window: (0, usual.min(high)),
        first: 1.min(high),
        edges: &edges,
        specials: &specials,
        unique: true,
    };
    let row = Ordinal::new(data_type, row, limits)?;
    if limits.minimum.is_some() || limits.maximum.is_some() || precision <= DIGITS_MAX {
        return Ok(row);
    }
    let digits = "9".repeat(precision as usize);
    let full = match usize::try_from(scale) {
        Ok(0) => digits,
        Ok(scale) if scale < digits.len() => {
            format!("{}.{}", &digits[..digits.len() - scale], &digits[digits.len() - scale..])
        }
        Ok(scale) => format!("0.{digits:0>scale$}"),
        Err(_) => format!("{digits}{}", "0".repeat(scale.unsigned_abs() as usize)),
    };
    Ok(row.with_specials([format!("-{full}"), full], Special::Spelling))
}

fn without_precision(data_type: &DataType, limits: &Limits) -> Result<Ordinal> {
    // As many digits behind the point as the bounds have, at least two, so that a range below one has values.
    let behind = |bound: &Option<super::Bound>| {
        bound.as_ref().and_then(|bound| Plain::read(&bound.value)).map_or(0, |number| (-number.exponent).clamp(0, 12))
    };
    let scale = 2 + behind(&limits.minimum).max(behind(&limits.maximum)) as i32;
    let high = power_of_ten(36);
    let edges = [10, 100, power_of_ten(15), power_of_ten(18), power_of_ten(19), (1 << 53) + 1, 1 << 63, 1 << 64];
    let specials = [
        ("NaN", Special::Above),
        ("Infinity", Special::Above),
        ("-Infinity", Special::Below),
        ("-0", Special::Spelling),
        ("0", Special::Spelling),
        ("0.00", Special::Spelling),
        ("1.0", Special::Spelling),
        ("1.0000000000", Special::Spelling),
        ("-1.50", Special::Spelling),
        ("10000", Special::Spelling),
        ("1e4", Special::Spelling),
    ];
    let row = Row {
        form: Form::Decimal { scale },
        low: -high,
        high,
        window: (0, power_of_ten(scale as u32) * 1_000),
        first: power_of_ten(scale as u32),
        edges: &edges,
        specials: &specials,
        unique: true,
    };
    let row = Ordinal::new(data_type, row, limits)?;
    let mut huge = Vec::new();
    let (nines, thirds) = ("9".repeat(1_000), "3".repeat(1_000));
    if limits.maximum.is_none() {
        huge.extend(
            ["1e308", "1e400", "79228162514264337593543950336", "123456789012345678901234567890.5"].map(str::to_owned),
        );
        huge.extend([nines.clone(), format!("{nines}.{thirds}"), format!("1e{}", WHOLE_DIGITS_MAX - 1)]);
    }
    if limits.minimum.is_none() {
        huge.extend(["-1e308".to_owned(), format!("-{nines}"), format!("-{nines}.{thirds}")]);
    }
    if limits.minimum.is_none() && limits.maximum.is_none() {
        huge.extend([format!("1e-{SCALE_MAX}"), format!("0.{thirds}"), format!("-0.{}1", "0".repeat(999))]);
    }
    Ok(row.with_specials(huge, Special::Spelling))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_rounded_down_to_units() {
        let floor = |text: &str, scale| Plain::read(text).unwrap().floor(scale).unwrap();
        assert_eq!(floor("1.50", 2), (150, true));
        assert_eq!(floor("1.505", 2), (150, false));
        assert_eq!(floor("-1.505", 2), (-151, false));
        assert_eq!(floor("0.5", 0), (0, false));
        assert_eq!(floor("-0.5", 0), (-1, false));
        assert_eq!(floor("1e3", 0), (1_000, true));
        assert_eq!(floor("1999", -3), (1, false));
        assert_eq!(floor("-0", 5), (0, true));
        assert!(Plain::read("1,5").is_none() && Plain::read("").is_none() && Plain::read("NaN").is_none());
    }

    #[test]
    fn equal_numbers_have_one_key() {
        let key = |text: &str| Plain::read(text).unwrap().key();
        assert_eq!(key("1.0"), key("1.00"));
        assert_eq!(key("100"), key("1e2"));
        assert_ne!(key("1"), key("-1"));
    }
}
