//! Decimal numbers: sign, digits and scale, of any size.

use super::Sink;
use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

/// The sign of a decimal number, or that it is not a finite one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sign {
    /// Zero or above.
    Positive,
    /// Below zero.
    Negative,
    /// Not a number.
    NaN,
    /// Above every number.
    Infinity,
    /// Below every number.
    NegativeInfinity,
}

/// A decimal number as a `numeric` column holds it: `1.0` and `1.00` are different values with equal magnitude.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decimal {
    sign: Sign,
    digits: Digits,
    scale: u16,
}

/// The digits without the point and without leading zeros. Small ones are always kept as a number.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Digits {
    Small(u64),
    Large(Box<str>),
}

/// Numbers of up to so many digits are kept as an integer.
const SMALL_DIGITS_MAX: usize = 18;

impl Decimal {
    /// A value that is not a finite number, or zero for the finite signs.
    pub fn special(sign: Sign) -> Self {
        Decimal { sign, digits: Digits::Small(0), scale: 0 }
    }

    /// `unscaled` divided by ten to the power of `scale`. `unscaled` has at most 18 digits.
    pub fn small(negative: bool, unscaled: u64, scale: u16) -> Self {
        let sign = if negative && unscaled != 0 { Sign::Negative } else { Sign::Positive };
        Decimal { sign, digits: Digits::Small(unscaled), scale }
    }

    /// A number from its ASCII digits; leading zeros are dropped.
    pub fn from_digits(negative: bool, digits: &str, scale: u16) -> Self {
        let digits = digits.trim_start_matches('0');
        if digits.len() <= SMALL_DIGITS_MAX {
            let unscaled = digits.bytes().fold(0_u64, |sum, digit| sum * 10 + u64::from(digit - b'0'));
            return Self::small(negative, unscaled, scale);
        }
        let sign = if negative { Sign::Negative } else { Sign::Positive };
        Decimal { sign, digits: Digits::Large(digits.into()), scale }
    }

    /// The sign.
    pub fn sign(&self) -> Sign {
        self.sign
    }

    /// How many digits stand behind the point.
    pub fn scale(&self) -> u16 {
        self.scale
    }

    /// How many digits it has before the point, none where it is below one; of what is not finite none either.
    pub fn whole_digits(&self) -> usize {
        let digits = match &self.digits {
            Digits::Small(0) => 0,
            Digits::Small(number) => number.ilog10() as usize + 1,
            Digits::Large(digits) => digits.len(),
        };
        digits.saturating_sub(usize::from(self.scale))
    }

    /// Whether it is a number at all and not NaN or an infinity.
    pub fn is_finite(&self) -> bool {
        matches!(self.sign, Sign::Positive | Sign::Negative)
    }

    /// The number without its point, where it is finite and fits.
    pub fn unscaled(&self) -> Option<i64> {
        match (&self.digits, self.sign) {
            (Digits::Small(digits), Sign::Positive) => i64::try_from(*digits).ok(),
            (Digits::Small(digits), Sign::Negative) => i64::try_from(*digits).ok().map(|digits| -digits),
            _ => None,
        }
    }

    /// The same number with so many digits behind the point; `None` where a digit that is not zero would be lost.
    pub fn with_scale(&self, scale: u16) -> Option<Decimal> {
        if !self.is_finite() || self.scale == scale {
            return Some(self.clone());
        }
        let mut digits = self.digits().into_owned();
        match scale.checked_sub(self.scale) {
            Some(more) => digits.extend(std::iter::repeat_n('0', usize::from(more))),
            None => {
                let less = usize::from(self.scale - scale);
                let (kept, lost) = digits.split_at(digits.len().saturating_sub(less));
                if lost.bytes().any(|digit| digit != b'0') {
                    return None;
                }
                digits = kept.to_owned();
            }
        }
        Some(Self::from_digits(self.sign == Sign::Negative, &digits, scale))
    }

    /// The digits without the point and without leading zeros, none for zero.
    pub fn digits(&self) -> Cow<'_, str> {
        match &self.digits {
            Digits::Small(0) => Cow::Borrowed(""),
            Digits::Small(number) => Cow::Owned(number.to_string()),
            Digits::Large(digits) => Cow::Borrowed(digits),
        }
    }

    /// How many digits that are.
    pub fn digit_count(&self) -> usize {
        match &self.digits {
            Digits::Small(0) => 0,
            Digits::Small(number) => number.ilog10() as usize + 1,
            Digits::Large(digits) => digits.len(),
        }
    }

    /// The payload of the canonical encoding: sign, scale, the number of digits, the digits in ASCII.
    #[inline]
    pub(super) fn encode(&self, sink: &mut impl Sink) {
        let mut buffer = [0; 20];
        let digits = match &self.digits {
            Digits::Small(number) => ascii(*number, &mut buffer),
            Digits::Large(digits) => digits.as_bytes(),
        };
        let mut head = [0; 11];
        head[0] = self.sign as u8;
        head[1..3].copy_from_slice(&self.scale.to_be_bytes());
        head[3..].copy_from_slice(&(digits.len() as u64).to_be_bytes());
        sink.put(&head);
        sink.put(digits);
    }
}

