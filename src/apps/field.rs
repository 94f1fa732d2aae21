//! What the fields of every application share: words that are types, and how a value is refused.

use crate::Error;
use std::time::{SystemTime, UNIX_EPOCH};

/// The error for a value that a field cannot have.
pub(crate) fn refused(operation: &str, field: &str, value: impl std::fmt::Display, takes: &str) -> Error {
    Error::usage(operation, format!("field `{field}`"), format!("`{value}` is not {takes}"))
}

/// What time it is, in milliseconds since 1970-01-01 00:00:00 UTC.
pub(crate) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
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
