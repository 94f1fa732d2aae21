//! A tree of files and a SQLite file that was made of it, both changed since: merged, record by record, or the conflict named.
//!
//! **What is compared.** The SQLite file remembers of each record of the tree the hash that it had when both sides were equal: the
//! *base* (`base`). Against it stand the files as they are now (`files`), and the rows as they are now (`rows`), as files
//! would say them. What becomes of a record follows from these three alone (`merge`): the side that has changed it wins; where both
//! have, and not alike, it is a conflict, and stays as it is on both sides.
//!
//! **What is done**, by `run`, in this order:
//!
//! 1. A journal that a killed run has left in the tree is done to its end.
//! 2. The comparison, in one state of the SQLite file; nothing is locked meanwhile. The files are woven in memory (`writing`).
//! 3. `BEGIN IMMEDIATE`. Where another connection has committed since step 2, the comparison is made again.
//! 4. The rows that files have changed are written and read back; foreign keys and the project's checks have to hold (`apply`).
//! 5. What records of files are to become is kept beside the SQLite file until the commit (`pending`). The files that rows have changed
//!    are made beside their places and synced, what is there is looked at once more, and the journal gets its name: from here on the files are the new ones, whoever is killed. Then they take their places.
//! 6. The written files are read back and taken apart; what they say is the new base, and goes into the same transaction with
//!    the digests of the tables and of what is remembered. The digest of each table's rows has to be the one that the base says.
//! 7. `COMMIT`.
//!
//! **Who is killed** before the journal has its name leaves nothing: the transaction goes with him. After it, and before
//! `COMMIT`, the journal is done by the next run, and the files have what the rows had already; the base is still the old one. The next
//! run knows from `pending` which records of files say what they say by no user's hand: to those the written value is the base. All others
//! are as this run has found them, so it comes to the same end, whatever was edited meanwhile.
//! The base is committed last, so it never says of a file what the file has not; else the next run would take the old file for a
//! change, and undo the row.
//!
//! **What is not read.** Beside the SQLite file is kept what was seen of both sides when they were equal (`seen`). Files whose state
//! is that one are not read, and where neither the change counter nor the log of the SQLite file has moved, no rows are.
//!
//! **Refused**, with nothing changed: what SQLite refuses, a foreign key that leads nowhere, a check that finds something, a trigger that
//! makes other rows of what files say, a file that was changed between steps 2 and 5, a link in the place of records.

mod apply;
mod base;
mod compared;
mod files;
mod keys;
mod links;
mod made;
mod merge;
mod pending;
mod record;
mod records;
mod rows;
mod run;
mod seen;
mod store;
mod values;
mod writing;

pub(crate) use apply::{Applying, RowChange};
pub(crate) use made::Made;
pub use merge::Preferences;
pub use record::{Change, Outcome, SHOWN_MAX, Synced, SyncedEntry, SyncedRecord, TableCounts, Unsaid, Values, Which};
pub(crate) use rows::Forms;
pub use run::{Options, Preference, sync};
pub(crate) use values::{Bound, key_of, text_of};
