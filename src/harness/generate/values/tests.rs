//! Unit tests of the wrapper.
