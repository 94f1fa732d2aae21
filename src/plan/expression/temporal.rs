//! The clock, intervals, and the parts of dates and timestamps.

use super::kind::Kind;
use super::literals;
use super::operators::unless_infinite;
use super::syntax::unknown_function;
use super::term::{Constant, Term};
use super::translate::Translator;
use super::{Refusal, decimal};
use crate::types::TimeUnit;

impl Translator<'_> {
    /// Functions without arguments, and the keywords that are such: the clock and random values. `None` where the
    /// name is something else. The clock has no unit yet; [`Translator::assign`] gives it a column's.
    pub fn niladic(&mut self, name: &str) -> Result<Option<Term>, Refusal> {
        let kind = match name {
            "now" | "current_timestamp" | "transaction_timestamp" | "statement_timestamp" | "clock_timestamp" => {
                Kind::Clock { with_zone: true }
            }
            "localtimestamp" => Kind::Clock { with_zone: false },
            "current_date" => Kind::Date,
            "gen_random_uuid" | "uuid_generate_v4" => Kind::Uuid,
            "random" => Kind::Real,
            "current_user" | "session_user" | "current_role" | "user" | "current_schema" | "current_time"
            | "localtime" | "current_catalog" => {
                return Err(Refusal::new(format!("it asks for `{name}`, which SQLite does not have")));
            }
            _ => return Ok(None),
        };
        if !self.may_vary() {
            return Err(Refusal::new(format!(
                "it uses `{name}`, which varies, and SQLite wants the same answer always"
            )));
        }
        let sql = match kind {
            Kind::Uuid => UUID_V4.to_owned(),
            Kind::Date => {
                self.caveat("the current date is that of UTC, not of the session's time zone");
                "date('now')".to_owned()
            }
            Kind::Real => {
                // 53 random bits over 2^53: the same doubles in [0, 1) as PostgreSQL draws from.
                "((random() & 9007199254740991) / 9007199254740992.0)".to_owned()
            }
            // No representation yet: it takes that of what it meets.
            _ => "NULL".to_owned(),
        };
        if matches!(kind, Kind::Clock { with_zone: false }) {
            self.caveat("the current time is that of UTC, not of the session's time zone");
        }
        Ok(Some(Term { not_null: true, ..Term::new(sql, kind) }))
    }

    /// The clock in a unit.
    pub fn clock(&mut self, unit: TimeUnit) -> String {
        match unit {
            TimeUnit::Seconds => "CAST(strftime('%s', 'now') AS INTEGER)".to_owned(),
            TimeUnit::Millis => CLOCK_MILLISECONDS.to_owned(),
            TimeUnit::Micros => {
                self.caveat("SQLite's clock counts milliseconds");
                format!("({CLOCK_MILLISECONDS} * 1000)")
            }
        }
    }

    /// The clock as PostgreSQL prints it.
    pub fn clock_text(&mut self, with_zone: bool) -> String {
        self.caveat("SQLite's clock counts milliseconds");
        let zone = if with_zone { " || '+00'" } else { "" };
        format!("(rtrim(rtrim(strftime('%Y-%m-%d %H:%M:%f', 'now'), '0'), '.'){zone})")
    }

    /// `AT TIME ZONE 'UTC'`: the epoch is that of UTC already, with a zone and without.
    pub fn at_time_zone(&mut self, zone: &Term, timestamp: Term) -> Result<Term, Refusal> {
        if !zone.text().is_some_and(|zone| zone.eq_ignore_ascii_case("utc")) {
            return Err(Refusal::new("it uses AT TIME ZONE with another zone than UTC, which SQLite does not have"));
        }
        let kind = match timestamp.kind {
            Kind::Clock { with_zone } => Kind::Clock { with_zone: !with_zone },
            Kind::Epoch { unit, with_zone } => Kind::Epoch { unit, with_zone: !with_zone },
            ref other => return Err(Refusal::new(format!("it uses AT TIME ZONE on {}", other.words()))),
        };
        Ok(Term { kind, is_column: false, ..timestamp })
    }

    /// A literal interval.
    pub fn interval(&mut self, term: &Term) -> Result<Term, Refusal> {
        let text = term.text().ok_or_else(|| Refusal::new("it builds an interval, which SQLite does not have"))?;
        let (months, days, microseconds) = literals::interval(text)
            .ok_or_else(|| Refusal::new(format!("it holds the interval `{text}`, whose form is not known")))?;
        // Compared, an interval counts a month as 30 days and a day as 24 hours; `constant_as` is not used for it, so
        // its SQL is its length in microseconds.
        let length = months
            .checked_mul(30)
            .and_then(|days_of_months| days_of_months.checked_add(days))
            .and_then(|days| days.checked_mul(86_400_000_000))
            .and_then(|length| length.checked_add(microseconds))
            .ok_or_else(|| Refusal::new("it holds an interval beyond 64 bits"))?;
        Ok(Term::constant(
            length.to_string(),
            Kind::Duration { unit: TimeUnit::Micros },
            Constant::Interval { months, days, microseconds },
        ))
    }

    /// `date_part`: what EXTRACT gives, as a `double precision`.
    pub fn date_part(&mut self, field: &str, term: Term) -> Result<Term, Refusal> {
        let part = self.extract(field, term)?;
        let part = self.approximate(part);
        Ok(Term { kind: Kind::Real, ..part })
    }

    /// EXTRACT.
    pub fn extract(&mut self, field: &str, term: Term) -> Result<Term, Refusal> {
        if term.inexact {
            self.caveat_in_view("it takes a part of a timestamp whose representation drops something")?;
        }
        let moment = match &term.kind {
            Kind::Date => {
                self.caveat("the parts of dates kept as text are right in the years 1 to 9999");
                term.sql.clone()
            }
            Kind::Epoch { unit, with_zone: false } => {
                if field == "epoch" {
                    self.caveat(INFINITE_SECONDS);
                    return Ok(seconds_of(&term, *unit));
                }
                self.caveat_in_view("it takes a part of a timestamp, which SQLite knows in the years 1 to 9999 only")?;
                whole_seconds(&term, *unit)
            }
            Kind::Epoch { unit, with_zone: true } => {
                if field == "epoch" {
                    self.caveat(INFINITE_SECONDS);
                    return Ok(seconds_of(&term, *unit));
                }
                self.caveat_in_view(
                    "it takes a part of a `timestamptz`, which depends on the session's time zone; here UTC, and only in the \
                     years 1 to 9999",
                )?;
                whole_seconds(&term, *unit)
            }
            other => return Err(Refusal::new(format!("it takes `{field}` out of {}", other.words()))),
        };
        let epoch = if term.kind == Kind::Date { "" } else { ", 'unixepoch'" };
        let part = |code: &str| format!("CAST(strftime('{code}', {moment}{epoch}) AS INTEGER)");
        // A week of ISO 8601 belongs to the year of its Thursday; SQLite's own `%V`, `%G` and `%u` are of 3.44 and 3.46.
        let thursday =
            |code: &str| format!("CAST(strftime('{code}', {moment}{epoch}, '-3 days', 'weekday 4') AS INTEGER)");
        let sql = match field {
            "year" => part("%Y"),
            "month" => part("%m"),
            "day" => part("%d"),
            "hour" if term.kind != Kind::Date => part("%H"),
            "minute" if term.kind != Kind::Date => part("%M"),
            "dow" => part("%w"),
            "isodow" => format!("(({} + 6) % 7 + 1)", part("%w")),
            "doy" => part("%j"),
            "week" => format!("(({} + 6) / 7)", thursday("%j")),
            "isoyear" => thursday("%Y"),
            "quarter" => format!("(({} + 2) / 3)", part("%m")),
            other => return Err(Refusal::new(format!("it takes `{other}` out of a date, which SQLite does not have"))),
        };
        Ok(Term { not_null: false, ..Term::from_parts(sql, Kind::Scaled { digits: 5, scale: 0 }, &[&term]) })
    }

    /// `date_trunc`.
    pub fn truncated(&mut self, field: &str, term: Term) -> Result<Term, Refusal> {
        let Kind::Epoch { unit, with_zone } = term.kind else {
            return Err(Refusal::new(format!("it uses date_trunc() on {}", term.kind.words())));
        };
        let zone = if with_zone {
            "date_trunc() of a `timestamptz` depends on the session's time zone; here UTC, and only in the years 1 to 9999"
        } else {
            "date_trunc() works in the years 1 to 9999 only"
        };
        self.caveat_in_view(zone)?;
        let seconds = whole_seconds(&term, unit);
        let start = match field {
            "day" => "'start of day'",
            "month" => "'start of month'",
            "year" => "'start of year'",
            _ => return Err(unknown_function("date_trunc")),
        };
        let factor = if unit == TimeUnit::Seconds { String::new() } else { format!(" * {}", unit.per_second()) };
        let start = format!("CAST(strftime('%s', {seconds}, 'unixepoch', {start}) AS INTEGER){factor}");
        let sql = unless_infinite(&term.sql, &start);
        Ok(Term { not_null: false, ..Term::from_parts(sql, term.kind.clone(), &[&term]) })
    }

    /// The day of a timestamp.
    pub fn date_of(&mut self, term: Term) -> Result<Term, Refusal> {
        let Kind::Epoch { unit, with_zone } = term.kind else {
            return Err(Refusal::new("it casts a value to `date`, which SQLite does otherwise"));
        };
        self.caveat_in_view(if with_zone {
            "the day of a `timestamptz` depends on the session's time zone; here UTC, and only in the years 1 to 9999"
        } else {
            "the day of a timestamp is known in the years 1 to 9999 only"
        })?;
        let sql = format!("date({}, 'unixepoch')", whole_seconds(&term, unit));
        Ok(Term { not_null: false, ..Term::from_parts(sql, Kind::Date, &[&term]) })
    }
}

