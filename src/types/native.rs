//! Which texts a type's output function can have written, for types whose values travel as their texts.
//!
//! A dump that somebody has changed may have any text in such a column. What the server would refuse, or would write in another
//! way, is told here without a server; of types that are not known here every text is taken.
//!
//! Source: PostgreSQL's documentation, "Data Types", and the output functions under src/backend/utils/adt.

use crate::value::{Decimal, calendar};
use std::net::{Ipv4Addr, Ipv6Addr};

/// What is known of a type's texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Bits { length: Option<usize>, varies: bool },
    Time { digits: usize, with_zone: bool },
    Interval { digits: usize, least: Unit },
    Address { is_network: bool },
    Mac { bytes: usize },
    Range(Bounds),
    Money,
    Point,
    Shape,
}

/// The least field that an interval keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Unit {
    Year,
    Month,
    Day,
    Hour,
    Minute,
    Second,
}

/// What stands between the brackets of a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bounds {
    Int4,
    Int8,
    Date,
    Numeric,
    Timestamp,
}

impl Kind {
    /// That of a type, by the name that the source gives it.
    pub(super) fn of(name: &str) -> Option<Kind> {
        let name = name.trim_start_matches("pg_catalog.");
        let (plain, modifier) = match name.split_once('(') {
            Some((before, behind)) => {
                let (modifier, rest) = behind.split_once(')')?;
                (format!("{before}{rest}"), modifier.parse::<usize>().ok())
            }
            None => (name.to_owned(), None),
        };
        let digits = modifier.unwrap_or(6);
        Some(match plain.as_str() {
            // Of the elements of an array the length is not always told.
            "bit" => Kind::Bits { length: modifier, varies: false },
            "bit varying" => Kind::Bits { length: modifier, varies: true },
            "time" | "time without time zone" => Kind::Time { digits, with_zone: false },
            "timetz" | "time with time zone" => Kind::Time { digits, with_zone: true },
            "inet" => Kind::Address { is_network: false },
            "cidr" => Kind::Address { is_network: true },
            "macaddr" => Kind::Mac { bytes: 6 },
            "macaddr8" => Kind::Mac { bytes: 8 },
            "int4range" => Kind::Range(Bounds::Int4),
            "int8range" => Kind::Range(Bounds::Int8),
            "daterange" => Kind::Range(Bounds::Date),
            "numrange" => Kind::Range(Bounds::Numeric),
            "tsrange" => Kind::Range(Bounds::Timestamp),
            "money" => Kind::Money,
            "point" => Kind::Point,
            "line" | "lseg" | "box" | "path" | "polygon" | "circle" => Kind::Shape,
            _ => {
                let fields = plain.strip_prefix("interval")?;
                let least = match fields.trim().rsplit(' ').next().unwrap_or_default() {
                    "year" => Unit::Year,
                    "month" => Unit::Month,
                    "day" => Unit::Day,
                    "hour" => Unit::Hour,
                    "minute" => Unit::Minute,
                    "" | "second" => Unit::Second,
                    _ => return None,
                };
                Kind::Interval { digits, least }
            }
        })
    }

