//! Patterns and lengths that would take more memory or time than there is: bounded, and named.

use crate::support::scratch::Scratch;
use std::time::{Duration, Instant};
use whimbrel::endpoint::postgres::introspect;
use whimbrel::harness::generate::{Dataset, GenerateOptions, Generator, PostgresJudge};
use whimbrel::project::ColumnHint;

const LIMIT: Duration = Duration::from_secs(60);
/// Far below what any of these would take.
const MEMORY_KIB_MAX: u64 = 1 << 20;

/// The most memory that this process had, in KiB; 0 where the system does not tell.
fn most_memory_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("0");
    line.trim().trim_end_matches(" kB").parse().unwrap_or(0)
}

fn made(sql: &str, pattern: Option<&str>) -> Result<Dataset, String> {
    let scratch = Scratch::new(sql);
    let catalog = introspect(&mut scratch.session()).unwrap();
    let mut options = GenerateOptions { rows: 20, ..GenerateOptions::default() };
    if let Some(pattern) = pattern {
        let hint = ColumnHint { pattern: Some(pattern.to_owned()), ..ColumnHint::default() };
        options.hints.columns.insert("t.c".to_owned(), hint);
    }
    let told = |error: whimbrel::Error| format!("{error}; {}", error.way_out().unwrap_or_default());
    let started = Instant::now();
    let made = Generator::new(&catalog, options)
        .and_then(|generator| generator.dataset(&mut PostgresJudge::new(&scratch.postgres_url())))
        .map_err(told);
    assert!(started.elapsed() < LIMIT, "{:?} for {sql}, {pattern:?}", started.elapsed());
    assert!(most_memory_kib() < MEMORY_KIB_MAX, "{} KiB for {sql}, {pattern:?}", most_memory_kib());
    made
}

#[test]
fn a_pattern_of_a_project_that_is_too_large_is_named() {
    let deep = format!("{}a{}", "(".repeat(20_000), ")".repeat(20_000));
    let long = "a".repeat(1 << 20);
    for pattern in [
        "[a-z]{999999999}",
        "((a|b){0,65535}){0,65535}",
        "((a{200}){200}){200}",
        "(((((a|b)*c)*d){0,99}){0,99}){0,99}",
        "(a|b)*a(a|b){30}",
        "(a)(\\1\\1)(\\2\\2)(\\3\\3)(\\4\\4)(\\5\\5)(\\6\\6)(\\7\\7)(\\8\\8)\\9{999}",
        "(?i)a",
        &deep,
        &long,
    ] {
        let error =
            made("CREATE TABLE t (c text NOT NULL)", Some(pattern)).expect_err(&pattern[..pattern.len().min(60)]);
        for word in ["`generate.columns` `t.c`", "no text can be drawn for `"] {
            assert!(error.contains(word), "{word} is missing: {error}");
        }
        assert!(error.contains(&pattern[..pattern.len().min(30)]), "{error}");
        assert!(error.len() < 600, "{} characters: {error}", error.len());
    }
}

#[test]
fn a_check_that_is_too_large_ends_with_its_reason() {
    for (column, words) in [
        ("c text NOT NULL CONSTRAINT large CHECK (c ~ '^((a{200}){200}){200}$')", "its pattern `^((a{200}"),
        ("c text NOT NULL CONSTRAINT large CHECK (char_length(c) = 1000000000)", "its least length 1000000000"),
        ("c bytea NOT NULL CONSTRAINT large CHECK (octet_length(c) >= 1000000000)", "its least length 1000000000"),
        ("c text NOT NULL CONSTRAINT large CHECK (c ~ '^[a-z]+$' AND length(c) > 2000000)", "2000001"),
    ] {
        let error = made(&format!("CREATE TABLE t ({column})"), None).expect_err(column);
        for word in ["`public.t`", "column `c`", words] {
            assert!(error.contains(word), "{word} is missing: {error}");
        }
    }
    let error = made("CREATE TABLE t (c bit(83886080) NOT NULL)", None).expect_err("it is too long");
    assert!(error.contains("83886080 bits") && error.contains("column `c`"), "{error}");
}

#[test]
fn what_only_looks_large_is_filled() {
    let chain: Vec<String> = (0..20_000).map(|number| format!("c <> {number}")).collect();
    for column in [
        "c varchar(10485760) NOT NULL CHECK (length(c) < 10000000)".to_owned(),
        "c varbit(83886080) NOT NULL".to_owned(),
        "c numeric(1000, 900) NOT NULL".to_owned(),
        "c text NOT NULL CHECK (c ~ '^(a|b)*a(a|b){8}$')".to_owned(),
        "c text NOT NULL DEFAULT repeat('x', 100000000)".to_owned(),
        format!(
            "c integer NOT NULL CHECK (c IN ({}))",
            (0..50_000).map(|n| n.to_string()).collect::<Vec<_>>().join(", ")
        ),
        format!("c integer NOT NULL CHECK ({})", chain.join(" AND ")),
        format!("c integer NOT NULL CHECK ({})", chain.join(" OR ")),
    ] {
        let shown = &column[..column.len().min(80)];
        let dataset =
            made(&format!("CREATE TABLE t ({column})"), None).unwrap_or_else(|error| panic!("{shown}: {error}"));
        assert_eq!(dataset.row_count(), 20, "{shown}");
    }
}
