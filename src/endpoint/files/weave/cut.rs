//! Where a large file is cut into pieces.

use super::super::layout::Format;
use super::sets::Sets;

/// The length of the longest piece that ends at the end of a record, in bytes that are the beginning of a piece; none where
/// more of the file is needed to tell.
pub(super) fn length(sets: &Sets<'_>, bytes: &[u8], first: bool) -> Option<usize> {
    match &sets.kind.format {
        Format::Json => array(bytes, first),
        Format::JsonLines => line_ends(bytes).next_back(),
        Format::Lines(pattern) if !pattern.continued => line_ends(bytes).next_back(),
        // What belongs to the last record may go on.
        Format::Lines(_) => {
            let lines = sets.lines.as_ref()?;
            let ends: Vec<usize> = line_ends(bytes).collect();
            ends.windows(2).rev().find_map(|pair| {
                let line = std::str::from_utf8(&bytes[pair[0]..pair[1] - 1]).ok()?;
                lines.matches(line.strip_suffix('\r').unwrap_or(line)).then_some(pair[0])
            })
        }
        Format::Yaml | Format::Markdown { .. } | Format::Bytes | Format::Sqlite => None,
    }
}

fn line_ends(bytes: &[u8]) -> impl DoubleEndedIterator<Item = usize> {
    bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1)
}

/// Before the last comma between two elements.
fn array(bytes: &[u8], first: bool) -> Option<usize> {
    let mut at = bytes.iter().position(|byte| !b" \t\r\n".contains(byte))?;
    let opens = if first { b'[' } else { b',' };
    if bytes[at] != opens {
        // It is no such array: whoever reads it says so.
        return Some(bytes.len());
    }
    at += 1;
    let (mut depth, mut last, mut any) = (0_usize, None, false);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => {
                at += 1;
                while let Some(byte) = bytes.get(at).filter(|byte| **byte != b'"') {
                    at += 1 + usize::from(*byte == b'\\');
                }
            }
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.checked_sub(1)?,
            b',' if depth == 0 && any => last = Some(at),
            _ => {}
        }
        any |= !byte.is_ascii_whitespace();
        at += 1;
    }
    last
}
