//! The built-in types, with what a schema has to know about each.

use crate::harness::Random;

/// What can be done with a type's values in checks, indexes and generated columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Whole numbers of at most four bytes.
    SmallWhole,
    /// Whole numbers.
    Whole,
    /// Other numbers.
    Number,
    /// Texts on which `lower()`, `||` and patterns work.
    Text,
    /// `boolean`.
    Boolean,
    /// Days and times.
    Time,
    /// Everything else.
    Other,
}

/// What may stand in parentheses behind a type's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Modifier {
    /// Nothing.
    None,
    /// A length from 1 to 40.
    Length,
    /// Digits of the fraction of a second, 0 to 6.
    Digits,
    /// Precision and scale.
    Decimal,
}

/// A built-in type.
#[derive(Debug, PartialEq)]
pub struct Family {
    /// Its name in SQL.
    pub name: &'static str,
    /// What can be done with it.
    pub class: Class,
    /// Whether it has a b-tree operator class of its own.
    pub comparable: bool,
    /// What may stand behind its name.
    pub modifier: Modifier,
    /// The major version of PostgreSQL that has it first; 0 for all that are alive.
    pub since: u32,
    /// An access method other than `btree` that indexes it.
    pub method: Option<&'static str>,
    /// Expressions for DEFAULT that fit every modifier.
    pub defaults: &'static [&'static str],
}

