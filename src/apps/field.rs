//! What the fields of every application share: words that are types, and how a value is refused.

use crate::Error;
use crate::schema::clock;
use crate::value::calendar;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The error for a value that a field cannot have.
pub(crate) fn refused(operation: &str, field: &str, value: impl std::fmt::Display, takes: &str) -> Error {
    Error::usage(operation, format!("field `{field}`"), format!("`{value}` is not {takes}"))
}

/// What time it is, in milliseconds since 1970-01-01 00:00:00 UTC.
pub(crate) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// That time as RFC 3339, in UTC with milliseconds: the same number of digits each time, so that texts sort as times do.
pub(crate) fn rfc_3339(ms: i64) -> String {
    clock::rfc_3339(UNIX_EPOCH + Duration::from_millis(u64::try_from(ms).unwrap_or(0)))
}

/// The time that an RFC 3339 text says, in milliseconds since 1970, its smaller digits cut off; none where it is none.
pub(crate) fn parse_rfc_3339(text: &str) -> Option<i64> {
    let (text, offset_minutes) = match text.strip_suffix(['Z', 'z']) {
        Some(text) => (text, 0),
        None => {
            let (text, zone) = text.split_at_checked(text.len().checked_sub("+00:00".len())?)?;
            let sign = match zone.as_bytes()[0] {
                b'+' => 1,
                b'-' => -1,
                _ => return None,
            };
            let (hours, minutes) = zone[1..].split_once(':')?;
            (text, sign * (hours.parse::<i64>().ok()? * 60 + minutes.parse::<i64>().ok()?))
        }
    };
    // Some write nanoseconds.
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, "0"));
    if !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let text = format!("{seconds}.{}", fraction.get(..6).unwrap_or(fraction));
    let micros = calendar::parse_timestamp(&text, 'T', "")?.checked_add(calendar::MICROS_1970_TO_2000)?;
    Some(micros.div_euclid(1_000) - offset_minutes * 60_000)
}

/// A type for a column that takes only some words: text in JSON and in the database, and back.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident, $field:literal { $($(#[$variant_doc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
        pub enum $name {
            $($(#[$variant_doc])* #[serde(rename = $word)] $variant,)+
        }

        impl $name {
            /// Every value.
            pub const ALL: &[$name] = &[$($name::$variant),+];

            /// The word in the database and in JSON.
            pub const fn word(self) -> &'static str {
                match self { $($name::$variant => $word,)+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.word())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::Error;

            fn from_str(word: &str) -> $crate::Result<$name> {
                $name::ALL.iter().copied().find(|known| known.word() == word).ok_or_else(|| {
                    let known = concat!("one of", $(" `", $word, "`",)+);
                    $crate::apps::field::refused("read", $field, word, known)
                })
            }
        }

        impl rusqlite::ToSql for $name {
            fn to_sql(&self) -> rusqlite::Result<rusqlite::types::ToSqlOutput<'_>> {
                Ok(self.word().into())
            }
        }

        impl rusqlite::types::FromSql for $name {
            fn column_result(value: rusqlite::types::ValueRef<'_>) -> rusqlite::types::FromSqlResult<$name> {
                value
                    .as_str()?
                    .parse()
                    .map_err(|error: $crate::Error| rusqlite::types::FromSqlError::Other(Box::new(error)))
            }
        }
    };
}

pub(crate) use words;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_they_are_written() {
        assert_eq!(parse_rfc_3339(&rfc_3339(1_800_000_000_123)), Some(1_800_000_000_123));
        for (text, ms) in [
            ("1970-01-01T00:00:00Z", Some(0)),
            ("1970-01-01T01:00:00.5+01:00", Some(500)),
            ("1970-01-01T00:00:00.123456789Z", Some(123)),
            ("1969-12-31T23:00:00-01:00", Some(0)),
            ("1970-01-01 00:00:00", None),
            ("1970-01-01T00:00:00", None),
            ("1970-01-01T00:00:00.x5Z", None),
            ("é+00:00", None),
            ("Z", None),
            ("", None),
        ] {
            assert_eq!(parse_rfc_3339(text), ms, "{text}");
        }
    }
}
