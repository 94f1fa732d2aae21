//! Compressed bytes: told by their first ones, and unpacked as they are read, so that memory does not grow with what they hold.

use crate::error::{Error, Result};
use lz4_flex::frame::FrameDecoder as FrameOfLz4;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};
use std::io::{self, BufRead, ErrorKind, Read};

/// How bytes are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packing {
    /// Not at all.
    Plain,
    /// gzip, of one member or several.
    Gzip,
    /// What an archive writes for gzip within itself.
    Zlib,
    /// Frames of Zstandard.
    Zstd,
    /// Frames of LZ4.
    Lz4,
}

/// What other programs pack with, by its first bytes, and the command that unpacks it.
const OTHERS: [(&[u8], &str, &str); 4] = [
    (b"BZh", "bzip2", "bzcat"),
    (b"\xfd7zXZ\0", "xz", "xzcat"),
    (b"PK\x03\x04", "zip", "unzip -p"),
    (b"7z\xbc\xaf\x27\x1c", "7-Zip", "7z x -so"),
];

/// The largest window of Zstandard that is given room, in bytes: what `zstd --long` writes.
const ZSTD_WINDOW_BYTES_MAX: u64 = 1 << 27;

impl Packing {
    /// How bytes that begin so are packed.
    ///
    /// # Errors
    /// When it is a way that is not read here, which is named.
    pub(super) fn of(first: &[u8], object: &str) -> Result<Packing> {
        if let Some((_, name, program)) = OTHERS.iter().find(|(magic, _, _)| first.starts_with(magic)) {
            return Err(Error::could_not("read", object, format!("it is packed by {name}"))
                .hint(format!("unpack it on the way: `{program} FILE | whimbrel migrate - app.db`")));
        }
        Ok(match first {
            [0x1f, 0x8b, ..] => Packing::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Packing::Zstd,
            [0x04, 0x22, 0x4d, 0x18, ..] => Packing::Lz4,
            _ => Packing::Plain,
        })
    }

    /// The bytes that were packed.
    ///
    /// # Errors
    /// When there is no memory to unpack with.
    pub(super) fn unpack<'r>(self, packed: impl BufRead + Send + 'r) -> io::Result<Box<dyn Read + Send + 'r>> {
        Ok(match self {
            Packing::Plain => Box::new(packed),
            Packing::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(packed)),
            Packing::Zlib => Box::new(flate2::bufread::ZlibDecoder::new(packed)),
            Packing::Zstd => {
                let mut decoder = FrameDecoder::new();
                decoder.set_max_window_size(ZSTD_WINDOW_BYTES_MAX);
                Box::new(ZstdFrames { packed, decoder, in_frame: false })
            }
            Packing::Lz4 => Box::new(Lz4Frames { frame: Some(FrameOfLz4::new(Watched { packed, is_over: false })) }),
        })
    }
}

/// Frames of LZ4, one behind the other. Each has a decoder of its own: one that goes on with the next frame takes it to have blocks of
/// the same size as the first.
struct Lz4Frames<R: Read> {
    frame: Option<FrameOfLz4<Watched<R>>>,
}

/// Packed bytes of which it is known whether somebody wanted more of them: the decoder takes a frame that is cut off between two of its
/// blocks for one that has ended.
struct Watched<R> {
    packed: R,
    is_over: bool,
}

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.packed.read(buffer)?;
        self.is_over |= count == 0 && !buffer.is_empty();
        Ok(count)
    }
}

impl<R: BufRead> Read for Lz4Frames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some(frame) = &mut self.frame {
            let count = frame.read(buffer)?;
            if count > 0 || buffer.is_empty() {
                return Ok(count);
            }
            if frame.get_mut().is_over {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            let has_more = !frame.get_mut().packed.fill_buf()?.is_empty();
            self.frame = self.frame.take().filter(|_| has_more).map(|frame| FrameOfLz4::new(frame.into_inner()));
        }
        Ok(0)
    }
}

/// Frames of Zstandard, one behind the other.
struct ZstdFrames<R> {
    packed: R,
    decoder: FrameDecoder,
    in_frame: bool,
}

