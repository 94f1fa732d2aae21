//! The encodings that a dump may be in, turned into UTF-8 as the server would.
//!
//! `client_encoding` says which. Encodings of one byte go by a table, made once: what the server has no character for is
//! refused, also where the standard of the web has one. An encoding in which the two have other characters for the same bytes (EUC_JP,
//! EUC_KR, BIG5, GB18030, KOI8U) is refused as a whole. Those of several bytes are decoded before anything looks for quotes
//! or line ends, because in SJIS and GBK the second byte may be a backslash.

use encoding_rs::{Decoder, DecoderResult, Encoding as Web};

/// How the bytes of a dump become UTF-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    /// They are UTF-8, or of no known encoding and taken for it: then whatever is not UTF-8 is refused where it is used.
    AsIs,
    /// One byte is one character: as the web has it, and which bytes the server knows.
    Single(&'static Web, Known),
    /// Several bytes may be one.
    Several(&'static Web),
}

/// Which bytes above 127 of an encoding of one byte the server knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    /// Those of the web.
    AsWeb,
    /// The same, without the control characters that the web puts where the code page has nothing.
    NoControls,
    /// The same, and control characters from 128 to 159, where the web has a code page.
    Controls,
    /// ISO 8859-1: every byte is the character of its number.
    Identity,
}

/// The encodings by their name without signs and in lower case, aliases included.
static NAMES: &[(&[&str], Encoding)] = &[
    (&["utf8", "unicode", "sqlascii"], Encoding::AsIs),
    (&["latin1", "iso88591"], Encoding::Single(&encoding_rs::WINDOWS_1252_INIT, Known::Identity)),
    (&["latin2", "iso88592"], Encoding::Single(&encoding_rs::ISO_8859_2_INIT, Known::AsWeb)),
    (&["latin3", "iso88593"], Encoding::Single(&encoding_rs::ISO_8859_3_INIT, Known::AsWeb)),
    (&["latin4", "iso88594"], Encoding::Single(&encoding_rs::ISO_8859_4_INIT, Known::AsWeb)),
    (&["latin5", "iso88599"], Encoding::Single(&encoding_rs::WINDOWS_1254_INIT, Known::Controls)),
    (&["latin6", "iso885910"], Encoding::Single(&encoding_rs::ISO_8859_10_INIT, Known::AsWeb)),
    (&["latin7", "iso885913"], Encoding::Single(&encoding_rs::ISO_8859_13_INIT, Known::AsWeb)),
    (&["latin8", "iso885914"], Encoding::Single(&encoding_rs::ISO_8859_14_INIT, Known::AsWeb)),
    (&["latin9", "iso885915"], Encoding::Single(&encoding_rs::ISO_8859_15_INIT, Known::AsWeb)),
    (&["latin10", "iso885916"], Encoding::Single(&encoding_rs::ISO_8859_16_INIT, Known::AsWeb)),
    (&["iso88595"], Encoding::Single(&encoding_rs::ISO_8859_5_INIT, Known::AsWeb)),
    (&["iso88596"], Encoding::Single(&encoding_rs::ISO_8859_6_INIT, Known::AsWeb)),
    (&["iso88597"], Encoding::Single(&encoding_rs::ISO_8859_7_INIT, Known::AsWeb)),
    (&["iso88598"], Encoding::Single(&encoding_rs::ISO_8859_8_INIT, Known::AsWeb)),
    (&["koi8r", "koi8"], Encoding::Single(&encoding_rs::KOI8_R_INIT, Known::AsWeb)),
    (&["win866", "alt", "windows866"], Encoding::Single(&encoding_rs::IBM866_INIT, Known::AsWeb)),
    (&["win874", "windows874"], Encoding::Single(&encoding_rs::WINDOWS_874_INIT, Known::NoControls)),
    (&["win1250", "windows1250"], Encoding::Single(&encoding_rs::WINDOWS_1250_INIT, Known::NoControls)),
    (&["win1251", "win", "windows1251"], Encoding::Single(&encoding_rs::WINDOWS_1251_INIT, Known::NoControls)),
    (&["win1252", "windows1252"], Encoding::Single(&encoding_rs::WINDOWS_1252_INIT, Known::NoControls)),
    (&["win1253", "windows1253"], Encoding::Single(&encoding_rs::WINDOWS_1253_INIT, Known::NoControls)),
    (&["win1254", "windows1254"], Encoding::Single(&encoding_rs::WINDOWS_1254_INIT, Known::NoControls)),
    (&["win1255", "windows1255"], Encoding::Single(&encoding_rs::WINDOWS_1255_INIT, Known::NoControls)),
    (&["win1256", "windows1256"], Encoding::Single(&encoding_rs::WINDOWS_1256_INIT, Known::NoControls)),
    (&["win1257", "windows1257"], Encoding::Single(&encoding_rs::WINDOWS_1257_INIT, Known::NoControls)),
    (
        &["win1258", "windows1258", "abc", "tcvn", "tcvn5712", "vscii"],
        Encoding::Single(&encoding_rs::WINDOWS_1258_INIT, Known::NoControls),
    ),
    (&["gbk", "win936", "windows936"], Encoding::Several(&encoding_rs::GBK_INIT)),
    (&["sjis", "shiftjis", "mskanji", "win932", "windows932"], Encoding::Several(&encoding_rs::SHIFT_JIS_INIT)),
];