const fn family(name: &'static str, class: Class, comparable: bool, defaults: &'static [&'static str]) -> Family {
    Family { name, class, comparable, modifier: Modifier::None, since: 0, method: None, defaults }
}

const fn with(modifier: Modifier, family: Family) -> Family {
    Family { modifier, ..family }
}

const fn indexed(method: &'static str, family: Family) -> Family {
    Family { method: Some(method), ..family }
}

const fn since(version: u32, family: Family) -> Family {
    Family { since: version, ..family }
}

/// `integer`, the simplest type.
pub static INTEGER: Family = family("integer", Class::SmallWhole, true, &["0", "42", "-1", "(2 + 3)"]);
/// `bigint`.
pub static BIGINT: Family = family("bigint", Class::Whole, true, &["0", "9223372036854775807", "'-7'::bigint"]);
/// `text`.
pub static TEXT: Family = family("text", Class::Text, true, &["''", "'x'", "'it''s'", "lower('ABC')", "NULL"]);
/// `boolean`.
pub static BOOLEAN: Family = family("boolean", Class::Boolean, true, &["true", "false"]);

/// The types that everybody uses; a random column has one of them more often than not.
pub static COMMON: [Family; 21] = [
    family("smallint", Class::SmallWhole, true, &["0", "-32768"]),
    family("real", Class::Number, true, &["0", "1.5"]),
    family("double precision", Class::Number, true, &["0", "'NaN'", "1e300"]),
    family("numeric", Class::Number, true, &["0", "1.10", "'NaN'"]),
    with(Modifier::Decimal, family("numeric", Class::Number, true, &["0", "NULL"])),
    with(Modifier::Length, family("varchar", Class::Text, true, &["''", "'x'"])),
    family("varchar", Class::Text, true, &["''", "'x'"]),
    with(Modifier::Length, family("char", Class::Other, true, &["''", "'x'"])),
    family("bytea", Class::Other, true, &["'\\x'", "'\\x00ff'"]),
    family("uuid", Class::Other, true, &["gen_random_uuid()", "'00000000-0000-0000-0000-000000000000'"]),
    family("date", Class::Time, true, &["CURRENT_DATE", "'2024-02-29'", "'infinity'"]),
    family("timestamp", Class::Time, true, &["now()", "LOCALTIMESTAMP", "'2000-01-01 00:00:00'"]),
    with(Modifier::Digits, family("timestamp", Class::Time, true, &["now()", "'-infinity'"])),
    family("timestamptz", Class::Time, true, &["now()", "CURRENT_TIMESTAMP"]),
    with(Modifier::Digits, family("timestamptz", Class::Time, true, &["now()", "'1970-01-01 00:00:00+00'"])),
    family("time", Class::Time, true, &["'12:00'", "'24:00:00'"]),
    with(Modifier::Digits, family("time", Class::Time, true, &["'00:00'"])),
    indexed("gin", family("jsonb", Class::Other, false, &["'{}'", "'[]'::jsonb"])),
    family("json", Class::Other, false, &["'{}'", "'null'"]),
    family("interval", Class::Time, true, &["'0'", "'1 day'"]),
    with(Modifier::Digits, family("timetz", Class::Time, true, &["'12:00+02'"])),
];

/// The types that few use.
pub static RARE: [Family; 40] = [
    family("oid", Class::Other, true, &["0", "1"]),
    family("name", Class::Other, true, &["'x'", "CURRENT_USER"]),
    family("\"char\"", Class::Other, true, &["'x'"]),
    family("money", Class::Other, true, &["0"]),
    family("timetz", Class::Time, true, &["'00:00+00'"]),
    with(Modifier::Digits, family("interval", Class::Time, true, &["'1 mon'"])),
    family("inet", Class::Other, true, &["'127.0.0.1'"]),
    family("cidr", Class::Other, true, &["'10.0.0.0/8'"]),
    family("macaddr", Class::Other, true, &["'08:00:2b:01:02:03'"]),
    family("macaddr8", Class::Other, true, &["'08:00:2b:01:02:03:04:05'"]),
    with(Modifier::Length, family("bit", Class::Other, true, &["NULL"])),
    with(Modifier::Length, family("varbit", Class::Other, true, &["B'1'", "''"])),
    family("varbit", Class::Other, true, &["B'101'"]),
    indexed("gist", family("point", Class::Other, false, &["'(0,0)'"])),
    family("line", Class::Other, false, &["'{1,2,3}'"]),
    family("lseg", Class::Other, false, &["'[(0,0),(1,1)]'"]),
    indexed("gist", family("box", Class::Other, false, &["'(1,1),(0,0)'"])),
    family("path", Class::Other, false, &["'[(0,0),(1,1)]'"]),
    indexed("gist", family("polygon", Class::Other, false, &["'((0,0),(1,1),(1,0))'"])),
    indexed("gist", family("circle", Class::Other, false, &["'<(0,0),1>'"])),
    indexed("gist", family("int4range", Class::Other, true, &["'[1,2)'", "'empty'"])),
    family("int8range", Class::Other, true, &["'empty'"]),
    family("numrange", Class::Other, true, &["'[0,1]'"]),
    family("tsrange", Class::Other, true, &["'(,)'"]),
    family("tstzrange", Class::Other, true, &["'empty'"]),
    indexed("gist", family("daterange", Class::Other, true, &["'[2024-01-01,2024-02-01)'"])),
    since(14, family("int4multirange", Class::Other, true, &["'{}'"])),
    since(14, family("nummultirange", Class::Other, true, &["'{[1,2)}'"])),
    since(14, family("datemultirange", Class::Other, true, &["'{}'"])),
    indexed("gin", family("tsvector", Class::Other, false, &["''", "'a:1'"])),
    family("tsquery", Class::Other, false, &["'a & b'"]),
    family("pg_lsn", Class::Other, true, &["'0/0'"]),
    family("xid8", Class::Other, true, &["'0'"]),
    family("txid_snapshot", Class::Other, false, &["'1:1:'"]),
    family("jsonpath", Class::Other, false, &["'$'"]),
    family("xml", Class::Other, false, &["'<a/>'"]),
    since(14, family("int8multirange", Class::Other, true, &["'{}'"])),
    since(14, family("tsmultirange", Class::Other, true, &["'{}'"])),
    since(14, family("tstzmultirange", Class::Other, true, &["'{}'"])),
    family("bpchar", Class::Other, true, &["'x'"]),
];

impl Family {
    /// A random built-in type that this version of PostgreSQL has, and a modifier for it.
    pub(super) fn random(random: &mut Random, server_version: u32) -> (&'static Family, String) {
        let mut family = match random.below(100) {
            0..10 => &INTEGER,
            10..17 => &BIGINT,
            17..27 => &TEXT,
            27..33 => &BOOLEAN,
            33..75 => &COMMON[random.below(COMMON.len() as u64) as usize],
            _ => &RARE[random.below(RARE.len() as u64) as usize],
        };
        if family.since > server_version {
            family = &INTEGER;
        }
        let modifier = match family.modifier {
            Modifier::None => String::new(),
            Modifier::Length => format!("({})", random.within(1, 40)),
            Modifier::Digits => format!("({})", random.below(7)),
            Modifier::Decimal => {
                // Precisions on both sides of where the representation in SQLite changes.
                let precision = [1, 4, 9, 10, 15, 16, 18, 19, 38][random.below(9) as usize];
                let scale = if random.chance(0.4) { 0 } else { random.below(precision + 1) };
                format!("({precision},{scale})")
            }
        };
        (family, modifier)
    }
}
