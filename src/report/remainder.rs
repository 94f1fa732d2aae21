//! What a representation leaves to the ledger, in words.

use crate::types::Remainder;

/// What of a column's values is in the ledger.
pub(super) fn words(remainder: Remainder) -> &'static str {
    match remainder {
        Remainder::Nan => "NaN",
        Remainder::NanAndNegativeZero => "NaN and -0.0",
        Remainder::BeyondIntegers => "fractions, NaN, infinities and numbers beyond 18 digits",
        Remainder::BeyondDoubles => "digits beyond the fifteenth, the scale, NaN",
        Remainder::FractionsOfASecond => "fractions of a second",
        Remainder::Microseconds => "microseconds",
        Remainder::FarTimes => "times after the year 294246",
        Remainder::FarDates => "dates after the year 294246",
        Remainder::BoundsAndElements => "lower bounds other than 1, and element text that JSON would not give back",
        Remainder::Fields => "field text that JSON would not give back",
    }
}
