//! The bytes of a backup's file, in whichever form it lies there: as they are, or compressed with Zstandard (RFC 8878).

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use ruzstd::decoding::{FrameDecoder, StreamingDecoder};
use ruzstd::encoding::{CompressionLevel, compress_to_vec};

use crate::backup::manifest::Manifest;
use crate::endpoint::sqlite::file::quoted;
use crate::error::{Context, Result};

/// How many bytes are read and written at once.
const CHUNK_BYTES: usize = 1 << 18;

/// How many bytes are compressed at once, in memory.
const FRAME_BYTES: usize = 1 << 22;

/// Opens the file of a backup; what is read of it is what was backed up.
///
/// # Errors
///
/// When it cannot be opened.
pub(super) fn open(file: &Path, manifest: &Manifest) -> Result<Box<dyn Read + Send>> {
    let found = File::open(file).could_not("read backup", quoted(file))?;
    if manifest.compressed_bytes.is_none() {
        return Ok(Box::new(found));
    }
    let content = Decompressed { rest: Some(BufReader::with_capacity(CHUNK_BYTES, found)), frame: None };
    // One byte more than it may have is enough to find that it is another one, however long that would be.
    Ok(Box::new(content.take(manifest.size_bytes.saturating_add(1))))
}

/// Copies everything that `source` gives.
///
/// # Errors
///
/// Those of both sides.
pub(super) fn copy_all(mut source: impl Read, mut target: impl Write) -> io::Result<()> {
    let mut buffer = vec![0; CHUNK_BYTES];
    loop {
        match source.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(length) => target.write_all(&buffer[..length])?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Compresses everything that `source` gives, in frames of [`FRAME_BYTES`] one behind the other.
///
/// # Errors
///
/// Those of both sides.
pub(super) fn compress_all(mut source: impl Read, mut target: impl Write) -> io::Result<()> {
    let mut content = Vec::with_capacity(FRAME_BYTES);
    loop {
        content.clear();
        source.by_ref().take(FRAME_BYTES as u64).read_to_end(&mut content)?;
        if content.is_empty() {
            return Ok(());
        }
        target.write_all(&compress_to_vec(content.as_slice(), CompressionLevel::Fastest))?;
    }
}

/// What compressed frames hold, each with the checksum that it was written with.
struct Decompressed<R: Read> {
    /// What was not read of yet; none while a frame is under way, and behind one that is none.
    rest: Option<BufReader<R>>,
    frame: Option<StreamingDecoder<BufReader<R>, FrameDecoder>>,
}

impl<R: Read> Read for Decompressed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while !buffer.is_empty() {
            if let Some(mut frame) = self.frame.take() {
                let length = frame.read(buffer)?;
                if length > 0 {
                    self.frame = Some(frame);
                    return Ok(length);
                }
                if frame.decoder.get_checksum_from_data() != frame.decoder.get_calculated_checksum() {
                    return Err(io::Error::other("a frame of it does not have its checksum"));
                }
                self.rest = Some(frame.into_inner());
            }
            let Some(mut rest) = self.rest.take() else {
                return Err(io::Error::other("it is not compressed as it should be"));
            };
            if rest.fill_buf()?.is_empty() {
                self.rest = Some(rest);
                break;
            }
            self.frame = Some(StreamingDecoder::new(rest).map_err(io::Error::other)?);
        }
        Ok(0)
    }
}

/// Ends where somebody asks to stop.
pub(super) struct Stoppable<'a, T> {
    pub inner: T,
    pub cancel: &'a AtomicBool,
}

impl<T> Stoppable<'_, T> {
    fn check(&self) -> io::Result<()> {
        match self.cancel.load(Ordering::Relaxed) {
            true => Err(io::Error::other("stopped")),
            false => Ok(()),
        }
    }
}

impl<T: Read> Read for Stoppable<'_, T> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.check()?;
        self.inner.read(buffer)
    }
}

impl<T: Write> Write for Stoppable<'_, T> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.check()?;
        self.inner.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::OpenOptions;

    fn decompressed(bytes: &[u8]) -> io::Result<Vec<u8>> {
        let mut content = Vec::new();
        let mut reader = Decompressed { rest: Some(BufReader::new(bytes)), frame: None };
        reader.read_to_end(&mut content).map(|_| content)
    }

    #[test]
    fn what_was_compressed_comes_back_and_a_changed_byte_is_noticed() {
        let random = |length: usize| (0..length as u64).map(|n| (n.wrapping_mul(n) >> 7) as u8).collect::<Vec<u8>>();
        for content in [Vec::new(), vec![7], vec![0; 3 * FRAME_BYTES], random(FRAME_BYTES + 1), random(100_000)] {
            let mut compressed = Vec::new();
            compress_all(content.as_slice(), &mut compressed).unwrap();
            assert!(decompressed(&compressed).unwrap() == content, "{} bytes", content.len());
            if content.len() > 100 {
                assert!(decompressed(&compressed[..compressed.len() - 1]).is_err());
                assert!(decompressed(&[&compressed[..], b"more"].concat()).is_err());
                let middle = compressed.len() / 2;
                compressed[middle] ^= 1;
                assert!(!decompressed(&compressed).is_ok_and(|found| found == content));
            }
        }
        assert!(decompressed(b"nothing of it").is_err());
    }

    #[test]
    fn no_disk_is_an_error() {
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        assert!(compress_all(&[1; 100][..], full).is_err());
    }
}