    /// Whether the type's output function can have written that text.
    pub(super) fn has(self, text: &str) -> bool {
        match self {
            Kind::Bits { length, varies } => {
                let fits = length.is_none_or(|length| text.len() == length || varies && text.len() < length);
                fits && text.bytes().all(|bit| matches!(bit, b'0' | b'1'))
            }
            Kind::Time { digits, with_zone: false } => clock(text, digits).is_some_and(Clock::is_of_day),
            Kind::Time { digits, with_zone: true } => {
                let Some(place) = text.find(['+', '-']) else { return false };
                let (time, offset) = text.split_at(place);
                clock(time, digits).is_some_and(Clock::is_of_day) && is_offset(&offset[1..])
            }
            Kind::Interval { digits, least } => is_interval(text, digits, least),
            Kind::Address { is_network } => is_address(text, is_network).is_some_and(|is| is),
            Kind::Mac { bytes } => {
                let is_byte = |part: &str| {
                    part.len() == 2 && part.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
                };
                text.split(':').count() == bytes && text.split(':').all(is_byte)
            }
            Kind::Range(bounds) => text == "empty" || is_range(text, bounds).is_some_and(|is| is),
            // How it is written the server's language says.
            Kind::Money => text.bytes().any(|byte| byte.is_ascii_digit()),
            Kind::Point => {
                let inside = text.strip_prefix('(').and_then(|text| text.strip_suffix(')'));
                let parts = inside.and_then(|inside| inside.split_once(','));
                parts.is_some_and(|(x, y)| x.parse::<f64>().is_ok() && y.parse::<f64>().is_ok())
            }
            Kind::Shape => {
                let numbers: Vec<&str> =
                    text.split(|sign: char| "(){}[]<>,".contains(sign)).filter(|part| !part.is_empty()).collect();
                text.starts_with(['(', '[', '{', '<'])
                    && !numbers.is_empty()
                    && numbers.iter().all(|number| number.parse::<f64>().is_ok())
            }
        }
    }
}

/// A time of day or of an interval, without its sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Clock {
    hours: u64,
    minutes: u64,
    seconds: u64,
    has_fraction: bool,
}

impl Clock {
    fn is_of_day(self) -> bool {
        let is_end = self.hours == 24 && self.minutes == 0 && self.seconds == 0 && !self.has_fraction;
        self.hours < 24 || is_end
    }

    fn is_zero(self) -> bool {
        self.hours == 0 && self.minutes == 0 && self.seconds == 0 && !self.has_fraction
    }
}

/// `04:05:06.789`, with at most so many digits behind the point.
fn clock(text: &str, digits: usize) -> Option<Clock> {
    let (whole, fraction) = text.split_once('.').map_or((text, None), |(whole, fraction)| (whole, Some(fraction)));
    if let Some(fraction) = fraction {
        let is_number = !fraction.is_empty() && fraction.bytes().all(|digit| digit.is_ascii_digit());
        if !is_number || fraction.len() > digits.min(6) || fraction.ends_with('0') {
            return None;
        }
    }
    let mut parts = whole.split(':');
    let mut next = |is_hours: bool| {
        let part = parts.next()?;
        let is_long = is_hours && part.len() > 2 && !part.starts_with('0');
        let is_number = part.bytes().all(|digit| digit.is_ascii_digit()) && (part.len() == 2 || is_long);
        is_number.then(|| part.parse::<u64>().ok()).flatten()
    };
    let (hours, minutes, seconds) = (next(true)?, next(false)?, next(false)?);
    let is_whole = parts.next().is_none() && minutes < 60 && seconds < 60;
    is_whole.then_some(Clock { hours, minutes, seconds, has_fraction: fraction.is_some() })
}

/// `02`, `05:30`, `00:53:28`
fn is_offset(text: &str) -> bool {
    let mut parts = text.split(':').map(|part| (part.len() == 2).then(|| part.parse::<u8>().ok()).flatten());
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b':');
    let hours = parts.next().flatten();
    let rest: Vec<Option<u8>> = parts.collect();
    let fits = rest.iter().all(|part| part.is_some_and(|part| part < 60));
    is_number && hours.is_some_and(|hours| hours <= 15) && rest.len() <= 2 && fits
}