impl Encoding {
    /// The encoding of that name; `None` where it is not read here.
    pub(super) fn named(name: &str) -> Option<Encoding> {
        let plain: String =
            name.chars().filter(char::is_ascii_alphanumeric).map(|letter| letter.to_ascii_lowercase()).collect();
        NAMES.iter().find(|(names, _)| names.contains(&plain.as_str())).map(|(_, encoding)| *encoding)
    }

    /// What turns its bytes into UTF-8; `None` where they stay as they are.
    pub(super) fn transcoder(self) -> Option<Transcoder> {
        match self {
            Encoding::AsIs => None,
            Encoding::Single(web, known) => Some(Transcoder::Single(Box::new(table(web, known)))),
            Encoding::Several(web) => Some(Transcoder::Several(web.new_decoder_without_bom_handling())),
        }
    }
}

/// The characters of the bytes from 128 on.
fn table(web: &'static Web, known: Known) -> [Option<char>; 128] {
    std::array::from_fn(|place| {
        let byte = 128 + place as u8;
        let control = byte < 160;
        if known == Known::Identity || (known == Known::Controls && control) {
            return Some(char::from(byte));
        }
        let text = web.decode_without_bom_handling_and_without_replacement(std::slice::from_ref(&byte))?.into_owned();
        let character = text.chars().next()?;
        let is_filler = known == Known::NoControls && ('\u{80}'..'\u{a0}').contains(&character);
        (!is_filler).then_some(character)
    })
}

/// Turns bytes into UTF-8, piece by piece.
pub(super) enum Transcoder {
    /// By a table.
    Single(Box<[Option<char>; 128]>),
    /// By the state of a decoder.
    Several(Decoder),
}

impl Transcoder {
    /// The bytes that a text was; `None` for an encoding in which that is not certain.
    pub(super) fn back(&self, text: &[u8]) -> Option<Vec<u8>> {
        let Transcoder::Single(table) = self else { return None };
        let byte = |character: char| match u8::try_from(character) {
            Ok(ascii) if ascii < 128 => Some(ascii),
            _ => table.iter().position(|other| *other == Some(character)).map(|place| 128 + place as u8),
        };
        std::str::from_utf8(text).ok()?.chars().map(byte).collect()
    }

    /// Adds the text of the next bytes. `last` says that none follow.
    ///
    /// # Errors
    /// The place in `bytes` of what is no character.
    pub(super) fn decode(&mut self, bytes: &[u8], last: bool, text: &mut Vec<u8>) -> Result<(), usize> {
        match self {
            Transcoder::Single(table) => {
                text.reserve(bytes.len());
                for (place, byte) in bytes.iter().enumerate() {
                    match byte.checked_sub(128) {
                        None => text.push(*byte),
                        Some(above) => {
                            let character = table[usize::from(above)].ok_or(place)?;
                            text.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                        }
                    }
                }
                Ok(())
            }
            Transcoder::Several(decoder) => {
                let mut done = 0;
                loop {
                    let start = text.len();
                    text.resize(start + bytes.len() - done + 64, 0);
                    let (result, read, written) =
                        decoder.decode_to_utf8_without_replacement(&bytes[done..], &mut text[start..], last);
                    text.truncate(start + written);
                    done += read;
                    match result {
                        DecoderResult::InputEmpty => return Ok(()),
                        DecoderResult::OutputFull => {}
                        DecoderResult::Malformed(length, behind) => {
                            return Err(done.saturating_sub(usize::from(length) + usize::from(behind)));
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(name: &str, bytes: &[u8]) -> Result<String, usize> {
        let mut text = Vec::new();
        let mut transcoder = Encoding::named(name).unwrap().transcoder().unwrap();
        for (place, byte) in bytes.iter().enumerate() {
            transcoder.decode(&[*byte], place + 1 == bytes.len(), &mut text).map_err(|_| place)?;
        }
        Ok(String::from_utf8(text).unwrap())
    }

    #[test]
    fn a_byte_is_what_the_server_makes_of_it() {
        assert_eq!(decoded("LATIN1", b"\x80\xe9\xff").unwrap(), "\u{80}\u{e9}\u{ff}");
        assert_eq!(decoded("latin-5", b"\x80\xfd").unwrap(), "\u{80}\u{131}");
        assert_eq!(decoded("WIN1252", b"\x80").unwrap(), "\u{20ac}");
        assert_eq!(decoded("WIN1252", b"a\x81"), Err(1));
        assert_eq!(decoded("SJIS", b"\x83\x5c").unwrap(), "\u{30bd}");
        assert_eq!(decoded("GBK", b"\x81\x5c").unwrap(), "\u{4e57}");
        assert_eq!(decoded("SJIS", b"\x83").unwrap_err(), 0);
        assert_eq!(Encoding::named("EUC_TW"), None);
    }
}
