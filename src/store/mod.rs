//! Two stores in step: the records of an application in files, in SQLite, or in both, during the weeks in which it moves.
//!
//! One contract ([`Store`]), three that keep it: [`FilesStore`], [`RowsStore`], [`BothStore`], on one layout. An application opens an
//! [`OpenStore`], which is whichever of them the mode says, record by record and from one operation to the next.
//!
//! | mode | decides | copy |
//! |---|---|---|
//! | `files` | files | none |
//! | `dual` | files | rows |
//! | `sqlite-primary` | rows | files |
//! | `sqlite` | rows | none |
//!
//! **The unit** is a record with everything inside it (`unit`): what stands in the root of a file. Its version follows from its content, alike in
//! files and in rows, and a write may name the version that it was made from: so no update is lost.
//!
//! **Guarantees.** A write that has returned is on the disk of the side that decides. One that the copy does not have is written down beside
//! the SQLite file, before anything of it is done ([`both`]); where that cannot be, it fails. Whoever is killed leaves the rest to the next one
//! that opens the store or writes. What a program without the store has written is taken in where it decides, and set aside, never dropped,
//! where it lost. A change of mode proves first that both sides are equal ([`modes`]).

pub mod both;
pub mod compare;
pub mod contract;
pub mod control;
pub mod files;
pub mod health;
mod keeper;
pub mod modes;
pub mod open;
pub mod repair;
pub mod rows;
pub mod unit;
mod value;
mod versions;

pub use both::{BothStore, Step, Watch};
pub use contract::{Expected, Mode, Outcome, Record, Side, Store, Version, Written};
pub use control::{Control, Selection};
pub use files::FilesStore;
pub use health::{Gates, Health};
pub use keeper::{Change, Exchanged, Keeper};
pub use open::{Modes, OpenStore, Place};
pub use rows::RowsStore;
