//! Dates, times of day and timestamps as text, and back.

use super::digits::push_padded;
use crate::value::calendar::{civil_from_days, parse_date};

/// Microseconds in a day.
pub(super) const MICROS_PER_DAY: i64 = 86_400_000_000;

pub(super) fn push_date(text: &mut String, days: i64) {
    if push_calendar_day(text, days) {
        text.push_str(" BC");
    }
}

/// Appends year, month and day, and tells whether they are before Christ.
fn push_calendar_day(text: &mut String, days: i64) -> bool {
    let (year, month, day) = civil_from_days(days);
    push_padded(text, if year > 0 { year } else { 1 - year } as u64, 4);
    text.push('-');
    push_padded(text, u64::from(month), 2);
    text.push('-');
    push_padded(text, u64::from(day), 2);
    year <= 0
}

pub(super) fn push_time(text: &mut String, micros: i64) {
    let (seconds, fraction) = (micros / 1_000_000, micros % 1_000_000);
    push_padded(text, (seconds / 3_600) as u64, 2);
    text.push(':');
    push_padded(text, (seconds / 60 % 60) as u64, 2);
    text.push(':');
    push_padded(text, (seconds % 60) as u64, 2);
    if fraction != 0 {
        text.push('.');
        push_padded(text, fraction as u64, 6);
    }
}

pub(super) fn push_timestamp(text: &mut String, micros: i64, zone: bool) {
    let before_christ = push_calendar_day(text, micros.div_euclid(MICROS_PER_DAY));
    text.push(' ');
    push_time(text, micros.rem_euclid(MICROS_PER_DAY));
    if zone {
        text.push_str("+00");
    }
    if before_christ {
        text.push_str(" BC");
    }
}

/// Microseconds since 2000-01-01 of a date or a timestamp; an offset behind the time is subtracted, so that equal
/// instants are equal numbers.
pub(super) fn read_timestamp(text: &str) -> Option<i128> {
    let text = text.trim();
    let (text, era) = match text.strip_suffix("BC") {
        Some(rest) => (rest.trim_end(), " BC"),
        None => (text, ""),
    };
    let (date, time) = match text.split_once([' ', 'T']) {
        Some((date, time)) => (date, time.trim()),
        None => (text, "00:00:00"),
    };
    let days = parse_date(&format!("{date}{era}"))?;
    Some(i128::from(days) * i128::from(MICROS_PER_DAY) + read_time(time)?)
}

/// Microseconds since midnight of a time of day, its offset subtracted.
pub(super) fn read_time(text: &str) -> Option<i128> {
    let text = text.trim().trim_end_matches(['Z', 'z']);
    let (clock, offset) = match text.find(['+', '-']) {
        Some(at) => (&text[..at], Some(&text[at..])),
        None => (text, None),
    };
    let micros = clock_micros(clock.trim_end())?;
    let Some(offset) = offset else { return Some(micros) };
    let east = clock_micros(&offset[1..])?;
    Some(if offset.starts_with('-') { micros + east } else { micros - east })
}

fn clock_micros(clock: &str) -> Option<i128> {
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, ""));
    let mut seconds = 0;
    let mut unit = 3_600;
    for part in clock.split(':') {
        let digits = !part.is_empty() && part.len() <= 4 && part.bytes().all(|byte| byte.is_ascii_digit());
        if !digits || unit == 0 {
            return None;
        }
        seconds += part.parse::<i128>().ok()? * unit;
        unit /= 60;
    }
    if fraction.len() > 6 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let fraction: i128 = format!("{fraction:0<6}").parse().ok()?;
    Some(seconds * 1_000_000 + fraction)
}
