//! One error type for the whole crate: operation, object, cause, hint.
//!
//! Every failure is told in one line, `operation object: cause`, followed by a hint that names the way out. The
//! kind decides the exit code of the command line and nothing else.
//!
//! What an error tells is fit to be printed, whoever prints it: its texts are made so when it is made. None has a
//! password of a URL (`redact`), a line end, or a character that a terminal would obey (`printable`). Below it, as
//! [`std::error::Error::source`], is the error of the library that failed, for programs that ask for its code. That one is as
//! it came, so that its text is printed nowhere here; what fails while somebody connects has none, since it may repeat a
//! password.

use crate::{printable, redact};
use std::error::Error as StdError;
use std::fmt;

/// What every fallible function of this crate returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What a failure means for the caller; the command line maps each kind to one exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// The job ran, and the data is not what it should be.
    Differs,
    /// The job could not be done; the target is what it was before.
    CouldNotRun,
    /// The request itself is wrong: an argument, an option, a project file.
    Usage,
    /// Somebody asked the job to stop.
    Interrupted,
}

/// A failure, told for people: what was being done, to which object, why it failed, and what to do.
pub struct Error(Box<Inner>);

struct Inner {
    kind: Kind,
    operation: String,
    object: String,
    cause: String,
    hint: Option<String>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    fn new(kind: Kind, operation: impl Into<String>, object: impl fmt::Display, cause: impl fmt::Display) -> Self {
        Error(Box::new(Inner {
            kind,
            operation: fit(&operation.into()),
            object: fit(&object.to_string()),
            cause: fit(&cause.to_string()),
            hint: None,
            source: None,
        }))
    }

    /// The job could not be done: `operation` (a verb phrase, lower case), the object it was done to (may be
    /// empty), and the cause.
    pub fn could_not(operation: impl Into<String>, object: impl fmt::Display, cause: impl fmt::Display) -> Self {
        Self::new(Kind::CouldNotRun, operation, object, cause)
    }

    /// The data is not what it should be.
    pub fn differs(operation: impl Into<String>, object: impl fmt::Display, cause: impl fmt::Display) -> Self {
        Self::new(Kind::Differs, operation, object, cause)
    }

    /// The request is wrong.
    pub fn usage(operation: impl Into<String>, object: impl fmt::Display, cause: impl fmt::Display) -> Self {
        Self::new(Kind::Usage, operation, object, cause)
    }

    /// Somebody asked for a stop while `operation` was under way.
    pub fn interrupted(operation: impl Into<String>) -> Self {
        Self::interrupted_at(operation, "")
    }

    /// As [`Error::interrupted`], with the object that the operation was done to.
    pub fn interrupted_at(operation: impl Into<String>, object: impl fmt::Display) -> Self {
        Self::new(Kind::Interrupted, operation, object, "it was interrupted before it was done")
    }

    /// Adds the way out, one sentence in lower case without a full stop.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        let hint = hint.into();
        self.0.hint = Some(printable::one_line(&redact::redact_urls(&hint)).into_owned());
        self
    }

    /// Adds the error of another library that is behind it, whose text the cause has told already.
    #[must_use]
    pub fn because(mut self, source: impl StdError + Send + Sync + 'static) -> Self {
        self.0.source = Some(Box::new(source));
        self
    }

    /// The same failure under the name of what the caller was doing.
    #[must_use]
    pub fn while_doing(mut self, operation: impl Into<String>) -> Self {
        self.0.operation = fit(&operation.into());
        self
    }

    /// What the failure means for the caller.
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// What was being done.
    pub fn operation(&self) -> &str {
        &self.0.operation
    }

    /// The object it was being done to; empty where there is none.
    pub fn object(&self) -> &str {
        &self.0.object
    }

    /// Why it failed.
    pub fn cause(&self) -> &str {
        &self.0.cause
    }

    /// The way out, where one is known.
    pub fn way_out(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }
}

/// Without passwords, on one line.
fn fit(text: &str) -> String {
    printable::one_line(redact::redact(text).trim_end()).into_owned()
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.operation)?;
        if !self.0.object.is_empty() {
            write!(f, " {}", self.0.object)?;
        }
        write!(f, ": {}", self.0.cause)
    }
}

