//! Binary floating-point numbers as PostgreSQL prints them under `extra_float_digits = 1`.
//!
//! The digits are the fewest that read back as the same number, the nearest of them where there are several, and of two
//! that are equally near the even one. Unlike most printers, the server (src/common/d2s.c and f2s.c, `acceptBounds`)
//! takes no digits that stand for exactly the middle between two numbers, although rounding to even would read some of
//! them back. The layout is that of C's `%g`.

use std::cmp::Ordering;

/// What differs between `real` and `double precision`.
struct Format {
    /// Bits of the significand, the hidden one among them.
    significand_bits: u32,
    /// The exponent of the lowest bit of the smallest numbers.
    exponent_min: i32,
    /// So many digits tell every number apart.
    digits_max: usize,
    /// Numbers from ten to this power on have an exponent.
    plain_below: i32,
}

const REAL: Format = Format { significand_bits: 24, exponent_min: -149, digits_max: 9, plain_below: 6 };
const DOUBLE: Format = Format { significand_bits: 53, exponent_min: -1074, digits_max: 17, plain_below: 15 };
/// Numbers below ten to this power have an exponent.
const PLAIN_FROM: i32 = -4;

/// A `real` as `float4out` prints it.
pub fn real(value: f32) -> String {
    special(f64::from(value)).unwrap_or_else(|| {
        let digits = |count: Option<usize>| match count {
            None => format!("{:e}", value.abs()),
            Some(count) => format!("{:.*e}", count - 1, value.abs()),
        };
        let reads_back = |text: &str| text.parse::<f32>() == Ok(value.abs());
        // A number below the normal ones of a `real` is a normal `double`.
        let bits = value.abs().to_bits();
        let parts = parts(u64::from(bits), &REAL);
        lay_out(value.is_sign_negative(), &shortest(&digits, &reads_back, parts, &REAL), &REAL)
    })
}

/// A `double precision` as `float8out` prints it.
pub fn double(value: f64) -> String {
    special(value).unwrap_or_else(|| {
        let digits = |count: Option<usize>| match count {
            None => format!("{:e}", value.abs()),
            Some(count) => format!("{:.*e}", count - 1, value.abs()),
        };
        let reads_back = |text: &str| text.parse::<f64>() == Ok(value.abs());
        let parts = parts(value.abs().to_bits(), &DOUBLE);
        lay_out(value.is_sign_negative(), &shortest(&digits, &reads_back, parts, &DOUBLE), &DOUBLE)
    })
}

fn special(value: f64) -> Option<String> {
    let text = match value {
        _ if value.is_nan() => "NaN",
        f64::INFINITY => "Infinity",
        f64::NEG_INFINITY => "-Infinity",
        _ if value == 0.0 => {
            if value.is_sign_negative() {
                "-0"
            } else {
                "0"
            }
        }
        _ => return None,
    };
    Some(text.to_owned())
}

/// A positive decimal number: digits without a point, and the power of ten of the last one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Digits {
    number: u64,
    power: i32,
}

impl Digits {
    /// Reads what `{:e}` prints: `1.25e-7`.
    fn parse(text: &str) -> Option<Digits> {
        let (digits, exponent) = text.split_once('e')?;
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let power = exponent.parse::<i32>().ok()? - i32::try_from(fraction.len()).ok()?;
        Some(Digits { number: format!("{whole}{fraction}").parse().ok()?, power })
    }

    fn text(self) -> String {
        format!("{}e{}", self.number, self.power)
    }

    /// The digits on the other side of a number that is exactly in the middle.
    fn other_of_two_nearest(self, significand: u64, exponent: i32) -> Option<Digits> {
        let middle = |doubled: u64| Digits { number: doubled * 5, power: self.power - 1 };
        if is_equal(middle(2 * self.number + 1), significand, exponent) {
            Some(Digits { number: self.number + 1, ..self })
        } else if is_equal(middle((2 * self.number).checked_sub(1)?), significand, exponent) {
            Some(Digits { number: self.number - 1, ..self })
        } else {
            None
        }
    }
}

/// Significand and exponent of a positive number from its bits.
fn parts(bits: u64, format: &Format) -> (u64, i32) {
    let hidden = 1 << (format.significand_bits - 1);
    let (exponent, fraction) = (bits / hidden, bits % hidden);
    match i32::try_from(exponent).unwrap_or(0) {
        0 => (fraction, format.exponent_min),
        exponent => (fraction + hidden, format.exponent_min + exponent - 1),
    }
}

/// The digits that the server prints.
fn shortest(
    digits: &dyn Fn(Option<usize>) -> String,
    reads_back: &dyn Fn(&str) -> bool,
    (significand, exponent): (u64, i32),
    format: &Format,
) -> Digits {
    let fallback = Digits { number: 0, power: 0 };
    let is_taken =
        |candidate: Digits| !is_between_two(candidate, significand, exponent, format) && reads_back(&candidate.text());
    let first = Digits::parse(&digits(None)).unwrap_or(fallback);
    let first = match first.other_of_two_nearest(significand, exponent) {
        Some(even) if !first.number.is_multiple_of(2) && is_taken(even) => even,
        _ => first,
    };
    if !is_between_two(first, significand, exponent, format) {
        return first;
    }
    for count in 2..=format.digits_max {
        let Some(rounded) = Digits::parse(&digits(Some(count))) else { continue };
        // Below a power of two the numbers are closer to each other: there the digits above may be the only ones.
        for candidate in [rounded, Digits { number: rounded.number + 1, ..rounded }] {
            if is_taken(candidate) {
                return candidate;
            }
        }
    }
    first
}

