//! `json` and `jsonb`: documents as applications store them, and those that only a careful reader carries.

use super::digits::push_unsigned;
use super::kind::{self, Values};
use super::{Limits, near, trouble};
use crate::catalog::DataType;
use crate::error::Result;
use crate::harness::Random;
use std::borrow::Cow;
use std::sync::Arc;

/// Deep, but below what every reader refuses (SQLite's `json_valid` stops at a depth of 1000).
const DEPTH: usize = 900;

/// Taken by both types.
const AWKWARD: [&str; 24] = [
    "null",
    "true",
    "\"\"",
    "\"null\"",
    "[]",
    "{}",
    "0",
    "-0",
    "-0.0",
    "0.10",
    "1e400",
    "-1E-400",
    "[null]",
    "[[], {}, [[]]]",
    "123456789012345678901234567890.123456789",
    "1.0000000000000000000000000000001",
    "{\"a\":1,\"a\":2}",
    "{\"b\":1,\"a\":2,\"aa\":3}",
    "{\"\": \"\", \" \": null, \"NULL\": \"null\"}",
    " { \"spaces\" :  [ 1 , 2 ] } ",
    "{\n\"line\": \"break\"}",
    "\"\\ud83d\\ude00 \\\\ \\\" \\n \\u0001\"",
    "\"\\u00e9\\n\\t\\/\\b\\f\"",
    "[null, true, \"\", {\"x\": [1.0, 1.00]}]",
];
/// Only `json` takes these: it keeps the text and does not look into it.
const AWKWARD_TEXT: [&str; 4] = ["\"\\u0000\"", "\"\\ud800\"", "{\"a\":\"\\u0000\",\"a\":1}", "1e100000"];

#[derive(Debug)]
struct Json {
    binary: bool,
}

fn push_string(text: &mut String, value: &str) {
    text.push('"');
    for letter in value.chars() {
        match letter {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            control if control < ' ' => text.push_str(&format!("\\u{:04x}", u32::from(control))),
            other => text.push(other),
        }
    }
    text.push('"');
}

fn word(random: &mut Random) -> &'static str {
    trouble::WORDS[random.below(trouble::WORDS.len() as u64) as usize]
}

impl Values for Json {
    fn ordinary(&self, random: &mut Random, text: &mut String) {
        text.push_str("{\"id\": ");
        push_unsigned(text, random.below(100_000).into());
        text.push_str(", \"name\": \"");
        text.push_str(word(random));
        text.push_str("\", \"tags\": [");
        for at in 0..random.below(4) {
            text.push_str(if at > 0 { ", \"" } else { "\"" });
            text.push_str(word(random));
            text.push('"');
        }
        text.push_str(if random.chance(0.5) { "], \"active\": true}" } else { "], \"active\": false}" });
    }

    fn awkward(&self, random: &mut Random, text: &mut String) {
        let own = if self.binary { 0 } else { AWKWARD_TEXT.len() };
        match random.below(10) {
            0 if random.chance(0.2) => {
                text.push_str(&"[".repeat(DEPTH));
                text.push_str(&"]".repeat(DEPTH));
            }
            0 if random.chance(trouble::LONG_SHARE * 10.0) => {
                push_string(text, &"x".repeat(trouble::LONG_CHARACTERS));
            }
            1 | 2 => {
                text.push('{');
                push_string(text, trouble::TEXTS[random.below(trouble::TEXTS.len() as u64) as usize]);
                text.push_str(": ");
                push_string(text, trouble::TEXTS[random.below(trouble::TEXTS.len() as u64) as usize]);
                text.push('}');
            }
            _ => {
                let at = random.below((AWKWARD.len() + own) as u64) as usize;
                text.push_str(AWKWARD.get(at).copied().unwrap_or_else(|| AWKWARD_TEXT[at - AWKWARD.len()]));
            }
        }
    }

    fn near(&self, words: &[&str], random: &mut Random, text: &mut String) {
        near::push_json(words, random, text);
    }

    /// `json` has no equality.
    fn capacity(&self) -> u64 {
        if self.binary { u64::MAX } else { 0 }
    }

    fn nth(&self, index: u64, text: &mut String) {
        text.push_str("{\"id\": ");
        push_unsigned(text, index.into());
        text.push('}');
    }

    fn accepts(&self, value: &str) -> bool {
        // The reader here is not the server's: it stops at a depth of 128, which only table values go beyond.
        serde_json::from_str::<serde_json::Value>(value).is_ok()
            || AWKWARD.contains(&value)
            || AWKWARD_TEXT.contains(&value)
            || value.starts_with("[[[")
    }

    fn key<'v>(&self, value: &'v str) -> Cow<'v, str> {
        match serde_json::from_str::<serde_json::Value>(value) {
            Ok(mut parsed) if self.binary => {
                parsed.sort_all_objects();
                Cow::Owned(parsed.to_string())
            }
            _ => Cow::Borrowed(value),
        }
    }

    fn simplest(&self) -> Vec<String> {
        ["{}", "[]", "0", "\"\"", "null"].map(str::to_owned).to_vec()
    }

    fn reductions(&self, value: &str) -> Vec<String> {
        use serde_json::Value;
        let Ok(parsed) = serde_json::from_str::<Value>(value) else { return Vec::new() };
        let mut found = vec![parsed.to_string()];
        match &parsed {
            Value::Array(items) => {
                found.extend(items.iter().map(Value::to_string));
                found.extend((0..items.len()).map(|left_out| {
                    let kept = items.iter().enumerate().filter(|(at, _)| *at != left_out).map(|(_, item)| item.clone());
                    Value::Array(kept.collect()).to_string()
                }));
            }
            Value::Object(members) => {
                found.extend(members.values().map(Value::to_string));
                found.extend(members.keys().map(|left_out| {
                    let kept = members.iter().filter(|(name, _)| *name != left_out);
                    Value::Object(kept.map(|(name, value)| (name.clone(), value.clone())).collect()).to_string()
                }));
            }
            Value::String(text) => {
                let half: String = text.chars().take(text.chars().count() / 2).collect();
                found.extend([
                    Value::String(half).to_string(),
                    Value::String("a".repeat(text.chars().count())).to_string(),
                ]);
            }
            _ => {}
        }
        found
    }
}

/// `json`, or `jsonb` where `binary`.
pub(super) fn build(data_type: &DataType, binary: bool, limits: &Limits) -> Result<Arc<dyn Values>> {
    kind::only(data_type, limits, &[])?;
    Ok(Arc::new(Json { binary }))
}
