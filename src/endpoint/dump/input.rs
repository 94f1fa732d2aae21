//! Where a dump's bytes come from: a file, a directory, standard input; and what form they have, by the first of them.

use super::archive::{self, tar};
use super::packing::Packing;
use super::tally::Tally;
use super::text::unreadable;
use crate::endpoint::postgres::WaitListener;
use crate::endpoint::sqlite::file::quoted;
use crate::error::{Context, Error, Result};
use std::fs::{File, Metadata};
use std::io::{BufReader, Cursor, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const READ: &str = "read";
/// How much is looked at to tell the form.
const SNIFFED_BYTES: usize = 64 * 1024;
/// How much of it unpacked.
const FIRST_BYTES: usize = 4096;
/// How much of a packed stream is read at once.
const PACKED_BYTES: usize = 256 * 1024;

/// The form of a dump.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// SQL.
    Script,
    /// An archive that is one file.
    Custom,
    /// An archive that is a tar.
    Tar,
    /// An archive that is a directory.
    Directory,
}

/// A dump's bytes.
pub(super) struct Input {
    /// It by its name, for errors.
    pub object: String,
    pub form: Form,
    packing: Packing,
    origin: Origin,
    tally: Arc<Tally>,
}

enum Origin {
    /// A file that can be read again, and what it was when it was opened.
    File(File, Option<Metadata>),
    Directory(PathBuf),
    /// What can be read once; `None` when it was.
    Stream(Option<Box<dyn Read + Send>>),
}

impl Input {
    /// A file or a directory. Who listens hears how much of it was read.
    ///
    /// # Errors
    /// When it cannot be read, or is no dump.
    pub(super) fn open(path: &Path, listener: Option<WaitListener>) -> Result<Input> {
        let object = quoted(path);
        if path.is_dir() {
            let contents = path.join("toc.dat");
            if !contents.is_file() {
                let cause = "it is a folder without `toc.dat`, so no archive of pg_dump";
                return Err(Error::usage("use the dump", object, cause));
            }
            let files = std::fs::read_dir(path).could_not(READ, &object)?;
            let bytes = files.flatten().filter_map(|file| file.metadata().ok()).map(|file| file.len()).sum();
            let (origin, tally) = (Origin::Directory(path.to_path_buf()), Tally::new(Some(bytes), listener));
            return Ok(Input { object, form: Form::Directory, packing: Packing::Plain, origin, tally });
        }
        let mut file = File::open(path).could_not(READ, &object)?;
        let metadata = file.metadata().could_not(READ, &object)?;
        if !metadata.is_file() {
            // A pipe with a name.
            return Input::from_stream(Box::new(file), object, listener);
        }
        let mut first = Vec::new();
        (&mut file).take(SNIFFED_BYTES as u64).read_to_end(&mut first).could_not(READ, &object)?;
        let (packing, form) = recognise(&first, &object)?;
        let tally = Tally::new(Some(metadata.len()), listener);
        Ok(Input { object, form, packing, origin: Origin::File(file, Some(metadata)), tally })
    }

    /// Standard input. An archive is read as it comes; a script has its keys behind its rows, and goes to a temporary file.
    ///
    /// # Errors
    /// When it cannot be read or kept, or is no dump.
    pub(super) fn standard(listener: Option<WaitListener>) -> Result<Input> {
        Input::from_stream(Box::new(std::io::stdin()), "standard input".to_owned(), listener)
    }