/// The digits of a number, none for zero.
fn ascii(mut number: u64, buffer: &mut [u8; 20]) -> &[u8] {
    let mut start = buffer.len();
    while number > 0 {
        start -= 1;
        buffer[start] = b'0' + (number % 10) as u8;
        number /= 10;
    }
    &buffer[start..]
}

/// PostgreSQL's own text of the number.
impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.sign {
            Sign::NaN => return f.write_str("NaN"),
            Sign::Infinity => return f.write_str("Infinity"),
            Sign::NegativeInfinity => return f.write_str("-Infinity"),
            Sign::Negative => f.write_str("-")?,
            Sign::Positive => {}
        }
        let mut buffer = [0; 20];
        let digits = match &self.digits {
            Digits::Small(number) => std::str::from_utf8(ascii(*number, &mut buffer)).unwrap_or_default(),
            Digits::Large(digits) => digits,
        };
        let scale = usize::from(self.scale);
        let (whole, fraction) = digits.split_at(digits.len().saturating_sub(scale));
        f.write_str(if whole.is_empty() { "0" } else { whole })?;
        if scale > 0 { write!(f, ".{fraction:0>scale$}") } else { Ok(()) }
    }
}

/// The text is not a decimal number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotADecimal;

impl fmt::Display for NotADecimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a decimal number")
    }
}

impl std::error::Error for NotADecimal {}

/// Reads what [`Display`](fmt::Display) writes: an optional minus, digits, an optional point with digits; no exponent.
impl FromStr for Decimal {
    type Err = NotADecimal;

    fn from_str(text: &str) -> Result<Self, NotADecimal> {
        match text {
            "NaN" => return Ok(Self::special(Sign::NaN)),
            "Infinity" => return Ok(Self::special(Sign::Infinity)),
            "-Infinity" => return Ok(Self::special(Sign::NegativeInfinity)),
            _ => {}
        }
        let (negative, number) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !all_digits(whole) || !all_digits(fraction) || number.ends_with('.') {
            return Err(NotADecimal);
        }
        let scale = u16::try_from(fraction.len()).map_err(|_| NotADecimal)?;
        if whole.len() + fraction.len() <= SMALL_DIGITS_MAX {
            let digits = whole.bytes().chain(fraction.bytes());
            let unscaled = digits.fold(0_u64, |sum, digit| sum * 10 + u64::from(digit - b'0'));
            return Ok(Self::small(negative, unscaled, scale));
        }
        Ok(Self::from_digits(negative, &format!("{whole}{fraction}"), scale))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_scale_is_changed_where_nothing_is_lost() {
        for (text, scale, expected) in [
            ("1.5", 2, Some("1.50")),
            ("-1.50", 1, Some("-1.5")),
            ("1.50", 0, None),
            ("0.00", 0, Some("0")),
            ("0", 3, Some("0.000")),
            ("123456789012345678901234567890", 2, Some("123456789012345678901234567890.00")),
            ("0.05", 1, None),
        ] {
            let scaled = text.parse::<Decimal>().unwrap().with_scale(scale);
            assert_eq!(scaled.map(|decimal| decimal.to_string()).as_deref(), expected, "{text}");
        }
        assert_eq!("0.0123".parse::<Decimal>().unwrap().digit_count(), 3);
    }

    #[test]
    fn text_and_back() {
        for text in ["0", "0.00", "1", "-1.50", "0.0001", "NaN", "-Infinity", "123456789012345678901234567890.5"] {
            assert_eq!(text.parse::<Decimal>().unwrap().to_string(), text);
        }
        for text in ["", "-", ".5", "5.", "1e5", "0x1", "1.2.3", "+1", " 1"] {
            assert_eq!(text.parse::<Decimal>(), Err(NotADecimal), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_digits_survive(negative: bool, whole in "[1-9][0-9]{0,40}|0", fraction in "[0-9]{0,40}") {
            let nothing = whole == "0" && fraction.bytes().all(|digit| digit == b'0');
            let sign = if negative && !nothing { "-" } else { "" };
            let text = if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") };
            let number = text.parse::<Decimal>().unwrap();
            prop_assert_eq!(number.whole_digits(), if whole == "0" { 0 } else { whole.len() });
            prop_assert_eq!(number.to_string(), text);
        }
    }
}