const INFINITE_SECONDS: &str = "the seconds of an infinite time are a number, where PostgreSQL has Infinity";

/// The epoch's seconds, rounded towards the past.
fn whole_seconds(term: &Term, unit: TimeUnit) -> String {
    let n = unit.per_second();
    if n == 1 {
        return term.sql.clone();
    }
    format!("(({} - (({} % {n}) + {n}) % {n}) / {n})", term.sql, term.sql)
}

/// EXTRACT(epoch FROM …): an exact decimal.
fn seconds_of(term: &Term, unit: TimeUnit) -> Term {
    let scale = unit.per_second().ilog10();
    debug_assert_eq!(decimal::power_of_ten(scale), unit.per_second().to_string());
    Term::from_parts(term.sql.clone(), Kind::Scaled { digits: 18, scale }, &[term])
}

/// The clock in milliseconds. A day's number as a double is exact to some 40 microseconds, so the nearest millisecond is
/// the clock's own; `unixepoch('subsec')` is NULL below SQLite 3.42.
const CLOCK_MILLISECONDS: &str = "CAST(round((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER)";

/// The clock moved by calendar months, in whole seconds. SQLite's calendar runs over into the next month where a month
/// is shorter, PostgreSQL's stays at its last day; that day, at the same time, is the earlier one exactly then.
pub(super) fn months_from_now(months: i64) -> String {
    format!(
        "min(CAST(strftime('%s', 'now', '{months:+} months') AS INTEGER), CAST(strftime('%s', 'now', 'start of month', \
         '{:+} months', '-1 days') AS INTEGER) + CAST(strftime('%s', 'now') AS INTEGER) % 86400)",
        months.saturating_add(1)
    )
}

/// A random UUID of version 4 and variant 1.
const UUID_V4: &str = "lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4' || substr(hex(randomblob(2)), 2) || '-' || \
     substr('89ab', (random() & 3) + 1, 1) || substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(6)))";
