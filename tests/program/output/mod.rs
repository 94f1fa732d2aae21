//! What comes out of the program, whatever goes in: a lost report is no success, nothing foreign reaches a terminal as
//! it is, and no secret is repeated.
//!
//! Each is asked of every verb that the program lists itself, in text and in JSON, so that a new verb has to join.

mod hostile;
mod lost;
mod secrets;
mod world;