/// Whether the digits stand for exactly the middle between the number and the next one below or above.
fn is_between_two(digits: Digits, significand: u64, exponent: i32, format: &Format) -> bool {
    let above = (2 * significand + 1, exponent - 1);
    let at_power_of_two = significand == 1 << (format.significand_bits - 1) && exponent > format.exponent_min;
    let below = if at_power_of_two { (4 * significand - 1, exponent - 2) } else { (2 * significand - 1, exponent - 1) };
    [above, below].into_iter().any(|(number, power)| is_equal(digits, number, power))
}

/// Whether a decimal number equals `number` times two to the `power`.
fn is_equal(digits: Digits, number: u64, power: i32) -> bool {
    // Both sides as an odd number times a power of two, with the fives on the side where they multiply.
    let (decimal_twos, binary_twos) = (digits.number.trailing_zeros(), number.trailing_zeros());
    let (mut decimal, mut binary) = (u128::from(digits.number >> decimal_twos), u128::from(number >> binary_twos));
    let fives = 5_u128.checked_pow(digits.power.unsigned_abs());
    let side = if digits.power < 0 { &mut binary } else { &mut decimal };
    // More fives than fit cannot be matched by a number of 64 bits.
    let Some(product) = fives.and_then(|fives| side.checked_mul(fives)) else { return false };
    *side = product;
    let twos = |twos: u32, power: i32| i64::from(twos) + i64::from(power);
    decimal == binary && twos(decimal_twos, digits.power) == twos(binary_twos, power)
}

fn lay_out(negative: bool, digits: &Digits, format: &Format) -> String {
    let text = digits.number.to_string();
    let text = text.trim_end_matches('0');
    let stripped = digits.number.to_string().len() - text.len();
    let count = text.len() as i32;
    // The power of ten of the first digit.
    let exponent = digits.power + stripped as i32 + count - 1;
    let sign = if negative { "-" } else { "" };
    if !(PLAIN_FROM..format.plain_below).contains(&exponent) {
        let (first, rest) = text.split_at(1.min(text.len()));
        let point = if rest.is_empty() { "" } else { "." };
        let exponent_sign = if exponent < 0 { '-' } else { '+' };
        return format!("{sign}{first}{point}{rest}e{exponent_sign}{:02}", exponent.unsigned_abs());
    }
    match exponent.cmp(&(count - 1)) {
        _ if exponent < 0 => format!("{sign}0.{}{text}", "0".repeat((-exponent - 1) as usize)),
        Ordering::Less => {
            let (whole, fraction) = text.split_at((exponent + 1) as usize);
            format!("{sign}{whole}.{fraction}")
        }
        _ => format!("{sign}{text}{}", "0".repeat((exponent + 1 - count) as usize)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn doubles_read_as_the_server_prints_them() {
        for (value, text) in [
            (1.0, "1"),
            (-1.5, "-1.5"),
            (0.1, "0.1"),
            (0.0001, "0.0001"),
            (0.000_012_5, "1.25e-05"),
            (123_456_789_012_345.0, "123456789012345"),
            (1e15, "1e+15"),
            (-1.234e300, "-1.234e+300"),
            (5e-324, "5e-324"),
            (f64::MAX, "1.7976931348623157e+308"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "-Infinity"),
            (-0.0, "-0"),
        ] {
            assert_eq!(double(value), text);
        }
    }

    #[test]
    #[allow(clippy::excessive_precision, reason = "the digits that are not printed are what it is about")]
    fn digits_that_stand_for_the_middle_between_two_numbers_are_not_taken() {
        // 1e23 is exactly between two doubles and reads back as the lower one.
        assert_eq!("1e23".parse::<f64>(), Ok(9.999999999999999e22));
        assert_eq!(double(1e23), "9.999999999999999e+22");
    }

    #[test]
    #[allow(clippy::excessive_precision, reason = "the digits that are not printed are what it is about")]
    fn of_two_digits_that_are_equally_near_the_even_one_is_taken() {
        assert_eq!(double(213.350_250_244_140_625), "213.35025024414062");
        assert_eq!(double(1_125_899_906_842_624.25), "1.1258999068426242e+15");
        assert_eq!(double(2_f64.powi(-25)), "2.9802322387695312e-08");
    }

    #[test]
    fn reals_have_their_own_digits() {
        for (value, text) in [
            (0.1_f32, "0.1"),
            (123_456.0, "123456"),
            (1e6, "1e+06"),
            (1.5e-45, "1e-45"),
            (f32::MAX, "3.4028235e+38"),
            (16_777_216.0, "1.6777216e+07"),
        ] {
            assert_eq!(real(value), text);
        }
    }

    proptest! {
        #[test]
        fn what_is_printed_reads_back(bits: u64, single: u32) {
            let (value, single) = (f64::from_bits(bits), f32::from_bits(single));
            if value.is_finite() {
                prop_assert_eq!(double(value).parse::<f64>().map(f64::to_bits), Ok(value.to_bits()));
            }
            if single.is_finite() {
                prop_assert_eq!(real(single).parse::<f32>().map(f32::to_bits), Ok(single.to_bits()));
            }
        }
    }
}