/// All but the source, which is not fit to be printed.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { kind, operation, object, cause, hint, source: _ } = &*self.0;
        f.debug_struct("Error")
            .field("kind", kind)
            .field("operation", operation)
            .field("object", object)
            .field("cause", cause)
            .field("hint", hint)
            .finish_non_exhaustive()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}

/// Joins an error with everything that caused it by `: `, leaving out a cause that its parent already tells. An [`Error`]
/// has told all of it.
pub fn chain(error: &(dyn StdError + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source().filter(|_| !error.is::<Error>());
    while let Some(cause) = next {
        // SQLite's message says already what its code means.
        let is_code = cause.downcast_ref::<rusqlite::ffi::Error>().map(|error| error.code);
        if is_code == Some(rusqlite::ErrorCode::NotADatabase) {
            break;
        }
        let told = cause.to_string();
        if !text.contains(&told) {
            text.push_str(": ");
            text.push_str(&told);
        }
        next = cause.source().filter(|_| !cause.is::<Error>());
    }
    text
}

/// Gives an error of another library its operation and object.
pub trait Context<T> {
    /// Tells what could not be done, and to what.
    ///
    /// # Errors
    /// Where there is an error; it is the new one's source.
    fn could_not(self, operation: &str, object: impl fmt::Display) -> Result<T>;
}

impl<T, E: StdError + Send + Sync + 'static> Context<T> for std::result::Result<T, E> {
    fn could_not(self, operation: &str, object: impl fmt::Display) -> Result<T> {
        self.map_err(|error| Error::could_not(operation, object, chain(&error)).because(error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_database_is_told_once_and_a_stop_is_a_sentence() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        std::fs::write(&path, "no database at all").unwrap();
        let opened = rusqlite::Connection::open(&path).unwrap().execute_batch("PRAGMA user_version = 1");
        assert_eq!(chain(&opened.unwrap_err()), "file is not a database");
        let stopped = Error::interrupted_at("begin a snapshot of", "`app`");
        assert_eq!(stopped.to_string(), "begin a snapshot of `app`: it was interrupted before it was done");
    }

    #[test]
    fn an_error_reads_as_one_sentence_and_keeps_its_hint_apart() {
        let error = Error::could_not("open target", "`app.db`", "permission denied").hint("choose another directory");
        assert_eq!(error.to_string(), "open target `app.db`: permission denied");
        assert_eq!(error.way_out(), Some("choose another directory"));
        assert_eq!(error.kind(), Kind::CouldNotRun);
    }

    #[test]
    fn what_is_behind_an_error_can_be_asked_for_and_is_not_told_twice() {
        let missing = || std::fs::read("/nowhere/at/all").could_not("read", "`a`");
        let error = missing().unwrap_err();
        let source = error.source().and_then(|source| source.downcast_ref::<std::io::Error>());
        assert_eq!(source.map(std::io::Error::kind), Some(std::io::ErrorKind::NotFound));
        let syntax = rusqlite::Connection::open_in_memory().unwrap().execute_batch("nonsense");
        let error = syntax.could_not("run", "").unwrap_err().hint("write SQL").while_doing("try");
        assert!(error.source().is_some_and(|source| source.is::<rusqlite::Error>()));
        let above = missing().could_not("open", "`b`").unwrap_err();
        assert_eq!(above.cause(), missing().unwrap_err().to_string());
        assert!(above.source().is_some_and(|source| source.is::<Error>()));
    }

    #[test]
    fn whatever_an_error_repeats_can_be_printed() {
        let name = "a\u{1b}]0;owned\u{7}\nwhimbrel: all is well\u{202e} postgres://ann:secret@host/app password=secret";
        let error = Error::differs(name, name, name).hint(name).while_doing(name).because(std::io::Error::other(name));
        for text in [error.to_string(), format!("{error:?}"), error.way_out().unwrap_or_default().to_owned()] {
            assert!(!text.contains(printable::is_hidden), "{text}");
            assert!(!text.contains("ann:secret"), "{text}");
        }
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}
