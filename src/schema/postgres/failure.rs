//! What the server says, told as the rest of the crate tells it, with the hints that fit a migration.

use std::fmt::Display;

use crate::endpoint::postgres::explain;
use crate::{Error, Result};

/// Codes whose hint in [`explain`] is for somebody who reads a database in order to copy it.
const HINTS_FOR_READERS: [&str; 7] = ["42501", "53200", "40001", "22021", "42P01", "XX000", "57014"];

/// Gives an error of the server or of the connection to it its operation, object, cause and hint.
pub(super) fn told(operation: &str, object: impl Display, error: &sqlx::Error) -> Error {
    let explained = explain(operation, object, error);
    let code = error.as_database_error().and_then(|error| error.code());
    if code.is_some_and(|code| HINTS_FOR_READERS.contains(&code.as_ref())) {
        return Error::could_not(operation, explained.object(), explained.cause());
    }
    explained
}

/// As [`crate::error::Context`], for what `sqlx` returns.
pub(crate) trait Explained<T> {
    /// Tells what could not be done, and to what.
    fn could_not(self, operation: &str, object: impl Display) -> Result<T>;
}

impl<T> Explained<T> for sqlx::Result<T> {
    fn could_not(self, operation: &str, object: impl Display) -> Result<T> {
        self.map_err(|error| told(operation, object, &error))
    }
}
