//! Typed literals: what PostgreSQL's text of a timestamp, an interval, an array or a blob stands for.

use crate::types::TimeUnit;

/// Days from 1970-01-01 to a day of the proleptic Gregorian calendar; `None` where there is no such day.
fn days_from_civil(year: i64, month: i64, day: i64) -> Option<i64> {
    let leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    let month_days = [31, if leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let last = *month_days.get(usize::try_from(month.checked_sub(1)?).ok()?)?;
    if !(1..=last).contains(&day) || !(1..=9999).contains(&year) {
        return None;
    }
    let shifted = if month <= 2 { year - 1 } else { year };
    let era = shifted.div_euclid(400);
    let year_of_era = shifted.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    Some(era * 146_097 + day_of_era - 719_468)
}

fn digits(text: &str, count: usize) -> Option<i64> {
    (text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())?
}

/// A date `YYYY-MM-DD` as days since 1970-01-01.
pub(super) fn date_days(text: &str) -> Option<i64> {
    let mut parts = text.splitn(3, '-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    days_from_civil(digits(year, 4)?, digits(month, 2)?, digits(day, 2)?)
}

/// `[-]HH:MM[:SS[.ffffff]]` as microseconds.
fn clock_microseconds(text: &str) -> Option<i64> {
    let (sign, text) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let mut parts = text.split(':');
    let hours: i64 = parts.next()?.parse().ok()?;
    let minutes = digits(parts.next()?, 2)?;
    let (seconds, fraction) = match parts.next() {
        None => (0, 0),
        Some(text) => {
            let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
            let padded = format!("{fraction:0<6}");
            (digits(whole, 2)?, digits(&padded, 6)?)
        }
    };
    if parts.next().is_some() || minutes > 59 || seconds > 60 || !(0..=10_000_000).contains(&hours) {
        return None;
    }
    Some(sign * (((hours * 60 + minutes) * 60 + seconds) * 1_000_000 + fraction))
}

/// A timestamp literal as microseconds since 1970-01-01 (UTC), `±infinity` as the extreme integers. `with_zone` asks
/// for an offset in the text: without one its meaning would hang on the session.
pub(super) fn timestamp_microseconds(text: &str, with_zone: bool) -> Option<i64> {
    match text {
        "infinity" => return Some(i64::MAX),
        "-infinity" => return Some(i64::MIN),
        _ => {}
    }
    let (day, clock) = text.split_once([' ', 'T']).unwrap_or((text, "00:00:00"));
    let days = date_days(day)?;
    let (clock, offset) = match clock.find(['+', '-', 'Z']) {
        Some(at) => {
            let (clock, offset) = clock.split_at(at);
            let offset = match offset {
                "Z" => 0,
                _ if offset.contains(':') => clock_microseconds(offset)?,
                _ => clock_microseconds(&format!("{offset}:00"))?,
            };
            (clock, Some(offset))
        }
        None => (clock, None),
    };
    if with_zone != offset.is_some() {
        return None;
    }
    Some(days * 86_400_000_000 + clock_microseconds(clock)? - offset.unwrap_or(0))
}

/// Microseconds in a coarser unit; `None` where that would drop a digit.
pub(super) fn microseconds_in(unit: TimeUnit, microseconds: i64) -> Option<i64> {
    if microseconds == i64::MAX || microseconds == i64::MIN {
        return Some(microseconds);
    }
    let divisor = 1_000_000 / unit.per_second();
    (microseconds % divisor == 0).then_some(microseconds / divisor)
}

/// Microseconds since 1970 as PostgreSQL prints them, for years 1 to 9999.
pub(super) fn timestamp_text(microseconds: i64, with_zone: bool) -> Option<String> {
    if microseconds == i64::MAX {
        return Some("infinity".to_owned());
    }
    if microseconds == i64::MIN {
        return Some("-infinity".to_owned());
    }
    let days = microseconds.div_euclid(86_400_000_000);
    let rest = microseconds.rem_euclid(86_400_000_000);
    // The inverse of days_from_civil.
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    if !(1..=9999).contains(&year) {
        return None;
    }
    let seconds = rest / 1_000_000;
    let mut text =
        format!("{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    if rest % 1_000_000 != 0 {
        text.push_str(format!(".{:06}", rest % 1_000_000).trim_end_matches('0'));
    }
    if with_zone {
        text.push_str("+00");
    }
    Some(text)
}

/// An interval in PostgreSQL's own style as months, days and microseconds.
pub(super) fn interval(text: &str) -> Option<(i64, i64, i64)> {
    let (mut months, mut days, mut microseconds) = (0i64, 0i64, 0i64);
    let mut words = text.split_ascii_whitespace();
    let mut any = false;
    while let Some(word) = words.next() {
        any = true;
        if word.contains(':') {
            microseconds = microseconds.checked_add(clock_microseconds(word)?)?;
            continue;
        }
        let number: i64 = word.parse().ok()?;
        let (slot, factor) = match words.next()?.trim_end_matches('s') {
            "year" => (&mut months, 12),
            "mon" | "month" => (&mut months, 1),
            "week" => (&mut days, 7),
            "day" => (&mut days, 1),
            "hour" => (&mut microseconds, 3_600_000_000),
            "min" | "minute" => (&mut microseconds, 60_000_000),
            "sec" | "second" => (&mut microseconds, 1_000_000),
            _ => return None,
        };
        *slot = slot.checked_add(number.checked_mul(factor)?)?;
    }
    any.then_some((months, days, microseconds))
}

/// The bytes of a `bytea` literal in hex form.
pub(super) fn bytes(text: &str) -> Option<Vec<u8>> {
    let hex = text.strip_prefix("\\x")?;
    if hex.len() % 2 != 0 || !hex.is_ascii() {
        return None;
    }
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).ok()).collect()
}

