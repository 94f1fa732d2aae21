//! Days and microseconds to calendar text and back, over PostgreSQL's whole range.
//!
//! Calendar crates end at the year 9999; a PostgreSQL date runs from 4713 BC to 5874897 AD. The day arithmetic is the
//! usual one on the proleptic Gregorian calendar with eras of 400 years.

/// Days from 1970-01-01 to 2000-01-01, where PostgreSQL's counting starts.
pub const DAYS_1970_TO_2000: i64 = 10_957;
/// Microseconds from 1970-01-01 to 2000-01-01.
pub const MICROS_1970_TO_2000: i64 = DAYS_1970_TO_2000 * MICROS_PER_DAY;
/// Microseconds in a day; neither engine counts leap seconds.
pub const MICROS_PER_DAY: i64 = 86_400_000_000;

/// The dates that PostgreSQL knows, from 4713-01-01 BC on and before 5874898-01-01, as days since 2000-01-01.
pub const DATES: std::ops::Range<i32> = -2_451_545..2_145_031_949;
/// Its times, from 4713-01-01 BC on and before the year 294277, as microseconds since 2000-01-01.
pub const MOMENTS: std::ops::Range<i64> = -211_813_488_000_000_000..9_223_371_331_200_000_000;

const DAYS_PER_ERA: i64 = 146_097;
/// The last year that either type has is 5874897.
const YEAR_DIGITS_MAX: usize = 7;

/// Year (0 is 1 BC), month and day of a number of days since 2000-01-01.
pub fn civil_from_days(days: i64) -> (i64, u32, u32) {
    let shifted = days + DAYS_1970_TO_2000 + 719_468;
    let era = shifted.div_euclid(DAYS_PER_ERA);
    let day_of_era = shifted.rem_euclid(DAYS_PER_ERA);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = (day_of_year - (153 * month_from_march + 2) / 5 + 1) as u32;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 } as u32;
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

/// Days since 2000-01-01 of a date on the calendar.
fn days_from_civil(year: i64, month: u32, day: u32) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month_from_march = i64::from((month + 9) % 12);
    let day_of_year = (153 * month_from_march + 2) / 5 + i64::from(day) - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * DAYS_PER_ERA + day_of_era - 719_468 - DAYS_1970_TO_2000
}

/// As [`days_from_civil`]; `None` for a day that its month lacks, which would be one of the next.
fn checked_days(year: i64, month: u32, day: u32) -> Option<i64> {
    let days = days_from_civil(year, month, day);
    // Every month has that many.
    ((1..=28).contains(&day) || civil_from_days(days) == (year, month, day)).then_some(days)
}

fn push_date(text: &mut String, year: i64, month: u32, day: u32) {
    let shown = if year > 0 { year } else { 1 - year };
    text.push_str(&format!("{shown:04}-{month:02}-{day:02}"));
}

/// A date as PostgreSQL prints it under `DateStyle = ISO`; the argument is days since 2000-01-01.
pub fn date_text(days: i32) -> String {
    match days {
        i32::MAX => return "infinity".into(),
        i32::MIN => return "-infinity".into(),
        _ => {}
    }
    let (year, month, day) = civil_from_days(i64::from(days));
    let mut text = String::with_capacity(13);
    push_date(&mut text, year, month, day);
    if year <= 0 {
        text.push_str(" BC");
    }
    text
}

