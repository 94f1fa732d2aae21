//! A tree in one file: before a cutover the whole of it is kept, and `rollback` brings it back.
//!
//! The file is a tar archive, so that whoever has lost this program gets their files with `tar -xf`: below `tree/` every
//! directory, file and link with its permissions and times, and behind them `manifest.jsonl`, which has one line per entry: path, kind,
//! permissions, time, size and SHA-256, or where a link leads to. It ends in a line with the number of entries. So a file that is cut
//! off or changed anywhere is noticed by whoever reads it once, and nothing of it is handed on before all of it was read.
//!
//! Reading back makes each line anew from what was found, and compares the digests of both manifests: memory does not grow with
//! the number of files.

use super::draft::Draft;
use super::entry::{Entry, EntryKind, check, leads_inside};
use super::walk::{Content, Growth, Seen, Tree};
use crate::error::{Context, Error, Result};
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::io::{self, Read, Seek, Write};
use tar::{Archive, Builder, EntryType, Header};

const MANIFEST: &str = "manifest.jsonl";
const FOLDER: &str = "tree";
/// How much of a manifest is kept in memory before it goes to a temporary file.
const MANIFEST_BYTES_MAX: usize = 8 << 20;

/// What is in an archive.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Archived {
    /// Files, directories and links.
    pub entries: u64,
    /// Bytes of all files.
    pub bytes: u64,
    /// The state of the tree that was archived ([`Tree::state`]); only who wrote it knows it.
    pub state: Option<u128>,
    /// SHA-256 of the manifest.
    pub digest: [u8; 32],
}

/// One line of the manifest.
#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
enum Line<'l> {
    Directory { path: &'l str, mode: u32, modified_ns: i64 },
    File { path: &'l str, mode: u32, modified_ns: i64, size_bytes: u64, sha256: String },
    Link { path: &'l str, leads_to: &'l str },
    End { entries: u64, bytes: u64 },
}

/// The manifest while it grows.
struct Manifest<W> {
    out: W,
    hash: Sha256,
    entries: u64,
    bytes: u64,
}

impl<W: Write> Manifest<W> {
    fn new(out: W) -> Self {
        Manifest { out, hash: Sha256::new(), entries: 0, bytes: 0 }
    }

    fn line(&mut self, line: &Line<'_>) -> io::Result<()> {
        match line {
            Line::Directory { .. } | Line::Link { .. } => self.entries += 1,
            Line::File { size_bytes, .. } => {
                self.entries += 1;
                self.bytes += size_bytes;
            }
            Line::End { .. } => {}
        }
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        self.hash.update(&text);
        self.out.write_all(&text)
    }

    fn end(mut self) -> io::Result<(W, Archived)> {
        let (entries, bytes) = (self.entries, self.bytes);
        self.line(&Line::End { entries, bytes })?;
        Ok((self.out, Archived { entries, bytes, state: None, digest: self.hash.finalize().into() }))
    }
}

/// Hashes what passes.
struct Hashing<R> {
    inner: R,
    hash: Sha256,
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.hash.update(&buffer[..read]);
        Ok(read)
    }
}

