//! Decisions and losses: what becomes of each object of the source. Pure: it opens nothing.

pub mod expression;