/// `1 year 2 mons -3 days +04:05:06.789`
fn is_interval(text: &str, digits: usize, least: Unit) -> bool {
    if matches!(text, "infinity" | "-infinity") {
        return true;
    }
    let mut words = text.split(' ').peekable();
    let (mut was_negative, mut is_first) = (false, true);
    let mut next = words.next();
    for (one, several, unit) in
        [("year", "years", Unit::Year), ("mon", "mons", Unit::Month), ("day", "days", Unit::Day)]
    {
        let Some((number, named)) = next.zip(words.peek().copied()) else { break };
        if named != one && named != several {
            continue;
        }
        let plain = number.strip_prefix('+').unwrap_or(number);
        let Ok(value) = plain.parse::<i64>() else { return false };
        let is_plain = value != 0 && value.to_string() == plain && (value.abs() < 12 || unit != Unit::Month);
        let has_plus = number.len() > plain.len();
        if !is_plain || named != if value == 1 { one } else { several } || least < unit {
            return false;
        }
        if has_plus != (was_negative && value > 0) {
            return false;
        }
        words.next();
        (was_negative, is_first) = (value < 0, false);
        next = words.next();
    }
    let Some(time) = next else { return !is_first };
    if words.next().is_some() {
        return false;
    }
    let plain = time.trim_start_matches(['+', '-']);
    let sign = &time[..time.len() - plain.len()];
    let Some(clock) = clock(plain, digits) else { return false };
    let fits = match least {
        Unit::Year | Unit::Month | Unit::Day => clock.is_zero(),
        Unit::Hour => clock.minutes == 0 && clock.seconds == 0 && !clock.has_fraction,
        Unit::Minute => clock.seconds == 0 && !clock.has_fraction,
        Unit::Second => true,
    };
    let has_sign = sign == "-" && !clock.is_zero() || sign == if was_negative { "+" } else { "" };
    // A time of zero is written where there is nothing else.
    fits && has_sign && (is_first || !clock.is_zero())
}

/// `10.1.2.3`, `10.1.2.0/24`; a network has always its length, and no bits behind it.
fn is_address(text: &str, is_network: bool) -> Option<bool> {
    let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
    let (value, width) = match address.contains(':') {
        true => (u128::from(address.parse::<Ipv6Addr>().ok()?), 128_u32),
        false => (u128::from(u32::from(address.parse::<Ipv4Addr>().ok()?)), 32),
    };
    if address.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return None;
    }
    let Some(bits) = bits else { return Some(!is_network) };
    let count: u32 = bits.parse().ok().filter(|count: &u32| count.to_string() == bits && *count <= width)?;
    let host = width - count;
    let has_host = host > 0 && value & (u128::MAX >> (128 - host)) != 0;
    Some(if is_network { !has_host } else { count < width })
}

