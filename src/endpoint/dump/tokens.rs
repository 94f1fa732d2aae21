//! The words of a statement, as far as the statements need it that move rows: names, strings, numbers, signs.
//!
//! Source: PostgreSQL's documentation, "SQL Syntax", "Lexical Structure". What is not understood is `None`, and whoever asks
//! names the statement with its line.

use std::borrow::Cow;

/// A word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// A word without quotes, in lower case as the server folds it.
    Word(Cow<'a, str>),
    /// A name in double quotes, without them.
    Name(Cow<'a, str>),
    /// A string constant of any form, its escapes undone.
    Text(Cow<'a, str>),
    /// A bit string constant: its digits as bits.
    Bits(String),
    /// A number without a sign, as it is spelled.
    Number(&'a str),
    /// Any other sign; `::` is [`Token::Cast`].
    Sign(char),
    /// `::`
    Cast,
}

impl<'a> Token<'a> {
    /// Whether it is that word, in lower case.
    pub(super) fn is(&self, word: &str) -> bool {
        matches!(self, Token::Word(found) if found == word)
    }

    /// The name that it is.
    pub(super) fn into_name(self) -> Option<Cow<'a, str>> {
        match self {
            Token::Word(name) | Token::Name(name) => Some(name),
            Token::Text(_) | Token::Bits(_) | Token::Number(_) | Token::Sign(_) | Token::Cast => None,
        }
    }
}

/// The words of a text, one by one.
#[derive(Debug, Clone)]
pub(super) struct Tokens<'a> {
    text: &'a str,
    place: usize,
    backslash_escapes: bool,
}

impl<'a> Tokens<'a> {
    /// Those of a statement; `backslash_escapes` as `standard_conforming_strings = off` has it.
    pub(super) fn new(text: &'a str, backslash_escapes: bool) -> Self {
        Tokens { text, place: 0, backslash_escapes }
    }

    /// How many bytes of the text are done with.
    pub(super) fn place(&self) -> usize {
        self.place
    }

    /// The next word; the outer `None` where what follows is none, the inner at the end.
    pub(super) fn next(&mut self) -> Option<Option<Token<'a>>> {
        self.skip_blanks()?;
        let rest = &self.text[self.place..];
        let bytes = rest.as_bytes();
        let Some(first) = bytes.first() else { return Some(None) };
        let token = match first {
            b'\'' => self.string(0, self.backslash_escapes)?,
            b'e' | b'E' if bytes.get(1) == Some(&b'\'') => self.string(1, true)?,
            b'n' | b'N' if bytes.get(1) == Some(&b'\'') => self.string(1, self.backslash_escapes)?,
            b'b' | b'B' | b'x' | b'X' if bytes.get(1) == Some(&b'\'') => self.bits(matches!(first, b'x' | b'X'))?,
            // `U&'…'` has escapes of its own, and no dump writes it.
            b'u' | b'U' if rest.get(1..3).is_some_and(|next| next == "&'" || next == "&\"") => return None,
            b'"' => self.name()?,
            b'$' => self.dollar()?,
            b'0'..=b'9' => self.number(),
            b'.' if bytes.get(1).is_some_and(u8::is_ascii_digit) => self.number(),
            b':' if bytes.get(1) == Some(&b':') => self.take(2, |_| Token::Cast),
            byte if is_name_start(*byte) => {
                let end = bytes.iter().position(|byte| !is_name_part(*byte)).unwrap_or(bytes.len());
                self.take(end, |word| {
                    Token::Word(match word.bytes().any(|byte| byte.is_ascii_uppercase()) {
                        true => Cow::Owned(word.to_ascii_lowercase()),
                        false => Cow::Borrowed(word),
                    })
                })
            }
            _ => {
                let sign = rest.chars().next()?;
                self.take(sign.len_utf8(), |_| Token::Sign(sign))
            }
        };
        Some(Some(token))
    }

    /// The next word, which has to be there.
    pub(super) fn word(&mut self) -> Option<Token<'a>> {
        self.next().flatten()
    }

    /// The next word, without being done with it.
    pub(super) fn peek(&self) -> Option<Token<'a>> {
        self.clone().word()
    }

    /// Whether nothing follows.
    pub(super) fn is_at_end(&self) -> bool {
        self.clone().next() == Some(None)
    }

    /// Takes that sign, if it is the next.
    pub(super) fn sign(&mut self, sign: char) -> bool {
        let mut ahead = self.clone();
        let found = ahead.word() == Some(Token::Sign(sign));
        if found {
            *self = ahead;
        }
        found
    }

    /// Takes that word, if it is the next.
    pub(super) fn keyword(&mut self, word: &str) -> bool {
        let mut ahead = self.clone();
        let found = ahead.word().is_some_and(|token| token.is(word));
        if found {
            *self = ahead;
        }
        found
    }

    /// A name, with a schema or without.
    pub(super) fn qualified(&mut self) -> Option<(Option<String>, String)> {
        let first = self.word()?.into_name()?.into_owned();
        if !self.sign('.') {
            return Some((None, first));
        }
        let second = self.word()?.into_name()?.into_owned();
        match self.sign('.') {
            // A database in front of both.
            true => Some((Some(second), self.word()?.into_name()?.into_owned())),
            false => Some((Some(first), second)),
        }
    }

    /// Names in parentheses, where a parenthesis is the next; the outer `None` where they do not end.
    pub(super) fn names(&mut self) -> Option<Option<Vec<String>>> {
        if !self.sign('(') {
            return Some(None);
        }
        let mut names = Vec::new();
        if self.sign(')') {
            return Some(Some(names));
        }
        loop {
            names.push(self.word()?.into_name()?.into_owned());
            if self.sign(')') {
                return Some(Some(names));
            }
            if !self.sign(',') {
                return None;
            }
        }
    }

    fn take(&mut self, count: usize, token: impl FnOnce(&'a str) -> Token<'a>) -> Token<'a> {
        let taken = &self.text[self.place..self.place + count];
        self.place += count;
        token(taken)
    }

    /// Blanks and comments.
    fn skip_blanks(&mut self) -> Option<()> {
        let bytes = self.text.as_bytes();
        loop {
            match &bytes[self.place..] {
                [b' ' | b'\t' | b'\n' | b'\r' | 11 | 12, ..] => self.place += 1,
                [b'-', b'-', rest @ ..] => {
                    self.place += 2 + rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
                }
                [b'/', b'*', ..] => self.place += comment_end(&bytes[self.place..])?,
                _ => return Some(()),
            }
        }
    }

    fn number(&mut self) -> Token<'a> {
        let bytes = &self.text.as_bytes()[self.place..];
        let mut end = 0;
        while let Some(byte) = bytes.get(end) {
            let is_exponents = matches!(byte, b'+' | b'-') && matches!(bytes[end.saturating_sub(1)], b'e' | b'E');
            if !(byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_') || is_exponents) {
                break;
            }
            end += 1;
        }
        self.take(end, Token::Number)
    }

    fn name(&mut self) -> Option<Token<'a>> {
        let (inside, end) = quoted(&self.text[self.place..], '"', false)?;
        self.place += end;
        Some(Token::Name(inside))
    }

    /// A string behind a prefix of so many bytes, and those that it goes on with in later lines.
    fn string(&mut self, prefix: usize, escapes: bool) -> Option<Token<'a>> {
        let (mut inside, end) = quoted(&self.text[self.place + prefix..], '\'', escapes)?;
        self.place += prefix + end;
        loop {
            // A string goes on where only blanks with a line end stand before the next quote.
            let rest = &self.text[self.place..];
            let blanks = rest.len() - rest.trim_start_matches([' ', '\t', '\n', '\r', '\u{b}', '\u{c}']).len();
            if !rest[blanks..].starts_with('\'') || !rest[..blanks].contains(['\n', '\r']) {
                return Some(Token::Text(inside));
            }
            let (more, end) = quoted(&rest[blanks..], '\'', escapes)?;
            inside.to_mut().push_str(&more);
            self.place += blanks + end;
        }
    }

    fn bits(&mut self, is_hexadecimal: bool) -> Option<Token<'a>> {
        let (digits, end) = quoted(&self.text[self.place + 1..], '\'', false)?;
        self.place += 1 + end;
        let mut bits = String::with_capacity(digits.len());
        for digit in digits.chars() {
            match is_hexadecimal {
                true => bits.push_str(&format!("{:04b}", digit.to_digit(16)?)),
                false => bits.push(char::from_digit(digit.to_digit(2)?, 2)?),
            }
        }
        Some(Token::Bits(bits))
    }

    fn dollar(&mut self) -> Option<Token<'a>> {
        let rest = &self.text[self.place..];
        let length = dollar_tag(rest.as_bytes())?;
        let (tag, body) = rest.split_at(length);
        let end = body.find(tag)?;
        self.place += length + end + length;
        Some(Token::Text(Cow::Borrowed(&body[..end])))
    }
}

