//! How values of a source's types are kept in a SQLite target, and the codecs that carry a value there and back.
//!
//! A [`Representation`] is one row of one ordered table: its name, the type of the target's column, its parameters, and
//! for each type whether it may be kept so and what of it is left over, a [`Remainder`]. A [`Codec`] is a representation
//! applied to one column: it says what the target stores for a [`Cell`](crate::value::Cell) and whether that holds the
//! whole value, and reads a stored value back into the cell that it stands for. What a stored value cannot hold is kept
//! in the ledger as the source's exact text, which [`text`] reads and writes; [`input`] reads the other spellings that a dump may have.

mod affinity;
mod codec;
mod float_text;
pub mod input;
pub mod jsonb;
mod native;
mod remainder;
mod representation;
mod structured;
pub mod text;

pub use affinity::Affinity;
pub use codec::{Codec, Placed};
pub use remainder::Remainder;
pub use representation::{Representation, TextForm, TimeUnit};

#[cfg(test)]
mod exactness;
#[cfg(test)]
mod round_trip;
