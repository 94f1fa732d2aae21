//! The words that columns of the usage schema take, as types.
//!
//! Invariant: each type has exactly the words of its column's CHECK (held by a test).

use std::fmt;
use std::str::FromStr;

use rusqlite::ToSql;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, ValueRef};
use serde::{Deserialize, Serialize};

use super::refused;
use crate::{Error, Result};

macro_rules! words {
    ($(#[$doc:meta])* $name:ident, $field:literal { $($(#[$variant_doc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
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

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.word())
            }
        }

        impl FromStr for $name {
            type Err = Error;

            fn from_str(word: &str) -> Result<$name> {
                $name::ALL.iter().copied().find(|known| known.word() == word).ok_or_else(|| {
                    let known = concat!("one of", $(" `", $word, "`",)+);
                    refused("read", $field, word, known)
                })
            }
        }

        impl ToSql for $name {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                Ok(self.word().into())
            }
        }

        impl FromSql for $name {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<$name> {
                value.as_str()?.parse().map_err(|error: Error| FromSqlError::Other(Box::new(error)))
            }
        }
    };
}

words!(
    /// The subscription whose limits apply.
    Plan, "plan" {
        /// The smallest plan.
        Pro = "pro",
        /// Five times as much.
        Max5 = "max5",
        /// Twenty times as much.
        Max20 = "max20",
        /// The limit is `custom_limit_tokens`.
        Custom = "custom",
    }
);

words!(
    /// What is shown.
    View, "view" {
        /// Usage as it happens.
        Realtime = "realtime",
        /// One line per day.
        Daily = "daily",
        /// One line per month.
        Monthly = "monthly",
        /// One line per session.
        Session = "session",
    }
);

words!(
    /// How times of day are written.
    TimeFormat, "time_format" {
        /// With am and pm.
        TwelveHours = "12h",
        /// From 0 to 23.
        TwentyFourHours = "24h",
        /// As the system does.
        Auto = "auto",
    }
);

words!(
    /// The colours.
    Theme, "theme" {
        /// Dark on light.
        Light = "light",
        /// Light on dark.
        Dark = "dark",
        /// The colours of old.
        Classic = "classic",
        /// As the terminal does.
        Auto = "auto",
    }
);

words!(
    /// What a snapshot holds.
    SnapshotType, "snapshot_type" {
        /// Statistics.
        Stats = "stats",
        /// A configuration.
        Config = "config",
        /// The state of a session.
        Session = "session",
    }
);