    /// Any stream, by that name.
    ///
    /// # Errors
    /// As [`Input::standard`].
    pub(super) fn from_stream(
        mut stream: Box<dyn Read + Send>,
        object: String,
        listener: Option<WaitListener>,
    ) -> Result<Input> {
        let mut first = Vec::new();
        (&mut stream).take(SNIFFED_BYTES as u64).read_to_end(&mut first).could_not(READ, &object)?;
        let (packing, form) = recognise(&first, &object)?;
        let tally = Tally::new(None, listener.clone());
        let mut whole = tally.count(Cursor::new(first).chain(stream));
        let (origin, tally) = match form {
            Form::Script => {
                let mut file = tempfile::tempfile().could_not("keep the dump", &object)?;
                let bytes = std::io::copy(&mut whole, &mut file).could_not("keep the dump", &object)?;
                (Origin::File(file, None), Tally::new(Some(bytes), listener))
            }
            Form::Custom | Form::Tar | Form::Directory => (Origin::Stream(Some(Box::new(whole))), tally),
        };
        Ok(Input { object, form, packing, origin, tally })
    }

    /// Whether it can be read only once.
    pub(super) fn is_stream(&self) -> bool {
        matches!(self.origin, Origin::Stream(_))
    }

    /// Looks whether a target at that path would replace it.
    ///
    /// # Errors
    /// When it would.
    pub(super) fn ensure_apart(&self, target: &Path) -> Result<()> {
        let Ok(target_now) = target.metadata() else { return Ok(()) };
        let own = match &self.origin {
            Origin::File(_, Some(metadata)) => Some((metadata.dev(), metadata.ino())),
            Origin::Directory(path) => path.metadata().ok().map(|metadata| (metadata.dev(), metadata.ino())),
            Origin::File(_, None) | Origin::Stream(_) => None,
        };
        match own == Some((target_now.dev(), target_now.ino())) {
            true => {
                Err(Error::usage("use target", quoted(target), "it is the source itself").hint("name another file"))
            }
            false => Ok(()),
        }
    }

    /// Its bytes from the beginning, unpacked.
    ///
    /// # Errors
    /// When it was read once already and cannot be again, or has changed since it was opened.
    pub(super) fn reader(&mut self) -> Result<BufReader<Box<dyn Read + Send>>> {
        let packed: Box<dyn Read + Send> = match &mut self.origin {
            Origin::File(file, metadata) => {
                let now = file.metadata().could_not(READ, &self.object)?;
                let state = |metadata: &Metadata| (metadata.len(), metadata.mtime(), metadata.mtime_nsec());
                if metadata.as_ref().is_some_and(|before| state(before) != state(&now)) {
                    return Err(Error::could_not(READ, &self.object, "somebody has changed it since it was opened")
                        .hint("run again when nobody writes it"));
                }
                let mut file = file.try_clone().could_not(READ, &self.object)?;
                file.seek(SeekFrom::Start(0)).could_not(READ, &self.object)?;
                self.tally.restart();
                Box::new(self.tally.count(file))
            }
            Origin::Directory(path) => {
                self.tally.restart();
                Box::new(self.tally.count(File::open(path.join("toc.dat")).could_not(READ, &self.object)?))
            }
            Origin::Stream(stream) => stream.take().ok_or_else(|| {
                Error::could_not(READ, &self.object, "it can be read only once, and this needs it again")
                    .hint("name a file instead of standard input")
            })?,
        };
        let packed = BufReader::with_capacity(PACKED_BYTES, packed);
        let plain = self.packing.unpack(packed).could_not(READ, &self.object)?;
        Ok(BufReader::with_capacity(PACKED_BYTES, plain))
    }

    /// The file of a directory with the rows of an entry, unpacked.
    ///
    /// # Errors
    /// When there is none, or its name leads elsewhere.
    pub(super) fn rows_of(&self, name: &str) -> Result<Box<dyn Read + Send>> {
        let Origin::Directory(path) = &self.origin else {
            return Err(Error::could_not(READ, &self.object, "it is no directory"));
        };
        if !is_plain(name) {
            return Err(Error::could_not(
                READ,
                &self.object,
                "the archive is damaged: the name of a file in it leads elsewhere",
            ));
        }
        let names = ["", ".gz", ".lz4", ".zst"].map(|end| path.join(format!("{name}{end}")));
        let Some(file) = names.iter().find(|file| file.is_file()) else {
            return Err(Error::could_not(READ, &self.object, format!("the file `{name}` is missing in it"))
                .hint("the dump is not whole; copy it again from where it was made, or make it again"));
        };
        let object = quoted(file);
        let file = self.tally.count(File::open(file).could_not(READ, &object)?);
        let mut packed = BufReader::with_capacity(PACKED_BYTES, file);
        let packing = Packing::of(std::io::BufRead::fill_buf(&mut packed).could_not(READ, &object)?, &object)?;
        packing.unpack(packed).could_not(READ, &object)
    }
}

