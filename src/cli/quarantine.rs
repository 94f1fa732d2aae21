//! What a run has set aside, kept where somebody can look at it.

use super::exit::Exit;
use crate::endpoint::files::tree::walk::{Content, Growth, Tree};
use crate::endpoint::sqlite::file::quoted;
use crate::endpoint::{Endpoint, Rejected};
use crate::error::{Context, Error, Result};
use std::fs;
use std::io::{Read, Write};
use std::path::Path;

/// The list of what was set aside, one JSON object a line.
const LIST: &str = "rejected.jsonl";

/// Copies each file that was set aside into the folder, and lists them there.
///
/// # Errors
/// That there were any; or that they could not be kept.
pub fn keep(rejected: &[Rejected], source: &Endpoint, folder: &Path, dry_run: bool, target: &Path) -> Result<Exit> {
    if rejected.is_empty() {
        return Ok(Exit::Success);
    }
    if let (Endpoint::Files(path), false) = (source, dry_run) {
        let tree = Tree::open(path)?;
        fs::create_dir_all(folder).could_not("set aside in", quoted(folder))?;
        let mut list = String::new();
        for one in rejected {
            copy(&tree, &one.path, &folder.join(&one.path))?;
            list.push_str(&serde_json::to_string(one).could_not("set aside in", quoted(folder))?);
            list.push('\n');
        }
        fs::write(folder.join(LIST), list).could_not("set aside in", quoted(folder))?;
    }
    let first = &rejected[0];
    let (count, files) = (rejected.len(), if rejected.len() == 1 { "file was" } else { "files were" });
    let cause = format!(
        "{count} {files} set aside; the first is `{}`, line {}, column {}: {}",
        first.path, first.line, first.column, first.reason
    );
    let what = if dry_run { "nothing was published" } else { "everything else is published" };
    Err(Error::differs("migrate to", quoted(target), cause).hint(format!("{what}; correct the files and run again")))
}

fn copy(tree: &Tree, path: &str, to: &Path) -> Result<()> {
    const OPERATION: &str = "set aside";
    if let Some(parent) = to.parent() {
        fs::create_dir_all(parent).could_not(OPERATION, quoted(parent))?;
    }
    match tree.read(path, Growth::Allowed)? {
        Content::Whole(bytes, _) => fs::write(to, bytes).could_not(OPERATION, quoted(to)),
        Content::Large(mut file) => {
            let mut out = fs::File::create(to).could_not(OPERATION, quoted(to))?;
            let mut buffer = vec![0; 1 << 18];
            loop {
                match file.read(&mut buffer).could_not(OPERATION, quoted(to))? {
                    0 => break,
                    read => out.write_all(&buffer[..read]).could_not(OPERATION, quoted(to))?,
                }
            }
            file.finish().map(drop)
        }
    }
}