/// A timestamp as PostgreSQL prints it under `DateStyle = ISO`; the argument is microseconds since 2000-01-01.
/// `zone` goes behind the time of day: `+00` for a timestamp with time zone under UTC, empty for one without.
/// `separator` stands between date and time.
pub fn timestamp_text(micros: i64, separator: char, zone: &str) -> String {
    match micros {
        i64::MAX => return "infinity".into(),
        i64::MIN => return "-infinity".into(),
        _ => {}
    }
    let (year, month, day) = civil_from_days(micros.div_euclid(MICROS_PER_DAY));
    let of_day = micros.rem_euclid(MICROS_PER_DAY);
    let (seconds, fraction) = (of_day / 1_000_000, of_day % 1_000_000);
    let mut text = String::with_capacity(32);
    push_date(&mut text, year, month, day);
    text.push(separator);
    text.push_str(&format!("{:02}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60));
    if fraction != 0 {
        text.push_str(format!(".{fraction:06}").trim_end_matches('0'));
    }
    text.push_str(zone);
    if year <= 0 {
        text.push_str(" BC");
    }
    text
}

/// Reads what [`date_text`] writes.
pub fn parse_date(text: &str) -> Option<i32> {
    match text {
        "infinity" => return Some(i32::MAX),
        "-infinity" => return Some(i32::MIN),
        _ => {}
    }
    let (text, before_christ) = strip_era(text);
    i32::try_from(parse_days(text, before_christ)?).ok().filter(|days| DATES.contains(days))
}

/// Reads the beginning of a time of four digits of a year, as nearly all are, up to its zone: microseconds since 2000-01-01, and the
/// zone. `None` for any other form, which may be one all the same.
pub fn parse_ordinary(text: &str, separator: u8) -> Option<(i64, &str)> {
    let (head, mut rest) = text.as_bytes().split_first_chunk::<19>()?;
    let pair = |place: usize| two_digits([head[place], head[place + 1]]);
    let signs = [head[4], head[7], head[10], head[13], head[16]];
    if signs != [b'-', b'-', separator, b':', b':'] {
        return None;
    }
    let (year, month, day) = (pair(0)? * 100 + pair(2)?, pair(5)?, pair(8)?);
    let (hours, minutes, second) = (pair(11)?, pair(14)?, pair(17)?);
    if year == 0 || !(1..=12).contains(&month) || hours > 23 || minutes > 59 || second > 59 {
        return None;
    }
    let days = checked_days(year, month as u32, day as u32)?;
    let (mut fraction, mut scale) = (0, 1_000_000);
    if let [b'.', digits @ ..] = rest {
        let count = digits.iter().take_while(|digit| digit.is_ascii_digit()).count();
        if !(1..=6).contains(&count) {
            return None;
        }
        for digit in &digits[..count] {
            (fraction, scale) = (fraction * 10 + i64::from(digit - b'0'), scale / 10);
        }
        rest = &digits[count..];
    }
    let seconds = (hours * 60 + minutes) * 60 + second;
    // Only ASCII stands before it.
    Some((days * MICROS_PER_DAY + seconds * 1_000_000 + fraction * scale, &text[text.len() - rest.len()..]))
}

#[inline]
fn two_digits(digits: [u8; 2]) -> Option<i64> {
    let [tens, ones] = digits.map(|digit| digit.wrapping_sub(b'0'));
    (tens < 10 && ones < 10).then_some(i64::from(tens) * 10 + i64::from(ones))
}

/// Reads what [`timestamp_text`] writes, with the same separator and zone; `None` also for what no calendar and no clock has.
pub fn parse_timestamp(text: &str, separator: char, zone: &str) -> Option<i64> {
    if let Some((micros, rest)) = u8::try_from(separator).ok().and_then(|sign| parse_ordinary(text, sign))
        && rest == zone
    {
        return Some(micros);
    }
    parse_any(text, separator, zone)
}

fn parse_any(text: &str, separator: char, zone: &str) -> Option<i64> {
    match text {
        "infinity" => return Some(i64::MAX),
        "-infinity" => return Some(i64::MIN),
        _ => {}
    }
    let (text, before_christ) = strip_era(text);
    let (date, time) = text.strip_suffix(zone)?.split_once(separator)?;
    let days = parse_days(date, before_christ)?;
    let (clock, fraction) = time.split_once('.').unwrap_or((time, ""));
    let mut parts = clock.split(':');
    let (hours, minutes, seconds) = (number(parts.next()?, 2)?, number(parts.next()?, 2)?, number(parts.next()?, 2)?);
    let is_on_clock = hours < 24 && minutes < 60 && seconds < 60;
    if !is_on_clock || parts.next().is_some() || fraction.len() > 6 || time.ends_with('.') {
        return None;
    }
    let fraction = if fraction.is_empty() { 0 } else { number(&format!("{fraction:0<6}"), 6)? };
    let of_day = ((hours * 60 + minutes) * 60 + seconds) * 1_000_000 + fraction;
    days.checked_mul(MICROS_PER_DAY)?.checked_add(of_day)
}

fn strip_era(text: &str) -> (&str, bool) {
    match text.strip_suffix(" BC") {
        Some(rest) => (rest, true),
        None => (text, false),
    }
}

fn parse_days(date: &str, before_christ: bool) -> Option<i64> {
    let mut parts = date.split('-');
    let (year, month, day) = (parts.next()?, number(parts.next()?, 2)?, number(parts.next()?, 2)?);
    if !(4..=YEAR_DIGITS_MAX).contains(&year.len()) || parts.next().is_some() || !(1..=12).contains(&month) {
        return None;
    }
    // Behind 1 BC comes 1 AD.
    let year = number(year, year.len()).filter(|year| *year > 0)?;
    let year = if before_christ { 1 - year } else { year };
    checked_days(year, month as u32, day as u32)
}

fn number(text: &str, width: usize) -> Option<i64> {
    let digits = text.len() == width && text.bytes().all(|byte| byte.is_ascii_digit());
    if digits { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn dates_read_as_postgresql_prints_them() {
        let cases = [(0, "2000-01-01"), (-10_957, "1970-01-01"), (i32::MAX, "infinity"), (i32::MIN, "-infinity")];
        for (days, text) in cases {
            assert_eq!(date_text(days), text);
        }
        // The ends of PostgreSQL's range (src/include/datatype/timestamp.h: Julian days 0 and 2147483494).
        assert_eq!(date_text(-2_451_545), "4714-11-24 BC");
        assert_eq!(date_text(2_147_483_493 - 2_451_545), "5874897-12-31");
    }

    #[test]
    fn timestamps_keep_only_the_digits_they_have() {
        assert_eq!(timestamp_text(0, ' ', ""), "2000-01-01 00:00:00");
        assert_eq!(timestamp_text(-1, ' ', "+00"), "1999-12-31 23:59:59.999999+00");
        assert_eq!(timestamp_text(1_500_000, 'T', "Z"), "2000-01-01T00:00:01.5Z");
        assert_eq!(timestamp_text(-63_082_281_600_000_000, ' ', ""), "0001-01-01 00:00:00");
        assert_eq!(timestamp_text(-63_082_281_600_000_001, ' ', "+00"), "0001-12-31 23:59:59.999999+00 BC");
    }

    #[test]
    fn what_no_calendar_has_is_no_date() {
        for text in [
            "2020-02-30",
            "2021-02-29",
            "1900-02-29",
            "2020-04-31",
            "2020-01-00",
            "2020-01-32",
            "2020-00-01",
            "2020-13-01",
            "0000-01-01",
            "0000-01-01 BC",
            "99999999999999999-01-01",
            "9999999-01-01",
        ] {
            assert_eq!(parse_date(text), None, "{text}");
            let (day, era) = text.split_once(' ').map_or((text, ""), |(day, _)| (day, " BC"));
            if !text.starts_with("99") {
                assert_eq!(parse_timestamp(&format!("{day} 00:00:00{era}"), ' ', ""), None, "{text}");
            }
        }
        for text in ["2020-02-29", "2000-02-29", "0001-02-29 BC", "0001-12-31 BC"] {
            assert_eq!(parse_date(text).map(date_text).as_deref(), Some(text));
        }
        for clock in ["24:00:00", "24:00:01", "23:60:00", "23:59:60", "99:99:99"] {
            assert_eq!(parse_timestamp(&format!("2020-01-01 {clock}"), ' ', ""), None, "{clock}");
        }
    }

    proptest! {
        #[test]
        fn any_date_survives(days in -2_451_545_i32..2_145_031_949) {
            prop_assert_eq!(parse_date(&date_text(days)), Some(days));
        }

        #[test]
        fn an_ordinary_time_is_read_as_any_other(text in "[0-9]{4}-[01][0-9]-[0-3][0-9] [0-2][0-9]:[0-9]{2}:[0-9]{2}(\\.[0-9]{0,7})?(\\+00| BC|\\+00 BC|é)?") {
            for zone in ["", "+00"] {
                let slow = parse_any(&text, ' ', zone);
                prop_assert_eq!(parse_timestamp(&text, ' ', zone), slow);
                let ordinary = parse_ordinary(&text, b' ').filter(|(_, rest)| *rest == zone);
                prop_assert!(ordinary.is_none() || ordinary.map(|(micros, _)| micros) == slow);
            }
        }

        #[test]
        fn any_timestamp_survives(micros in -211_813_488_000_000_000_i64..9_223_371_331_200_000_000) {
            prop_assert_eq!(parse_timestamp(&timestamp_text(micros, ' ', "+00"), ' ', "+00"), Some(micros));
        }
    }
}
