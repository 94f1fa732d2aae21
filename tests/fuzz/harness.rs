//! What only a harness reads: the headers of queries, and patterns that texts are made from.

use crate::words::text;
use std::path::Path;
use whimbrel::catalog::{DataType, Shape};
use whimbrel::harness::Seed;
use whimbrel::harness::generate::values::{Limits, Pattern, ValueSource};
use whimbrel::harness::latency::Query;

const QUERY_WORDS: &[&str] = &[
    "-- a title\n",
    "-- :",
    "text",
    "integer",
    "real",
    "blob",
    ",",
    "from",
    "first word of",
    "where",
    "now in seconds",
    "now in milliseconds",
    "now as RFC 3339",
    "now as date and time",
    "always",
    ";",
    "+",
    "-",
    "-- target:",
    "P50",
    "P95",
    "P99",
    "max",
    "<",
    "ms",
    "us",
    "s",
    "\n",
    "SELECT",
    ":id",
    "FROM t",
    "a.b",
    "99999999999999999999",
    "1e400",
    "'",
    "\"",
    "?1",
    "@a",
    "$a",
    "é",
    "9223372036854775807",
    "-9223372036854775808",
    "/*",
    "*/",
    ":",
];

/// A query's file.
pub fn query_headers(bytes: &[u8]) {
    let _ = Query::parse(Path::new("queries/a.sql"), &text(bytes, QUERY_WORDS));
}

const PATTERN_WORDS: &[&str] = &[
    "^",
    "$",
    "[a-z]",
    "[^a]",
    "[",
    "]",
    "(",
    ")",
    "(?:",
    "(?=",
    "(?!",
    "(?i)",
    "|",
    "*",
    "+",
    "?",
    "{3}",
    "{1,}",
    "{0,65535}",
    "{",
    "}",
    "\\d",
    "\\w",
    "\\s",
    "\\D",
    "\\m",
    "\\M",
    "\\y",
    "\\A",
    "\\Z",
    "[[:alpha:]]",
    "[[:<:]]",
    "[[.a.]]",
    "[[=a=]]",
    "\\1",
    "\\",
    ".",
    ".*",
    "***=",
    "\\u00e9",
    "\\x41",
    "\\0",
    "é",
    "😀",
    "a-",
    "-z",
    "***:",
    "(?x)",
    "\n",
];

/// A pattern: texts are drawn from it, or it is refused by name, in bounded time.
pub fn patterns(bytes: &[u8]) {
    let Some((first, rest)) = bytes.split_first() else { return };
    let (text, ignore_case, negated) = (text(rest, PATTERN_WORDS), first & 1 != 0, first & 2 != 0);
    let limits = Limits {
        patterns: vec![Pattern::Regex { text, ignore_case, negated }],
        length_max: (first & 4 != 0).then_some(12),
        ..Limits::default()
    };
    let Ok(source) = ValueSource::new(&DataType::new("text", Shape::Text), limits) else { return };
    let mut random = Seed(1).random();
    let text = source.draw(&mut random, first & 8 != 0);
    assert!(first & 4 == 0 || text.chars().count() <= 12, "{text:?}");
    let _ = (source.capacity(), source.nth(0));
}
