//! How one source type is represented in a SQLite target, and the codecs that carry a value there and back.
//!
//! [`Rule`] is the one ordered table of representations. A [`Codec`] is a rule applied to one column: it decodes the
//! wire form into a [`Cell`](crate::value::Cell), says what the target stores for it and whether that holds the
//! whole value, and reads a stored value back into the cell that it stands for. What a stored value cannot hold is
//! kept in the ledger as the source's exact text, which [`text`] reads and writes.

mod affinity;
mod codec;
mod float_text;
mod rule;
mod structured;
pub mod text;
mod wire;

pub use affinity::Affinity;
pub use codec::{Codec, Placed};
pub use rule::{Rule, TimeUnit};
pub(crate) use wire::{DATES, MOMENTS};
pub use wire::{Wire, WireError};

#[cfg(test)]
mod round_trip;