/// A `uuid` literal as 36 lower-case characters.
pub(super) fn uuid(text: &str) -> Option<String> {
    let hex: String = text.trim_matches(['{', '}']).chars().filter(|character| *character != '-').collect();
    if hex.len() != 32 || !hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let hex = hex.to_ascii_lowercase();
    Some(format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]))
}

/// An element of an array literal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Element {
    Null,
    Text(String),
    Array(Vec<Element>),
}

/// An array literal `{…}` with lower bounds of 1.
pub(super) fn array(text: &str) -> Option<Vec<Element>> {
    let characters: Vec<char> = text.chars().collect();
    let mut at = 0;
    let Element::Array(elements) = array_element(&characters, &mut at, 0)? else { return None };
    (at == characters.len()).then_some(elements)
}

fn array_element(characters: &[char], at: &mut usize, depth: usize) -> Option<Element> {
    // PostgreSQL allows six dimensions.
    if depth > 6 {
        return None;
    }
    match characters.get(*at)? {
        '{' => {
            *at += 1;
            let mut elements = Vec::new();
            if characters.get(*at) == Some(&'}') {
                *at += 1;
                return Some(Element::Array(elements));
            }
            loop {
                elements.push(array_element(characters, at, depth + 1)?);
                *at += 1;
                match characters.get(*at - 1)? {
                    ',' => {}
                    '}' => return Some(Element::Array(elements)),
                    _ => return None,
                }
            }
        }
        '"' => {
            *at += 1;
            let mut text = String::new();
            loop {
                let character = *characters.get(*at)?;
                *at += 1;
                match character {
                    '"' => return Some(Element::Text(text)),
                    '\\' => {
                        text.push(*characters.get(*at)?);
                        *at += 1;
                    }
                    other => text.push(other),
                }
            }
        }
        _ if depth == 0 => None,
        _ => {
            let start = *at;
            while !matches!(characters.get(*at)?, ',' | '}') {
                if matches!(characters[*at], '{' | '"' | '\\') {
                    return None;
                }
                *at += 1;
            }
            let text: String = characters[start..*at].iter().collect();
            let text = text.trim();
            Some(if text.eq_ignore_ascii_case("null") { Element::Null } else { Element::Text(text.to_owned()) })
        }
    }
}

/// How an array's elements are written in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ElementForm {
    Text,
    Integer,
    Boolean,
    /// Any other type: only an empty array has a known form.
    Other,
}

/// An array as JSON text; `None` where an element's form is not known.
pub(super) fn array_json(elements: &[Element], form: ElementForm) -> Option<String> {
    let mut parts = Vec::with_capacity(elements.len());
    for element in elements {
        parts.push(match (element, form) {
            (Element::Null, _) => "null".to_owned(),
            (Element::Array(inner), _) => array_json(inner, form)?,
            (Element::Text(text), ElementForm::Text) => serde_json::Value::from(text.as_str()).to_string(),
            (Element::Text(text), ElementForm::Integer) => text.parse::<i64>().ok()?.to_string(),
            (Element::Text(text), ElementForm::Boolean) => match text.as_str() {
                "t" | "true" => "true".to_owned(),
                "f" | "false" => "false".to_owned(),
                _ => return None,
            },
            (Element::Text(_), ElementForm::Other) => return None,
        });
    }
    Some(format!("[{}]", parts.join(",")))
}
