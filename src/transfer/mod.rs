//! A migration from end to end: rows copied, indexes built, the file verified and published.

pub mod copy;
pub mod finish;
pub mod keys;
pub mod optimize;
pub mod publish;
pub mod run;
