//! Encodings in which several bytes are one character, by tables that are made once.
//!
//! The tables are those that the web has, corrected where the server has another character for the same bytes, or none, or one where the
//! web has none (`differences`). They are asked by the bytes of one character: a line end or a quote is looked for behind this, because in
//! SJIS, BIG5, GBK, GB18030 and UHC the second byte may be a backslash or a letter.

use encoding_rs::Encoding as Web;
use std::fmt;
use std::sync::OnceLock;

/// An encoding of several bytes.
pub(in crate::endpoint::dump) struct Wide {
    name: &'static str,
    web: &'static Web,
    form: Form,
    differences: Differences,
    tables: OnceLock<Tables>,
}

/// Where the server differs from the web.
pub(super) struct Differences {
    /// The least byte of a character beyond ASCII.
    pub least: u8,
    /// Bytes, as numbers from and to, and the server's character of the first; those of the others follow it.
    pub others: &'static [(u32, u32, u32)],
    /// Bytes, as numbers from and to, that are no character to the server.
    pub refused: &'static [(u32, u32)],
}

/// How many bytes a character may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// One or two.
    Pairs,
    /// Three, too, where the first is 0x8f.
    Triples,
    /// Four, too, where the second is a digit.
    Quads,
}

/// The characters up to U+FFFF; 0 for none.
struct Tables {
    singles: [u16; 128],
    pairs: Box<[u16]>,
    triples: Box<[u16]>,
}

/// The byte that begins three.
const THREE: u8 = 0x8f;
/// How many second bytes a table has room for.
const TRAILS: usize = 256;

/// What bytes are.
enum Found {
    Character(char),
    /// The beginning of a character.
    More,
    Nothing,
}

impl PartialEq for Wide {
    fn eq(&self, other: &Wide) -> bool {
        self.name == other.name
    }
}

impl Eq for Wide {}

impl fmt::Debug for Wide {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl Wide {
    /// An encoding by what the web has, and where the server differs.
    pub(super) const fn new(name: &'static str, web: &'static Web, form: Form, differences: Differences) -> Wide {
        Wide { name, web, form, differences, tables: OnceLock::new() }
    }

    /// What turns its bytes into text.
    pub(super) fn decoder(&'static self) -> Decoder {
        Decoder { wide: self, tables: self.tables.get_or_init(|| self.tables()), begun: Vec::new() }
    }

    fn tables(&self) -> Tables {
        let small =
            |bytes: &[u8]| self.looked_up(bytes).and_then(|found| u16::try_from(u32::from(found)).ok()).unwrap_or(0);
        let mut pairs = vec![0; 128 * TRAILS].into_boxed_slice();
        for lead in 0x80..=0xff_u8 {
            for trail in 0x30..=0xff_u8 {
                pairs[usize::from(lead - 0x80) * TRAILS + usize::from(trail)] = small(&[lead, trail]);
            }
        }
        let mut triples = Box::default();
        if self.form == Form::Triples {
            triples = vec![0; 128 * TRAILS].into_boxed_slice();
            for second in 0x80..=0xff_u8 {
                for third in 0x80..=0xff_u8 {
                    triples[usize::from(second - 0x80) * TRAILS + usize::from(third)] = small(&[THREE, second, third]);
                }
            }
        }
        Tables { singles: std::array::from_fn(|place| small(&[0x80 + place as u8])), pairs, triples }
    }

    /// The character that these bytes are as a whole.
    fn looked_up(&self, bytes: &[u8]) -> Option<char> {
        let Differences { least, others, refused } = &self.differences;
        if bytes.iter().any(|byte| byte < least) {
            return None;
        }
        let number = bytes.iter().fold(0, |number, byte| (number << 8) | u32::from(*byte));
        let other = others.partition_point(|(from, ..)| *from <= number).checked_sub(1).map(|place| others[place]);
        if let Some((from, to, character)) = other
            && number <= to
        {
            return char::from_u32(character + (number - from));
        }
        let before = refused.partition_point(|(from, _)| *from <= number).checked_sub(1);
        if before.is_some_and(|place| number <= refused[place].1) {
            return None;
        }
        let text = self.web.decode_without_bom_handling_and_without_replacement(bytes)?;
        let mut characters = text.chars();
        characters.next().filter(|found| characters.next().is_none() && !found.is_ascii())
    }
}

/// Turns bytes into text, piece by piece.
pub(in crate::endpoint::dump) struct Decoder {
    wide: &'static Wide,
    tables: &'static Tables,
    /// The first bytes of a character that goes on in the next piece.
    begun: Vec<u8>,
}

impl Decoder {
    /// Adds the text of the next bytes. `last` says that none follow.
    ///
    /// # Errors
    /// The bytes that are no character.
    pub(super) fn decode(&mut self, bytes: &[u8], last: bool, text: &mut Vec<u8>) -> Result<(), Vec<u8>> {
        let mut put = |found: char| text.extend_from_slice(found.encode_utf8(&mut [0; 4]).as_bytes());
        let mut rest = bytes;
        while !self.begun.is_empty() {
            let Some((byte, behind)) = rest.split_first() else {
                return if last { Err(std::mem::take(&mut self.begun)) } else { Ok(()) };
            };
            self.begun.push(*byte);
            rest = behind;
            match self.find(&self.begun) {
                Found::More => continue,
                Found::Character(found) => put(found),
                Found::Nothing => return Err(std::mem::take(&mut self.begun)),
            }
            self.begun.clear();
        }
        loop {
            let plain = Web::ascii_valid_up_to(rest);
            text.extend_from_slice(&rest[..plain]);
            rest = &rest[plain..];
            let mut length = 1;
            loop {
                if length > rest.len() {
                    if last && !rest.is_empty() {
                        return Err(rest.to_vec());
                    }
                    self.begun.extend_from_slice(rest);
                    return Ok(());
                }
                match self.find(&rest[..length]) {
                    Found::More => length += 1,
                    Found::Nothing => return Err(rest[..length].to_vec()),
                    Found::Character(found) => {
                        text.extend_from_slice(found.encode_utf8(&mut [0; 4]).as_bytes());
                        rest = &rest[length..];
                        break;
                    }
                }
            }
        }
    }

    /// What bytes are, of which the first is beyond ASCII.
    fn find(&self, bytes: &[u8]) -> Found {
        let place = |lead: u8, trail: u8| usize::from(lead & 0x7f) * TRAILS + usize::from(trail);
        let found = match *bytes {
            [one] => match self.tables.singles[usize::from(one & 0x7f)] {
                0 if (0x81..=0xfe).contains(&one) => return Found::More,
                found => found,
            },
            [THREE, second, third] if self.wide.form == Form::Triples && second > 0x7f => {
                self.tables.triples[place(second, third)]
            }
            [THREE, second] if self.wide.form == Form::Triples && second > 0x7f => return Found::More,
            [_, b'0'..=b'9'] | [_, _, 0x81..=0xfe] if self.wide.form == Form::Quads => return Found::More,
            [lead, trail] => self.tables.pairs[place(lead, trail)],
            [_, _, _, _] => return self.wide.looked_up(bytes).map_or(Found::Nothing, Found::Character),
            _ => 0,
        };
        match char::from_u32(u32::from(found)) {
            None | Some('\0') => Found::Nothing,
            Some(found) => Found::Character(found),
        }
    }
}