fn is_range(text: &str, bounds: Bounds) -> Option<bool> {
    let inside = text.strip_prefix(['[', '('])?.strip_suffix([']', ')'])?;
    let (takes_lower, takes_upper) = (text.starts_with('['), text.ends_with(']'));
    let (lower, upper) = inside.split_once(',')?;
    if lower.is_empty() && takes_lower || upper.is_empty() && takes_upper {
        return None;
    }
    let is_discrete = matches!(bounds, Bounds::Int4 | Bounds::Int8 | Bounds::Date);
    let place = |bound: &str, fits_form: bool| -> Option<Option<i64>> {
        if bound.is_empty() {
            return Some(None);
        }
        let value = match bounds {
            Bounds::Int4 => i64::from(bound.parse::<i32>().ok().filter(|value| value.to_string() == bound)?),
            Bounds::Int8 => bound.parse::<i64>().ok().filter(|value| value.to_string() == bound)?,
            Bounds::Date => {
                let day = match bound.strip_prefix('"') {
                    Some(quoted) => quoted.strip_suffix('"')?,
                    None => bound,
                };
                i64::from(calendar::parse_date(day)?)
            }
            Bounds::Timestamp => {
                let time = match bound.strip_prefix('"') {
                    Some(quoted) => quoted.strip_suffix('"')?,
                    None => bound,
                };
                calendar::parse_timestamp(time, ' ', "")?
            }
            // How two of them compare is not looked at.
            Bounds::Numeric => return bound.parse::<Decimal>().ok().map(|_| None),
        };
        let is_endless = bounds == Bounds::Date && bound.ends_with("infinity");
        (!is_discrete || fits_form || is_endless).then_some(Some(value))
    };
    // What is discrete is written with its first value, and the one behind its last.
    let (from, to) = (place(lower, takes_lower)?, place(upper, !takes_upper)?);
    Some(from.zip(to).is_none_or(|(from, to)| from < to || from == to && takes_lower && takes_upper))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_server_writes_is_taken() {
        for (name, taken, refused) in [
            (
                "time(3) without time zone",
                &["24:00:00", "00:00:00.5"][..],
                &["abc", "24:00:01", "1:00:00", "00:00:00.1234", "00:00:00.50"][..],
            ),
            ("time with time zone", &["10:00:00+02", "10:00:00.25-05:30"], &["10:00:00", "10:00:00+16", "10:00:00+2"]),
            (
                "interval",
                &[
                    "00:00:00",
                    "1 day",
                    "36:00:00",
                    "1 year 2 mons 3 days 04:05:06.789",
                    "-1 years -2 mons +3 days -04:05:06",
                    "-1 days +02:00:00",
                    "-00:00:01",
                    "178000000 years",
                ],
                &[
                    "foo",
                    "",
                    "36 hours",
                    "-1 2:03:04",
                    "1 days",
                    "13 mons",
                    "1 day 00:00:00",
                    "-1 days 02:00:00",
                    "P1D",
                    "1 day 1 day",
                    "-00:00:00",
                ],
            ),
            ("interval day to hour", &["1 day 02:00:00"], &["1 day 02:03:00"]),
            ("interval(1)", &["00:00:00.5"], &["00:00:00.55"]),
            ("interval year to month", &["1 year 1 mon", "00:00:00"], &["1 day", "01:00:00"]),
            (
                "inet",
                &["10.1.2.3", "10.1.2.3/8", "::1", "fe80::1/64", "::ffff:1.2.3.4"],
                &["foo", "999.1.1.1", "10.1.2.3/32", "10.1.2.3/033", "10.1.2", "::1/128", "FE80::1"],
            ),
            ("cidr", &["10.0.0.0/8", "10.1.2.3/32", "::/0", "0.0.0.0/0"], &["10.0.0.1/8", "10.0.0.0", "::1/64"]),
            ("macaddr", &["08:00:2b:01:02:03"], &["08002b010203", "08:00:2B:01:02:03", "x"]),
            (
                "int4range",
                &["empty", "[1,5)", "(,5)", "[1,)", "(,)"],
                &["[5,1]", "[1,5]", "(1,5)", "[5,1)", "[1,1)", "foo", "[,5)", "[1,99999999999)"],
            ),
            (
                "daterange",
                &["[2020-01-01,2020-02-01)", "[2020-01-01,infinity]"],
                &["[2020-02-30,2020-03-01)", "[2020-01-01,2020-02-01]"],
            ),
            ("tsrange", &["[\"2020-01-01 00:00:00\",\"2020-01-02 00:00:00\"]"], &["[\"2020-02-30 00:00:00\",)", "x"]),
            ("numrange", &["[1.5,2]", "(1,2)"], &["[a,b]"]),
            ("money", &["$1,234.50", "-$0.01", "1.234,50 €"], &["abc", ""]),
            ("point", &["(1.5,-2)"], &["foo", "(1)", "(a,b)"]),
            ("box", &["(1,1),(0,0)"], &["foo"]),
            ("bit(3)", &["010"], &["01", "0101", "abc"]),
            ("bit varying(3)", &["", "01"], &["0101"]),
        ] {
            let kind = Kind::of(name).unwrap();
            for text in taken {
                assert!(kind.has(text), "{name} {text}");
            }
            for text in refused {
                assert!(!kind.has(text), "{name} {text}");
            }
        }
        assert_eq!((Kind::of("tsvector"), Kind::of("public.inet")), (None, None));
    }
}