fn hex(hash: Sha256) -> String {
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Writes a tree into one file. What is ignored is not in it.
///
/// # Errors
/// When the tree cannot be read, changes meanwhile, or the disk does not take the file.
pub fn write(tree: &Tree, ignored: &dyn Fn(&str) -> bool, out: impl Write) -> Result<Archived> {
    const OPERATION: &str = "archive";
    let before = tree.state(ignored)?;
    let spool = tempfile::spooled_tempfile(MANIFEST_BYTES_MAX);
    let mut manifest = Manifest::new(spool);
    let mut builder = Builder::new(out);
    tree.walk(ignored, &mut |seen| match seen {
        Seen::Entry(entry) => add(tree, entry, &mut builder, &mut manifest),
        Seen::Ignored(_) => Ok(()),
    })?;
    if tree.state(ignored)? != before {
        let cause = "it was changed while it was read";
        return Err(
            Error::could_not(OPERATION, tree.quoted(""), cause).hint("run again when nobody writes to the tree")
        );
    }
    let finish = || -> io::Result<Archived> {
        let (mut text, mut archived) = manifest.end()?;
        let length = text.stream_position()?;
        text.rewind()?;
        let mut header = header(EntryType::Regular, 0o600, 0, (0, 0), length);
        builder.append_data(&mut header, MANIFEST, text)?;
        builder.into_inner()?.flush()?;
        archived.state = Some(before);
        Ok(archived)
    };
    finish().could_not(OPERATION, tree.quoted(""))
}

fn header(entry_type: EntryType, mode: u32, modified_ns: i64, owner: (u32, u32), size_bytes: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(entry_type);
    header.set_mode(mode);
    // A header has no time before 1970; the exact one stands before it.
    header.set_mtime(u64::try_from(modified_ns.div_euclid(1_000_000_000)).unwrap_or(0));
    header.set_uid(owner.0.into());
    header.set_gid(owner.1.into());
    header.set_size(size_bytes);
    header
}

fn add<W: Write, M: Write>(
    tree: &Tree,
    entry: &Entry,
    builder: &mut Builder<W>,
    manifest: &mut Manifest<M>,
) -> Result<()> {
    let (path, mode, modified_ns) = (entry.path.as_str(), entry.mode, entry.stat.modified_ns);
    let place = format!("{FOLDER}/{path}");
    let mut written = |entry_type: EntryType, size_bytes: u64, content: &mut dyn Read| -> io::Result<()> {
        // In the form of the standard for exact times, which every later tar reads.
        let time = format!("{}.{:09}", modified_ns.div_euclid(1_000_000_000), modified_ns.rem_euclid(1_000_000_000));
        builder.append_pax_extensions([("mtime", time.as_bytes())])?;
        builder.append_data(&mut header(entry_type, mode, modified_ns, entry.owner, size_bytes), &place, content)
    };
    let object = || tree.quoted(path);
    match &entry.kind {
        EntryKind::Directory => {
            written(EntryType::Directory, 0, &mut io::empty()).could_not("archive", object())?;
            manifest.line(&Line::Directory { path, mode, modified_ns }).could_not("archive", object())
        }
        EntryKind::Link { leads_to } => {
            let mut header = header(EntryType::Symlink, 0o777, modified_ns, entry.owner, 0);
            builder.append_link(&mut header, &place, leads_to).could_not("archive", object())?;
            manifest.line(&Line::Link { path, leads_to }).could_not("archive", object())
        }
        EntryKind::File => {
            let (size_bytes, sha256) = match tree.read(path, Growth::Refused)? {
                Content::Whole(bytes, stat) => {
                    written(EntryType::Regular, stat.size_bytes, &mut bytes.as_slice())
                        .could_not("archive", object())?;
                    (stat.size_bytes, hex(Sha256::new_with_prefix(&bytes)))
                }
                Content::Large(mut file) => {
                    let size_bytes = file.stat().size_bytes;
                    let mut hashing = Hashing { inner: &mut file, hash: Sha256::new() };
                    written(EntryType::Regular, size_bytes, &mut hashing).could_not("archive", object())?;
                    let sha256 = hex(hashing.hash);
                    file.finish()?;
                    (size_bytes, sha256)
                }
            };
            manifest.line(&Line::File { path, mode, modified_ns, size_bytes, sha256 }).could_not("archive", object())
        }
    }
}

/// Reads an archive to its end.
///
/// # Errors
/// When it is not what was written: cut off, changed, or something else. `object` names it.
pub fn verify(from: impl Read, object: &str) -> Result<Archived> {
    pass(from, object, &mut |_, _| Ok(()))
}

/// Makes the tree of an archive. Everything of it is proven by the time this returns, and not before.
///
/// # Errors
/// As [`verify`], and when the tree cannot be made.
pub fn unpack(from: impl Read, object: &str, draft: &mut Draft) -> Result<Archived> {
    pass(from, object, &mut |found, content| match found {
        Found::Directory { path, mode, modified_ns } => draft.directory(path, mode, Some(modified_ns)),
        Found::Link { path, leads_to } => draft.link(path, leads_to),
        Found::File { path, mode, modified_ns } => {
            let mut file = draft.file(path, mode, Some(modified_ns))?;
            io::copy(content, &mut file).could_not("restore", format!("`{path}`"))?;
            file.finish()
        }
    })
}

/// What was come to in an archive.
enum Found<'f> {
    Directory { path: &'f str, mode: u32, modified_ns: i64 },
    File { path: &'f str, mode: u32, modified_ns: i64 },
    Link { path: &'f str, leads_to: &'f str },
}

fn pass(
    from: impl Read,
    object: &str,
    take: &mut dyn FnMut(Found<'_>, &mut dyn Read) -> Result<()>,
) -> Result<Archived> {
    const OPERATION: &str = "read the archive";
    let damaged = |cause: &str| {
        Error::differs(OPERATION, object, cause)
            .hint("it is not what was written; look for another backup, and check the disk")
    };
    let unreadable = |error: io::Error| damaged(&error.to_string());
    let mut manifest = Manifest::new(io::sink());
    let mut said: Option<[u8; 32]> = None;
    let mut archive = Archive::new(from);
    for found in archive.entries().map_err(unreadable)? {
        let mut found = found.map_err(unreadable)?;
        if said.is_some() {
            return Err(damaged("something stands behind its manifest"));
        }
        let path =
            String::from_utf8(found.path_bytes().into_owned()).map_err(|_| damaged("a path in it is not UTF-8"))?;
        if path == MANIFEST {
            let mut hashing = Hashing { inner: &mut found, hash: Sha256::new() };
            io::copy(&mut hashing, &mut io::sink()).map_err(unreadable)?;
            said = Some(hashing.hash.finalize().into());
            continue;
        }
        let modified_ns = exact_time(&mut found).map_err(unreadable)?;
        let inside = path.strip_prefix("tree/").map(|path| path.trim_end_matches('/'));
        let Some(path) = inside.filter(|path| check(path).is_ok()) else {
            return Err(damaged(&format!("the path `{path}` in it leads elsewhere")));
        };
        let mode = found.header().mode().map_err(unreadable)? & 0o7777;
        match found.header().entry_type() {
            EntryType::Directory => {
                take(Found::Directory { path, mode, modified_ns }, &mut io::empty())?;
                manifest.line(&Line::Directory { path, mode, modified_ns })
            }
            EntryType::Symlink => {
                let leads_to = found.link_name_bytes().and_then(|bytes| String::from_utf8(bytes.into_owned()).ok());
                let Some(leads_to) = leads_to.filter(|leads_to| leads_inside(path, leads_to)) else {
                    return Err(damaged(&format!("the link `{path}` in it leads elsewhere")));
                };
                take(Found::Link { path, leads_to: &leads_to }, &mut io::empty())?;
                manifest.line(&Line::Link { path, leads_to: &leads_to })
            }
            EntryType::Regular => {
                let size_bytes = found.size();
                let mut hashing = Hashing { inner: &mut found, hash: Sha256::new() };
                take(Found::File { path, mode, modified_ns }, &mut hashing)?;
                io::copy(&mut hashing, &mut io::sink()).map_err(unreadable)?;
                let sha256 = hex(hashing.hash);
                manifest.line(&Line::File { path, mode, modified_ns, size_bytes, sha256 })
            }
            _ => return Err(damaged(&format!("`{path}` in it is no file, directory or link"))),
        }
        .map_err(unreadable)?;
    }
    let (_, archived) = manifest.end().map_err(unreadable)?;
    match said {
        None => Err(damaged("it is cut off: its manifest is missing")),
        Some(said) if said != archived.digest => Err(damaged("its files are not those of its manifest")),
        Some(_) => Ok(archived),
    }
}

/// The time of an entry's last change, in nanoseconds since 1970.
fn exact_time<R: Read>(found: &mut tar::Entry<'_, R>) -> io::Result<i64> {
    let wrong = || io::Error::other("a time in it is none");
    if let Some(extensions) = found.pax_extensions()? {
        for extension in extensions {
            let extension = extension?;
            if extension.key_bytes() == b"mtime" {
                let text = extension.value().map_err(|_| wrong())?;
                let (seconds, rest) = text.split_once('.').ok_or_else(wrong)?;
                let seconds: i64 = seconds.parse().map_err(|_| wrong())?;
                let rest: i64 = rest.parse().map_err(|_| wrong())?;
                return seconds.checked_mul(1_000_000_000).and_then(|time| time.checked_add(rest)).ok_or_else(wrong);
            }
        }
    }
    let seconds = i64::try_from(found.header().mtime()?).map_err(|_| wrong())?;
    seconds.checked_mul(1_000_000_000).ok_or_else(wrong)
}
