//! Moments as calendars have them: UTC, Gregorian, nothing else.

use std::time::{SystemTime, UNIX_EPOCH};

/// A moment as the number `YYYYMMDDhhmmss` in UTC.
pub(crate) fn timestamp(moment: SystemTime) -> i64 {
    let [year, month, day, hour, minute, second, _] = parts(moment);
    [month, day, hour, minute, second].iter().fold(year, |number, part| number * 100 + part)
}

/// A moment in RFC 3339, UTC, milliseconds.
pub(crate) fn rfc_3339(moment: SystemTime) -> String {
    let [year, month, day, hour, minute, second, millisecond] = parts(moment);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millisecond:03}Z")
}

/// Year, month, day, hour, minute, second, millisecond.
fn parts(moment: SystemTime) -> [i64; 7] {
    let since = moment.duration_since(UNIX_EPOCH).unwrap_or_default();
    let (days, second) = (since.as_secs() / 86_400, i64::try_from(since.as_secs() % 86_400).unwrap_or(0));
    let (year, month, day) = civil(i64::try_from(days).unwrap_or(0));
    [year, month, day, second / 3600, second / 60 % 60, second % 60, i64::from(since.subsec_millis())]
}

/// Year, month and day of a number of days after 1970-01-01, by the rules of the Gregorian calendar.
fn civil(days: i64) -> (i64, i64, i64) {
    let is_leap = |year: i64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let (mut year, mut left) = (1970, days);
    while left >= 365 + i64::from(is_leap(year)) {
        left -= 365 + i64::from(is_leap(year));
        year += 1;
    }
    let lengths = [31, 28 + i64::from(is_leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = 1;
    for length in lengths {
        if left < length {
            break;
        }
        left -= length;
        month += 1;
    }
    (year, month, left + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn moments_are_written_as_calendars_have_them() {
        let at = |seconds| timestamp(UNIX_EPOCH + Duration::from_secs(seconds));
        assert_eq!(at(0), 19_700_101_000_000);
        assert_eq!(at(951_782_399), 20_000_228_235_959);
        assert_eq!(at(951_782_400), 20_000_229_000_000);
        assert_eq!(at(1_735_689_599), 20_241_231_235_959);
        let moment = UNIX_EPOCH + Duration::from_millis(951_782_400_007);
        assert_eq!(rfc_3339(moment), "2000-02-29T00:00:00.007Z");
    }
}
