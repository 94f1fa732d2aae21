//! The encodings that a dump may be in, turned into UTF-8 as the server would.
//!
//! `client_encoding` says which. They go by tables, made once from what the web has: what the server has no character for is
//! refused, also where the web has one, and where the two have other characters for the same bytes the server is right. What no table is at
//! hand for (EUC_TW, EUC_JIS_2004, SHIFT_JIS_2004, JOHAB, MULE_INTERNAL) is read as far as it is ASCII.

mod differences;
mod wide;

use encoding_rs::Encoding as Web;
use wide::{Decoder, Differences, Form, Wide};

/// How the bytes of a dump become UTF-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    /// They are UTF-8, or of no known encoding and taken for it: then whatever is not UTF-8 is refused where it is used.
    AsIs,
    /// One byte is one character: as the web has it, and which bytes the server knows.
    Single(&'static Web, Known),
    /// Several bytes may be one.
    Several(&'static Wide),
    /// Nobody here knows its characters but those of ASCII.
    Ascii(&'static str),
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
    /// Those of the web but for these, which are other characters.
    Except(&'static [(u8, char)]),
}

/// Box drawings, where the web has two letters of another encoding.
const KOI8_U: Known = Known::Except(&[(0xae, '\u{255d}'), (0xbe, '\u{256c}')]);

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
    (&["koi8u"], Encoding::Single(&encoding_rs::KOI8_U_INIT, KOI8_U)),
    (&["gbk", "win936", "windows936"], Encoding::Several(&GBK)),
    (&["gb18030"], Encoding::Several(&GB18030)),
    (&["big5", "win950", "windows950"], Encoding::Several(&BIG5)),
    (&["uhc", "win949", "windows949"], Encoding::Several(&UHC)),
    (&["sjis", "shiftjis", "mskanji", "win932", "windows932"], Encoding::Several(&SJIS)),
    (&["eucjp"], Encoding::Several(&EUC_JP)),
    (&["euckr"], Encoding::Several(&EUC_KR)),
    (&["euccn"], Encoding::Several(&EUC_CN)),
    (&["euctw"], Encoding::Ascii("EUC_TW")),
    (&["eucjis2004"], Encoding::Ascii("EUC_JIS_2004")),
    (&["shiftjis2004"], Encoding::Ascii("SHIFT_JIS_2004")),
    (&["johab"], Encoding::Ascii("JOHAB")),
    (&["muleinternal"], Encoding::Ascii("MULE_INTERNAL")),
];

use differences as d;

static GBK: Wide = Wide::new("GBK", &encoding_rs::GBK_INIT, Form::Pairs, but(d::GBK, d::NOT_GBK));
static GB18030: Wide = Wide::new("GB18030", &encoding_rs::GB18030_INIT, Form::Quads, but(d::GB18030, d::NOT_GB18030));
static BIG5: Wide = Wide::new("BIG5", &encoding_rs::BIG5_INIT, Form::Pairs, but(d::BIG5, d::NOT_BIG5));
static UHC: Wide = Wide::new("UHC", &encoding_rs::EUC_KR_INIT, Form::Pairs, but(d::UHC, d::NOT_UHC));
static SJIS: Wide = Wide::new("SJIS", &encoding_rs::SHIFT_JIS_INIT, Form::Pairs, but(d::SJIS, d::NOT_SJIS));
static EUC_JP: Wide = Wide::new("EUC_JP", &encoding_rs::EUC_JP_INIT, Form::Triples, but(d::EUC_JP, d::NOT_EUC_JP));
static EUC_KR: Wide = Wide::new("EUC_KR", &encoding_rs::EUC_KR_INIT, Form::Pairs, high(d::EUC_KR, d::NOT_EUC_KR));
static EUC_CN: Wide = Wide::new("EUC_CN", &encoding_rs::GBK_INIT, Form::Pairs, high(d::EUC_CN, d::NOT_EUC_CN));

const fn but(others: &'static [(u32, u32, u32)], refused: &'static [(u32, u32)]) -> Differences {
    Differences { least: 0, others, refused }
}

/// The same where the web has a wider encoding under this one, with characters of lower bytes.
const fn high(others: &'static [(u32, u32, u32)], refused: &'static [(u32, u32)]) -> Differences {
    Differences { least: 0xa1, others, refused }
}

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
            Encoding::Several(wide) => Some(Transcoder::Several(wide.decoder())),
            Encoding::Ascii(name) => Some(Transcoder::Ascii(name)),
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
        if let Known::Except(others) = known
            && let Some((_, other)) = others.iter().find(|(other, _)| *other == byte)
        {
            return Some(*other);
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
    /// By tables, and what a piece has begun.
    Several(Decoder),
    /// Only what is ASCII.
    Ascii(&'static str),
}

/// Bytes that could not be turned into text.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Undecoded {
    /// The first of them.
    pub bytes: Vec<u8>,
    /// The encoding, where only its ASCII is read here.
    pub not_read: Option<&'static str>,
}

impl Transcoder {
    /// The bytes that a text was; `None` for an encoding in which that is not certain.
    pub(super) fn back(&self, text: &[u8]) -> Option<Vec<u8>> {
        let table = match self {
            Transcoder::Single(table) => table,
            Transcoder::Ascii(_) => return Some(text.to_vec()),
            Transcoder::Several(_) => return None,
        };
        let byte = |character: char| match u8::try_from(character) {
            Ok(ascii) if ascii < 128 => Some(ascii),
            _ => table.iter().position(|other| *other == Some(character)).map(|place| 128 + place as u8),
        };
        std::str::from_utf8(text).ok()?.chars().map(byte).collect()
    }

    /// Adds the text of the next bytes, as far as they are some. `last` says that none follow.
    ///
    /// # Errors
    /// The bytes that are no character.
    pub(super) fn decode(&mut self, bytes: &[u8], last: bool, text: &mut Vec<u8>) -> Result<(), Undecoded> {
        let undecoded = |bytes: &[u8]| Undecoded { bytes: bytes.to_vec(), not_read: None };
        match self {
            Transcoder::Single(table) => {
                let mut rest = bytes;
                loop {
                    let plain = Web::ascii_valid_up_to(rest);
                    text.extend_from_slice(&rest[..plain]);
                    let Some((byte, behind)) = rest[plain..].split_first() else { return Ok(()) };
                    let character = table[usize::from(byte & 0x7f)].ok_or_else(|| undecoded(&[*byte]))?;
                    text.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                    rest = behind;
                }
            }
            Transcoder::Several(decoder) => decoder.decode(bytes, last, text).map_err(|bytes| undecoded(&bytes)),
            Transcoder::Ascii(name) => {
                let plain = Web::ascii_valid_up_to(bytes);
                text.extend_from_slice(&bytes[..plain]);
                let foreign = bytes[plain..].iter().take(4).take_while(|byte| !byte.is_ascii()).count();
                match foreign {
                    0 => Ok(()),
                    _ => Err(Undecoded { not_read: Some(name), ..undecoded(&bytes[plain..plain + foreign]) }),
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
        assert_eq!(decoded("EUC_TW", b"ab").unwrap(), "ab");
        assert_eq!(decoded("EUC_TW", b"a\xa1\xa1"), Err(1));
        assert_eq!(Encoding::named("UTF7"), None);
    }
}
