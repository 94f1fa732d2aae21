//! Bytes as text of a language.

/// ASCII as it stands there; each byte from 128 on is a word of the list, with a blank behind it where it is a whole
/// word; what is behind the list is a character of two bytes.
pub fn text(bytes: &[u8], words: &[&str]) -> String {
    let mut text = String::with_capacity(bytes.len() * 3);
    for byte in bytes {
        match words.get(usize::from(byte.wrapping_sub(0x80))) {
            _ if byte.is_ascii() => text.push(char::from(*byte)),
            Some(word) => {
                text.push_str(word);
                if word.ends_with(|last: char| last.is_ascii_alphanumeric()) && word.len() > 1 {
                    text.push(' ');
                }
            }
            None => text.push(char::from(*byte)),
        }
    }
    text
}
