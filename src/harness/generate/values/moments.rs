//! Dates, timestamps, times of day: reading bounds, writing values, their extremes.

use super::Limits;
use super::clock::MICROS_PER_DAY;
use super::form::Form;
use super::kind::{self, Limit, Values};
use super::ordinal::{Ordinal, Row, Special};
use super::phrases::{Phrases, ZONED_TIMES};
use crate::catalog::{DataType, Shape};
use crate::error::Result;
use crate::harness::Random;
use std::sync::Arc;

/// 4714-11-24 BC, the first day that the server reads (`src/include/datatype/timestamp.h`).
const FIRST_DAY: i64 = -2_451_545;
/// 5874897-12-31.
const LAST_DAY: i64 = 2_145_031_948;
/// 294276-12-31 23:59:59.999999.
const LAST_MICRO: i64 = 9_223_371_331_199_999_999;
const DAY_1970: i64 = -10_957;
const DAY_1_AD: i64 = -730_119;
const DAY_10000_AD: i64 = 2_921_940;
/// 2015-01-01 to 2026-12-31: where ordinary values are.
const USUAL_DAYS: (i64, i64) = (5_479, 9_861);

/// Microseconds of a type's smallest step.
fn step(precision: u8) -> i64 {
    10_i64.pow(u32::from(6 - precision.min(6)))
}

/// `date`, `timestamp(p)`, `timestamptz(p)`.
pub(super) fn build(data_type: &DataType, limits: &Limits) -> Result<Arc<dyn Values>> {
    kind::only(data_type, limits, &[Limit::Range])?;
    Ok(Arc::new(moments(data_type, limits)?))
}

pub(super) fn moments(data_type: &DataType, limits: &Limits) -> Result<Ordinal> {
    match data_type.shape {
        Shape::Timestamp { precision } => timestamps(data_type, step(precision), false, limits),
        Shape::TimestampTz { precision } => timestamps(data_type, step(precision), true, limits),
        _ => dates(data_type, limits),
    }
}

fn dates(data_type: &DataType, limits: &Limits) -> Result<Ordinal> {
    let edges = [DAY_1_AD, DAY_1_AD - 1, DAY_1970, DAY_1970 - 1, DAY_10000_AD - 1, DAY_10000_AD, 59, 60, -2_451_507]
        .map(i128::from);
    let specials = [("infinity", Special::Above), ("-infinity", Special::Below)];
    let row = Row {
        form: Form::Date,
        low: i128::from(FIRST_DAY),
        high: i128::from(LAST_DAY),
        window: (i128::from(USUAL_DAYS.0), i128::from(USUAL_DAYS.1)),
        first: 0,
        edges: &edges,
        specials: &specials,
        unique: true,
    };
    Ordinal::new(data_type, row, limits)
}

fn timestamps(data_type: &DataType, micros: i64, zone: bool, limits: &Limits) -> Result<Ordinal> {
    let at = |day: i64| i128::from(day) * i128::from(MICROS_PER_DAY) / i128::from(micros);
    let days = [DAY_1_AD, DAY_1970, DAY_10000_AD, 59, 60, 9_583, -2_451_507];
    let edges: Vec<i128> = days.into_iter().flat_map(|day| [at(day) - 1, at(day), at(day) + 1]).collect();
    let ends = [("infinity", Special::Above), ("-infinity", Special::Below)];
    // A leap second, the end of a day, hours that a change of clocks leaves out, offsets with minutes and seconds.
    let spellings: &[&str] = if zone {
        &[
            "2026-03-29 02:30:00+05:30",
            "2016-12-31 23:59:60+00",
            "1883-11-18 12:03:58-07:52:58",
            "2026-10-25 02:30:00+02",
            "1999-12-31 24:00:00-15:59",
        ]
    } else {
        &["2026-03-29 02:30:00", "2016-12-31 23:59:60", "1999-12-31 24:00:00", "1969-12-31 23:59:59"]
    };
    let specials: Vec<(&str, Special)> =
        ends.into_iter().chain(spellings.iter().map(|text| (*text, Special::Spelling))).collect();
    let row = Row {
        form: Form::Timestamp { micros, zone },
        low: at(FIRST_DAY),
        high: i128::from(LAST_MICRO / micros),
        window: (at(USUAL_DAYS.0), at(USUAL_DAYS.1)),
        first: 0,
        edges: &edges,
        specials: &specials,
        unique: true,
    };
    Ordinal::new(data_type, row, limits)
}

