//! Numbers as text without a detour through the formatting machinery, which costs more than drawing them.

/// Appends a number in decimal.
pub(super) fn push_unsigned(text: &mut String, number: u128) {
    let Ok(mut rest) = u64::try_from(number) else {
        // Numbers beyond 64 bits are rare; two halves of at most 19 digits each keep the division cheap.
        const HALF: u128 = 10_000_000_000_000_000_000;
        push_unsigned(text, number / HALF);
        push_padded(text, (number % HALF) as u64, 19);
        return;
    };
    let mut buffer = [0_u8; 20];
    let mut start = buffer.len();
    loop {
        start -= 1;
        buffer[start] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    push_ascii(text, &buffer[start..]);
}

/// Appends a number in decimal, with its sign where it is negative.
pub(super) fn push_integer(text: &mut String, number: i128) {
    if number < 0 {
        text.push('-');
    }
    push_unsigned(text, number.unsigned_abs());
}

/// Appends a number in decimal with leading zeros up to `width` digits, at most 20.
pub(super) fn push_padded(text: &mut String, mut number: u64, width: usize) {
    let mut buffer = [b'0'; 20];
    let mut start = buffer.len();
    while number > 0 {
        start -= 1;
        buffer[start] = b'0' + (number % 10) as u8;
        number /= 10;
    }
    push_ascii(text, &buffer[start.min(buffer.len() - width)..]);
}

/// Appends `digits` hexadecimal digits, the lowest ones of the number.
pub(super) fn push_hex(text: &mut String, number: u128, digits: u32) {
    for place in (0..digits).rev() {
        let digit = (number >> (4 * place)) as u32 & 15;
        text.push(char::from_digit(digit, 16).unwrap_or('0'));
    }
}

fn push_ascii(text: &mut String, ascii: &[u8]) {
    text.push_str(std::str::from_utf8(ascii).unwrap_or_default());
}

/// Ten to the power of `exponent`, the largest 128-bit number where that is more.
pub(super) fn power_of_ten(exponent: u32) -> i128 {
    10_i128.checked_pow(exponent).unwrap_or(i128::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_those_of_the_standard_library() {
        for number in [0, 1, -1, 42, i128::from(u64::MAX), i128::MAX, i128::MIN, 10_i128.pow(19), 10_i128.pow(20)] {
            let mut text = String::new();
            push_integer(&mut text, number);
            assert_eq!(text, number.to_string());
        }
        let mut text = String::new();
        push_padded(&mut text, 7, 3);
        push_padded(&mut text, 12_345, 3);
        push_padded(&mut text, 0, 1);
        push_hex(&mut text, 0xabc, 4);
        assert_eq!(text, "0071234500abc");
    }
}
