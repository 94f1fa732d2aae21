//! From a catalog to rows.

pub mod values;
