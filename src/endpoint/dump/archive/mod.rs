//! The archives of pg_dump: a head, a table of contents in which each definition stands by itself, and blocks of rows.
//!
//! The same head and table are the beginning of a file (custom), the file `toc.dat` of a directory, and the first file of
//! a tar. Integers are a sign and so many bytes, the lowest first; a text is its length and its bytes, -1 for none.
//!
//! Source: the reader and writer of archives in PostgreSQL, src/bin/pg_dump, which is the only description of the form.

pub(super) mod blocks;
pub(super) mod tar;

use super::packing::Packing;
use super::text::unreadable;
use crate::error::{Error, Result};
use std::io::Read;

/// The first bytes of the head.
pub(super) const MAGIC: &[u8] = b"PGDMP";
/// The versions that are read: those of pg_dump 9.0 to 18.
const VERSIONS: std::ops::RangeInclusive<(u8, u8)> = (1, 12)..=(1, 16);
/// How long a text of the table may be, in bytes.
const TEXT_BYTES_MAX: usize = 64 * 1024 * 1024;

/// What the head says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Head {
    version: (u8, u8),
    int_bytes: usize,
    offset_bytes: usize,
    /// How the blocks of a file are packed; of a directory each file says it itself.
    pub packing: Packing,
    /// The database that was dumped, in its own encoding.
    pub database: Vec<u8>,
    /// The server's version.
    pub server_version: String,
}

/// One entry of the table of contents. Its texts are in the archive's encoding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// Its number.
    pub id: i32,
    /// What it is: `TABLE`, `TABLE DATA`, `INDEX`.
    pub kind: String,
    /// Its definition.
    pub sql: Vec<u8>,
    /// The statement that takes the rows; empty where they are INSERTs.
    pub copy: Vec<u8>,
    /// Its schema.
    pub namespace: Vec<u8>,
    /// Its name.
    pub tag: Vec<u8>,
    /// Whether it has a block in the file.
    pub has_block: bool,
    /// The file with its rows, in a directory or a tar.
    pub file: Option<String>,
}

/// Where the table stands, which decides what each entry ends with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    /// One file with blocks behind the table.
    Custom,
    /// Rows are in files of their own.
    Files,
}

/// Head and table of contents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Contents {
    pub head: Head,
    pub entries: Vec<Entry>,
}

impl Contents {
    /// Reads both; what follows them is left in the reader.
    ///
    /// # Errors
    /// When it is no archive, one of another version, or cut off.
    pub(super) fn read(reader: &mut impl Read, layout: Layout, object: &str) -> Result<Contents> {
        let mut items = Items { reader, int_bytes: 4, object };
        let head = items.head()?;
        let count = items.int()?;
        let mut entries = Vec::new();
        for _ in 0..count {
            entries.push(items.entry(&head, layout)?);
        }
        Ok(Contents { head, entries })
    }
}

/// Reads the parts that head, table and blocks are made of.
pub(super) struct Items<'r, R> {
    pub reader: &'r mut R,
    pub int_bytes: usize,
    pub object: &'r str,
}

