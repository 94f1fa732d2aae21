//! What a tree consists of, and which paths may be in one.

use rustix::fs::{FileType, Stat as Status};
use std::fmt;
use unicode_normalization::UnicodeNormalization;

/// What the names begin with that are ours in the root of a tree: no entry of the tree has one.
pub(super) const OWN_PREFIX: &str = ".whimbrel-";

/// How many directories may be nested.
pub(super) const DEPTH_MAX: usize = 256;

/// The longest path in bytes, as the kernel takes it with the NUL behind it.
const PATH_BYTES_MAX: usize = 4095;

/// The longest name in bytes.
const NAME_BYTES_MAX: usize = 255;

/// One thing in a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its path from the root.
    pub path: String,
    /// What it is.
    pub kind: EntryKind,
    /// Its permission bits; of a link they mean nothing.
    pub mode: u32,
    /// The numbers of its user and its group.
    pub owner: (u32, u32),
    /// By what it is known again.
    pub stat: Stat,
}

/// What an entry is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EntryKind {
    /// A directory.
    Directory,
    /// A regular file.
    File,
    /// A symbolic link that leads to a place in the tree, as it is spelled.
    Link {
        /// What it says.
        leads_to: String,
    },
}

/// By what a file is known to be what it was, without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stat {
    /// The device it is on.
    pub device: u64,
    /// Its number there.
    pub inode: u64,
    /// Its size in bytes.
    pub size_bytes: u64,
    /// When its content changed last, in nanoseconds since 1970.
    pub modified_ns: i64,
    /// When anything of it changed last, names and permissions too, in nanoseconds since 1970.
    pub changed_ns: i64,
}

impl Stat {
    pub(super) fn of(status: &Status) -> Stat {
        let nanoseconds = |seconds: i64, rest: i64| seconds.saturating_mul(1_000_000_000).saturating_add(rest);
        Stat {
            device: status.st_dev,
            inode: status.st_ino,
            size_bytes: u64::try_from(status.st_size).unwrap_or(0),
            modified_ns: nanoseconds(status.st_mtime, status.st_mtime_nsec),
            changed_ns: nanoseconds(status.st_ctime, status.st_ctime_nsec),
        }
    }

    /// The five numbers, eight bytes each, the most significant first.
    pub fn to_bytes(&self) -> [u8; 40] {
        let mut bytes = [0; 40];
        let numbers = [
            self.device.to_be_bytes(),
            self.inode.to_be_bytes(),
            self.size_bytes.to_be_bytes(),
            self.modified_ns.to_be_bytes(),
            self.changed_ns.to_be_bytes(),
        ];
        bytes.chunks_exact_mut(8).zip(numbers).for_each(|(place, number)| place.copy_from_slice(&number));
        bytes
    }

    /// What [`Stat::to_bytes`] made; `None` for anything else.
    pub fn from_bytes(bytes: &[u8]) -> Option<Stat> {
        let bytes: &[u8; 40] = bytes.try_into().ok()?;
        let number = |place: usize| {
            let mut number = [0; 8];
            number.copy_from_slice(&bytes[place * 8..][..8]);
            number
        };
        Some(Stat {
            device: u64::from_be_bytes(number(0)),
            inode: u64::from_be_bytes(number(1)),
            size_bytes: u64::from_be_bytes(number(2)),
            modified_ns: i64::from_be_bytes(number(3)),
            changed_ns: i64::from_be_bytes(number(4)),
        })
    }
}

/// What no tree has, in words for a message.
pub(super) fn foreign(file_type: FileType) -> &'static str {
    match file_type {
        FileType::Fifo => "it is a FIFO, which nobody can read twice",
        FileType::Socket => "it is a socket",
        FileType::CharacterDevice | FileType::BlockDevice => "it is a device",
        FileType::RegularFile | FileType::Directory | FileType::Symlink | FileType::Unknown => {
            "it is no file, no directory and no symbolic link"
        }
    }
}

/// Why a text is no path of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathFault {
    /// It is empty.
    Empty,
    /// It begins with `/`.
    Absolute,
    /// It has a NUL.
    Nul,
    /// Two `/` follow each other, or it ends in one.
    EmptyName,
    /// A name in it is `.` or `..`.
    Dots,
    /// A name in it has more than 255 bytes.
    LongName,
    /// It has more than 4095 bytes, or more than 256 names.
    Long,
    /// Its first name begins as those of this program do.
    Own,
}

impl fmt::Display for PathFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            PathFault::Empty => "a path has at least one name",
            PathFault::Absolute => "a path in a tree begins at its root, without `/`",
            PathFault::Nul => "no path has a NUL",
            PathFault::EmptyName => "a name in it is empty",
            PathFault::Dots => "`.` and `..` are no names",
            PathFault::LongName => "a name has at most 255 bytes",
            PathFault::Long => "a path has at most 4095 bytes and 256 names",
            PathFault::Own => "names that begin with `.whimbrel-` are this program's own",
        })
    }
}

/// Whether a text is the path of an entry: what leads out of the tree, or to another place than it spells, is none.
///
/// # Errors
/// Why it is none.
pub fn check(path: &str) -> Result<(), PathFault> {
    if path.is_empty() {
        return Err(PathFault::Empty);
    }
    if path.starts_with('/') {
        return Err(PathFault::Absolute);
    }
    if path.contains('\0') {
        return Err(PathFault::Nul);
    }
    if path.starts_with(OWN_PREFIX) {
        return Err(PathFault::Own);
    }
    let mut names = 0;
    for name in path.split('/') {
        names += 1;
        match name {
            "" => return Err(PathFault::EmptyName),
            "." | ".." => return Err(PathFault::Dots),
            name if name.len() > NAME_BYTES_MAX => return Err(PathFault::LongName),
            _ => {}
        }
    }
    if path.len() > PATH_BYTES_MAX || names > DEPTH_MAX {
        return Err(PathFault::Long);
    }
    Ok(())
}

/// Whether a link leads to a place in the tree, as far as its text tells.
pub(super) fn leads_inside(link: &str, leads_to: &str) -> bool {
    let mut depth = link.split('/').count() - 1;
    !leads_to.starts_with('/')
        && leads_to.split('/').all(|name| {
            match name {
                "" | "." => {}
                ".." if depth == 0 => return false,
                ".." => depth -= 1,
                _ => depth += 1,
            }
            true
        })
}

/// What a name is to a file system that keeps no case, or that normalises names: equal names are one there.
pub(super) fn folded(name: &str) -> String {
    if name.is_ascii() {
        return name.to_ascii_lowercase();
    }
    // By upper case first: some letters have two lower ones.
    name.nfc().flat_map(char::to_uppercase).flat_map(char::to_lowercase).nfc().collect()
}

/// The directory that a path is in, and its last name.
pub(super) fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}