/// Whether it is the name of a file and nothing else.
fn is_plain(name: &str) -> bool {
    !name.is_empty() && !name.contains(['/', '\\', '\0']) && name != ".." && name != "."
}

/// What bytes are that begin so, packed and unpacked.
fn recognise(first: &[u8], object: &str) -> Result<(Packing, Form)> {
    if first.is_empty() {
        return Err(Error::could_not(READ, object, "it is empty").hint("a dump says at least what it is"));
    }
    let packing = Packing::of(first, object)?;
    let mut plain = Vec::new();
    let mut unpacked = packing.unpack(first).could_not(READ, object)?;
    let limit = FIRST_BYTES as u64;
    // That the bytes end early is because no more were read.
    let outcome = unpacked.by_ref().take(limit).read_to_end(&mut plain);
    if let (Err(error), true) = (outcome, plain.is_empty()) {
        return Err(unreadable(object, error));
    }
    let form = if plain.starts_with(archive::MAGIC) {
        Form::Custom
    } else if tar::begins(&plain) {
        Form::Tar
    } else if plain.contains(&0) && !is_marked(&plain) {
        let known = if plain.starts_with(b"SQLite format 3\0") {
            "it is a SQLite file, and no dump"
        } else {
            "it is no dump of PostgreSQL"
        };
        return Err(Error::could_not(READ, object, known)
            .hint("a dump is a script of SQL or an archive of pg_dump, and may be packed by gzip, zstd or lz4"));
    } else if Packing::of(&plain, object)? != Packing::Plain {
        return Err(Error::could_not(READ, object, "it is packed twice").hint("unpack it once"));
    } else {
        Form::Script
    };
    Ok((packing, form))
}

/// Whether a path is a dump by what is there: an archive, a script of pg_dump, or one of them packed.
pub fn is_dump(path: &Path) -> bool {
    if path.is_dir() {
        return File::open(path.join("toc.dat")).is_ok_and(|mut file| {
            let mut first = [0; archive::MAGIC.len()];
            file.read_exact(&mut first).is_ok() && first == *archive::MAGIC
        });
    }
    let Ok(mut file) = File::open(path) else { return false };
    if !file.metadata().is_ok_and(|metadata| metadata.is_file()) {
        return false;
    }
    let mut first = Vec::new();
    if (&mut file).take(SNIFFED_BYTES as u64).read_to_end(&mut first).is_err() || first.is_empty() {
        return false;
    }
    match Packing::of(&first, "") {
        // What is packed by another program was meant as a dump, and is refused as one.
        Err(_) => true,
        Ok(Packing::Plain) => {
            let name = path.extension().is_some_and(|end| end.eq_ignore_ascii_case("sql"));
            let is_text = !first.contains(&0) && !first.starts_with(b"SQLite format 3");
            first.starts_with(archive::MAGIC) || tar::begins(&first) || (is_text && (name || is_marked(&first)))
        }
        Ok(_) => true,
    }
}

/// Whether a text begins as pg_dump's do.
fn is_marked(first: &[u8]) -> bool {
    let head = &first[..first.len().min(FIRST_BYTES)];
    [&b"-- PostgreSQL database dump"[..], b"-- PostgreSQL database cluster dump"]
        .iter()
        .any(|mark| memchr::memmem::find(head, mark).is_some())
}
