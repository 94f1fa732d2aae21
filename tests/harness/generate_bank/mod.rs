//! Columns of every type under the checks that people write: no run may end because the generator found no row.
//!
//! A run of `generate` or `test` that ends in "no row satisfied the check" is a flaky test for its user. So each entry of
//! the bank is a table of its own, in one database, and is filled with several seeds, ordinary values and awkward ones;
//! the server takes every row, so the values are right as well.

mod bank;
mod hostile;

use self::bank::{PAIRS, SINGLE};
use crate::support::scratch::Scratch;
use std::fmt::Write;
use whimbrel::catalog::Catalog;
use whimbrel::endpoint::postgres::introspect;
use whimbrel::harness::Seed;
use whimbrel::harness::generate::{Dataset, GenerateOptions, Generator, Nobody, PostgresJudge, load_postgres};

/// What is declared besides the check; each entry of the bank gets one after the other.
const KEYS: [&str; 4] = ["NOT NULL", "UNIQUE", "PRIMARY KEY", "NOT NULL REFERENCED"];

const ROWS: u64 = 12;

/// A type as it stands in a table's name.
fn word(text: &str) -> String {
    text.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '_' }).collect()
}

/// Every so many entries of the bank are made; 1 in the variable makes all of them, with each of the keys.
fn stride() -> usize {
    std::env::var("WHIMBREL_BANK_STRIDE").ok().and_then(|text| text.parse().ok()).unwrap_or(4)
}

/// The tables of the bank, and of each what it is about.
fn tables() -> (String, Vec<(String, String)>) {
    let mut sql = String::from(bank::TYPES);
    let mut names = Vec::new();
    let single = SINGLE
        .iter()
        .flat_map(|(types, checks)| types.iter().flat_map(|one| checks.iter().map(move |check| (*one, *check))));
    for (number, (data_type, check)) in single.enumerate().step_by(stride()) {
        let check = check.replace("{c}", "c").replace("{t}", data_type);
        let keys = if bank::WITHOUT_EQUALITY.contains(&data_type) { &KEYS[..1] } else { &KEYS[..] };
        for (place, key) in keys.iter().enumerate() {
            if stride() > 1 && place != number / stride() % keys.len() {
                continue;
            }
            let name = format!("t{}_{}", names.len(), word(data_type));
            let own = key.strip_suffix(" REFERENCED").map_or((*key).to_owned(), |key| format!("{key} UNIQUE"));
            writeln!(sql, "CREATE TABLE {name} (c {data_type} {own} CONSTRAINT the_check CHECK ({check}));").unwrap();
            if own != *key {
                writeln!(sql, "CREATE TABLE {name}_child (p {data_type} NOT NULL REFERENCES {name} (c));").unwrap();
            }
            names.push((name, format!("{data_type} {own}, {check}")));
        }
    }
    for (columns, check) in PAIRS {
        let name = format!("t{}_pair", names.len());
        let columns = columns.replace("t_self", &name);
        writeln!(sql, "CREATE TABLE {name} ({columns}, CONSTRAINT the_check CHECK ({check}));").unwrap();
        names.push((name, format!("({columns}), {check}")));
    }
    (sql, names)
}

/// Adds the rows of one table, and of the one that refers to it.
fn make(
    catalog: &Catalog,
    judge: &mut PostgresJudge,
    seed: u64,
    awkward: f64,
    made: &mut Dataset,
) -> Result<(), String> {
    let told = |error: whimbrel::Error| error.to_string();
    let rows = ROWS * catalog.tables.len() as u64;
    let generator =
        Generator::new(catalog, GenerateOptions { rows, seed: Seed(seed), awkward, ..GenerateOptions::default() });
    let mut dataset = Dataset::default();
    let generated = generator.map_err(told)?.stream(judge, &mut dataset).map_err(told)?;
    if let Some(none) = generated.tables.iter().find(|table| table.rows == 0) {
        return Err(format!("no row: {}", none.why_fewer.as_deref().unwrap_or_default()));
    }
    made.tables.append(&mut dataset.tables);
    Ok(())
}

#[test]
fn no_check_that_people_write_is_left_without_a_row() {
    let (sql, names) = tables();
    let scratch = Scratch::new(&sql);
    let url = scratch.postgres_url();
    let mut catalog = introspect(&mut scratch.session()).unwrap();
    let mut tables = std::mem::take(&mut catalog.tables);
    let mut own = Vec::new();
    for (name, _) in &names {
        let (these, others) = tables
            .into_iter()
            .partition(|table| table.name.name == *name || table.name.name == format!("{name}_child"));
        tables = others;
        own.push(Catalog { tables: these, ..catalog.clone() });
    }
    catalog.tables = own.iter().flat_map(|own| own.tables.clone()).collect();
    let mut failed = Vec::new();
    let seeds: u64 = std::env::var("WHIMBREL_BANK_SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    let mut judge = PostgresJudge::new(&url);
    for seed in 0..seeds {
        for (turn, awkward) in [0.0, 0.3, 1.0].into_iter().enumerate() {
            let mut made = Dataset::default();
            for (number, ((name, about), own)) in names.iter().zip(&own).enumerate() {
                let seed = 3 * (number as u64 + 10_000 * seed) + turn as u64;
                if let Err(error) = make(own, &mut judge, seed, awkward, &mut made) {
                    failed.push(format!("{name} {about}, awkward {awkward}: {error}"));
                }
            }
            if let Err(error) = load_postgres(&url, &catalog, &made) {
                failed.push(format!("LOAD seed {seed}, awkward {awkward}: {error}"));
            } else {
                let all: Vec<&str> = names.iter().map(|(name, _)| name.as_str()).collect();
                scratch.execute(&format!("TRUNCATE {} CASCADE", all.join(", ")));
            }
        }
    }
    println!("{} tables", names.len());
    assert!(failed.is_empty(), "{} failed:\n{}", failed.len(), failed.join("\n"));
}

/// The table of a bug report: two of three runs of 64 cases ended with a check that no row satisfied.
#[test]
fn a_code_in_a_char_column_is_found_by_every_seed() {
    let sql = "CREATE TABLE a (id int PRIMARY KEY, zip char(5) NOT NULL CHECK (zip ~ '^[0-9]{5}$'))";
    let scratch = Scratch::new(sql);
    let catalog = introspect(&mut scratch.session()).unwrap();
    for seed in (0..200).chain([6_304_297_043_501_859_819]) {
        for awkward in [0.0, 0.2, 1.0] {
            let mut made = Dataset::default();
            // Nobody is asked: the check is solved.
            let options = GenerateOptions { rows: 30, seed: Seed(seed), awkward, ..GenerateOptions::default() };
            Generator::new(&catalog, options).unwrap().stream(&mut Nobody, &mut made).unwrap();
            let zips = made.tables.iter().flat_map(|table| &table.rows).map(|row| row[1].as_deref().unwrap());
            assert_eq!(
                zips.filter(|zip| zip.len() == 5 && zip.bytes().all(|digit| digit.is_ascii_digit())).count(),
                30
            );
        }
    }
}