/// `time(p)`.
pub(super) fn times(data_type: &DataType, precision: u8, limits: &Limits) -> Result<Arc<dyn Values>> {
    kind::only(data_type, limits, &[Limit::Range])?;
    let micros = step(precision);
    let high = i128::from(MICROS_PER_DAY / micros);
    let specials = [("23:59:60", Special::Spelling), ("24:00:00", Special::Spelling)];
    let row = Row {
        form: Form::Time { micros },
        low: 0,
        high,
        window: (0, high - 1),
        first: 0,
        edges: &[high - 1, high, high / 2],
        specials: &specials,
        unique: true,
    };
    Ok(Arc::new(Ordinal::new(data_type, row, limits)?))
}

/// `time with time zone`: distinct are the times of one zone.
#[derive(Debug)]
pub(super) struct ZonedTimes {
    phrases: Phrases,
    times: Arc<dyn Values>,
}

impl ZonedTimes {
    /// Of as many digits after the second.
    ///
    /// # Errors
    /// None that is known: nothing is asked of the values.
    pub(super) fn new(data_type: &DataType, precision: u8) -> Result<ZonedTimes> {
        Ok(ZonedTimes { phrases: Phrases::new(&ZONED_TIMES), times: times(data_type, precision, &Limits::default())? })
    }
}

impl Values for ZonedTimes {
    fn ordinary(&self, random: &mut Random, text: &mut String) {
        self.phrases.ordinary(random, text);
    }

    fn awkward(&self, random: &mut Random, text: &mut String) {
        self.phrases.awkward(random, text);
    }

    fn capacity(&self) -> u64 {
        self.times.capacity()
    }

    fn nth(&self, index: u64, text: &mut String) {
        self.times.nth(index, text);
        text.push_str("+00");
    }

    fn accepts(&self, value: &str) -> bool {
        self.phrases.accepts(value)
    }

    fn simplest(&self) -> Vec<String> {
        self.phrases.simplest()
    }

    fn reductions(&self, value: &str) -> Vec<String> {
        self.phrases.reductions(value)
    }
}

#[cfg(test)]
mod tests {
    use super::super::clock::{push_date, push_timestamp, read_time, read_timestamp};
    use super::*;
    use crate::value::calendar;

    #[test]
    fn moments_read_as_the_calendar_writes_them() {
        for days in [0, -1, FIRST_DAY, LAST_DAY, DAY_1_AD, DAY_1_AD - 1, DAY_1970] {
            let mut text = String::new();
            push_date(&mut text, days);
            assert_eq!(text, calendar::date_text(days as i32));
            assert_eq!(read_timestamp(&text), Some(i128::from(days) * i128::from(MICROS_PER_DAY)));
        }
        for micros in [0, -1, 1, LAST_MICRO, FIRST_DAY * MICROS_PER_DAY, 1_234_567_890_123_456] {
            let mut text = String::new();
            push_timestamp(&mut text, micros, true);
            assert_eq!(read_timestamp(&text), Some(i128::from(micros)), "{text}");
        }
        assert_eq!(read_timestamp("2000-01-01 05:30:00+05:30"), Some(0));
        assert_eq!(read_timestamp("1999-12-31T23:59:59-00:00:01"), Some(0));
        assert_eq!(read_timestamp("soon"), None);
        assert_eq!(read_time("24:00:00"), Some(i128::from(MICROS_PER_DAY)));
    }
}
