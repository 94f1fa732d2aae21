//! A decimal number of any length, read from its text.

use super::digits::power_of_ten;

/// A decimal number taken apart: sign, significant digits without zeros at either end, and the exponent of the last.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Plain {
    negative: bool,
    digits: String,
    pub(super) exponent: i64,
}

impl Plain {
    /// Reads an optional sign, digits with an optional point, and an optional exponent.
    pub(super) fn read(text: &str) -> Option<Self> {
        let text = text.trim();
        let (negative, rest) = match text.as_bytes().first()? {
            b'-' => (true, &text[1..]),
            b'+' => (false, &text[1..]),
            _ => (false, text),
        };
        let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().ok()?),
            None => (rest, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.len() + fraction.len() == 0 || !all_digits(whole) || !all_digits(fraction) {
            return None;
        }
        let all = format!("{whole}{fraction}");
        let digits = all.trim_end_matches('0');
        let exponent = exponent - fraction.len() as i64 + (all.len() - digits.len()) as i64;
        let digits = digits.trim_start_matches('0');
        if digits.is_empty() {
            return Some(Plain { negative: false, digits: String::new(), exponent: 0 });
        }
        Some(Plain { negative, digits: digits.to_owned(), exponent })
    }

    /// The number in units of ten to the power of minus `scale`, rounded down, and whether that is exact. Beyond 128
    /// bits: the outermost number.
    pub(super) fn floor(&self, scale: i32) -> Option<(i128, bool)> {
        if self.digits.is_empty() {
            return Some((0, true));
        }
        let shift = self.exponent + i64::from(scale);
        let outermost = if self.negative { (i128::MIN / 4, false) } else { (i128::MAX / 4, false) };
        if self.digits.len() as i64 + shift > 38 {
            return Some(outermost);
        }
        if shift >= 0 {
            let unscaled: i128 = self.digits.parse().ok()?;
            let Some(place) = unscaled.checked_mul(power_of_ten(shift as u32)) else { return Some(outermost) };
            return Some((if self.negative { -place } else { place }, true));
        }
        // Digits behind the unit are cut; the cut is downwards for negative numbers, too.
        let kept = (self.digits.len() as i64 + shift).max(0) as usize;
        let place: i128 = if kept == 0 { 0 } else { self.digits[..kept].parse().ok()? };
        Some((if self.negative { -place - 1 } else { place }, false))
    }

    /// The same text for equal numbers.
    pub(super) fn key(&self) -> String {
        format!("{}{}e{}", if self.negative { "-" } else { "" }, self.digits, self.exponent)
    }
}
