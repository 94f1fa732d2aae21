//! The end of a transfer: the finished file takes the target's place, and a published file is kept in shape.

pub mod optimize;
pub mod publish;