impl<R: Read> Items<'_, R> {
    pub(super) fn byte(&mut self) -> Result<u8> {
        let mut byte = [0];
        self.reader.read_exact(&mut byte).map_err(|error| unreadable(self.object, error))?;
        Ok(byte[0])
    }

    pub(super) fn int(&mut self) -> Result<i64> {
        let negative = self.byte()? != 0;
        let mut value: u64 = 0;
        for place in 0..self.int_bytes {
            let byte = u64::from(self.byte()?);
            if place < 7 {
                value |= byte << (8 * place);
            } else if byte != 0 {
                return Err(self.damaged("a number is too large"));
            }
        }
        let value = i64::try_from(value).map_err(|_| self.damaged("a number is too large"))?;
        Ok(if negative { -value } else { value })
    }

    fn text(&mut self) -> Result<Option<Vec<u8>>> {
        let Ok(length) = usize::try_from(self.int()?) else { return Ok(None) };
        if length > TEXT_BYTES_MAX {
            return Err(self.damaged(&format!("a text is longer than {TEXT_BYTES_MAX} bytes")));
        }
        // What the length promises is given room only as it comes.
        let mut text = Vec::new();
        let limit = length as u64;
        let read = (&mut *self.reader).take(limit).read_to_end(&mut text);
        read.map_err(|error| unreadable(self.object, error))?;
        match text.len() == length {
            true => Ok(Some(text)),
            false => Err(unreadable(self.object, std::io::ErrorKind::UnexpectedEof.into())),
        }
    }

    fn word(&mut self) -> Result<String> {
        Ok(String::from_utf8_lossy(&self.text()?.unwrap_or_default()).into_owned())
    }

    fn damaged(&self, cause: &str) -> Error {
        Error::could_not("read", self.object, format!("the archive is damaged: {cause}"))
            .hint("copy the dump again from where it was made, or make it again")
    }

    fn head(&mut self) -> Result<Head> {
        let mut magic = [0; MAGIC.len()];
        self.reader.read_exact(&mut magic).map_err(|error| unreadable(self.object, error))?;
        if magic != MAGIC {
            return Err(self.damaged("it does not begin with `PGDMP`"));
        }
        let (major, minor, _) = (self.byte()?, self.byte()?, self.byte()?);
        let version = (major, minor);
        if !VERSIONS.contains(&version) {
            let cause = format!("the archive's version is {major}.{minor}, and 1.12 to 1.16 are read");
            let hint = match version > *VERSIONS.end() {
                true => {
                    "it was made by a newer pg_dump; write it as a script: `pg_restore -f - FILE | whimbrel migrate - app.db`"
                }
                false => "write it as a script: `pg_restore -f - FILE | whimbrel migrate - app.db`",
            };
            return Err(Error::could_not("read", self.object, cause).hint(hint));
        }
        self.int_bytes = usize::from(self.byte()?);
        let offset_bytes = usize::from(self.byte()?);
        if !(1..=8).contains(&self.int_bytes) || !(1..=8).contains(&offset_bytes) {
            return Err(self.damaged("its numbers have an impossible size"));
        }
        self.byte()?;
        let packing = match version >= (1, 15) {
            true => match self.byte()? {
                0 => Packing::Plain,
                1 => Packing::Zlib,
                2 => Packing::Lz4,
                3 => Packing::Zstd,
                other => return Err(self.damaged(&format!("its compression has the unknown number {other}"))),
            },
            // A level, -1 for the usual one.
            false => match self.int()? {
                0 => Packing::Plain,
                _ => Packing::Zlib,
            },
        };
        // When it was made: second, minute, hour, day, month, year, whether in summer time.
        for _ in 0..7 {
            self.int()?;
        }
        let database = self.text()?.unwrap_or_default();
        let (server_version, _) = (self.word()?, self.word()?);
        Ok(Head { version, int_bytes: self.int_bytes, offset_bytes, packing, database, server_version })
    }

    fn entry(&mut self, head: &Head, layout: Layout) -> Result<Entry> {
        let id = self.int()?;
        let id = i32::try_from(id).ok().filter(|id| *id > 0).ok_or_else(|| self.damaged("an entry has no number"))?;
        let had_rows = self.int()? != 0;
        // The numbers of the object and of its catalog.
        self.text()?;
        self.text()?;
        let tag = self.text()?.unwrap_or_default();
        let kind = self.word()?;
        // Before, among or behind the rows.
        self.int()?;
        let sql = self.text()?.unwrap_or_default();
        // How it is dropped.
        self.text()?;
        let copy = self.text()?.unwrap_or_default();
        let namespace = self.text()?.unwrap_or_default();
        // Tablespace, then access method and kind of relation where the version has them.
        self.text()?;
        if head.version >= (1, 14) {
            self.text()?;
        }
        if head.version >= (1, 16) {
            self.int()?;
        }
        // Owner, and whether rows have numbers as they did before version 12.
        self.text()?;
        self.text()?;
        while self.text()?.is_some() {}
        let (has_block, file) = match layout {
            Layout::Custom => (self.offset(head)? && had_rows, None),
            Layout::Files => {
                let file = self.text()?.filter(|name| !name.is_empty());
                let file = file.map(|name| String::from_utf8_lossy(&name).into_owned());
                (file.is_some() && had_rows, file)
            }
        };
        Ok(Entry { id, kind, sql, copy, namespace, tag, has_block, file })
    }

    /// Whether the entry has a block. Where that is, is not asked: blocks are read as they come.
    fn offset(&mut self, head: &Head) -> Result<bool> {
        let state = self.byte()?;
        for _ in 0..head.offset_bytes {
            self.byte()?;
        }
        match state {
            1 | 2 => Ok(true),
            3 => Ok(false),
            _ => Err(self.damaged("an entry does not say whether it has rows")),
        }
    }
}