impl<R: BufRead> ZstdFrames<R> {
    /// Begins the next frame; whether there is one.
    fn begin(&mut self) -> io::Result<bool> {
        loop {
            if self.packed.fill_buf()?.is_empty() {
                return Ok(false);
            }
            match self.decoder.init(&mut self.packed) {
                Ok(()) => return Ok(true),
                // What other programs note beside their frames.
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame { length, .. })) => {
                    let length = u64::from(length);
                    if io::copy(&mut (&mut self.packed).take(length), &mut io::sink())? < length {
                        return Err(ErrorKind::UnexpectedEof.into());
                    }
                }
                Err(error) => return Err(self.failure(error)),
            }
        }
    }

    /// Ends a frame: what was unpacked has to be what was packed.
    fn end(&mut self) -> io::Result<()> {
        self.in_frame = false;
        match (self.decoder.get_checksum_from_data(), self.decoder.get_calculated_checksum()) {
            (Some(told), Some(found)) if told != found => {
                Err(io::Error::new(ErrorKind::InvalidData, "its checksum differs"))
            }
            _ => Ok(()),
        }
    }

    fn failure(&mut self, error: FrameDecoderError) -> io::Error {
        match self.packed.fill_buf() {
            Ok([]) => ErrorKind::UnexpectedEof.into(),
            _ => io::Error::new(ErrorKind::InvalidData, error.to_string()),
        }
    }
}

impl<R: BufRead> Read for ZstdFrames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if buffer.is_empty() || (!self.in_frame && !self.begin()?) {
                return Ok(0);
            }
            self.in_frame = true;
            while self.decoder.can_collect() == 0 && !self.decoder.is_finished() {
                let one = BlockDecodingStrategy::UptoBlocks(1);
                if let Err(error) = self.decoder.decode_blocks(&mut self.packed, one) {
                    return Err(self.failure(error));
                }
            }
            let count = self.decoder.read(buffer)?;
            if count > 0 {
                return Ok(count);
            }
            self.end()?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unpacked(packing: Packing, bytes: &[u8]) -> io::Result<Vec<u8>> {
        let mut plain = Vec::new();
        packing.unpack(bytes)?.read_to_end(&mut plain).map(|_| plain)
    }

    #[test]
    fn frames_follow_each_other_and_none_may_be_cut() {
        let text = "whimbrel ".repeat(40_000).into_bytes();
        let gzip = |bytes: &[u8]| {
            let mut packer = flate2::read::GzEncoder::new(bytes, flate2::Compression::fast());
            let mut packed = Vec::new();
            packer.read_to_end(&mut packed).map(|_| packed).unwrap()
        };
        let lz4 = |bytes: &[u8]| {
            let mut packer = lz4_flex::frame::FrameEncoder::new(Vec::new());
            io::Write::write_all(&mut packer, bytes).unwrap();
            packer.finish().unwrap()
        };
        let zstd = |bytes: &[u8]| ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest);
        type Packer<'p> = &'p dyn Fn(&[u8]) -> Vec<u8>;
        let packers: [(Packing, Packer<'_>); 3] =
            [(Packing::Gzip, &gzip), (Packing::Lz4, &lz4), (Packing::Zstd, &zstd)];
        for (packing, pack) in packers {
            let packed = pack(&text);
            assert_eq!(Packing::of(&packed, "").unwrap(), packing);
            let twice = [packed.clone(), pack(b"end")].concat();
            let whole = unpacked(packing, &twice).unwrap_or_else(|error| panic!("{packing:?}: {error}"));
            assert_eq!(whole.len(), text.len() + 3, "{packing:?}");
            for cut in [1, packed.len() / 2, packed.len() - 1] {
                let error = unpacked(packing, &packed[..cut]).map(|plain| plain.len());
                assert!(error.is_err(), "{packing:?} cut at {cut}: {error:?}");
            }
        }
    }

    #[test]
    fn what_others_pack_is_named() {
        assert!(Packing::of(b"BZh91AY", "`a`").unwrap_err().to_string().contains("bzip2"));
        assert!(Packing::of(b"\xfd7zXZ\0", "`a`").unwrap_err().way_out().unwrap().contains("xzcat"));
    }
}
