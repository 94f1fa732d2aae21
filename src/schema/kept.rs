//! The errors of a script that takes what belongs to a table without saying so, or says so and does not.

use super::plan::Step;
use super::script::{Loss, Lost};
use crate::{Error, Result};

/// Fails where anything went: each with the name by which a header declares it, and told for people.
pub(super) fn gone_unsaid(step: &Step, gone: Vec<(Lost, String, String)>) -> Result<()> {
    if gone.is_empty() {
        return Ok(());
    }
    let told: Vec<&str> = gone.iter().map(|(_, _, told)| told.as_str()).collect();
    let names: Vec<String> = gone.iter().map(|(what, name, _)| format!("{} {name}", what.words())).collect();
    let cause = format!("gone with what was rebuilt, and not back: {}", told.join(", "));
    Err(Error::differs("keep what belongs to the tables of", step.label(), cause).hint(format!(
        "make it again in the script, or say that it goes with `-- whimbrel: loses {}` in the header of `{}`",
        names.join(", "),
        step.script.file
    )))
}

/// The error for a header that says something goes which does not.
pub(super) fn wrongly_declared(step: &Step, loss: &Loss, stays: bool) -> Error {
    let words = loss.lost.words();
    let how = if stays { "it stays" } else { "there was none" };
    let cause = format!("it declares that the {words} `{}` goes, and {how}", loss.name);
    Error::differs("run what the header says of", step.label(), cause).hint(format!(
        "take `loses {words} {}` out of the header of `{}`, or correct the name",
        loss.name, step.script.file
    ))
}