/// Whether a word may begin so.
pub(super) fn is_name_start(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || byte >= 128
}

/// Whether a word may go on so.
pub(super) fn is_name_part(byte: u8) -> bool {
    is_name_start(byte) || byte.is_ascii_digit() || byte == b'$'
}

/// How long the mark of a dollar quote is that begins here, both dollars counted; `None` for another sign, or where the
/// bytes end before the second.
pub(super) fn dollar_tag(bytes: &[u8]) -> Option<usize> {
    match bytes.get(1)? {
        b'$' => Some(2),
        byte if is_name_start(*byte) => {
            let end = bytes[1..].iter().position(|byte| !is_name_part(*byte) || *byte == b'$')? + 1;
            (bytes[end] == b'$').then_some(end + 1)
        }
        _ => None,
    }
}

/// How long the comment is that begins here, with those in it; `None` where it does not end.
fn comment_end(bytes: &[u8]) -> Option<usize> {
    let (mut depth, mut place) = (1_usize, 2);
    while depth > 0 {
        match &bytes[place..] {
            [b'/', b'*', ..] => (depth, place) = (depth + 1, place + 2),
            [b'*', b'/', ..] => (depth, place) = (depth - 1, place + 2),
            [_, ..] => place += 1,
            [] => return None,
        }
    }
    Some(place)
}

