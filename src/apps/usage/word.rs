//! The words that columns of the usage schema take, as types.
//!
//! Invariant: each type has exactly the words of its column's CHECK (held by a test).

use crate::apps::field::words;

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
