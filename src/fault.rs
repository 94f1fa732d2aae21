//! Eleven deliberate bugs, one of which can be switched on in a debug build, so that a test can show that it is caught.
//!
//! Each stands in the engine where such a bug would stand, before or beside the code that checks: a sign lost while
//! decoding is lost for the source's digest too. The environment variable `WHIMBREL_FAULT` names the one that is
//! active; it is read once. A release build knows neither the variable nor the bugs: [`active`] is a constant `false`
//! there, and `.ci/run` looks into the binary to make sure.
//!
//! | name | what goes wrong | where |
//! |---|---|---|
//! | `table-skipped` | the last table of the source is in no plan and in no list of what is not carried | `plan::build` |
//! | `sign-lost` | negative numbers are read as positive | `endpoint::postgres::wire` |
//! | `seconds-for-milliseconds` | a time in milliseconds is written and read in seconds | `types::codec` |
//! | `null-as-empty` | NULL is read as '' in columns of text | `types::codec` |
//! | `foreign-key-dropped` | a table's last foreign key is neither planned nor listed | `plan::constraints` |
//! | `batch-written-twice` | the rows of a batch are inserted twice | `endpoint::sqlite::loader` |
//! | `last-row-lost` | the last row of a batch is not inserted | `endpoint::sqlite::loader` |
//! | `index-missing` | a table's last index is neither planned nor listed; a given schema's last one is not rebuilt | `plan::indexes`, `endpoint::sqlite::target::finish` |
//! | `collation-changed` | text compares without case, citext with it | `plan::columns` |
//! | `backup-as-file-copy` | the backup of the old target is a copy of its main file | `backup::take` |
//! | `escape-lost` | a line end within a value of a dump is read as the letter n | `endpoint::dump::copy_text` |

use crate::error::Result;

/// A deliberate bug.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The last table of the source is in no plan and in no list of what is not carried.
    TableSkipped,
    /// Negative numbers are read as positive.
    SignLost,
    /// A time in milliseconds is written and read in seconds.
    SecondsForMilliseconds,
    /// NULL is read as '' in columns of text.
    NullAsEmpty,
    /// A table's last foreign key is neither planned nor listed.
    ForeignKeyDropped,
    /// The rows of a batch are inserted twice.
    BatchWrittenTwice,
    /// The last row of a batch is not inserted.
    LastRowLost,
    /// A table's last index is neither planned nor listed; a given schema's last one is not rebuilt.
    IndexMissing,
    /// Text compares without case, citext with it.
    CollationChanged,
    /// The backup of the old target is a copy of its main file.
    BackupAsFileCopy,
    /// A line end within a value of a dump is read as the letter n.
    EscapeLost,
}

#[cfg(debug_assertions)]
impl Fault {
    /// Every fault, in the order of the table above.
    pub const ALL: [Fault; 11] = [
        Fault::TableSkipped,
        Fault::SignLost,
        Fault::SecondsForMilliseconds,
        Fault::NullAsEmpty,
        Fault::ForeignKeyDropped,
        Fault::BatchWrittenTwice,
        Fault::LastRowLost,
        Fault::IndexMissing,
        Fault::CollationChanged,
        Fault::BackupAsFileCopy,
        Fault::EscapeLost,
    ];

    /// Its name in the environment variable.
    pub fn name(self) -> &'static str {
        match self {
            Fault::TableSkipped => "table-skipped",
            Fault::SignLost => "sign-lost",
            Fault::SecondsForMilliseconds => "seconds-for-milliseconds",
            Fault::NullAsEmpty => "null-as-empty",
            Fault::ForeignKeyDropped => "foreign-key-dropped",
            Fault::BatchWrittenTwice => "batch-written-twice",
            Fault::LastRowLost => "last-row-lost",
            Fault::IndexMissing => "index-missing",
            Fault::CollationChanged => "collation-changed",
            Fault::BackupAsFileCopy => "backup-as-file-copy",
            Fault::EscapeLost => "escape-lost",
        }
    }

    /// The fault of that name.
    pub fn named(name: &str) -> Option<Fault> {
        Fault::ALL.into_iter().find(|fault| fault.name() == name)
    }
}

/// The environment variable that names the active fault.
#[cfg(debug_assertions)]
pub const VARIABLE: &str = "WHIMBREL_FAULT";

/// What the variable says, read once.
#[cfg(debug_assertions)]
fn chosen() -> &'static Result<Option<Fault>, String> {
    static CHOSEN: std::sync::OnceLock<Result<Option<Fault>, String>> = std::sync::OnceLock::new();
    CHOSEN.get_or_init(|| match std::env::var(VARIABLE) {
        Ok(name) if name.is_empty() => Ok(None),
        Ok(name) => Fault::named(&name).map(Some).ok_or(name),
        Err(std::env::VarError::NotPresent) => Ok(None),
        Err(std::env::VarError::NotUnicode(name)) => Err(name.to_string_lossy().into_owned()),
    })
}

/// Whether that bug is switched on.
#[cfg(debug_assertions)]
#[inline]
pub fn active(fault: Fault) -> bool {
    matches!(chosen(), Ok(Some(active)) if *active == fault)
}

/// Whether that bug is switched on: never in a release build.
#[cfg(not(debug_assertions))]
#[inline(always)]
pub const fn active(_: Fault) -> bool {
    false
}

/// The name of the bug that is switched on. Every run asks before it begins, so that a name with a mistake in it never
/// passes for a run with a bug.
///
/// # Errors
/// A usage error for a name that is none of them.
#[cfg(debug_assertions)]
pub fn injected() -> Result<Option<&'static str>> {
    match chosen() {
        Ok(fault) => Ok(fault.map(Fault::name)),
        Err(name) => {
            let known: Vec<_> = Fault::ALL.iter().map(|fault| fault.name()).collect();
            Err(crate::error::Error::usage("read", VARIABLE, format!("`{name}` is no fault"))
                .hint(format!("choose one of {}, or unset it", known.join(", "))))
        }
    }
}

/// The name of the bug that is switched on: none in a release build.
///
/// # Errors
/// None in a release build.
#[cfg(not(debug_assertions))]
pub fn injected() -> Result<Option<&'static str>> {
    Ok(None)
}

#[cfg(all(test, debug_assertions))]
mod tests {
    use super::*;

    #[test]
    fn every_fault_has_a_name_of_its_own() {
        for fault in Fault::ALL {
            assert_eq!(Fault::named(fault.name()), Some(fault));
        }
        assert_eq!(Fault::named("nonsense"), None);
    }
}