/// What stands between the quotes with which the text begins, and how many bytes that was, the quotes included.
fn quoted(text: &str, quote: char, escapes: bool) -> Option<(Cow<'_, str>, usize)> {
    let (bytes, mark) = (text.as_bytes(), quote as u8);
    let mut inside: Cow<'_, str> = Cow::Borrowed("");
    let mut place = 1;
    loop {
        let rest = &bytes[place..];
        let found = if escapes { memchr::memchr2(mark, b'\\', rest) } else { memchr::memchr(mark, rest) }?;
        let plain = &text[place..place + found];
        inside = match inside.is_empty() {
            true => Cow::Borrowed(plain),
            false => Cow::Owned(inside.into_owned() + plain),
        };
        place += found;
        if bytes[place] == mark {
            if bytes.get(place + 1) != Some(&mark) {
                return Some((inside, place + 1));
            }
            inside.to_mut().push(quote);
            place += 2;
            continue;
        }
        let mut plain_bytes = std::mem::take(&mut inside).into_owned().into_bytes();
        place += escape(&text[place..], &mut plain_bytes)?;
        // Escapes of bytes come one by one: only all of them together are text.
        while bytes.get(place) == Some(&b'\\') {
            place += escape(&text[place..], &mut plain_bytes)?;
        }
        inside = Cow::Owned(String::from_utf8(plain_bytes).ok()?);
    }
}

