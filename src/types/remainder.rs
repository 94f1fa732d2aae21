//! What a representation cannot hold of a type.

use serde::Serialize;

/// What the ledger keeps of a type, because its representation cannot hold it. `report` has the words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub enum Remainder {
    /// NaN, which a record of SQLite has as NULL.
    Nan,
    /// NaN, and -0.0, which a record has as 0.0.
    NanAndNegativeZero,
    /// Of decimals: what is no integer of 18 digits, NaN among it.
    BeyondIntegers,
    /// Of decimals: what 15 digits do not tell, and NaN.
    BeyondDoubles,
    /// What is below a second.
    FractionsOfASecond,
    /// What is below a millisecond.
    Microseconds,
    /// Times whose microseconds since 1970 are beyond 64 bits.
    FarTimes,
    /// Dates of which the same is true.
    FarDates,
    /// Of arrays: lower bounds other than 1, and elements whose text JSON would not give back.
    BoundsAndElements,
    /// Of objects: fields whose text JSON would not give back.
    Fields,
}

impl Remainder {
    /// Whether NaN is among it: the column has NULL in its place.
    pub fn has_nan(self) -> bool {
        match self {
            Remainder::Nan | Remainder::NanAndNegativeZero | Remainder::BeyondIntegers | Remainder::BeyondDoubles => {
                true
            }
            Remainder::FractionsOfASecond
            | Remainder::Microseconds
            | Remainder::FarTimes
            | Remainder::FarDates
            | Remainder::BoundsAndElements
            | Remainder::Fields => false,
        }
    }

    /// Whether a comparison of ordinary values can depend on it. NaN and the far end of time are accounted for where
    /// expressions are translated, and arrays and objects are not compared.
    pub fn drops_digits(self) -> bool {
        match self {
            Remainder::BeyondIntegers
            | Remainder::BeyondDoubles
            | Remainder::FractionsOfASecond
            | Remainder::Microseconds => true,
            Remainder::Nan
            | Remainder::NanAndNegativeZero
            | Remainder::FarTimes
            | Remainder::FarDates
            | Remainder::BoundsAndElements
            | Remainder::Fields => false,
        }
    }
}
