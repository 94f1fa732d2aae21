//! A migration from end to end, whatever its source and its target are: plan, draft, rows, finish, read back, compare,
//! publish. What either engine does of that stands behind the traits of [`crate::endpoint`].

pub mod copy;
pub mod run;