/// Undoes the escape with which the text begins, and tells how many bytes it was.
fn escape(text: &str, plain: &mut Vec<u8>) -> Option<usize> {
    let bytes = text.as_bytes();
    let digits = |from: usize, base: u32, max: usize| -> &str {
        let count = bytes[from..].iter().take(max).take_while(|byte| char::from(**byte).is_digit(base)).count();
        &text[from..from + count]
    };
    let single = match bytes.get(1)? {
        b'b' => 8,
        b'f' => 12,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'0'..=b'7' => {
            let digits = digits(1, 8, 3);
            // The server keeps the lowest eight bits.
            plain.push((u32::from_str_radix(digits, 8).ok()? & 255) as u8);
            return no_nul(plain, 1 + digits.len());
        }
        b'x' if !digits(2, 16, 2).is_empty() => {
            let digits = digits(2, 16, 2);
            plain.push(u8::from_str_radix(digits, 16).ok()?);
            return no_nul(plain, 2 + digits.len());
        }
        kind @ (b'u' | b'U') => {
            let count = if *kind == b'u' { 4 } else { 8 };
            let high =
                u32::from_str_radix(Some(digits(2, 16, count)).filter(|digits| digits.len() == count)?, 16).ok()?;
            let mut used = 2 + count;
            let mut code = high;
            if (0xd800..0xdc00).contains(&high) {
                // The other half is an escape of its own.
                let next = text.get(used..)?;
                let count = if next.starts_with("\\u") {
                    4
                } else if next.starts_with("\\U") {
                    8
                } else {
                    return None;
                };
                let low = u32::from_str_radix(next.get(2..2 + count)?, 16).ok()?;
                if !(0xdc00..0xe000).contains(&low) {
                    return None;
                }
                code = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
                used += 2 + count;
            }
            plain.extend_from_slice(char::from_u32(code)?.encode_utf8(&mut [0; 4]).as_bytes());
            return no_nul(plain, used);
        }
        _ => {
            let character = text[1..].chars().next()?;
            plain.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            return Some(1 + character.len_utf8());
        }
    };
    plain.push(single);
    Some(2)
}

/// No text of the server has U+0000.
fn no_nul(plain: &[u8], used: usize) -> Option<usize> {
    (plain.last() != Some(&0)).then_some(used)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str, backslash_escapes: bool) -> Option<Vec<Token<'_>>> {
        let mut tokens = Tokens::new(text, backslash_escapes);
        let mut found = Vec::new();
        while let Some(token) = tokens.next()? {
            found.push(token);
        }
        Some(found)
    }

    #[test]
    fn strings_of_every_form_are_read() {
        for (text, off, plain) in [
            ("'a''b'", false, "a'b"),
            (r"'a\'", false, r"a\"),
            (r"'a\'b'", true, "a'b"),
            (r"E'\x41\101\u00e9\U0001F600\n\\\q'", false, "AA\u{e9}\u{1f600}\n\\q"),
            (r"e'\xc3\xa9'", false, "\u{e9}"),
            (r"E'\ud83d\ude00'", false, "\u{1f600}"),
            ("'a'\n  'b'", false, "ab"),
            ("$$a'b$$", false, "a'b"),
            ("$x$a$$b$x$", false, "a$$b"),
            ("N'x'", false, "x"),
        ] {
            assert_eq!(all(text, off), Some(vec![Token::Text(plain.into())]), "{text}");
        }
        for text in ["'a", "E'a\\'", r"E'\0'", r"E'\ud83d'", r"E'\xff'", "\"a", "$x$ $y$", "/* a", "u&'a'"] {
            assert_eq!(all(text, false), None, "{text}");
        }
    }

    #[test]
    fn words_and_signs_are_told_apart() {
        let found = all("Insert /* a /* b */ c */ \"Ä\"\"\" -- d\n 1.5e-3::x, B'10' X'1f' .5", false).unwrap();
        let expected = [
            Token::Word("insert".into()),
            Token::Name("Ä\"".into()),
            Token::Number("1.5e-3"),
            Token::Cast,
            Token::Word("x".into()),
            Token::Sign(','),
            Token::Bits("10".into()),
            Token::Bits("00011111".into()),
            Token::Number(".5"),
        ];
        assert_eq!(found, expected);
        assert_eq!(Tokens::new("a.\"B\" (x, \"Y\")", false).qualified(), Some((Some("a".into()), "B".into())));
    }
}
