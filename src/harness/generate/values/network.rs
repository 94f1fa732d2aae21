//! `inet`, `cidr`, strings of bits, and `"char"`.

use super::digits::push_integer;
use super::kind::{Values, nothing_left};
use super::near;
use super::text::CHARACTERS_MAX;
use crate::catalog::DataType;
use crate::error::Result;
use crate::harness::Random;
use std::borrow::Cow;
use std::sync::Arc;

const AWKWARD_ADDRESSES: [&str; 11] = [
    "0.0.0.0",
    "255.255.255.255",
    "192.168.0.1/24",
    "10.1.2.3/32",
    "0.0.0.0/0",
    "127.0.0.1/8",
    "::",
    "::1/64",
    "::ffff:1.2.3.4",
    "fe80::1:2:3/10",
    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
];
const AWKWARD_NETWORKS: [&str; 6] = ["10.0.0.0/8", "10.1.2.3", "0.0.0.0/0", "::/0", "2001:db8::/32", "::1"];

#[derive(Debug)]
enum Kind {
    Address,
    Network,
    /// Strings of exactly so many bits, or up to that many.
    Bits {
        least: u32,
        most: u32,
    },
    /// `"char"`: one character of ASCII.
    Letter,
}

/// The values of one of these types.
pub(super) fn build(data_type: &DataType, name: &str, modifier: Option<u32>) -> Result<Option<Arc<dyn Values>>> {
    let kind = match name {
        "inet" => Kind::Address,
        "cidr" => Kind::Network,
        "bit" => Kind::Bits { least: modifier.unwrap_or(1), most: modifier.unwrap_or(1) },
        "bit varying" | "varbit" => Kind::Bits { least: 0, most: modifier.unwrap_or(500).min(CHARACTERS_MAX) },
        "\"char\"" => Kind::Letter,
        _ => return Ok(None),
    };
    if let Kind::Bits { least, .. } = kind
        && least > CHARACTERS_MAX
    {
        return Err(nothing_left(data_type, format!("a value has {least} bits, and {CHARACTERS_MAX} are the most")));
    }
    Ok(Some(Arc::new(kind)))
}

fn push_bits(text: &mut String, number: u64, bits: u32) {
    for place in (0..bits).rev() {
        text.push(if place < 64 && number >> place & 1 == 1 { '1' } else { '0' });
    }
}

fn push_address(text: &mut String, number: u32) {
    for (at, octet) in number.to_be_bytes().into_iter().enumerate() {
        if at > 0 {
            text.push('.');
        }
        push_integer(text, octet.into());
    }
}

impl Values for Kind {
    fn ordinary(&self, random: &mut Random, text: &mut String) {
        match self {
            Kind::Address => push_address(text, 10 << 24 | random.below(1 << 24) as u32),
            Kind::Network => {
                push_address(text, 10 << 24 | (random.below(1 << 16) as u32) << 8);
                text.push_str("/24");
            }
            Kind::Bits { least, most } => {
                for _ in 0..random.within((*least).into(), (*most).min(16.max(*least)).into()) {
                    text.push(if random.chance(0.5) { '1' } else { '0' });
                }
            }
            Kind::Letter => text.push(char::from(b'a' + random.below(26) as u8)),
        }
    }

    fn awkward(&self, random: &mut Random, text: &mut String) {
        match self {
            Kind::Address => text.push_str(AWKWARD_ADDRESSES[random.below(AWKWARD_ADDRESSES.len() as u64) as usize]),
            Kind::Network => text.push_str(AWKWARD_NETWORKS[random.below(AWKWARD_NETWORKS.len() as u64) as usize]),
            Kind::Bits { least, most } => {
                let digit = if random.chance(0.5) { "1" } else { "0" };
                let bits = if random.chance(0.5) { *least } else { *most };
                text.push_str(&digit.repeat(bits as usize));
            }
            Kind::Letter => text.push_str(["", "\"", "\\", "{", " ", "'", "\t"][random.below(7) as usize]),
        }
    }

    fn near(&self, words: &[&str], random: &mut Random, text: &mut String) {
        match self {
            // What lies in a network is no network of its own, unless it is whole.
            Kind::Address => near::push_address(words, random, text),
            Kind::Network => {
                let mut address = String::new();
                near::push_address(words, random, &mut address);
                text.push_str(address.split('/').next().unwrap_or_default());
            }
            Kind::Bits { .. } | Kind::Letter => self.ordinary(random, text),
        }
    }

    fn capacity(&self) -> u64 {
        match self {
            Kind::Address | Kind::Network => 1 << 24,
            Kind::Bits { most, .. } => 1_u64.checked_shl(*most).unwrap_or(u64::MAX),
            Kind::Letter => 94,
        }
    }

    fn nth(&self, index: u64, text: &mut String) {
        match self {
            Kind::Address | Kind::Network => push_address(text, 10 << 24 | index as u32),
            Kind::Bits { most, .. } => push_bits(text, index, *most),
            // From ! to ~.
            Kind::Letter => text.push(char::from(b'!' + index as u8)),
        }
    }

    fn accepts(&self, value: &str) -> bool {
        match self {
            Kind::Bits { least, most } => {
                (*least..=*most).contains(&(value.len() as u32)) && value.bytes().all(|bit| matches!(bit, b'0' | b'1'))
            }
            Kind::Letter => value.len() <= 1,
            Kind::Address | Kind::Network => !value.is_empty(),
        }
    }

    fn key<'v>(&self, value: &'v str) -> Cow<'v, str> {
        match self {
            Kind::Address | Kind::Network => {
                let whole = if value.contains(':') { "/128" } else { "/32" };
                Cow::Owned(value.strip_suffix(whole).unwrap_or(value).to_ascii_lowercase())
            }
            _ => Cow::Borrowed(value),
        }
    }

    fn simplest(&self) -> Vec<String> {
        match self {
            Kind::Address | Kind::Network => vec!["10.0.0.0".to_owned(), "10.0.0.1".to_owned()],
            Kind::Bits { least, .. } => vec!["0".repeat(*least as usize)],
            Kind::Letter => vec!["a".to_owned()],
        }
    }

    fn reductions(&self, value: &str) -> Vec<String> {
        match self {
            Kind::Bits { .. } => vec![value[..value.len() / 2].to_owned(), "0".repeat(value.len())],
            _ => Vec::new(),
        }
    }
}
