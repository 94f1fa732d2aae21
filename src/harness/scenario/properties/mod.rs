//! What has to hold for every case, one file each: the steps that show it, and the constraints under which it is asked.
//!
//! Invariant: a property is asked of every case, or says why it was not; nothing is skipped in silence. Where it can, a
//! property looks at server and file with its own SQL and not through the code that it judges.

pub(super) mod checks;
mod counts;
pub(super) mod digests;
mod dump;
pub(super) mod integrity;
mod inventory;
mod mutations;
pub(super) mod published;
pub(super) mod queries;
pub(super) mod rollback;
mod schema_round_trip;
mod second_opinion;
mod source_untouched;
pub(super) mod twice;

use super::property::{Property, Verdict};

/// Every property, in the order in which a case is asked: those that only read before those that change the file.
pub const ALL: &[Property] = &[
    published::PROPERTY,
    counts::PROPERTY,
    digests::PROPERTY,
    second_opinion::PROPERTY,
    integrity::PROPERTY,
    inventory::PROPERTY,
    checks::PROPERTY,
    queries::PROPERTY,
    twice::PROPERTY,
    mutations::PROPERTY,
    schema_round_trip::PROPERTY,
    // It takes its time beside those before it.
    dump::PROPERTY,
    rollback::PROPERTY,
    source_untouched::PROPERTY,
];
